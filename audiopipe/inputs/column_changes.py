"""Changes of metadata columns between a feature set and a later state of its input."""

from collections.abc import Mapping
from typing import Any

from audiopipe.errors import InputError
from audiopipe.inputs.columns import Columns, is_list
from audiopipe.wording import count_of


def updated(before: Columns, now: Columns) -> Columns:
    """Returns the columns of a feature set that is brought up to date with its input.

    New classes are appended to those of the feature set, so that a class never gets another number. Classes that no
    clip has any more are kept for the same reason.

    Args:
        before: Columns of the feature set.
        now: Columns of the input.

    Raises:
        InputError: If the type of a column has changed. A column of floating-point numbers may hold integers.

    Example:
        >>> before = Columns(types={"label": "int"}, classes={"label": ["cat", "dog"]})
        >>> now = Columns(types={"label": "int", "room": "string"}, classes={"label": ["ant", "dog"]})
        >>> updated(before, now)
        Columns(types={'label': 'int', 'room': 'string'}, classes={'label': ['cat', 'dog', 'ant']}, fill_values={})
    """
    types: dict[str, str] = {}
    classes: dict[str, list[str]] = {}
    for name, kind in now.types.items():
        types[name] = before.types.get(name, kind) if _fits(name, before, now) else kind
        if name in before.types and (
            types[name] != before.types[name] or (name in before.classes) != (name in now.classes)
        ):
            raise InputError(
                f"A metadata column must keep its type. Received: {name!r} of type {_described(name, now)}, which has "
                f"the type {_described(name, before)} in the feature set. Restore the column, give it another name, or "
                "pass --overwrite to compute the feature set again."
            )
        if name in now.classes:
            known = before.classes.get(name, [])
            present = set(known)
            classes[name] = [*known, *(item for item in now.classes[name] if item not in present)]
    fill_values = {name: value for name, value in now.fill_values.items() if types[name] == "int"}
    return Columns(types=types, classes=classes, fill_values=fill_values)


class Translation:
    """Translation of metadata whose classes are numbered by the input into that of a feature set.

    Classes that are text need none.

    Args:
        now: Columns of the input.
        columns: Columns that `updated` returned.

    Example:
        >>> now = Columns(types={"label": "int"}, classes={"label": ["ant", "dog"]})
        >>> columns = Columns(types={"label": "int"}, classes={"label": ["cat", "dog", "ant"]})
        >>> Translation(now, columns).of({"label": 1, "room": "hall"})
        {'label': 'dog', 'room': 'hall'}
    """

    def __init__(self, now: Columns, columns: Columns):
        self._names = {
            name: names for name, names in now.classes.items() if columns.classes[name][: len(names)] != names
        }

    def __bool__(self) -> bool:
        return bool(self._names)

    def of(self, metadata: Mapping[str, Any]) -> dict[str, Any]:
        """Returns metadata with the names of the classes that the feature set numbers otherwise."""
        translated = dict(metadata)
        for name, names in self._names.items():
            if name in metadata:
                translated[name] = _named(metadata[name], names)
        return translated


def _named(value: Any, names: list[str]) -> Any:
    if isinstance(value, list):
        return [_named(item, names) for item in value]
    is_position = isinstance(value, int) and not isinstance(value, bool) and value >= 0
    return names[value] if is_position else value


def _fits(name: str, before: Columns, now: Columns) -> bool:
    """Returns whether the values of a column fit the type that it has in the feature set, which is kept then."""
    return (before.types.get(name), now.types[name]) in {("float", "int"), ("list<float>", "list<int>")}


def _described(name: str, columns: Columns) -> str:
    kind = columns.types[name]
    if name not in columns.classes:
        return kind
    if is_list(kind):
        return f"{kind} of classes"
    return f"{kind} with {count_of(len(columns.classes[name]), 'class', 'classes')}"
