"""Heads of records: what they contain besides the id and metadata of the clip and the values of its feature."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from audiopipe.feature_sets import dtypes, record_layout, record_metadata, record_schema
from audiopipe.feature_sets.record_layout import invalid


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """What a record contains besides its id, its metadata and the values of its feature.

    Args:
        shape: Shape of the feature.
        n_frames: Number of frames.
        valid_frames: Number of frames that hold audio. Format 1 did not store it: `n_frames`. None if it is not known.
        dtype: Storage dtype of the values.
        fingerprint: The first 16 hexadecimal digits of the fingerprint.
        shard_id: Id of the shard, see `old_shard_id` for format 1.
        number: Number of the record in the shard.
        feature_start: Offset of the values in the record. They end with the record.
        feature_bytes: Size of the values.
    """

    shape: tuple[int, int, int]
    n_frames: int
    valid_frames: int | None
    dtype: str
    fingerprint: str
    shard_id: str
    number: int
    feature_start: int
    feature_bytes: int


def head(start: bytes) -> Head:
    """Reads what a record says about its feature.

    Args:
        start: The first bytes of a record, at least `size_of_head` of its first 11 bytes.

    Raises:
        CorruptFeatureSetError: If the record is damaged.

    Example:
        >>> from audiopipe import registry
        >>> from audiopipe.feature_sets import records
        >>> from audiopipe.inputs.columns import Columns
        >>> config, place = registry.get("speech-mel-80"), records.Place("00000000000000ab", 0)
        >>> record, _ = records.encode("a.wav", np.zeros((3, 80, 1)), config, {}, Columns(types={}), place)
        >>> found = head(record[: record_layout.size_of_head(record[:100])])
        >>> found.shape, found.feature_start + found.feature_bytes == len(record)
        ((3, 80, 1), True)
    """
    texts, integers, end, n_bytes = record_layout.split(start)
    return checked(texts, integers, found_names(texts, integers), end, n_bytes)


def old_shard_id(set_id: str, shard: int) -> str:
    """Returns what stands for the id of a shard of format 1, which had no ids of shards."""
    return f"{set_id}:{shard}"


def found_names(texts: Mapping[str, Any], integers: Mapping[str, Any]) -> dict[str, str]:
    """Returns the names of the entries that a metadata column may be named after, from the entries of a record."""
    return record_schema.names_among([*texts, *integers])


def checked(
    texts: Mapping[str, list[bytes]],
    integers: Mapping[str, list[int]],
    own: Mapping[str, str],
    end: int,
    n_bytes: int,
) -> Head:
    """Checks the entries of a record and returns its head.

    Args:
        texts: Entries with text.
        integers: Entries with integers.
        own: Names of the entries `valid_frames` and `shard_id`.
        end: Offset of the entry of the feature.
        n_bytes: Size of the values.

    Raises:
        CorruptFeatureSetError: If the record is damaged.
    """
    shape = integers.get("shape", [])
    if len(shape) != 3 or min(shape) < 0:
        raise invalid(f"must have a shape of 3 numbers. Received: {shape[:4]}")
    dtype = record_metadata.to_text(record_layout.one(texts, "dtype")) if "dtype" in texts else "float32"
    if dtype not in dtypes.DTYPES:
        raise invalid(f"must be stored as one of {', '.join(dtypes.DTYPES)}. Received: {dtype!r}")
    if n_bytes != math.prod(shape) * dtypes.DTYPES[dtype].itemsize:
        raise invalid(f"must have the values of a feature of shape {tuple(shape)}. Received: {n_bytes} bytes")
    return Head(
        shape=(shape[0], shape[1], shape[2]),
        dtype=dtype,
        fingerprint=record_layout.one(texts, "fingerprint").hex(),
        **facts(texts, integers, own),
        feature_start=end + len(record_layout.tags_of_feature(n_bytes)),
        feature_bytes=n_bytes,
    )


def facts(
    texts: Mapping[str, list[bytes]], integers: Mapping[str, list[int]], own: Mapping[str, str]
) -> dict[str, Any]:
    """Returns the numbers of frames and the place of a record of any format."""
    n_frames = record_layout.one(integers, "n_frames")
    if "set_id" in texts:
        place = integers.get("record", [])
        if len(place) != 2:
            raise invalid(f"must have the numbers of its shard and of itself. Received: {place[:3]}")
        shard_id, number = old_shard_id(record_layout.one(texts, "set_id").hex(), place[0]), place[1]
        valid_frames = n_frames
    else:
        shard_id, number = record_layout.one(texts, own["shard_id"]).hex(), record_layout.one(integers, "record")
        valid_frames = record_layout.one(integers, own["valid_frames"]) if own["valid_frames"] in integers else None
    if valid_frames is not None and not 0 <= valid_frames <= n_frames:
        raise invalid(f"must have 0 .. {n_frames} valid frames. Received: {valid_frames}")
    return {"n_frames": n_frames, "valid_frames": valid_frames, "shard_id": shard_id, "number": number}
