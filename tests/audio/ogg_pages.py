"""Pages of Ogg files."""

import functools
import struct


def pages(content):
    """Returns begin and end of each page."""
    found, position = [], 0
    while content[position : position + 4] == b"OggS":
        body = position + 27 + content[position + 26]
        end = body + sum(content[position + 27 : body])
        found.append((position, end))
        position = end
    return found


def with_checksum(page):
    """Returns a page with the right checksum (RFC 3533, section 6)."""
    value, table = 0, _table()
    for byte in page[:22] + bytes(4) + page[26:]:
        value = value << 8 & 0xFFFFFFFF ^ table[value >> 24 ^ byte]
    return page[:22] + struct.pack("<I", value) + page[26:]


@functools.cache
def _table():
    table = []
    for value in range(256):
        value <<= 24
        for _ in range(8):
            value = (value << 1 ^ 0x04C11DB7 if value & 1 << 31 else value << 1) & 0xFFFFFFFF
        table.append(value)
    return table
