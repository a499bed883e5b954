"""Questions of checks about the frames of the thread that asks, and what is often asked. Knows
no check of its own. Runs on Python 3.8 and later."""

import helper
from checks import differ
from helper import FRAMES, MEMORY, TOP, TREE


class Asker:
    """Questions about the frames of this thread. The frames of this machinery stand
    further in, so a frame is known by its distance from the outermost one."""

    def __init__(self):
        self.helper = helper.from_environment()

    def ask(self, frame, query=FRAMES, *args, **options):
        """The reply about a frame, or about all; and the number that the helper gave
        the frame, the same for both questions because both are asked from here."""
        distance = 0
        while frame is not None:
            distance, frame = distance + 1, frame.f_back
        number = len(self.helper.ask(FRAMES)["items"]) - distance
        if query != FRAMES:
            options["frame"] = number
        return self.helper.ask(query, *args, **options), number

    def frame(self, frame):
        reply, number = self.ask(frame)
        return reply["items"][number]

    def find(self, text, frame):
        """The address that EXPR leads to, or the error."""
        reply, _ = self.ask(frame, MEMORY, [text])
        return reply.get("error") or int(reply["items"][0]["address"], 16)

    def locals_of(self, frame):
        reply, _ = self.ask(frame, TOP, limit=0)
        return sorted((i["expr"], int(i["address"], 16)) for i in reply["items"])


def found_here(wrong, asker, frame, cases):
    for text, obj in cases.items():
        differ(wrong, text, asker.find(text, frame), id(obj))


def refused_here(wrong, asker, frame, cases):
    """`cases`: EXPR → (kind, words that the sentence must hold)."""
    for text, (kind, words) in cases.items():
        error = asker.find(text, frame)
        if not isinstance(error, dict):
            wrong.append("%s: found %#x" % (text, error))
            continue
        differ(wrong, text, error["kind"], kind)
        for word in words:
            if word not in error["message"]:
                wrong.append("%s: no %r in %r" % (text, word, error["message"]))


def label_of(asker, parent, child):
    tree = asker.helper.ask(TREE, [(parent,)], depth=2, limit=0)["tree"]
    labels = [c["label"] for c in tree["children"] if int(c["address"], 16) == id(child)]
    return labels[0] if labels else "no child"
