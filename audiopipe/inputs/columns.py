"""Metadata columns as a whole: their types, the names of their classes and their fill values."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from audiopipe.errors import ArgumentError
from audiopipe.inputs.metadata_types import TYPES

MISSING_CLASS = -1  # as in `datasets.ClassLabel`


@dataclass(frozen=True, kw_only=True)
class Columns:
    """What a reader has to know about the metadata columns of clips.

    Args:
        types: Type of each column, one of `audiopipe.inputs.metadata_types.TYPES`.
        classes: Names of the classes of each column that holds classes. The values of such a column, whose type is
            `"int"` or `"list<int>"`, are positions in this list. The value of a missing class is -1.
        fill_values: Value that stands for a missing one, for each column of type `"int"` with missing values. No other
            row has this value, except that the value of a missing class is always -1.

    Raises:
        ArgumentError: If a type is unknown, or `classes` or `fill_values` do not fit the types.
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


def _wrong(what: str, expected: str, received: Any) -> ArgumentError:
    return ArgumentError(f"{what} must be {expected}. Received: {received!r}.")
