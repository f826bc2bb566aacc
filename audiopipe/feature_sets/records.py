"""Features as records of TFRecord files.

A record is a `tf.train.Example`. `audiopipe.feature_sets.record_schema` describes its entries. Its last bytes are the
values of the feature, so that some of them can be read without the rest.

Records of format 1, which release 0.1 wrote, are read as well. They have the entry `set_id` instead of `shard_id`, both
the number of the shard and that of the record in `record`, and fill values instead of missing ones.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from audiopipe.configs import Config
from audiopipe.errors import AudioError
from audiopipe.feature_sets import dtypes, examples, record_heads, record_layout, record_metadata, record_schema
from audiopipe.feature_sets.record_heads import Head
from audiopipe.feature_sets.record_layout import invalid
from audiopipe.feature_sets.tfrecords import MAX_RECORD_BYTES
from audiopipe.inputs.columns import Columns

__all__ = [
    "UNKNOWN",
    "Place",
    "Record",
    "clip_id",
    "decode",
    "described",
    "encode",
    "moved",
    "rewritten",
    "short_fingerprint",
]
FINGERPRINT_BYTES = 8
UNKNOWN = -1


@dataclass(frozen=True, slots=True)
class Place:
    """Where a record is stored.

    Args:
        shard_id: Id of its shard, 16 hexadecimal digits.
        number: Number of the record in the shard, from 0.
    """

    shard_id: str
    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """Content of a record.

    Args:
        id: Id of the clip.
        feature: The feature, float32.
        n_frames: Number of frames.
        valid_frames: As in `Head`.
        metadata: Value of each metadata column. None is a missing value. Classes are positions.
        fingerprint: As in `Head`, and so are the following ones.
    """

    id: str
    feature: np.ndarray
    n_frames: int
    valid_frames: int | None
    metadata: dict[str, Any]
    fingerprint: str
    shard_id: str
    number: int


def encode(
    clip_id: str,
    feature: np.ndarray,
    config: Config,
    metadata: Mapping[str, Any],
    columns: Columns,
    place: Place,
    dtype: str = "float32",
    *,
    valid_frames: int | None = None,
    fingerprint: str | None = None,
) -> tuple[bytes, float]:
    """Encodes a feature as a record and measures the rounding error of its storage dtype.

    Args:
        clip_id: Id of the clip.
        feature: float32 array of rank 3.
        config: Config of the feature.
        metadata: Metadata of the clip.
        columns: Types, classes and fill values of the metadata columns.
        place: Where the record will be stored.
        dtype: Storage dtype of the values: `"float32"`, `"float16"` or `"bfloat16"`.
        valid_frames: Number of frames that hold audio, see `Config.valid_frames`. None means all. It may be `UNKNOWN`.
        fingerprint: Fingerprint of the feature. None means that of the config in this release.

    Returns:
        A serialized `tf.train.Example`, with equal bytes for equal arguments, and the largest absolute difference
        between a stored and a computed value.

    Raises:
        ArgumentError: If features cannot be stored in `dtype`, or the metadata does not fit the columns.
        AudioError: If the record would exceed the size limit of protobuf, or a value is out of the range of the dtype.

    Example:
        >>> from audiopipe import registry
        >>> config, place = registry.get("speech-mel-80"), Place("00000000000000ab", 0)
        >>> feature = np.zeros((3, 80, 1), np.float32)
        >>> record, error = encode("a.wav", feature, config, {"take": 2}, Columns(types={"take": "int"}), place)
        >>> found = decode(record, Columns(types={"take": "int"}), config, "float32")
        >>> found.id, found.feature.shape, found.metadata
        ('a.wav', (3, 80, 1), {'take': 2})
    """
    dtypes.check(dtype)
    n_frames = feature.shape[config.frame_axis]
    texts = {
        "id": [record_metadata.to_bytes(clip_id)],
        "fingerprint": [short_fingerprint(fingerprint or config.fingerprint)],
    }
    integers: dict[str, Sequence[int]] = {"shape": feature.shape, "n_frames": [n_frames]}
    if dtype != "float32":
        texts["dtype"] = [dtype.encode()]
    valid_frames = None if valid_frames == UNKNOWN else n_frames if valid_frames is None else valid_frames
    head = _head(texts, integers, valid_frames, metadata, columns, place)
    n_bytes = feature.size * dtypes.DTYPES[dtype].itemsize
    tags = record_layout.tags_of_feature(n_bytes)
    if (size := len(head) + len(tags) + n_bytes) > MAX_RECORD_BYTES:
        raise AudioError(
            f"A record must have at most {MAX_RECORD_BYTES} bytes, the limit of protobuf. Received: a feature of shape "
            f"{feature.shape}, whose record would have {size} bytes. Cut the recording into segments: "
            "--segment-seconds.",
            stage="feature",
        )
    stored, error = dtypes.store(feature, dtype)
    # Concatenation copies the feature of a long recording once. Serialization by protobuf would copy it four times.
    return b"".join([head, tags, stored.view(np.uint8).data]), error


def moved(record: bytes, place: Place) -> tuple[bytes, int]:
    """Returns a record with another place.

    Args:
        record: A record from `encode`.
        place: Where the record will be stored.

    Returns:
        The record that `encode` would return for that place, and the number of its frames.

    Raises:
        CorruptFeatureSetError: If the record is damaged, or of format 1.
    """
    texts, integers, end, _ = record_layout.split(record)
    if "set_id" in texts:
        raise invalid("must not have format 1 to get another place")
    texts[record_heads.found_names(texts, integers)["shard_id"]] = [bytes.fromhex(place.shard_id)]
    integers["record"] = [place.number]
    content = b"".join([examples.serialize(texts, integers), memoryview(record)[end:]])
    return content, record_layout.one(integers, "n_frames")


def rewritten(
    record: bytes,
    metadata: Mapping[str, Any],
    columns: Columns,
    place: Place,
    *,
    clip_id: str | None = None,
    padded: bool = False,
) -> bytes:
    """Returns a record with other metadata and another place, and the same feature.

    Args:
        record: A record from `encode`, or one of format 1.
        metadata: The new metadata of the clip.
        columns: Types, classes and fill values of the new metadata columns.
        place: Where the record will be stored.
        clip_id: The new id of the clip. None keeps the id.
        padded: Whether frames may be padding. The valid frames of a record of format 1 are then not known, and the new
            record lacks them. Otherwise they are all frames.

    Returns:
        The record that `encode` would return for these.

    Raises:
        ArgumentError: If the metadata does not fit the columns.
        CorruptFeatureSetError: If the record is damaged.
    """
    texts, integers, end, _ = record_layout.split(record)
    facts = record_heads.facts(texts, integers, record_heads.found_names(texts, integers))
    valid_frames = None if "set_id" in texts and padded else facts["valid_frames"]
    texts = {name: texts[name] for name in ("id", "fingerprint", "dtype") if name in texts}
    if clip_id is not None:
        texts["id"] = [record_metadata.to_bytes(clip_id)]
    frames: dict[str, Sequence[int]] = {name: integers[name] for name in ("shape", "n_frames") if name in integers}
    head = _head(texts, frames, valid_frames, metadata, columns, place)
    return b"".join([head, memoryview(record)[end:]])


def decode(record: bytes, columns: Columns, config: Config, dtype: str) -> Record:
    """Decodes a record.

    Args:
        record: A record from `encode`, or one of format 1.
        columns: Types, classes and fill values of the metadata columns.
        config: Config of the feature.
        dtype: Storage dtype of the feature set.

    Returns:
        The content of the record, with a feature that can be changed. The caller compares the fingerprint, the shard
        and the number with what it expects.

    Raises:
        CorruptFeatureSetError: If the record is damaged, or does not have the dtype, the columns, or a feature of the
            config.
    """
    texts, integers, end, n_bytes = record_layout.split(record)
    head = record_heads.checked(texts, integers, record_schema.entry_names(columns), end, n_bytes)
    if head.dtype != dtype:
        raise invalid(f"must be stored as {dtype}. Received: {head.dtype}")
    for expected, size in zip(config.feature_shape(head.n_frames, config.channels), head.shape, strict=True):
        if expected not in (None, size):
            raise invalid(
                f"must have a feature of shape {config.feature_shape(head.n_frames, config.channels)}. Received: "
                f"{head.shape}"
            )
    if len(record) != head.feature_start + head.feature_bytes:
        raise invalid(f"must have {head.feature_start + head.feature_bytes} bytes. Received: {len(record)}")
    values = np.frombuffer(record, dtypes.DTYPES[dtype], offset=head.feature_start)
    return Record(
        id=record_metadata.to_text(record_layout.one(texts, "id")),
        feature=values.astype(np.float32).reshape(head.shape),
        n_frames=head.n_frames,
        valid_frames=head.valid_frames,
        metadata=record_metadata.of_entries(texts, integers, columns),
        fingerprint=head.fingerprint,
        shard_id=head.shard_id,
        number=head.number,
    )


def described(start: bytes, columns: Columns) -> tuple[str, Head, dict[str, Any]]:
    """Reads everything of a record but its feature.

    Args:
        start: The first bytes of a record, as for `head`.
        columns: Types, classes and fill values of the metadata columns.

    Returns:
        The id of the clip, what `head` returns, and the value of each metadata column as in `Record.metadata`.

    Raises:
        CorruptFeatureSetError: If the record is damaged, or does not have the columns.
    """
    texts, integers, end, n_bytes = record_layout.split(start)
    return (
        record_metadata.to_text(record_layout.one(texts, "id")),
        record_heads.checked(texts, integers, record_schema.entry_names(columns), end, n_bytes),
        record_metadata.of_entries(texts, integers, columns),
    )


def clip_id(record: bytes) -> str:
    """Returns the id of the clip of a record from `encode`, or of one of format 1.

    Raises:
        CorruptFeatureSetError: If the record is damaged.
    """
    return record_metadata.to_text(record_layout.one(record_layout.split(record)[0], "id"))


def short_fingerprint(fingerprint: str) -> bytes:
    """Returns the part of a fingerprint that records contain: its first 8 bytes."""
    return bytes.fromhex(fingerprint)[:FINGERPRINT_BYTES]


def _head(
    texts: dict[str, list[bytes]],
    integers: dict[str, Sequence[int]],
    valid_frames: int | None,
    metadata: Mapping[str, Any],
    columns: Columns,
    place: Place,
) -> bytes:
    """Serializes all entries of a record except its feature."""
    own = record_schema.entry_names(columns)
    texts[own["shard_id"]], integers["record"] = [bytes.fromhex(place.shard_id)], [place.number]
    if valid_frames is not None:
        integers[own["valid_frames"]] = [valid_frames]
    record_metadata.add(metadata, columns, texts, integers)
    return examples.serialize(texts, integers)
