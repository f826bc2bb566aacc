"""Metadata columns as a whole: their types, the names of their classes, and what stands for missing values."""

import functools
import math
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from audiopipe.errors import ArgumentError
from audiopipe.inputs.metadata_types import RESERVED_NAMES, TYPES, plain

MISSING_CLASS = -1  # as in `datasets.ClassLabel`
MISSING_LIST = -1  # length of a missing list; an empty one has length 0


@dataclass(frozen=True, kw_only=True)
class Columns:
    """Metadata columns of clips, as readers need to know them.

    A missing string becomes an empty string, a missing float NaN, a missing integer the fill value of its column, and a
    missing class -1. A boolean is never missing. A list has an entry with its length beside it, which is -1 if the list
    is missing.

    Args:
        types: Type of each column, one of `audiopipe.inputs.metadata_types.TYPES`.
        classes: Names of the classes of each column that holds classes. The values of such a column, whose type is
            `"int"` or `"list<int>"`, are positions in this list.
        fill_values: Value that stands for a missing one, for each column of type `"int"` with missing values. No clip
            has this value, except that the value of a missing class is always -1.

    Raises:
        ArgumentError: If a type is unknown, or `classes` or `fill_values` do not fit the types.

    Example:
        >>> columns = Columns(types={"age": "int", "tags": "list<string>"}, fill_values={"age": -1})
        >>> columns.values({"tags": ["rain", "car"]})
        {'age': -1, 'tags': ['rain', 'car'], 'tags_length': 2}
    """

    types: dict[str, str]
    classes: dict[str, list[str]] = field(default_factory=dict)
    fill_values: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for argument in ("types", "classes", "fill_values"):
            if not isinstance(getattr(self, argument), dict):
                raise ArgumentError(
                    f"{argument} must be a dict by column name. Received: {argument}={getattr(self, argument)!r}."
                )
        for name, kind in self.types.items():
            if kind not in TYPES:
                raise _wrong(f"The type of the column {name!r}", f"one of {', '.join(TYPES)}", kind)
        for name, names in self.classes.items():
            self._check_classes(name, names)
        for name, value in self.fill_values.items():
            self._check_fill_value(name, value)

    @functools.cached_property
    def lengths(self) -> dict[str, str]:
        """Name of the entry with the length of each list, by column."""
        lists = [name for name, kind in self.types.items() if is_list(kind)]
        return length_names(lists, {*self.types, *RESERVED_NAMES, "id"})

    @functools.cached_property
    def entries(self) -> dict[str, str]:
        """Type of each entry of a record: that of each column, and `"int"` for the length of each list."""
        entries: dict[str, str] = {}
        for name, kind in self.types.items():
            entries[name] = kind
            if name in self.lengths:
                entries[self.lengths[name]] = "int"
        return entries

    @property
    def notes(self) -> list[str]:
        """What people have to know about columns whose missing values are stored as numbers, one sentence each."""
        return [
            f"The column {name!r} has missing {'classes' if name in self.classes else 'integers'}, which are stored "
            f"as {value}."
            for name, value in self.fill_values.items()
        ]

    def values(self, metadata: Mapping[str, Any]) -> dict[str, Any]:
        """Returns the value of every entry of a record.

        Args:
            metadata: Metadata of one clip, as the input has it.

        Raises:
            ArgumentError: If a boolean is missing, if an integer is missing in a column without a fill value, or if a
                class is unknown.
        """
        present = self.present(metadata)
        return {
            name: present[name] if name in present else self._fill_value(name, kind)
            for name, kind in self.entries.items()
        }

    def present(self, metadata: Mapping[str, Any]) -> dict[str, Any]:
        """Returns the value of every entry of a record but those of missing texts, numbers and classes.

        Args:
            metadata: Metadata of one clip, as the input has it.

        Raises:
            ArgumentError: If an integer is missing in a column without a fill value, or if a class is unknown.

        Example:
            >>> columns = Columns(types={"age": "int", "tags": "list<string>"}, fill_values={"age": -1})
            >>> columns.present({})
            {'tags': [], 'tags_length': -1}
        """
        present: dict[str, Any] = {}
        for name, kind in self.types.items():
            value = plain(metadata.get(name))
            if name in self.classes:
                value = self._class(name, value)
            if is_list(kind):
                items = [] if value is None else value
                present[name] = list(map(float, items)) if kind == "list<float>" else items
                present[self.lengths[name]] = MISSING_LIST if value is None else len(items)
            elif value is None or (name in self.classes and value == MISSING_CLASS):
                if kind == "int" and name not in self.classes:
                    self._fill_value(name, kind)  # raises an error if there is none
            else:
                present[name] = float(value) if kind == "float" else value
        return present

    def normalized(self, metadata: Mapping[str, Any]) -> dict[str, Any]:
        """Returns the value of every column as readers get it: None if it is missing, and the position of a class.

        Args:
            metadata: Metadata of one clip, as the input has it.

        Raises:
            ArgumentError: As in `present`.

        Example:
            >>> columns = Columns(types={"label": "int", "gain": "float"}, classes={"label": ["cat", "dog"]})
            >>> columns.normalized({"label": "dog"})
            {'label': 1, 'gain': None}
        """
        present = self.present(metadata)
        missing = {name for name, length in self.lengths.items() if present[length] == MISSING_LIST}
        return {name: None if name in missing else present.get(name) for name in self.types}

    def metadata(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Returns the metadata whose entries in a record are `values`, with None for missing integers and lists.

        Classes stay positions.

        Example:
            >>> columns = Columns(types={"age": "int", "tags": "list<string>"}, fill_values={"age": -1})
            >>> columns.metadata({"age": -1, "tags": [], "tags_length": -1})
            {'age': None, 'tags': None}
        """
        metadata: dict[str, Any] = {}
        for name in self.types:
            value = values[name]
            if name in self.lengths:
                missing = values[self.lengths[name]] == MISSING_LIST
            else:
                missing = name in self.fill_values and value == self.fill_values[name]
            metadata[name] = None if missing else value
        return metadata

    @functools.cached_property
    def _positions(self) -> dict[str, dict[str, int]]:
        return {name: {item: position for position, item in enumerate(names)} for name, names in self.classes.items()}

    def _class(self, name: str, value: Any) -> Any:
        """Returns the position of a class, or of each class of a list. Positions are returned unchanged."""
        if isinstance(value, list):
            return [self._class(name, item) for item in value]
        if (value is None and not is_list(self.types[name])) or value == "":
            return MISSING_CLASS
        if not isinstance(value, str):
            return value
        position = self._positions[name].get(value)
        if position is None:
            raise ArgumentError(f"The column {name!r} has no class {value!r}. Plan the feature set again.")
        return position

    def _fill_value(self, name: str, kind: str) -> Any:
        if kind == "string":
            return ""
        if kind == "float":
            return math.nan
        if name in self.classes:
            return MISSING_CLASS
        if name not in self.fill_values:
            raise ArgumentError(
                f"The column {name!r} of type {kind} must have a value for every clip. Received: a clip without one."
            )
        return self.fill_values[name]

    def _check_classes(self, name: str, names: Any) -> None:
        what = f"The classes of the column {name!r}"
        if self.types.get(name) not in ("int", "list<int>"):
            raise _wrong(what, "those of a column of type int or list<int>", self.types.get(name))
        if not isinstance(names, list) or not all(isinstance(item, str) for item in names):
            raise _wrong(what, "a list of names", names)
        twice = [item for item, count in Counter(names).items() if count > 1]
        if twice:
            raise _wrong(what, "different names", twice[0])

    def _check_fill_value(self, name: str, value: Any) -> None:
        what = f"The fill value of the column {name!r}"
        if self.types.get(name) != "int":
            raise _wrong(what, "that of a column of type int", self.types.get(name))
        if type(value) is not int or not -(2**63) <= value < 2**63:
            raise _wrong(what, "an integer of 64 bits", value)
        if name in self.classes and value != MISSING_CLASS:
            raise _wrong(what, f"{MISSING_CLASS}, because the column has classes", value)


def is_list(kind: str) -> bool:
    """Returns whether a type is that of lists."""
    return kind.startswith("list<")


def item_type(kind: str) -> str:
    """Returns the type of the values of a column: of its items if it has lists.

    Example:
        >>> item_type("list<int>"), item_type("int")
        ('int', 'int')
    """
    return kind[len("list<") : -1] if is_list(kind) else kind


def length_names(lists: Iterable[str], taken: Collection[str]) -> dict[str, str]:
    """Returns a name for the length of each column of lists: `<column>_length`, unless that name is taken.

    Args:
        lists: Names of columns.
        taken: Names of all columns. Underscores are added to a name until it differs from these.

    Example:
        >>> length_names(["events", "tags"], {"events", "tags", "tags_length"})
        {'events': 'events_length', 'tags': 'tags_length_'}
    """
    names: dict[str, str] = {}
    for column in sorted(lists):
        names[column] = free_name(f"{column}_length", {*taken, *names.values()})
    return names


def free_name(name: str, taken: Collection[str]) -> str:
    """Returns a name with as many underscores added as are needed so that it is not taken.

    Example:
        >>> free_name("start_frame", {"id", "start_frame"})
        'start_frame_'
    """
    while name in taken:
        name += "_"
    return name


def _wrong(what: str, expected: str, received: Any) -> ArgumentError:
    return ArgumentError(f"{what} must be {expected}. Received: {received!r}.")
