"""The files that a core names: only the one that the process ran is used, wherever it
lies, and what is missing is said."""

import os
import shutil
import subprocess
import time

import pytest

import cores
import target as targets
import undump
from cores import PAGE


def wait_started(process):
    """Until it sleeps: its libraries are mapped."""
    while cores.thread_state(process.pid) != "S" or not any(
            "libc" in m.path for m in cores.mappings(process.pid)):
        time.sleep(0.005)


class Moved:
    """A program that ran from a place of its own, its core, and a place to put it."""

    def __init__(self, directory, original, arguments):
        self.bin = directory / "app" / "bin"
        self.bin.mkdir(parents=True)
        self.path = self.bin / "program"
        shutil.copy(original, self.path)
        self.elsewhere = directory / "elsewhere"
        self.elsewhere.mkdir()
        process = subprocess.Popen([self.path] + arguments, stdin=subprocess.DEVNULL)
        try:
            wait_started(process)
            self.core = cores.gcore(process.pid, directory)
        finally:
            process.kill()
            process.wait()

    def ask(self, *options):
        """What undump says of the program, and the whole answer."""
        answer = undump.ask(self.core, undump.request(undump.TABLES), *options)
        assert answer.kind is None, answer.output
        mine = [b for b in answer.json["undump"]["binaries"] if b["path"] == str(self.path)]
        assert len(mine) == 1
        return mine[0], answer.json


@pytest.fixture
def moved(tmp_path):
    return Moved(tmp_path, "/bin/sleep", ["100"])


def caveats(answer, kind):
    found = [c for c in answer["undump"]["caveats"] if c["kind"] == kind]
    assert len(found) <= 1
    return found[0] if found else None


def has_code(answer, binary):
    image = next(i for i in answer["images"] if i[0] == int(binary["base"], 16))
    return any(image[0] <= start < image[1] for start, _ in answer["code"])


def test_in_its_place(moved):
    binary, answer = moved.ask()
    assert binary["status"] == "used" and binary["file"] == str(moved.path)
    assert binary["wanted"] == binary["found"] and len(binary["wanted"]) == 40
    assert has_code(answer, binary) and not answer["undump"]["caveats"]


def test_missing(moved):
    moved.path.unlink()
    binary, answer = moved.ask()
    assert binary["status"] == "missing" and binary["file"] is None
    assert not has_code(answer, binary)
    caveat = caveats(answer, "missing-binary")
    assert caveat["count"] == 1
    for part in (str(moved.path), binary["wanted"], "py-config binaries"):
        assert part in caveat["message"]
    assert answer["undump"]["missing"]["bytes"] > 0
    # The C library is still used.
    assert any(b["status"] == "used" for b in answer["undump"]["binaries"])


@pytest.mark.parametrize("other", ["/bin/true", "/etc/passwd", "/dev/null"])
def test_another_file_there(moved, other):
    moved.path.unlink()
    if other == "/dev/null":
        moved.path.symlink_to(other)
    else:
        shutil.copy(other, moved.path)
    binary, answer = moved.ask()
    assert not has_code(answer, binary)
    if other != "/bin/true":
        assert binary["status"] == "missing"
        return
    assert binary["status"] == "mismatch" and binary["file"] == str(moved.path)
    assert binary["found"] != binary["wanted"] and len(binary["found"]) == 40
    caveat = caveats(answer, "wrong-binary")
    for part in (str(moved.path), binary["wanted"], binary["found"], "py-config binaries"):
        assert part in caveat["message"]


