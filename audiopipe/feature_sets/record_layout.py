"""Layout of a record: first all other entries, then the feature, whose values are the last bytes.

Both parts are messages `tf.train.Example` of their own. Protobuf merges concatenated messages,
https://protobuf.dev/programming-guides/encoding/#last-one, so together they are one message to any reader.
"""

import functools
from collections.abc import Mapping
from typing import Any

import numpy as np

from audiopipe.errors import CorruptFeatureSetError
from audiopipe.feature_sets import examples
from audiopipe.feature_sets.tfrecords import MAX_RECORD_BYTES

_LONGEST_START = 11  # bytes that say how long the entries are


def size_of_head(start: bytes) -> int:
    """Returns the number of first bytes of a record that `head` needs.

    Args:
        start: The first bytes of the record, at least 11.

    Raises:
        CorruptFeatureSetError: If the record is damaged.
    """
    return _end_of_entries(start) + len(tags_of_feature(MAX_RECORD_BYTES))


def split(record: bytes) -> tuple[dict[str, list[bytes]], dict[str, list[int]], int, int]:
    """Returns the entries of a record except its feature, the offset of their end, and the size of the feature.

    The record may be cut off after the tags of the feature.
    """
    end = _end_of_entries(record)
    try:
        texts, integers = examples.parse(record[:end])
    except ValueError as error:
        raise invalid("is not a tf.train.Example") from error
    return texts, integers, end, _size_of_values(record, end)


def offsets(record: np.ndarray, length: int) -> tuple[int, int, int]:
    """Finds the parts of a record without parsing its entries.

    Args:
        record: The record, uint8 `[bytes]`. It may be cut off after the tags of the feature.
        length: Number of bytes of the whole record.

    Returns:
        Offset of the end of the entries other than the feature, offset of the values of the feature, and their size.

    Raises:
        CorruptFeatureSetError: If the record is damaged.
    """
    end = _end_of_entries(record[:_LONGEST_START].tobytes())
    left = max(length - end, 0)
    size = max(left - len(tags_of_feature(left)), 0)
    while size + len(tags_of_feature(size)) < left:  # tags of fewer values may be shorter
        size += 1
    tags = tags_of_feature(size)
    if size + len(tags) != left or record[end : end + len(tags)].tobytes() != tags:
        raise invalid("does not end with its feature")
    return end, end + len(tags), size


def _size_of_values(record: bytes, end: int) -> int:
    # The tags before the values are nested lengths. The innermost one is that of the values.
    tags = record[end : end + len(tags_of_feature(MAX_RECORD_BYTES))]
    _, position = _read_varint(tags, 1)
    _, position = _read_varint(tags, position + 1)
    _, position = _read_varint(tags, position + len(b"\x0a\x07feature\x12"))
    _, position = _read_varint(tags, position + 1)
    size, position = _read_varint(tags, position + 1)
    if size > MAX_RECORD_BYTES or tags[:position] != tags_of_feature(size):
        raise invalid("does not end with its feature")
    return size


def one(entries: Mapping[str, list[Any]], name: str) -> Any:
    """Returns the only value of an entry."""
    values = entries.get(name, [])
    if len(values) != 1:
        raise invalid(f"must have an entry {name!r} with one value. Received: {len(values)} values")
    return values[0]


def _end_of_entries(record: bytes) -> int:
    """Returns the offset of the end of the entries that come before the feature."""
    size, position = _read_varint(record, 1)  # after the tag of Example.features
    if record[:1] != b"\x0a" or size > MAX_RECORD_BYTES:
        raise invalid("is not a tf.train.Example")
    return position + size


def _read_varint(data: bytes, position: int) -> tuple[int, int]:
    """Decodes a protobuf varint of at most 5 bytes, see `_varint`. Returns it and the position after it."""
    number = 0
    for place, byte in enumerate(data[position : position + 5]):
        number |= (byte & 0x7F) << 7 * place
        if byte < 0x80:
            return number, position + place + 1
    raise invalid("is not a tf.train.Example")


@functools.lru_cache(maxsize=1024)
def tags_of_feature(size: int) -> bytes:
    """Returns the bytes before the values in an Example that has only a feature of `size` bytes."""
    tags = b""
    # From the inside out: BytesList.value, Feature.bytes_list, key and value of an entry of the map Features.feature,
    # the entry itself, Example.features.
    for before in (b"\x0a", b"\x0a", b"\x0a\x07feature\x12", b"\x0a", b"\x0a"):
        tags = before + _varint(size + len(tags)) + tags
    return tags


def _varint(number: int) -> bytes:
    """Encodes an integer as a protobuf varint: 7 bits per byte, the lowest bits first."""
    low, high = number & 0x7F, number >> 7
    return bytes([low | 0x80]) + _varint(high) if high else bytes([low])


def invalid(fault: str) -> CorruptFeatureSetError:
    """Returns the error for a record with a fault."""
    return CorruptFeatureSetError(
        f"A record {fault}. Files were mixed up or damaged. Copy them again, or recompute the feature set."
    )
