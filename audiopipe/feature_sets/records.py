"""Features as records of TFRecord files.

A record is a `tf.train.Example` with these entries:

- `id`: UTF-8.
- `feature`: the values, little-endian and in C order.
- `shape` and `n_frames`.
- `fingerprint`: its first 8 bytes.
- `set_id`: that of the feature set.
- `record`: the number of the shard, and the number of the record in the shard.
- `dtype`: only if the values are not float32.
- The metadata columns: strings as bytes, integers and booleans as int64, and floats as 8 little-endian bytes, because
  the floats of an Example have only 32 bits. A list of strings, integers or booleans has one value for each of its
  items. A list of floats is one value, 8 bytes for each item.
- The length of each list, -1 for a missing one. Its name is in `Columns.lengths`.
"""

import os
import struct
from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from audiopipe.configs import Config
from audiopipe.errors import AudioError
from audiopipe.feature_sets import dtypes
from audiopipe.inputs.columns import Columns, is_list, item_type
from audiopipe.storage import files

FINGERPRINT_BYTES = 8
MAX_RECORD_BYTES = 2**31 - 1  # limit of a protobuf message, https://protobuf.dev/programming-guides/proto-limits/


def encode(
    clip_id: str,
    feature: np.ndarray,
    config: Config,
    metadata: dict[str, Any],
    columns: Columns,
    place: tuple[int, int],
    dtype: str = "float32",
    set_id: str = "",
    fingerprint: str | None = None,
) -> tuple[bytes, float]:
    """Encodes a feature as a record and measures the rounding error of its storage dtype.

    Args:
        clip_id: Id of the clip.
        feature: float32 array of rank 3.
        config: Config of the feature.
        metadata: Metadata of the clip.
        columns: Types, classes and fill values of the metadata columns.
        place: Number of the shard, and number of the record in the shard, both from 0.
        dtype: Storage dtype of the values: `"float32"`, `"float16"` or `"bfloat16"`.
        set_id: Id that every record of the feature set contains, in hexadecimal.
        fingerprint: Fingerprint of the feature. None means that of the config in this release.

    Returns:
        A serialized `tf.train.Example`, with equal bytes for equal arguments, and the largest absolute difference
        between a stored and a computed value.

    Raises:
        ArgumentError: If features cannot be stored in `dtype`, or the metadata does not fit the columns.
        AudioError: If the record would exceed the size limit of protobuf, or a value is out of the range of the dtype.
    """
    dtypes.check(dtype)
    entries = {
        "id": _bytes(clip_id.encode("utf-8", "surrogateescape")),
        "shape": _integers(feature.shape),
        "n_frames": _integers([feature.shape[config.frame_axis]]),
        "fingerprint": _bytes(short_fingerprint(fingerprint or config.fingerprint)),
        "record": _integers(place),
        "set_id": _bytes(bytes.fromhex(set_id)),
    }
    if dtype != "float32":
        entries["dtype"] = _bytes(dtype.encode())
    values = columns.values(metadata)
    for name, kind in columns.entries.items():
        items = values[name] if is_list(kind) else [values[name]]
        if item_type(kind) == "string":
            entries[name] = _bytes(*(item.encode("utf-8", "surrogateescape") for item in items))
        elif item_type(kind) == "float":
            entries[name] = _bytes(np.array(items, "<f8").tobytes())
        else:
            entries[name] = _integers(map(int, items))
    head = _head(entries)
    n_bytes = feature.size * dtypes.DTYPES[dtype].itemsize
    tags = _tags_of_feature(n_bytes)
    size = len(head) + len(tags) + n_bytes
    if size > MAX_RECORD_BYTES:
        raise AudioError(
            f"A record must have at most {MAX_RECORD_BYTES} bytes, the limit of protobuf. Received: a feature of shape "
            f"{feature.shape}, whose record would have {size} bytes. Cut the recording into segments: "
            "--segment-seconds.",
            stage="feature",
        )
    stored, error = dtypes.store(feature, dtype)
    # Protobuf merges concatenated messages, https://protobuf.dev/programming-guides/encoding/#last-one. Concatenation
    # copies the feature of a long recording once. Serialization by protobuf would copy it four times.
    return b"".join([head, tags, stored.view(np.uint8).data]), error


def moved(record: bytes, place: tuple[int, int]) -> tuple[bytes, int]:
    """Returns a record with another place.

    Args:
        record: A record from `encode`.
        place: Number of the shard, and number of the record in the shard, both from 0.

    Returns:
        The record that `encode` would return for that place, and the number of its frames.
    """
    entries, end = _entries(record)
    entries["record"].CopyFrom(_integers(place))
    return b"".join([_head(entries), memoryview(record)[end:]]), entries["n_frames"].int64_list.value[0]


def clip_id(record: bytes) -> str:
    """Returns the id of the clip of a record from `encode`."""
    entries, _ = _entries(record)
    return entries["id"].bytes_list.value[0].decode("utf-8", "surrogateescape")


def _head(entries: Mapping[str, tf.train.Feature]) -> bytes:
    """Serializes all entries of a record except its feature."""
    return tf.train.Example(features=tf.train.Features(feature=entries)).SerializeToString(deterministic=True)


def _entries(record: bytes) -> tuple[Mapping[str, tf.train.Feature], int]:
    """Returns the entries of a record except its feature, which is not copied, and the offset of their end."""
    size, start = 0, 1  # after the tag of Example.features
    while record[start] & 0x80:
        size |= (record[start] & 0x7F) << 7 * (start - 1)
        start += 1
    end = start + 1 + (size | record[start] << 7 * (start - 1))
    return tf.train.Example.FromString(record[:end]).features.feature, end


def _tags_of_feature(size: int) -> bytes:
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


def count(path: str) -> int:
    """Counts the records of an undamaged shard, local or remote, without reading them."""
    found = 0
    with files.open_binary(path) as file:
        while header := file.read(12):  # length and its checksum; the record and its checksum follow
            file.seek(struct.unpack("<Q4x", header)[0] + 4, os.SEEK_CUR)
            found += 1
    return found


def short_fingerprint(fingerprint: str) -> bytes:
    """Returns the part of a fingerprint that records contain: its first 8 bytes."""
    return bytes.fromhex(fingerprint)[:FINGERPRINT_BYTES]


def _bytes(*values: bytes) -> tf.train.Feature:
    return tf.train.Feature(bytes_list=tf.train.BytesList(value=values))


def _integers(values: Any) -> tf.train.Feature:
    return tf.train.Feature(int64_list=tf.train.Int64List(value=values))
