"""Metadata columns: their names, types and values.

A column has one of eight types: `"string"`, `"int"`, `"float"`, `"bool"`, or a list of one of them, such as
`"list<int>"`. What stands for a missing value is described in `audiopipe.inputs.columns`.
"""

from typing import Any

import numpy as np

from audiopipe.errors import InputError

RESERVED_NAMES = (
    "audio",
    "clip_frames",
    "dtype",
    "feature",
    "fingerprint",
    "n_channels",
    "n_frames",
    "n_samples",
    "record",
    "set_id",
    "shape",
    "start_frame",
    "valid_samples",
)
TYPES = ("string", "int", "float", "bool", "list<string>", "list<int>", "list<float>", "list<bool>")
TYPE_NAMES: dict[type, str] = {str: "string", int: "int", float: "float", bool: "bool", type(None): "null"}

_SHOWN = 100  # characters of a value in an error message


def check_columns(row: dict[str, Any], where: str) -> None:
    """Raises an error unless all columns of a row can be metadata.

    Args:
        row: The metadata of one clip.
        where: Location of the row, for the error message.

    Raises:
        InputError: If a name is reserved, a value is not text, a number, a boolean or a list of one of them, or text is
            not valid Unicode.
    """
    for name, value in row.items():
        if name in RESERVED_NAMES:
            raise InputError(
                f"{where}: the column name {name!r} is reserved for audiopipe's records. Rename the column. Reserved "
                f"names: {', '.join(RESERVED_NAMES)}."
            )
        check_text(name, where)
        value = plain(value)
        if isinstance(value, list):
            _check_list(name, value, where)
        elif type(value) not in TYPE_NAMES:
            raise InputError(
                f"{where}: metadata must be text, numbers, booleans, or lists of these. Received: "
                f"{name}={_shown(value)}. Flatten it, or write it as a JSON string."
            )
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, str):
                check_text(item, where)
            elif isinstance(item, int) and not -(2**63) <= item < 2**63:
                raise InputError(f"{where}: integers must fit in 64 bits. Received: {name}={item}. Write it as text.")


def plain(value: Any) -> Any:
    """Returns a value with Python numbers instead of NumPy's, and a list instead of a tuple or an array.

    Example:
        >>> plain(np.array([0.5, 1.0])), plain((np.int64(3), "a")), plain("a")
        ([0.5, 1.0], [3, 'a'], 'a')
    """
    if type(value) in TYPE_NAMES:
        return value
    if isinstance(value, (np.ndarray, np.generic)):
        return value.tolist()
    if isinstance(value, (list, tuple)):
        return [item.tolist() if isinstance(item, (np.ndarray, np.generic)) else item for item in value]
    return value


def kinds_of(items: list[Any]) -> set[str]:
    """Returns the types of the items of a list that `check_columns` accepts.

    Example:
        >>> sorted(kinds_of([0, 1.5]))
        ['float', 'int']
    """
    return {TYPE_NAMES[kind] for kind in set(map(type, items))}


def _check_list(name: str, items: list[Any], where: str) -> None:
    received = f"Received: {name}={_shown(items)}."
    for item in items:
        if isinstance(item, dict):
            keys = ", ".join(f"{name}_{key}=[...]" for key in item) or "name=[...]"
            raise InputError(
                f"{where}: a list must not contain objects. {received} Write a list for each key, in columns of "
                f"their own: {_shown(keys, str)}."
            )
        if isinstance(item, (list, tuple)):
            raise InputError(
                f"{where}: a list must not contain lists. {received} Flatten it, write its parts in columns of their "
                "own, or write it as a JSON string."
            )
        if item is None:
            raise InputError(
                f"{where}: a list must not contain missing values. {received} Leave them out, or fill them in."
            )
        if type(item) not in TYPE_NAMES:
            raise InputError(
                f"{where}: lists must contain text, numbers or booleans. {received} Write its values as text."
            )
    kinds = kinds_of(items)
    if len(kinds) > 1 and kinds != {"int", "float"}:
        raise InputError(
            f"{where}: a list must contain values of one type. {received} Its types are {', '.join(sorted(kinds))}. "
            "Write all values as text, or each type in a column of its own."
        )


def _shown(value: Any, show: Any = repr) -> str:
    text = show(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


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
