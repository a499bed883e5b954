"""A pytest run, stopped inside a test: pluggy's calls, fixtures, reports, the
rewritten assertions, some 40 frames deep."""

import os
import sys

import pytest

import stage

TESTS = '''
import functools
import pytest
import stage


@pytest.fixture(scope="session")
def cache():
    table = {}
    yield table
    table.clear()


@pytest.fixture
def filled(cache, tmp_path, monkeypatch):
    monkeypatch.setenv("FILLED", "1")
    cache.update((str(i), [i, tmp_path]) for i in range(100))
    return cache


@pytest.mark.parametrize("n", range(30))
def test_many(n, capsys):
    print(n)
    assert capsys.readouterr().out == "%d\\n" % n


def test_failing():
    local = {"a": [1, 2, 3]}
    assert local == {"a": [1, 2]}


class TestClass:
    attribute = functools.partial(print, 1)

    def test_stop(self, filled, request, caplog, record_property):
        items = request.session.items
        generator = (item for item in items)
        next(generator)
        stage.stop()
        assert len(items) == 32
'''


def main():
    directory = stage.DIRECTORY
    with open(os.path.join(directory, "test_inner.py"), "w") as out:
        out.write(TESTS)
    code = pytest.main(["-q", "-p", "no:cacheprovider", "--capture=sys", "--rootdir", directory,
                        "--basetemp", os.path.join(directory, "tmp"),
                        os.path.join(directory, "test_inner.py")])
    stage.result(code=int(code), python=list(sys.version_info[:2]))


main()
