"""Objects that are damaged, each in a local of its own: `corrupt.py`. They are mended
before the program ends."""

import ctypes
import gc

import stage

WORD = ctypes.c_uint64
TYPE, SIZE, ITEMS = 8, 16, 24  # ob_type, ob_size, ob_item of a list


def poke(address, value, mending):
    word = WORD.from_address(address)
    mending.append((address, word.value))
    word.value = value


def items(a_list):
    return WORD.from_address(id(a_list) + ITEMS).value


def look():
    mending = []
    good = [[i] for i in range(100)]
    wild_type = [good, [1, 2, 3]]
    wild_item = [good, None, 2]
    freed = [good, None]
    zero_refcount = [good, ["zero"]]
    wild_key_table = {"good": good}
    huge_size = [good, (1, 2)]
    code_item = [good, None]
    unaligned = [good, None]
    poke(id(wild_type[1]) + TYPE, 0xdeadbeefdeadbee8, mending)
    poke(items(wild_item) + 8, 0x7777deadbee8, mending)
    released = [object() for _ in range(1000)]
    address = id(released[500])
    del released
    poke(items(freed) + 8, address, mending)
    poke(id(zero_refcount[1]), 0, mending)
    poke(id(wild_key_table) + 32, 0x12345678, mending)  # ma_keys in every version
    poke(id(huge_size[1]) + SIZE, 1 << 50, mending)
    poke(items(code_item) + 8, ctypes.cast(ctypes.pythonapi.Py_IncRef, ctypes.c_void_p).value,
         mending)
    poke(items(unaligned) + 8, id(good) + 1, mending)
    stage.wait()
    for address, value in reversed(mending):
        WORD.from_address(address).value = value
    return len(good) + len(wild_type) + len(wild_item) + len(freed) + len(zero_refcount) + len(
        wild_key_table) + len(huge_size) + len(code_item) + len(unaligned)


gc.disable()
stage.result(length=look())
