"""A tracer that ends between any two of its steps: the thread comes back by itself, and what was
done is undone."""

import contextlib
import os
import signal
import subprocess
import sys
import time
import traceback

import pytest

import procstate
from counting import counting
from rememberme import detour, elf, ptrace
from rememberme.adapter import RESULT

ATTACH, DETACH = 16, 17
M = (1 << 64) - 1


class Steps:
    """Ends this process before step `last`, counting each ptrace request and each write."""

    def __init__(self, last):
        self._last = last
        self.n = 0

    def step(self):
        if self.n == self._last:
            os.kill(os.getpid(), signal.SIGKILL)
        self.n += 1


def visit(pid, steps, interrupted=None):
    """What an injection does: maps, writes, calls, unmaps; or is interrupted in the first call."""
    memory = open("/proc/%d/mem" % pid, "r+b", buffering=0)

    def read(address, size):
        return os.pread(memory.fileno(), size, address)

    def write(address, data):
        steps.step()
        os.pwrite(memory.fileno(), data, address)

    request = ptrace._ptrace

    def counted(*arguments):
        steps.step()
        return request(*arguments)

    with open("/proc/%d/maps" % pid) as maps:
        images = elf.images(elf.parse_maps(maps.read()), read)
    mmap, munmap, getppid = [elf.find_symbol(read, images, name)
                             for name in ("mmap", "munmap", "getppid")]
    request(ATTACH, pid, None, None)
    os.waitpid(pid, ptrace._WALL)
    ptrace._ptrace = counted
    thread = ptrace.StoppedThread(pid, pid, read, write)
    before = ptrace._registers(pid)
    if interrupted:
        with interrupted(thread):
            thread.call(mmap, 0, 8192, 3, 0x22, -1, 0, undo=(munmap, RESULT, 8192))
        thread.finish()
        request(DETACH, pid, None, None)
        return
    address = thread.call(mmap, 0, 8192, 3, 0x22, -1, 0, undo=(munmap, RESULT, 8192))
    other = thread.call(mmap, 0, 4096, 3, 0x22, -1, 0, undo=(munmap, RESULT, 4096))
    write(address, b"x" * 8192)
    assert thread.call(getppid)
    assert thread.call(munmap, other, 4096) == 0
    assert thread.call(munmap, address, 8192) == 0
    thread.finish()
    assert ptrace._registers(pid) == before
    request(DETACH, pid, None, None)


def in_child(function, *arguments):
    """How a copy of this process ends that runs the function: its exit status or -signal."""
    pid = os.fork()
    if not pid:
        status = 1
        try:
            function(*arguments)
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def count_steps(pid, path):
    steps = Steps(-1)
    visit(pid, steps)
    path.write_text(str(steps.n))


@pytest.mark.skipif(not hasattr(os, "waitstatus_to_exitcode"), reason="Python 3.9")
def test_a_tracer_that_ends_at_any_step(tmp_path):
    with counting(tmp_path / "count", "waits.py") as program:
        before = procstate.maps(program.pid)
        assert in_child(count_steps, program.pid, tmp_path / "n") == 0
        n = int((tmp_path / "n").read_text())
        assert n > 20
        for last in range(n):
            assert in_child(visit, program.pid, Steps(last)) == -signal.SIGKILL
            program.wait()
            assert procstate.maps(program.pid) == before, "ended before step %d" % last


@pytest.mark.skipif(not hasattr(os, "waitstatus_to_exitcode"), reason="Python 3.9")
@pytest.mark.parametrize("where", ["before", "behind"])
def test_an_interruption_just_behind_a_call(tmp_path, where):
    """gdb's SIGTERM interrupts Python anywhere: what was mapped is unmapped all the same."""
    def interrupted(thread):
        run, request = thread._run, ptrace._ptrace

        def run_and_raise():
            run()
            raise KeyboardInterrupt()

        def request_and_raise(number, *arguments):
            request(number, *arguments)
            if number == ptrace._CONT:
                ptrace._ptrace = request
                raise KeyboardInterrupt()

        if where == "behind":
            thread._run = run_and_raise
        else:
            ptrace._ptrace = request_and_raise
        try:
            yield
        except KeyboardInterrupt:
            thread._run = run
            ptrace._ptrace = request

    with counting(tmp_path / "count", "waits.py") as program:
        before = procstate.maps(program.pid)
        assert in_child(visit, program.pid, Steps(-1),
                        contextlib.contextmanager(interrupted)) == 0
        program.wait()
        assert procstate.maps(program.pid) == before


@pytest.mark.parametrize("rax, orig_rax, back", [
    (5, M, (0x1000, 5)), (-512 & M, M, (0x1000, -512 & M)), (-4 & M, 7, (0x1000, -4 & M)),
    (-512 & M, 7, (0xffe, 7)), (-513 & M, 7, (0xffe, 7)), (-514 & M, 7, (0xffe, 7)),
    (-516 & M, 7, (0xffe, 219)), (-516 & M, None, (0x1000, -4 & M)), (5, None, (0x1000, 5))])
def test_how_a_thread_goes_on(rax, orig_rax, back):
    assert detour.resumption(0x1000, rax, orig_rax) == back


def test_room_for_the_code():
    """In a page of a program's code, behind the code: where nothing is, or a copy that no thread is
    in, or will return to."""
    code = b"\x90" * 200
    size = len(code) + detour._JOB.size
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    time.sleep(0.2)
    with open("/proc/%d/syscall" % process.pid) as syscall:
        rsp = int(syscall.read().split()[-2], 16)
    with open("/proc/%d/mem" % process.pid, "r+b", buffering=0) as memory:
        def read(address, length):
            return os.pread(memory.fileno(), length, address)

        def room(content):
            os.pwrite(memory.fileno(), content, at)
            return detour._room(process.pid, read, code)

        def copy(home):
            return code + bytes(detour._JOB.size - 8) + home.to_bytes(8, "little")

        at = detour._room(process.pid, read, code)
        assert read(at, size) == bytes(size)
        assert any(start <= at and at + size <= end for start, end, flags, _, _ in
                   procstate.maps(process.pid) if flags == "r-xp")
        assert room(copy(rsp)) == at
        assert room(copy(rsp + 64)) == at
        assert abs(room(b"\1" * size) - at) >= 4096
        in_use = read(rsp, 8)
        os.pwrite(memory.fileno(), (at + 100).to_bytes(8, "little"), rsp)
        assert abs(room(copy(rsp + 64)) - at) >= 4096
        assert room(copy(rsp)) == at
        os.pwrite(memory.fileno(), in_use, rsp)
    process.communicate(b"\n")
    assert process.returncode == 0
