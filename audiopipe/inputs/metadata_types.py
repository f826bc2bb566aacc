"""Metadata columns: their names, their types, and what stands for a missing value.

A column is of one of four types: `"string"`, `"int"`, `"float"` or `"bool"`. A missing string is empty; a missing
number makes its column `"float"` and is NaN.
"""

import math
from collections.abc import Iterable
from typing import Any

from audiopipe.errors import InputError

LARGEST_EXACT_INTEGER = 2**53  # of float64
RESERVED_NAMES = (
    "audio",
    "dtype",
    "feature",
    "fingerprint",
    "n_channels",
    "n_frames",
    "n_samples",
    "record",
    "set_id",
    "shape",
)

_TYPE_NAMES: dict[type, str] = {str: "string", int: "int", float: "float", bool: "bool", type(None): "null"}


def check_columns(row: dict[str, Any], where: str) -> None:
    """Raise an error if a row has a column that cannot be metadata.

    Args:
        row: The metadata of one clip.
        where: Where it stands, for the message.

    Raises:
        InputError: If a name is reserved, a value is no text, number or boolean, or text is no Unicode.
    """
    for name, value in row.items():
        if name in RESERVED_NAMES:
            raise InputError(
                f"{where}: the column {name!r} has a name that audiopipe's records use. Rename it; reserved are "
                f"{', '.join(RESERVED_NAMES)}."
            )
        check_text(name, where)
        if type(value) not in _TYPE_NAMES:
            raise InputError(
                f"{where}: metadata must be text, numbers or booleans. Received: {name}={value!r}. Flatten it, or "
                "write it as a JSON string."
            )
        if isinstance(value, str):
            check_text(value, where)
        if isinstance(value, int) and not -(2**63) <= value < 2**63:
            raise InputError(f"{where}: integers must fit 64 bits. Received: {name}={value}. Write it as text.")


def check_text(text: str, where: str) -> None:
    """Raise an error if text is no Unicode; names of files whose bytes are no UTF-8, as Python has them, are fine.

    Args:
        text: An id, a path, a column's name or a value.
        where: Where it stands, for the message.

    Raises:
        InputError: If it has surrogates that stand for no bytes, or for bytes that are UTF-8.
    """
    if text.isascii():
        return
    try:
        same = text.encode("utf-8", "surrogateescape").decode("utf-8", "surrogateescape") == text
    except UnicodeEncodeError:
        same = False
    if not same:
        raise InputError(f"{where}: text must be Unicode, without lone surrogates. Received: {text!r}. Mend the text.")


def infer(rows: Iterable[dict[str, Any]]) -> dict[str, str]:
    """Find one type for each column.

    Args:
        rows: The metadata of every clip; a column that a row lacks is missing there.

    Returns:
        The type of each column, sorted by name.

    Raises:
        InputError: If a column has values that no single type holds.

    Example:
        >>> infer([{"speaker": "a", "age": 31}, {"speaker": "b"}])
        {'age': 'float', 'speaker': 'string'}
    """
    kinds: dict[str, set[str]] = {}
    too_large: dict[str, int] = {}
    for number, row in enumerate(rows):
        for name, value in row.items():
            kinds.setdefault(name, {"null"} if number else set()).add(_TYPE_NAMES[type(value)])
            if isinstance(value, int) and abs(value) > LARGEST_EXACT_INTEGER:
                too_large[name] = value
        for name in kinds.keys() - row.keys():
            kinds[name].add("null")
    types = {name: _one_type(name, kinds[name]) for name in sorted(kinds)}
    for name, value in too_large.items():
        if types[name] == "float":
            raise InputError(
                f"A column of numbers with missing or fractional values holds integers up to 2**53. Received: "
                f"{name}={value}. Write the column as text, or fill it in."
            )
    return types


def fill(value: Any, kind: str) -> Any:
    """A value in its column's type; what is missing becomes an empty string or NaN."""
    if kind == "string":
        return "" if value is None else value
    return (math.nan if value is None else float(value)) if kind == "float" else value


def _one_type(name: str, kinds: set[str]) -> str:
    present = kinds - {"null"}
    if not present:
        return "string"
    if present == {"int", "float"} or (present == {"int"} and "null" in kinds):
        return "float"
    if len(present) > 1 or (present == {"bool"} and "null" in kinds):
        raise InputError(
            "A metadata column must have one type, and a column of booleans a value for every clip. Received: "
            f"{name!r} with {', '.join(sorted(kinds))}. Write it as text throughout, or fill it in."
        )
    return present.pop()
