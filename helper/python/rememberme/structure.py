"""A structure of rememberme.h as bytes. contract.py has one for each."""

import collections
import struct


class Structure(object):
    """`members` are pairs (name, format of struct): one of more than one letter is a tuple."""

    def __init__(self, name, members):
        self.members = members
        self.values = collections.namedtuple(name, [member for member, _ in members])
        self._struct = struct.Struct("<" + "".join(part for _, part in members))
        self.size = self._struct.size
        self.offsets, at = {}, 0
        for member, part in members:
            self.offsets[member] = at
            at += struct.calcsize("<" + part)

    def pack(self, **values):
        """The bytes; what is not named is zero."""
        flat = []
        for member, part in self.members:
            value = values.pop(member, 0 if len(part) == 1 else (0,) * len(part))
            flat.extend((value,) if len(part) == 1 else value)
        if values:
            raise TypeError("no such member: %s" % ", ".join(values))
        return self._struct.pack(*flat)

    def unpack(self, data):
        """Its members by name."""
        flat = list(self._struct.unpack_from(data))
        found = []
        for _, part in self.members:
            found.append(flat[0] if len(part) == 1 else tuple(flat[:len(part)]))
            del flat[:len(part)]
        return self.values(*found)
