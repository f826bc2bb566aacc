"""Metadata columns: their names, types and missing values.

A column has one of four types: `"string"`, `"int"`, `"float"` or `"bool"`. A missing string becomes an empty string. A
missing number becomes NaN, and the type of its column becomes `"float"`.
"""

import math
from collections.abc import Iterable
from typing import Any

from audiopipe.errors import InputError

LARGEST_EXACT_INTEGER = 2**53  # float64 cannot represent all larger integers
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

TYPES = ("string", "int", "float", "bool", "list<string>", "list<int>", "list<float>", "list<bool>")

_TYPE_NAMES: dict[type, str] = {str: "string", int: "int", float: "float", bool: "bool", type(None): "null"}


def check_columns(row: dict[str, Any], where: str) -> None:
    """Raises an error unless all columns of a row can be metadata.

    Args:
        row: The metadata of one clip.
        where: Location of the row, for the error message.

    Raises:
        InputError: If a name is reserved, a value is not text, a number or a boolean, or text is not valid Unicode.
    """
    for name, value in row.items():
        if name in RESERVED_NAMES:
            raise InputError(
                f"{where}: the column name {name!r} is reserved for audiopipe's records. Rename the column. Reserved "
                f"names: {', '.join(RESERVED_NAMES)}."
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
            raise InputError(f"{where}: integers must fit in 64 bits. Received: {name}={value}. Write it as text.")


def check_text(text: str, where: str) -> None:
    """Raises an error unless text is valid Unicode.

    File names whose bytes are not UTF-8 are allowed, in the form that `os.fsdecode` returns: one surrogate per invalid
    byte.

    Args:
        text: An id, a path, a column name or a value.
        where: Location of the text, for the error message.

    Raises:
        InputError: If the text has surrogates that do not represent bytes, or that represent valid UTF-8.
    """
    if text.isascii():
        return
    try:
        same = text.encode("utf-8", "surrogateescape").decode("utf-8", "surrogateescape") == text
    except UnicodeEncodeError:
        same = False
    if not same:
        raise InputError(f"{where}: text must be Unicode, without lone surrogates. Received: {text!r}. Fix the text.")


def infer(rows: Iterable[dict[str, Any]]) -> dict[str, str]:
    """Infers the type of each column.

    Args:
        rows: The metadata of every clip. If a row lacks a column, its value is missing.

    Returns:
        The type of each column, sorted by column name.

    Raises:
        InputError: If no type can represent all values of a column.

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
                "In a column with missing or fractional numbers, integers must have a magnitude of at most 2**53. "
                f"Received: {name}={value}. Write the column as text, or fill in the missing values."
            )
    return types


def fill(value: Any, kind: str) -> Any:
    """Converts a value to the type of its column. A missing value becomes an empty string or NaN."""
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
            "A metadata column must have one type, and a boolean column must have a value for every clip. Received: "
            f"{name!r} with {', '.join(sorted(kinds))}. Write it as text in every row, or fill in the missing values."
        )
    return present.pop()
