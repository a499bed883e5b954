"""Which package a plugin loads: that of its source tree or installation, and no other."""

import os
import shutil
import subprocess

import pytest

import matrix
import session

HOSTILE = "import os\nopen(%r, 'w').close()\nraise ImportError('forged')\n"


@pytest.fixture
def copy(tmp_path, debugger):
    """A folder with a copy of the plugin, and the path that a forged package makes."""
    folder = tmp_path / "place"
    folder.mkdir()
    plugin = matrix.PLUGIN[debugger.family]
    shutil.copy(str(plugin), str(folder / plugin.name))
    return folder, folder / plugin.name, tmp_path / "forged"


def load(debugger, plugin, monkeypatch, **environment):
    monkeypatch.setitem(matrix.PLUGIN, debugger.family, plugin)
    return session.console(debugger, ["py-config limit"], env=environment)


def forge(folder, mark):
    package = folder / "rememberme"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(HOSTILE % str(mark))
    return package


def test_a_copy_alone_says_what_to_load(copy, debugger, monkeypatch):
    _, plugin, _ = copy
    assert "load this file from the source tree" in load(debugger, plugin, monkeypatch)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a folder to somebody else")
@pytest.mark.parametrize("place", ["beside", "as a source tree"])
@pytest.mark.parametrize("how", ["of another user", "writable by all"])
def test_what_somebody_else_has_put_there(copy, debugger, monkeypatch, place, how):
    folder, plugin, mark = copy
    package = forge(folder if place == "beside" else folder.parent / "helper" / "python", mark)
    if how == "of another user":
        os.chown(str(package), 65534, 65534)
    else:
        package.chmod(0o777)
    text = load(debugger, plugin, monkeypatch)
    assert "is not loaded" in text and "another user" in text
    assert not mark.exists()


def test_the_source_tree_comes_first(debugger, tmp_path, monkeypatch):
    """Also before what PYTHONPATH and the plugin's own folder have."""
    for name in ("gdb", "lldb", "helper"):
        shutil.copytree(str(matrix.ROOT / name), str(tmp_path / name))
    plugin = tmp_path / matrix.PLUGIN[debugger.family].relative_to(matrix.ROOT)
    mark = tmp_path / "forged"
    forge(plugin.parent, mark)
    forge(tmp_path / "path", mark)
    text = load(debugger, plugin, monkeypatch, PYTHONPATH=str(tmp_path / "path"))
    assert "limit is 10." in text
    assert not mark.exists()


def test_installed(debugger, tmp_path, monkeypatch):
    subprocess.run(["cmake", "--install", str(matrix.BUILD), "--prefix", str(tmp_path)],
                   check=True, stdout=subprocess.DEVNULL, env=matrix.ENVIRONMENT)
    plugin, = tmp_path.glob("lib*/rememberme/" + matrix.PLUGIN[debugger.family].name)
    assert "limit is 10." in load(debugger, plugin, monkeypatch)
