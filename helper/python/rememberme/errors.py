"""The one exception that commands end with: a kind for scripts, a sentence for people."""


class Failure(Exception):
    """An expected end of a command. `kind` is a word of the JSON contract
    ("no-target", "no-such-name", …), `message` one sentence that says what was
    attempted, what was found and what to try."""

    def __init__(self, kind, message):
        Exception.__init__(self, message)
        self.kind = kind
        self.message = message


class Unreadable(Failure):
    """Memory that the debugger cannot read or write."""

    def __init__(self, address, size, verb="read"):
        Failure.__init__(
            self, "unreadable",
            "The debugger cannot %s %d bytes at 0x%x." % (verb, size, address))
        self.address = address


class CallFailed(Failure):
    """A call in the debuggee that did not return; the debugger has put the
    thread back to where it was."""

    def __init__(self, reason):
        Failure.__init__(self, "call-failed", "A call in the debuggee failed: %s" % reason)


class Ended(Failure):
    """The process is gone, by its own doing or by a call of ours."""

    def __init__(self, pid, how=""):
        Failure.__init__(self, "process-ended", "Process %d has ended%s while it was being looked "
                         "at; there is nothing to take out of it any more." % (pid, how))
