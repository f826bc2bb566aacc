"""Metadata of a clip as entries of its record."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from audiopipe.feature_sets.record_layout import invalid, one
from audiopipe.inputs.columns import MISSING_LIST, Columns, is_list, item_type


def add(metadata: Mapping[str, Any], columns: Columns, texts: dict[str, list[bytes]], integers: dict[str, Any]) -> None:
    """Adds the metadata of a clip to the entries of its record.

    Args:
        metadata: Metadata of the clip.
        columns: Types, classes and fill values of the columns.
        texts: Values of each entry of bytes, to which text and floating-point numbers are added.
        integers: Values of each entry of integers, to which the other columns are added.

    Raises:
        ArgumentError: If the metadata does not fit the columns.
    """
    present = columns.present(metadata)
    for name, kind in columns.entries.items():
        if name not in present:
            continue
        items = present[name] if is_list(kind) else [present[name]]
        if item_type(kind) == "string":
            texts[name] = list(map(to_bytes, items))
        elif item_type(kind) == "float":
            texts[name] = [np.array(items, "<f8").tobytes()]
        else:
            integers[name] = list(map(int, items))


def of_entries(texts: Mapping[str, list[bytes]], integers: Mapping[str, list[int]], columns: Columns) -> dict[str, Any]:
    """Returns the metadata in a record, with None for missing values.

    Args:
        texts: Values of each entry of bytes.
        integers: Values of each entry of integers.
        columns: Types, classes and fill values of the columns. Fill values of format 1 become None.

    Raises:
        CorruptFeatureSetError: If the entries do not fit the columns.
    """
    metadata: dict[str, Any] = {}
    for name, kind in columns.types.items():
        items = _items(texts, integers, name, kind)
        if is_list(kind):
            length = one(integers, columns.lengths[name])
            if max(length, 0) != len(items or ()):
                raise invalid(f"must have {max(length, 0)} items in {name!r}. Received: {len(items or ())}")
            metadata[name] = None if length == MISSING_LIST else items or []
        elif items is None:
            metadata[name] = None
        else:
            if len(items) != 1:
                raise invalid(f"must have at most one value in {name!r}. Received: {len(items)}")
            metadata[name] = items[0]
    if "set_id" in texts:  # format 1 stored fill values
        for name, value in columns.fill_values.items():
            metadata[name] = None if metadata[name] == value else metadata[name]
    return metadata


def _items(
    texts: Mapping[str, list[bytes]], integers: Mapping[str, list[int]], name: str, kind: str
) -> list[Any] | None:
    """Returns the values of an entry of metadata as Python has them, or None if there is no such entry."""
    item = item_type(kind)
    is_text = item in ("string", "float")
    if name not in (texts if is_text else integers):
        if name in (integers if is_text else texts):
            raise invalid(f"must have values of type {kind} in {name!r}. Received: values of another type")
        return None
    if item == "string":
        return list(map(to_text, texts[name]))
    if item == "float":
        joined = b"".join(texts[name])
        if len(joined) % 8:
            raise invalid(f"must have 8 bytes for each number in {name!r}. Received: {len(joined)} bytes")
        return np.frombuffer(joined, "<f8").tolist()
    return list(map(bool, integers[name])) if item == "bool" else integers[name]


def to_bytes(text: str) -> bytes:
    """Encodes text. A file name need not be UTF-8, see `audiopipe.inputs.metadata_types.check_text`."""
    return text.encode("utf-8", "surrogateescape")


def to_text(data: bytes) -> str:
    """Decodes what `to_bytes` encoded."""
    return data.decode("utf-8", "surrogateescape")
