"""Description of the entries of a record, for readers other than audiopipe."""

from collections.abc import Iterable

from audiopipe.feature_sets.examples import Form
from audiopipe.feature_sets.tfrecords import MAX_RECORD_BYTES
from audiopipe.inputs.columns import MISSING_CLASS, MISSING_LIST, Columns, is_list, item_type

RECORD_SCHEMA = {
    "id": "bytes: UTF-8",
    "feature": "bytes: {dtype}, little-endian, C order; the last bytes of the record",
    "shape": "int64[3]: of the feature",
    "n_frames": "int64",
    "valid_frames": "int64: number of frames that hold audio, at most n_frames",
    "fingerprint": "bytes: the first 8 of the fingerprint",
    "shard_id": "bytes: the id of its shard",
    "record": "int64: its number in the shard, from 0",
}
DTYPE_SCHEMA = {"dtype": "bytes: {dtype}"}  # an additional entry of records that are not float32
METADATA_SCHEMA = {
    "string": "bytes: UTF-8",
    "int": "int64",
    "float": "bytes: float64, little-endian",
    "bool": "int64: 0 or 1",
    "list<string>": "bytes, one for each item: UTF-8",
    "list<int>": "int64, one for each item",
    "list<float>": "bytes: float64, little-endian, 8 bytes for each item",
    "list<bool>": "int64, one for each item: 0 or 1",
}
LENGTH_SCHEMA = "int64: number of items of {column}, {missing} if the list is missing"
ABSENT = "no entry if missing"

_RENAMED = ("valid_frames", "shard_id")
"""Entries that a metadata column may be named after, because release 0.1 had no such entries."""


def entry_names(columns: Columns) -> dict[str, str]:
    """Returns the names of the entries `valid_frames` and `shard_id` in records with these metadata columns.

    The column keeps its name, and ours gets underscores until it is longer than any such name.

    Example:
        >>> entry_names(Columns(types={"shard_id": "int", "speaker": "string"}))
        {'valid_frames': 'valid_frames', 'shard_id': 'shard_id_'}
    """
    longest = names_among(columns.entries)
    return {name: f"{longest[name]}_" if longest[name] in columns.entries else name for name in _RENAMED}


def names_among(names: Iterable[str]) -> dict[str, str]:
    """Returns the names of the entries `valid_frames` and `shard_id` in a record that has entries with these names.

    Example:
        >>> names_among(["id", "shard_id", "shard_id_", "valid_frames"])
        {'valid_frames': 'valid_frames', 'shard_id': 'shard_id_'}
    """
    found = {name: name for name in _RENAMED}
    for name in names:
        base = name.rstrip("_")
        if base in found and len(name) > len(found[base]):
            found[base] = name
    return found


def describe(dtype: str, columns: Columns) -> dict[str, str]:
    """Describes every entry of a record.

    Args:
        dtype: Storage dtype of the features.
        columns: The metadata columns.

    Returns:
        Type and content of each entry of the `tf.train.Example`, for people to read.

    Example:
        >>> columns = Columns(types={"label": "int"}, classes={"label": ["cat", "dog"]}, fill_values={"label": -1})
        >>> describe("float32", columns)["label"]
        'int64: position in the classes of label; no entry if missing'
    """
    entries = RECORD_SCHEMA if dtype == "float32" else {**RECORD_SCHEMA, **DTYPE_SCHEMA}
    own = entry_names(columns)
    described = {own.get(name, name): text.format(dtype=dtype) for name, text in entries.items()}
    for name, kind in columns.types.items():
        described[name] = METADATA_SCHEMA[kind]
        if name in columns.classes:
            described[name] += f": position in the classes of {name}"
        if name in columns.lengths:
            described[name] += f", {MISSING_CLASS} if missing" if name in columns.classes else ""
            described[columns.lengths[name]] = LENGTH_SCHEMA.format(column=name, missing=MISSING_LIST)
        else:
            described[name] += f"; {ABSENT}"
    return described


def forms(columns: Columns, *, is_old: bool) -> dict[str, Form]:
    """Returns the form of every entry of a record but its feature, for its parsers.

    Args:
        columns: The metadata columns.
        is_old: Whether the record is of format 1.

    Example:
        >>> forms(Columns(types={"gain": "float"}), is_old=False)["gain"]
        Form(kind='bytes_list', n_values=1, sizes=range(8, 9))
    """
    own = entry_names(columns)
    text, number = Form("bytes_list", 1), Form("int64_list", 1)
    found = {"id": text, "fingerprint": text, "dtype": text, "shape": Form("int64_list", 3), "n_frames": number}
    if is_old:
        found |= {"set_id": text, "record": Form("int64_list", 2)}
    else:
        found |= {own["shard_id"]: text, own["valid_frames"]: number, "record": number}
    for name, kind in columns.entries.items():
        if item_type(kind) == "float":
            found[name] = Form("bytes_list", 1, range(0, MAX_RECORD_BYTES, 8) if is_list(kind) else range(8, 9))
        else:
            list_kind = "bytes_list" if item_type(kind) == "string" else "int64_list"
            found[name] = Form(list_kind, None if is_list(kind) else 1)
    return found