@pytest.mark.parametrize("where", ["sysroot", "flat", "deep", "link"])
def test_search(moved, where):
    path = {"sysroot": moved.elsewhere / str(moved.path)[1:],
            "flat": moved.elsewhere / "program",
            "deep": moved.elsewhere / "x" / "y" / "z" / "program",
            "link": moved.elsewhere / "links" / "program"}[where]
    path.parent.mkdir(parents=True, exist_ok=True)
    if where == "link":
        real = moved.elsewhere / "real-name"
        shutil.move(moved.path, real)
        path.symlink_to(real)
    else:
        shutil.move(moved.path, path)
    shutil.copy("/bin/true", moved.path)
    # A file of that name that is another program does not hide the right one.
    wrong = moved.elsewhere / "a"
    wrong.mkdir()
    shutil.copy("/bin/true", wrong / "program")
    binary, answer = moved.ask("--search", "/nonexistent", "--search", moved.elsewhere)
    assert binary["status"] == "used" and binary["file"] == str(path)
    assert has_code(answer, binary)


def test_map_wins(moved):
    there = moved.elsewhere / "a=b"
    shutil.copy(moved.path, there)
    binary, _ = moved.ask("--map", "/other=/bin/true", "--map", "%s=%s" % (moved.path, there),
                          "--search", moved.bin)
    assert binary["status"] == "used" and binary["file"] == str(there)
    # But it has to be the right one, too.
    binary, _ = moved.ask("--map", "%s=/bin/true" % moved.path)
    assert binary["status"] == "used" and binary["file"] == str(moved.path)


def test_any_file_by_its_build_id(moved):
    """The program that was loaded into the debugger, by whatever name."""
    there = moved.elsewhere / "renamed"
    shutil.move(moved.path, there)
    binary, answer = moved.ask("--file", "/bin/true", "--file", "/nonexistent", "--file", there)
    assert binary["status"] == "used" and binary["file"] == str(there)
    assert has_code(answer, binary)
    binary, _ = moved.ask("--file", "/bin/true")
    assert binary["status"] == "missing"


def test_stripped_of_its_build_id(moved):
    subprocess.run(["objcopy", "--remove-section", ".note.gnu.build-id", moved.path], check=True)
    binary, _ = moved.ask()
    assert binary["status"] == "mismatch" and binary["found"] is None


def test_deleted_while_it_ran(tmp_path):
    """As an upgrade does it: the kernel marks the path. Alive, the file is still found."""
    path = tmp_path / "program"
    shutil.copy("/bin/sleep", path)
    process = subprocess.Popen([path, "100"], stdin=subprocess.DEVNULL)
    try:
        wait_started(process)
        cores.freeze(process)
        path.unlink()
        shutil.copy("/bin/sleep", tmp_path / "kept")
        fs = cores.thread_pointer(process.pid)
        cores.freeze(process)
        live = undump.ask(process.pid, undump.request(undump.TABLES, thread_pointer=fs)).json
        core = cores.gcore(process.pid, tmp_path)
    finally:
        process.kill()
        process.wait()
    assert "error" not in live, live
    mine = [b for b in live["undump"]["binaries"] if b["path"] == str(path) + " (deleted)"]
    assert [b["status"] for b in mine] == ["used"] or os.getuid() != 0
    shutil.move(tmp_path / "kept", path)
    answer = undump.ask(core, undump.request(undump.TABLES)).json
    mine = [b for b in answer["undump"]["binaries"] if b["path"].startswith(str(path))]
    assert [(b["status"], b["file"]) for b in mine] == [("used", str(path))]


def test_without_elf_headers(moved):
    """coredump_filter without bit 4: nothing proves which file it was."""
    if not os.access("/proc/self/coredump_filter", os.W_OK):
        pytest.skip("no coredump_filter")
    directory = moved.core.parent / "cwd"
    directory.mkdir()
    process = subprocess.Popen(["sh", "-c", "echo 1 >/proc/self/coredump_filter; exec %s 100"
                                % moved.path], stdin=subprocess.DEVNULL, cwd=directory,
                               preexec_fn=targets._allow_cores)
    while os.readlink("/proc/%d/exe" % process.pid) != str(moved.path):
        time.sleep(0.005)
    wait_started(process)
    process.send_signal(11)
    process.wait()
    if not (directory / "core").exists():
        pytest.skip("core_pattern sends cores elsewhere")
    moved.core = directory / "core"
    binary, answer = moved.ask()
    assert binary["status"] == "unverifiable" and binary["wanted"] is None
    caveat = caveats(answer, "unverifiable-binary")
    assert str(moved.path) in caveat["message"] and "coredump_filter" in caveat["message"]


