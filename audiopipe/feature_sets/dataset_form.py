"""The form of `dataset.json`: which fields it has, of which types, and what they may be.

A checksum does not protect a set from a stranger, who can compute it. After these checks, every number is in its range,
and every name is that of a file in the folder.
"""

from collections.abc import Callable, Mapping
from typing import Any

from audiopipe.errors import CorruptFeatureSetError
from audiopipe.feature_sets import file_names
from audiopipe.feature_sets.record_schema import DTYPE_SCHEMA, RECORD_SCHEMA
from audiopipe.feature_sets.tfrecords import FRAME_BYTES
from audiopipe.transform.probe_records import ProbeRecord

MAX_RECORDS = 2**31 - 1  # of a shard: their numbers are 32-bit integers in the index

_RESERVED = {*RECORD_SCHEMA, *DTYPE_SCHEMA, "set_id"} - {"shard_id", "valid_frames"}

Check = Callable[[str, Any], None]
"""Function of the name of a field and its value that raises a ValueError if the value is wrong."""


def check(content: Mapping[str, Any], name: str) -> None:
    """Checks the form of `dataset.json`.

    Args:
        content: The content, of a readable format version.
        name: Path of the file, for error messages.

    Raises:
        ValueError: If a field is missing or has a wrong value.
        CorruptFeatureSetError: If numbers contradict one another.
    """
    is_old = content["format_version"] == 1
    _fields("dataset.json", content, _OLD_FIELDS if is_old else _FIELDS, _OLD_OPTIONAL if is_old else _OPTIONAL)
    shards, clips = content["shards"], content["counts"]["clips"]
    names = [shard["name"] for shard in shards]
    if len(set(names)) < len(names):
        raise ValueError("The names of the shards must differ. Received: a name twice")
    ids = [shard.get("id") for shard in shards]
    if not is_old and len(set(ids)) < len(ids):
        raise ValueError("The ids of the shards must differ. Received: an id twice")
    if not is_old and any(file_names.shard_number(shard) >= content["next_shard"] for shard in names):
        raise ValueError(f"next_shard must be larger than every shard's number. Received: {content['next_shard']}")
    records = sum(shard["records"] for shard in shards)
    if records != clips:
        raise CorruptFeatureSetError(
            f"{name!r} must have as many records in its shards as clips in its counts. Received: {records} records, "
            f"{clips} clips. Copy it again, or recompute the feature set."
        )


def check_parts(content: Mapping[str, Any]) -> None:
    """Checks the form of the `dataset.json` of a feature set in parts.

    Raises:
        ValueError: If a field is missing or has a wrong value.
    """
    _fields("dataset.json", content, _FIELDS_OF_PARTS, {})
    names = [part["name"] for part in content["parts"]]
    if names != [file_names.part_name(number, len(names)) for number in range(len(names))] or not names:
        raise ValueError(f"The parts must be all of a set, in order. Received: {names!s:.200}")


def _fields(what: str, value: Any, needed: Mapping[str, Check], optional: Mapping[str, Check]) -> None:
    if not isinstance(value, dict):
        raise _wrong(what, "an object", value)
    for name, check_value in needed.items():
        if name not in value:
            raise ValueError(f"{what} must have a field {name!r}")
        check_value(f"{name!r} of {what}", value[name])
    for name, check_value in optional.items():
        if name in value:
            check_value(f"{name!r} of {what}", value[name])


def _object(needed: Mapping[str, Check], optional: Mapping[str, Check] | None = None) -> Check:
    return lambda what, value: _fields(what, value, needed, optional or {})


def _mapping(check_value: Check) -> Check:
    def check_mapping(what: str, value: Any) -> None:
        if not isinstance(value, dict):
            raise _wrong(what, "an object", value)
        for name, item in value.items():
            _text(f"a name in {what}", name)
            check_value(f"{name!r} of {what}", item)

    return check_mapping


def _list(check_item: Check) -> Check:
    def check_list(what: str, value: Any) -> None:
        if not isinstance(value, list):
            raise _wrong(what, "a list", value)
        for item in value:
            check_item(f"an item of {what}", item)

    return check_list


def _or_null(check_value: Check) -> Check:
    return lambda what, value: None if value is None else check_value(what, value)


def _name(is_name: Callable[[object], bool], example: str) -> Check:
    def check_name(what: str, value: Any) -> None:
        if not is_name(value):
            raise _wrong(what, f"a name like {example!r}", value)

    return check_name


def _integer(maximum: int = 2**63 - 1, minimum: int = 0) -> Check:
    def check_integer(what: str, value: Any) -> None:
        if type(value) is not int or not minimum <= value <= maximum:
            raise _wrong(what, f"an integer of {minimum} .. {maximum}", value)

    return check_integer


def _number(what: str, value: Any) -> None:
    if type(value) not in (int, float) or not 0 <= value < 2**63:  # NaN is not
        raise _wrong(what, "a number of 0 .. 2**63", value)


def _boolean(what: str, value: Any) -> None:
    if type(value) is not bool:
        raise _wrong(what, "true or false", value)


