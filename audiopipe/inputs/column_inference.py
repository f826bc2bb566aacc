"""Inference of the types, classes and fill values of metadata columns from the rows of an input."""

import itertools
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from audiopipe.errors import InputError
from audiopipe.inputs import tables
from audiopipe.inputs.columns import MISSING_CLASS, Columns, is_list, item_type
from audiopipe.inputs.declared_columns import DeclaredColumns
from audiopipe.inputs.metadata_types import TYPE_NAMES, kinds_of, plain
from audiopipe.inputs.source import Source

LARGEST_EXACT_INTEGER = 2**53  # float64 cannot represent all larger integers
MAX_CLASSES = 100_000  # more are probably names of clips, and dataset.json would be too large to read quickly


def of_sources(
    sources: Iterable[Source], class_columns: Sequence[str] = (), known_types: Mapping[str, str] = MappingProxyType({})
) -> Columns:
    """Infers the columns of the metadata of clips.

    Names of classes that a Parquet file or a saved dataset declares are kept.

    Args:
        sources: The clips.
        class_columns: Columns of text, or of lists of text, that become classes: integers with a name each. The names
            are sorted by their Unicode code points. Empty text is a missing class.
        known_types: Types of columns in an earlier state of the input. They decide where the values leave it open:
            where all are missing, or all lists are empty.

    Raises:
        InputError: If no type can represent all values of a column, or a column cannot become classes.
    """
    inference = Inference(class_columns, known_types)
    seen: set[str] = set()
    for source in sources:
        table = source.path if source.row is not None else source.table
        if table is not None and table not in seen:
            seen.add(table)
            inference.declare(tables.open_table(table, source.column).declared())
        inference.add(source.metadata)
    return inference.columns()


def infer(rows: Iterable[dict[str, Any]], declared: DeclaredColumns | None = None) -> Columns:
    """Infers the columns of rows.

    Args:
        rows: The metadata of every clip. If a row lacks a column, its value is missing.
        declared: What the table of the rows declares about its columns.

    Returns:
        The columns, sorted by name.

    Raises:
        InputError: If no type can represent all values of a column.

    Example:
        >>> infer([{"speaker": "a", "age": 31}, {"speaker": "b"}])
        Columns(types={'age': 'int', 'speaker': 'string'}, classes={}, fill_values={'age': -1})
    """
    inference = Inference()
    if declared is not None:
        inference.declare(declared)
    for row in rows:
        inference.add(row)
    return inference.columns()


class Inference:
    """Inference of columns from rows that are added one by one.

    Args:
        class_columns: As in `of_sources`.
        known_types: As in `of_sources`.
    """

    def __init__(self, class_columns: Sequence[str] = (), known_types: Mapping[str, str] = MappingProxyType({})):
        self._class_columns = class_columns
        self._known_types = known_types
        self._values: dict[str, _Values] = {}
        self._n_rows = 0
        self._tables: list[DeclaredColumns] = []

    def declare(self, declared: DeclaredColumns) -> None:
        """Adds what a table of some of the rows declares about its columns."""
        if declared not in self._tables:
            self._tables.append(declared)

    def add(self, row: dict[str, Any]) -> None:
        """Adds the metadata of one clip."""
        self._n_rows += 1
        for name, value in row.items():
            values = self._values.get(name)
            if values is None:
                values = self._values[name] = _Values(name, name in self._class_columns)
            values.add(value)

    def columns(self) -> Columns:
        """Returns the columns of all rows.

        Raises:
            InputError: If no type can represent all values of a column, if a column cannot become classes, or if tables
                declare different classes.
        """
        unknown = sorted(set(self._class_columns) - set(self._values))
        if unknown:
            raise InputError(
                f"A class column must be one of the metadata columns: {', '.join(sorted(self._values)) or 'none'}. "
                f"Received: {', '.join(unknown)}."
            )
        types: dict[str, str] = {}
        classes: dict[str, list[str]] = {}
        fill_values: dict[str, int] = {}
        for name in sorted(self._values):
            values, names = self._values[name], self._declared_classes(name)
            types[name] = kind = values.type(self._declared_type(name))
            has_missing = values.n_present < self._n_rows
            if names is not None:
                values.check_classes(names)
                classes[name] = names
            elif name in self._class_columns:
                classes[name] = values.classes(kind)
                types[name] = kind.replace("string", "int")
                has_missing = has_missing or values.has_empty_text
            if types[name] == "int" and has_missing:
                fill_values[name] = MISSING_CLASS if name in classes else values.fill_value()
            elif kind == "bool" and has_missing:
                raise InputError(
                    f"A boolean column must have a value for every clip. Received: {name!r} with missing values. Fill "
                    "them in, or write the column as text in every row."
                )
        return Columns(types=types, classes=classes, fill_values=fill_values)

    def _declared_type(self, name: str) -> str | None:
        """Returns the type that all tables declare for a column, or else its known type, or else None."""
        found = {table.types.get(name) for table in self._tables}
        declared = found.pop() if len(found) == 1 else None
        # A column that becomes classes holds text, whatever type its classes have.
        return declared or (None if name in self._class_columns else self._known_types.get(name))

    def _declared_classes(self, name: str) -> list[str] | None:
        found = [table.classes.get(name) for table in self._tables if name in table.types]
        for one, other in itertools.pairwise(found):
            if one != other:
                raise InputError(
                    f"All tables must declare the same classes, in the same order, for the column {name!r}. Received: "
                    f"{_some(one)}, and {_some(other)}. Cast the column to one datasets.ClassLabel."
                )
        return found[0] if found else None


