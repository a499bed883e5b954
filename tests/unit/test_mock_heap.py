"""Cases of heaps that are drawn in a few lines: what the graph says of them, and how it is
rendered. To add one: draw it, say what you expect."""

import pytest

import mock_heap
import replies
from rememberme import commands
from rememberme.table import Look


@pytest.fixture(scope="module")
def heap(tmp_path_factory):
    entry = mock_heap.build(tmp_path_factory.mktemp("graph") / "graph.so")
    return lambda text: mock_heap.MockHeap(entry, text)


def test_what_two_hold_belongs_to_what_holds_both(heap):
    found = heap("""
        root  -> app thread
        app   100 -> cache
        cache 50  -> row shared
        row   1000
        thread 20 -> shared
        shared 30
    """)
    assert found.retained("cache") == 1050
    assert found.retained("app") == 1150
    assert found.retained("thread") == 20
    assert found.retained("root") == 1200
    assert found.dominator("shared") == "root"
    assert found.path("shared") == ["root", "thread", "shared"]


def test_a_cycle_belongs_to_what_leads_into_it(heap):
    found = heap("""
        root -> a
        a 1 -> b
        b 2 -> c
        c 4 -> b
    """)
    assert (found.retained("a"), found.retained("b"), found.retained("c")) == (7, 6, 4)
    assert found.path("c") == ["root", "a", "b", "c"]


def test_what_nothing_reaches_has_no_path(heap):
    found = heap("""
        root -> a
        lost 5 -> a
        a 1
    """)
    assert found.path("lost") is None and found.dominator("lost") is None
    assert found.retained("root") == 1


def test_a_second_reference_changes_nothing(heap):
    assert heap("root -> a a\n a 3 -> b b\n b 4").retained("a") == 7


def test_the_tree_as_it_is_shown(heap):
    reply = heap("""
        root -> cache
        cache 50 -> small large
        small 10
        large 1000
    """).tree()
    replies.check(reply, "dominators")
    lines = commands.COMMANDS["py-dominators"].render(reply, Look(exact=True), _no_options())
    text = "\n".join(lines)
    assert "1,060B" in text and text.index("large (1,000B)") < text.index("small (10B)")


def _no_options():
    from rememberme import arguments
    command = commands.COMMANDS["py-dominators"]
    return arguments.parse(command.name, command.all_options(), [], False)