def _text(what: str, value: Any) -> None:
    if not isinstance(value, str) or not _is_encodable(value):
        raise _wrong(what, "text", value)


def _is_encodable(text: str) -> bool:
    """Returns whether text is Unicode. Class names may come from file names that are not UTF-8."""
    try:
        text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return False
    return True


def _hexadecimal(digits: int) -> Check:
    def check_digits(what: str, value: Any) -> None:
        if not isinstance(value, str) or len(value) != digits or set(value) - set("0123456789abcdef"):
            raise _wrong(what, f"{digits} hexadecimal digits", value)

    return check_digits


def _columns(what: str, value: Any) -> None:
    _mapping(_text)(what, value)
    for name in value:
        name.encode()  # a name of an entry in a record must be UTF-8
        if name in _RESERVED:
            raise _wrong(f"a name in {what}", "none of an entry that every record has", name)


def _shard(is_old: bool) -> Check:
    number = 0 if is_old else 12
    example = "features-00000-of-00001.tfrecord" if is_old else file_names.shard_name(number)
    is_name = file_names.is_old_shard_name if is_old else file_names.is_new_shard_name
    needed = {
        "name": _name(is_name, example),
        **({} if is_old else {"id": _hexadecimal(16), "max_error": _number}),
        "records": _integer(MAX_RECORDS),
        "bytes": _integer(),
        "sha256": _hexadecimal(64),
    }

    def check_shard(what: str, value: Any) -> None:
        _fields("a shard", value, needed, {})
        if value["records"] * FRAME_BYTES > value["bytes"]:
            raise _wrong("'records' of a shard", f"few enough for {value['bytes']} bytes", value["records"])

    return check_shard


def _file(is_name: Callable[[object], bool], example: str) -> Check:
    needed = {"name": _name(is_name, example), "bytes": _integer(), "sha256": _hexadecimal(64)}
    return _or_null(_object(needed))


def _probe(what: str, value: Any) -> None:
    ProbeRecord.from_dict(value)


def _wrong(what: str, expected: str, received: Any) -> ValueError:
    text = repr(received)
    return ValueError(f"{what} must be {expected}. Received: {text if len(text) <= 200 else text[:200] + '...'}")


_COUNTS = {"clips": _integer(), "failures": _integer(), "frames": _integer(), "hours": _number}
_LATER_COUNTS = {
    **dict.fromkeys(("remarks", "left_out", "short_recordings", "cut_clips", "unknown_valid_frames"), _integer()),
    **dict.fromkeys(("dropped_seconds", "padded_seconds"), _number),
}
_COMMON = {
    "config": _mapping(lambda what, value: None),
    "fingerprint": _hexadecimal(64),
    "fingerprinted": _text,
    "kernel_version": _integer(),
    "counts": _object(_COUNTS, _LATER_COUNTS),
    "metadata": _columns,
    "machines": _list(_object({"versions": _mapping(_or_null(_text))}, {"probe": _probe})),
}
_OPTIONAL = {
    "segments": _or_null(_mapping(lambda what, value: None)),
    "storage": _object({"dtype": _text, "max_error": _number}),
    "input": _object(
        {},
        {"options": _mapping(lambda what, value: None), "accept_truncated": _boolean, "notes": _list(_text)},
    ),
    "classes": _mapping(_list(_text)),
    "fill_values": _mapping(_integer(minimum=-(2**63))),
    "schema": _mapping(_text),
    "index": _file(file_names.is_index_name, file_names.index_name(3)),
    "failures": _file(file_names.is_failures_name, file_names.failures_name(3)),
    "remarks": _file(file_names.is_remarks_name, file_names.remarks_name(3)),
    "statistics": _file(file_names.is_statistics_name, file_names.statistics_name(3)),
    "obsolete": _list(
        _object(
            {
                "replaced": _number,
                "files": _list(_name(file_names.is_numbered, file_names.shard_name(12))),
            }
        )
    ),
}
_FIELDS = {**_COMMON, "generation": _integer(minimum=1), "next_shard": _integer(), "shards": _list(_shard(False))}
_OLD_FIELDS = {**_COMMON, "set_id": _hexadecimal(16), "shards": _list(_shard(True))}
_PART_NAME = _name(file_names.is_part_name, file_names.part_name(0, 3))
_FIELDS_OF_PARTS = {
    "fingerprint": _hexadecimal(64),
    "generation": _integer(minimum=1),
    "written": _number,
    "machines": _COMMON["machines"],
    "parts": _list(_object({"name": _PART_NAME, "generation": _integer(minimum=1), "identity": _hexadecimal(64)})),
    "obsolete": _list(_object({"replaced": _number, "parts": _list(_PART_NAME)})),
}
_OLD_OPTIONAL = {
    **{name: _OPTIONAL[name] for name in ("segments", "storage", "input", "classes", "fill_values", "schema")},
    "failures_sha256": _hexadecimal(64),
    "remarks_sha256": _hexadecimal(64),
}
