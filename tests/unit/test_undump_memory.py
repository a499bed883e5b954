"""The child of undump looks like the process that the core is of: every page, from the
kernel's cores, from gcore's, and from the stopped process itself."""

import ctypes
import random
import resource
import shutil
import struct

import pytest

import cores
import matrix
import target as targets
import undump
from cores import PAGE

WAYS = ["live", "gcore", "gcore-eager", "kernel"]
INTERPRETERS = [name for name in (matrix.DEBIAN, "3.12") if name in matrix.interpreters()]


class Sampled:
    """A frozen process, its memory at some words of every page, and its cores."""

    def __init__(self, interpreter, *arguments, **options):
        self.target = targets.start(interpreter, "sampled.py", *arguments, **options)
        cores.freeze(self.target)
        self.pid = self.target.pid
        self.info = self.target.info
        self.mappings = cores.mappings(self.pid)
        self.words = {}
        choose = random.Random(1)
        with open("/proc/%d/mem" % self.pid, "rb", buffering=0) as memory:
            for m in self.mappings:
                if "r" not in m.permissions or m.path.startswith("[v"):
                    continue
                pages = range(m.start, m.end, PAGE)
                for page in choose.sample(pages, min(200, len(pages))):
                    at = page + choose.randrange(PAGE // 8) * 8
                    memory.seek(at)
                    self.words[at] = struct.unpack("<Q", memory.read(8))[0]
        self.thread_pointer = cores.thread_pointer(self.pid)
        cores.freeze(self.target)
        self._gcore = self._kernel = None

    def source(self, way):
        """What undump is to read, its options, and what the request must tell. The
        kernel's core is the last that can be had."""
        if way == "live":
            return self.pid, [], {"thread_pointer": self.thread_pointer}
        if way == "kernel":
            self._kernel = self._kernel or cores.kernel_core(self.target)
            if not self._kernel:
                pytest.skip("core_pattern sends cores elsewhere")
            return self._kernel, [], {}
        if not self._gcore:
            self._gcore = cores.gcore(self.pid, self.target.directory)
            cores.freeze(self.target)
        return self._gcore, ["--eager"] if way == "gcore-eager" else [], {}

    def close(self):
        self.target.kill()
        shutil.rmtree(self.target.directory, ignore_errors=True)

    def mapping(self, address):
        return next(m for m in self.mappings if m.start <= address < m.end)


@pytest.fixture(scope="module")
def processes():
    """By interpreter, and by whether it may be killed."""
    running = {}
    yield running
    for process in running.values():
        process.close()


@pytest.fixture(params=WAYS)
def way(request):
    return request.param


@pytest.fixture(params=INTERPRETERS)
def sampled(request, processes, way):
    key = request.param, way == "kernel"
    if key not in processes:
        processes[key] = Sampled(matrix.interpreters()[request.param])
    return processes[key]


def tables(process, way, **keywords):
    source, options, more = process.source(way)
    answer = undump.ask(source, undump.request(undump.TABLES, **dict(more, **keywords)), *options)
    assert answer.kind is None, answer.output
    return answer.json


def inside(ranges, address):
    return any(start <= address < end for start, end in ranges)


def test_same_words(sampled, way):
    source, options, more = sampled.source(way)
    missing = tables(sampled, way)["missing"]
    addresses = [a for a in sampled.words if not inside(missing, a)]
    assert len(addresses) > 0.9 * len(sampled.words)
    got = undump.words(source, addresses, *options, **more)
    wrong = [(hex(a), sampled.mapping(a).path) for a, word in zip(addresses, got)
             if word != sampled.words[a]]
    # On its way to death a process gets a signal frame at most, below its stack.
    assert wrong == []


def test_tables(sampled, way):
    got = tables(sampled, way)
    info = sampled.info
    executable = [m for m in sampled.mappings if "x" in m.permissions and m.path.startswith("/")]
    assert got["code"] == [[m.start, m.end] for m in executable] == sorted(got["code"])
    starts = {m.start for m in sampled.mappings if m.offset == 0}
    assert {image[0] for image in got["images"]} <= starts
    assert len(got["images"]) == len(executable)
    assert [b["status"] for b in got["undump"]["binaries"]] == ["used"] * len(executable)
    assert got["undump"]["caveats"] == []
    assert inside(got["code"], info["function"])
    assert not inside(got["missing"], info["data"]) and not inside(got["missing"], info["numbers"])
    assert got["flags"] == 8
    if way == "live":
        assert got["missing"] == []
        return
    assert got["thread_pointer"] == sampled.thread_pointer
    # Where nothing is there is nothing to miss: only data files, which no build-id proves.
    for start, end in got["missing"]:
        covered = [m for m in sampled.mappings if m.start < end and start < m.end]
        assert covered and all(m.path.startswith(("/", "[vvar", "[vdso")) and "w" not in m.permissions
                               for m in covered), [m.path for m in covered]


def test_threads(sampled, way):
    first = tables(sampled, way)
    assert first["lwp"] == (0 if way == "live" else sampled.pid)
    if way == "live":
        return
    threads = first["threads"]
    assert len(threads) == 4 and [t[0] for t in threads] == [1, 2, 3, 4]
    assert len({t[2] for t in threads}) == 4
    for _, lwp, thread_pointer, _ in threads:
        for options in ([], ["--lwp", lwp]):
            source, more, _ = sampled.source(way)
            data = undump.request(undump.TABLES, lwp=0 if options else lwp,
                                  threads=[(7, threads[1][1], 0), (9, threads[0][1], 0)])
            got = undump.ask(source, data, *(more + options)).json
            assert (got["lwp"], got["thread_pointer"]) == (lwp, thread_pointer)
        assert [t[0] for t in got["threads"]] == [7, 9, 10, 11]
        assert sorted(t[1:] for t in got["threads"]) == sorted(t[1:] for t in threads)
        # The word at the thread pointer is its own address, by the ABI.
        assert undump.words(source, [thread_pointer], *more) == [thread_pointer]
    answer = undump.ask(source, undump.request(undump.TABLES), "--lwp", 1)
    assert answer.kind == "no-such-thread" and " 1" in answer.message


def test_code_runs(sampled, way):
    """On-disk text runs; what the process itself had made executable does not."""
    source, options, more = sampled.source(way)

    def call(address):
        return undump.ask(source, undump.request(undump.CALL, [address], **more), *options)

    answer = call(sampled.info["function"])
    assert answer.kind is None and answer.json["result"] == 1, answer.output
    answer = call(sampled.info["code"])
    assert answer.kind == "died" and "Segmentation fault" in answer.message


def test_only_touched_pages(sampled, way):
    """Address space, not memory: what is read counts, in chunks."""
    source, options, more = sampled.source(way)
    at, size = sampled.info["numbers"], 1 << 24

    def rss(*addresses, **keywords):
        data = undump.request(undump.TOUCH, addresses, **dict(more, **keywords))
        answer = undump.ask(source, data, *options)
        assert answer.kind is None, answer.output
        return answer.json["sum"], answer.json["undump"]["max_rss"]

    total, most = rss(at, at + size)
    # Each page begins with its offset + 1: only its lowest byte is read.
    assert total == size // PAGE
    assert most >= size - (1 << 20)
    _, shuffled = rss(at, at + size, limit=1021)
    assert shuffled < most + (1 << 20)
    if way != "gcore-eager":
        _, few = rss(*[a for i in range(8) for a in (at + i * size // 8, at + i * size // 8 + PAGE)])
        assert few < most - size + 8 * (128 << 10) + (2 << 20)


def test_writes_stay_in_the_child(sampled, way):
    source, options, more = sampled.source(way)
    at = sampled.info["numbers"]
    before = source if way == "live" else source.read_bytes()
    answer = undump.ask(source, undump.request(undump.WRITE, [at], **more), *options)
    assert answer.json["word"] == 0x1122334455667788
    assert undump.words(source, [at], *options, **more) == [1]
    assert way == "live" or source.read_bytes() == before


def without_randomisation():
    resource.setrlimit(resource.RLIMIT_CORE, (resource.getrlimit(resource.RLIMIT_CORE)[1],) * 2)
    ctypes.CDLL(None).personality(0x0040000)


@pytest.mark.parametrize("name", INTERPRETERS)
def test_without_randomisation(name, monkeypatch):
    """Everything is where undump itself would be without it, too."""
    monkeypatch.setattr(targets, "_allow_cores", without_randomisation)
    process = Sampled(matrix.interpreters()[name])
    try:
        for way in WAYS:
            source, options, more = process.source(way)
            missing = tables(process, way)["missing"]
            addresses = [a for a in process.words if not inside(missing, a)]
            for i in range(0, len(addresses), 1000):
                some = addresses[i:i + 1000]
                answer = undump.ask(source, undump.request(undump.WORDS, some, **more), *options,
                                    preexec_fn=without_randomisation)
                assert answer.json["words"] == [process.words[a] for a in some]
    finally:
        process.close()


def test_thousands_of_mappings():
    process = Sampled(matrix.interpreters()[INTERPRETERS[0]], 6000)
    try:
        assert len(process.mappings) > 6000
        start = process.info["many"]
        wanted = [start + i * PAGE for i in range(0, 6000, 100)]
        for way in WAYS:
            source, options, more = process.source(way)
            assert undump.words(source, wanted, *options, **more) == list(range(0, 6000, 100))
    finally:
        process.close()


@pytest.mark.parametrize("count, unaligned", [(10, 0), (10, 0x7b0), (65533, 0), (65534, 0),
                                              (70000, 0), (70000, 0x7b0)])
def test_more_segments_than_the_header_can_count(count, unaligned, tmp_path):
    """PN_XNUM; also when the end of the file, where the count is, was cut off."""
    some = sorted({*range(0, count, count // 10), count - 1})
    start = 0x10000000
    segments = [(start + i * PAGE, struct.pack("<Q", i) + bytes(PAGE - 8) if i in some else b"",
                 PAGE, cores.R | cores.W) for i in range(count)]
    data = cores.core(segments, unaligned=unaligned, extended=count > 65533)
    path = tmp_path / "core"
    path.write_bytes(data)
    assert undump.words(path, [start + i * PAGE for i in some]) == some
    path.write_bytes(data[:-PAGE])
    some.pop()
    assert undump.words(path, [start + i * PAGE for i in some]) == some
    answer = undump.ask(path, undump.request(undump.TABLES))
    assert answer.json["missing"][-1][1] == start + count * PAGE
    assert [c["kind"] for c in answer.json["undump"]["caveats"]] == ["no-file-list",
                                                                      "truncated-core"]