class _Values:
    """Facts about the values of one column.

    Attributes:
        n_present: Number of values that are not missing.
        has_empty_text: Whether a value is an empty string.
    """

    def __init__(self, name: str, is_class: bool):
        self.n_present = 0
        self.has_empty_text = False
        self._name = name
        self._kinds: set[str] = set()
        self._items: set[str] | None = None  # kinds of the items of lists, None without lists
        self._low, self._high = 2**63, -(2**63) - 1
        self._has_minus_one = False
        self._names: set[str] | None = set() if is_class else None

    def add(self, value: Any) -> None:
        """Adds the value of one clip."""
        if type(value) not in TYPE_NAMES:
            value = plain(value)
        if isinstance(value, list):
            self._add_list(value)
            return
        kind = TYPE_NAMES[type(value)]
        if kind == "null":
            return
        self.n_present += 1
        self._kinds.add(kind)
        if kind == "int" and (value == -1 or not self._low <= value <= self._high):
            self._add_integers([value])
        elif kind == "string" and self._names is not None:
            self._add_names(self._names, [value])

    def _add_list(self, items: list[Any]) -> None:
        self.n_present += 1
        kinds = kinds_of(items)
        self._items = kinds if self._items is None else self._items | kinds
        if "int" in kinds:
            self._add_integers(items if len(kinds) == 1 else [item for item in items if isinstance(item, int)])
        if "string" in kinds and self._names is not None:
            self._add_names(self._names, items)

    def _add_integers(self, integers: list[int]) -> None:
        self._low, self._high = min(self._low, *integers), max(self._high, *integers)
        self._has_minus_one = self._has_minus_one or -1 in integers

    def _add_names(self, names: set[str], items: list[str]) -> None:
        self.has_empty_text = self.has_empty_text or "" in items
        names.update(item for item in items if item)
        if len(names) > MAX_CLASSES:
            raise InputError(
                f"A class column must have at most {MAX_CLASSES} different values. Received: {self._name!r} with more. "
                "Name another column, or keep the column as text."
            )

    def type(self, declared: str | None) -> str:
        """Returns the type of the column, see `audiopipe.inputs.metadata_types`.

        Args:
            declared: Type that tells what missing values and empty lists would contain.
        """
        if not self.n_present:
            return "string" if declared in (None, "bool") else str(declared)
        kinds = self._kinds if self._items is None else self._items
        if self._items is not None and self._kinds:
            raise InputError(
                f"A metadata column must have lists for all clips, or for none. Received: {self._name!r} with lists "
                f"and values of type {', '.join(sorted(self._kinds))}. Write single values as lists of one."
            )
        if kinds == {"int", "float"}:
            self._check_exact()
            kinds = {"float"}
        if len(kinds) > 1:
            raise InputError(
                f"A metadata column must have one type. Received: {self._name!r} with {', '.join(sorted(kinds))}. "
                "Write it as text in every row."
            )
        if self._items is None:
            return kinds.pop()
        items = item_type(declared) if declared and is_list(declared) else "string"
        return f"list<{kinds.pop() if kinds else items}>"

    def fill_value(self) -> int:
        """Returns a value that no clip has."""
        return unused_integer(self._name, self._low, self._high, has_minus_one=self._has_minus_one)

    def check_classes(self, names: list[str]) -> None:
        """Raises an error unless all values are positions in a list of names, or -1."""
        low, high = min(self._low, 0), max(self._high, -1)
        if low < MISSING_CLASS or high >= len(names):
            raise InputError(
                f"The column {self._name!r} declares {len(names)} classes, so its values must be from -1 to "
                f"{len(names) - 1}. Received: {low if low < MISSING_CLASS else high}. Fix the values, or cast the "
                "column to integers."
            )

    def classes(self, kind: str) -> list[str]:
        """Returns the sorted values of a column of text.

        Args:
            kind: Type of the column.
        """
        if item_type(kind) != "string":
            raise InputError(
                f"A class column must have text, or lists of text. Received: {self._name!r} of type {kind}. Leave it "
                "out if its values are classes already, or write them as text."
            )
        if not self._names:
            raise InputError(f"A class column must have values. Received: {self._name!r} without any.")
        if is_list(kind) and self.has_empty_text:
            raise InputError(
                f"A list of classes must not contain empty text. Received: {self._name!r}, where a list does. Leave "
                "it out of the list."
            )
        return sorted(self._names)

    def _check_exact(self) -> None:
        largest = max(self._low, self._high, key=abs)
        if abs(largest) > LARGEST_EXACT_INTEGER:
            raise InputError(
                "In a column with fractional numbers, integers must have a magnitude of at most 2**53. Received: "
                f"{self._name}={largest}. Write the column as text."
            )


def _some(names: list[str] | None) -> str:
    return "none" if names is None else ", ".join(names[:5]) + (f" and {len(names) - 5} more" if names[5:] else "")


def unused_integer(name: str, low: int, high: int, *, has_minus_one: bool) -> int:
    """Returns -1, or the integer below the smallest value if -1 occurs, or else the one above the largest.

    Args:
        name: Name of the column.
        low: Smallest value of the column.
        high: Largest value.
        has_minus_one: Whether -1 is a value.

    Raises:
        InputError: If there is none.
    """
    if not has_minus_one:
        return -1
    if low > -(2**63):
        return low - 1
    if high < 2**63 - 1:
        return high + 1
    raise InputError(
        f"The integer column {name!r} has missing values, and no integer of 64 bits is left to stand for them. Fill "
        "them in, or write the column as text."
    )
