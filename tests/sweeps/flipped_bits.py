"""Files in which a bit has flipped."""

import random


def flip(path, place, bit=0):
    data = bytearray(path.read_bytes())
    data[place] ^= 1 << bit
    path.write_bytes(bytes(data))


def flips(path, count, last):
    """Random bits of a file, and each bit of its last bytes. The file is restored after each."""
    whole, generator = path.read_bytes(), random.Random(5)
    size = 8 * len(whole)
    for bit in [*generator.sample(range(size), min(count, size)), *range(size - 8 * last, size)]:
        flip(path, bit // 8, bit % 8)
        yield bit
        path.write_bytes(whole)
