"""An instance of a class whose tp_traverse does what no tp_traverse should."""

import ctypes
import gc
import mmap
import sys

import stage

TRAVERSE = 184  # of tp_traverse in PyTypeObject, in every version
CODE = {
    "loop": "ebfe",                                        # jmp .
    "recurse": "e8fbffffff",                               # call .
    "exit": "31ffb8e70000000f05",                          # exit_group(0)
    "kill": "b86e0000000f0589c7be09000000b83e0000000f05c3",  # kill(getppid(), SIGKILL)
    "unmap": "31ff48be0000000000800000b80b0000000f05c3",   # munmap(0, 1 << 47)
}


class Wild:
    pass


def main():
    gc.disable()
    memory = mmap.mmap(-1, 4096, prot=7)
    memory.write(bytes.fromhex(CODE[sys.argv[1]]))
    slot = ctypes.c_void_p.from_address(id(Wild) + TRAVERSE)
    before = slot.value
    tame, wild = [1.5], [Wild(), Wild()]
    slot.value = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    stage.wait()
    slot.value = before
    stage.result(done=len(tame + wild))


if __name__ == "__main__":
    main()