def test_core_without_a_list_of_files(moved):
    """Found by build-id alone."""
    data = moved.core.read_bytes()
    blind = bytearray(data)
    place = blind.find(cores.struct.pack("<I", cores.NT_FILE) + b"CORE\0")
    blind[place:place + 4] = cores.struct.pack("<I", 0x7f7f7f7f)
    moved.core = moved.core.with_name("blind")
    moved.core.write_bytes(blind)
    answer = undump.ask(moved.core, undump.request(undump.TABLES)).json
    assert caveats(answer, "no-file-list")
    assert all(b["status"] == "missing" for b in answer["undump"]["binaries"])
    answer = undump.ask(moved.core, undump.request(undump.TABLES), "--search", moved.bin).json
    used = [b for b in answer["undump"]["binaries"] if b["status"] == "used"]
    assert [b["file"] for b in used] == [str(moved.path)]


def test_not_executable_here(moved):
    """On a file system mounted noexec: the data is used, the code is not."""
    if os.getuid() != 0 or not shutil.which("unshare"):
        pytest.skip("takes root and unshare")
    script = ("mount -t tmpfs -o noexec none {0} && cp {1} {0}/ && rm {1} && exec \"$@\""
              .format(moved.elsewhere, moved.path))
    done = subprocess.run(
        ["unshare", "-m", "sh", "-c", script, "sh", undump.PROGRAM, "--library", undump.probe(),
         "--request", "-", "--core", moved.core, "--search", moved.elsewhere],
        input=undump.request(undump.TABLES), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    if done.returncode:
        pytest.skip("no mount here: %s" % done.stderr.decode()[-200:])
    answer = undump.Answer(0, done.stdout.decode(), "").json
    binary = next(b for b in answer["undump"]["binaries"] if b["path"] == str(moved.path))
    assert binary["status"] == "not-executable" and not has_code(answer, binary)
    assert "noexec" in caveats(answer, "not-executable")["message"]


def test_many_missing(tmp_path):
    """One caveat, four names, and the list has all of them."""
    files, segments = [], []
    for i in range(9):
        at = 0x10000000 + i * 4 * PAGE
        head = image_head(bytes([i]) * 20)
        segments += [(at, head, PAGE, cores.R), (at + PAGE, b"", PAGE, cores.R | cores.X)]
        files += [(at, at + PAGE, 0, "/gone/lib%d.so" % i), (at + PAGE, at + 2 * PAGE, 1,
                                                             "/gone/lib%d.so" % i)]
    path = tmp_path / "core"
    path.write_bytes(cores.core(segments, notes=cores.THREAD + cores.files(files)))
    answer = undump.ask(path, undump.request(undump.TABLES)).json
    assert [b["status"] for b in answer["undump"]["binaries"]] == ["missing"] * 9
    caveat = caveats(answer, "missing-binary")
    assert caveat["count"] == 9 and "/gone/lib3.so" in caveat["message"]
    assert "and 5 more" in caveat["message"] and "/gone/lib4.so" not in caveat["message"]
    assert answer["undump"]["missing"] == {"ranges": 9, "bytes": 9 * PAGE}


def image_head(build_id):
    """The first page of a library: headers and a build-id."""
    content = cores.note(3, build_id, b"GNU\0")
    head = cores.ehdr(2, type=3) + cores.phdr(cores.PT_LOAD, cores.R, 0, 0, PAGE, PAGE) + \
        cores.phdr(cores.PT_NOTE, cores.R, 176, 176, len(content), len(content), 4)
    assert len(head) == 176
    return head + content + bytes(PAGE - 176 - len(content))
