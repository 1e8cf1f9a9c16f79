"""Reads a stats segment (version 2) the way any other process would: from its published layout, with nothing but the
standard library.

    foreign_reader.py FILE dump             every entry, as one JSON object
    foreign_reader.py FILE watch ROUNDS     reads while the writer changes the directory, and checks what it reads
"""

import json
import mmap
import os
import struct
import sys

SCALAR, SIMPLE, COMBINED, NAMES, EMPTY, SYMLINK, GAUGE = 1, 2, 3, 4, 5, 6, 9


class Changed(Exception):
    """The directory changed while it was read."""


class Segment:
    def __init__(self, path):
        fd = os.open(path, os.O_RDONLY)
        self.size = os.fstat(fd).st_size
        self.memory = mmap.mmap(fd, self.size, flags=mmap.MAP_SHARED, prot=mmap.PROT_READ)
        os.close(fd)
        self.version, self.base = self.words(0, 2)

    def words(self, offset, count):
        return struct.unpack_from(f"={count}Q", self.memory, offset)

    def vector(self, pointer):
        """Offset and length of the vector at a pointer."""
        offset = pointer - self.base
        if not 8 <= offset < self.size:
            raise Changed
        (length,) = struct.unpack_from("=I", self.memory, offset - 8)
        return offset, length

    def per_thread(self, pointer, width):
        offset, threads = self.vector(pointer)
        for lane in self.words(offset, threads):
            start, length = self.vector(lane)
            yield self.words(start, length * width)

    def value(self, kind, raw):
        if kind in (SCALAR, GAUGE):
            return raw
        if kind == SIMPLE:
            return [list(lane) for lane in self.per_thread(raw, 1)]
        if kind == COMBINED:
            return [list(zip(lane[::2], lane[1::2])) for lane in self.per_thread(raw, 2)]
        if kind == NAMES:
            offset, length = self.vector(raw)
            names = []
            for pointer in self.words(offset, length):
                if pointer:
                    start, size = self.vector(pointer)
                    names.append(self.memory[start : start + size - 1].decode())
                else:
                    names.append(None)
            return names
        if kind == SYMLINK:
            return list(struct.unpack("=II", struct.pack("=Q", raw)))
        return None

    def entries(self):
        offset, length = self.vector(self.words(32, 1)[0])
        for number in range(length):
            kind, raw, name = struct.unpack_from("=I4xQ128s", self.memory, offset + 144 * number)
            yield name.split(b"\0")[0].decode(), kind, self.value(kind, raw)

    def read(self):
        """All entries of one moment."""
        while True:
            epoch = self.words(16, 1)[0]
            if self.words(24, 1)[0]:
                continue
            try:
                result = list(self.entries())
            except (Changed, struct.error, UnicodeDecodeError):
                continue
            if not self.words(24, 1)[0] and self.words(16, 1)[0] == epoch:
                return epoch, result


def check(entries):
    """Every counter /same/N holds N, and every link /link/N leads to the counter /same/N."""
    for name, kind, value in entries:
        if name.startswith("/same/"):
            assert kind == SIMPLE and value[0][0] == int(name[6:]), (name, kind, value)
        if name.startswith("/link/"):
            assert entries[value[0]][0] == "/same/" + name[6:], (name, entries[value[0]])


def main():
    segment = Segment(sys.argv[1])
    assert segment.version == 2
    if sys.argv[2] == "dump":
        epoch, entries = segment.read()
        named = {name: {"type": kind, "value": value} for name, kind, value in entries if name}
        print(json.dumps({"epoch": epoch, "length": len(entries), "entries": named}))
        return
    print("ready", flush=True)
    epochs = set()
    for _ in range(int(sys.argv[3])):
        epoch, entries = segment.read()
        check(entries)
        epochs.add(epoch)
    print(len(epochs))


main()
