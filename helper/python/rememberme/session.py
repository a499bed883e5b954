"""From a question to the helper's reply: which target, which thread and frame,
which way in. Knows neither a command nor how a reply is shown."""

import contextlib

from . import harm, image
from .adapter import CORE, LIVE
from .errors import Failure
from .request import (ALL_THREADS, FRAMES, NO_CLASSES, SELECTED_FRAME, TRAVERSE_ONLY, WHOLE_HEAP,
                      Request)


def require_target(adapter):
    """The Target, or a Failure when there is none."""
    target = adapter.target()
    if target.kind not in (LIVE, CORE):
        image.drop()  # of a process that is gone
        raise Failure("no-target", "There is no process and no core: attach to a Python process, "
                      "run one, or load a core.")
    return target


@contextlib.contextmanager
def on_thread(adapter, number):
    """Works on thread `number`, or on the one that is selected (None)."""
    if number is None:
        yield
        return
    selected = adapter.selected_thread()
    if selected is not None and selected.number == number:
        yield
        return
    with adapter.thread_selected(number):
        yield


def question(adapter, settings, target, query, exprs=(), frame=None, all_threads=False,
             limit=None, depth=None, options=0, flags=0):
    """A Request about the selected thread. None stands for what the user did not say:
    the selected frame, the limit and depth of the settings. `flags` are more of enum
    rme_flag than the settings say."""
    if settings.references == "traverse":
        flags |= TRAVERSE_ONLY
    if settings.classes == "off":
        flags |= NO_CLASSES
    if all_threads:
        flags |= ALL_THREADS
    thread = adapter.selected_thread()
    if thread is None:
        raise Failure("no-thread", "No thread is selected.")
    if all_threads or query in WHOLE_HEAP:
        threads = adapter.threads()
    else:
        threads = [thread]
    eval_depth, stack_pointer = 0, 0
    if not all_threads and frame is None:
        eval_depth, stack_pointer = _selected_frame(adapter, query, exprs)
    return Request(
        query, flags,
        limit=settings.limit if limit is None else limit,
        depth=settings.depth if depth is None else depth,
        frame=SELECTED_FRAME if frame is None else frame,
        eval_depth=eval_depth, stack_pointer=stack_pointer,
        thread=thread, threads=threads, exprs=exprs, options=options)


def _selected_frame(adapter, query, exprs):
    """(Adapter.eval_depth, Adapter.stack_pointer), where the answer depends on the selected
    C frame."""
    if (exprs or query in WHOLE_HEAP) and not any(expr.begins_with_name() for expr in exprs):
        return 0, 0
    try:
        return adapter.eval_depth(), adapter.stack_pointer()
    except Failure:
        if query != FRAMES:
            raise
        return 0, 0  # the list of frames is what helps to name one


def answer(adapter, settings, target, request):
    """The helper's reply to a Request, as a dict. Raises Failure."""
    return harm.guarded(settings, target, request,
                        lambda chosen: image.answer(adapter, chosen, target, request),
                        lambda chosen: image.holds(adapter, chosen, target, request))
