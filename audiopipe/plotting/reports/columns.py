"""Values of the metadata columns of a feature set, from its index."""

import json
import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from audiopipe.feature_sets.feature_set import FeatureSet, clips_of
from audiopipe.feature_sets.joined_sets import chunks

SHOWN_VALUES = 20
MOST_VALUES = 10_000  # different values of a column that are counted
FEW_NUMBERS = 20  # a column of integers with at most this many values is shown value by value
COUNTED = ("string", "bool", "int")  # types whose values are counted one by one
NUMBERS = ("int", "float")


@dataclass
class Column:
    """Values of a metadata column.

    Args:
        name: Name of the column.
        kind: Type of its values, see `audiopipe.inputs.metadata_types`.
        has_classes: Whether its values are names of classes.
        missing: Number of clips without a value.
        values: Number of clips by value, in the order of the classes or by frequency. None if there are too many, or
            none are counted.
        limits: Smallest and largest number. None for other types, or if no clip has a number.
    """

    name: str
    kind: str
    has_classes: bool = False
    missing: int = 0
    values: dict[str, int] | None = field(default_factory=dict)
    limits: tuple[float, float] | None = None

    @property
    def is_balance(self) -> bool:
        """Whether the counts of the values say something: there are classes, or values that clips share."""
        if self.has_classes or self.kind == "bool":
            return True
        if not self.values or (self.kind == "int" and len(self.values) > FEW_NUMBERS):
            return False
        return 2 * len(self.values) <= sum(self.values.values())

    @property
    def described(self) -> str:
        """What the values are, in words."""
        if self.limits is not None and not self.is_balance:
            low, high = self.limits
            return f"{low:g}" if low == high else f"{low:g} to {high:g}"
        if self.values is None:
            return f"more than {MOST_VALUES:,} different values" if self.kind in COUNTED else ""
        n_values = len(self.values)
        noun = "class" if self.has_classes else "value"
        if n_values == 1:
            return f"1 {noun}"
        without = sum(not count for count in self.values.values()) if self.has_classes else 0
        if without:
            return f"{n_values:,} classes, {without:,} without clips"
        return f"{n_values:,} classes" if self.has_classes else f"{n_values:,} different values" if n_values else ""


def of_clips(feature_set: FeatureSet) -> list[Column]:
    """Returns the values of each metadata column of a feature set or a view. Columns with classes come first.

    Example:
        >>> columns = {column.name: column for column in of_clips(FeatureSet("tests/data/v0.1/features"))}
        >>> columns["speaker"].values, columns["speaker"].missing
        ({'Zoë': 1, 'Bo': 1, '': 1}, 0)
    """
    sets, rows = clips_of(feature_set)
    found = []
    for name, kind in feature_set.schema.items():
        arrays = (sets.column(name, chunk) for chunk in chunks(rows))
        classes = feature_set.classes.get(name)
        found.append(_with_classes(name, kind, classes, arrays) if classes is not None else _plain(name, kind, arrays))
    return sorted(found, key=lambda column: not column.has_classes)


def _with_classes(name: str, kind: str, classes: list[str], arrays: Iterable[pa.ChunkedArray]) -> Column:
    counts: Counter[int] = Counter()
    missing = 0
    for array in arrays:
        missing += array.null_count
        counts.update(_value_counts(array))
    values = {label: counts[position] for position, label in enumerate(classes)}
    return Column(name, kind, has_classes=True, missing=missing, values=values)


def _plain(name: str, kind: str, arrays: Iterable[pa.ChunkedArray]) -> Column:
    counts: Counter[Any] | None = Counter() if kind in COUNTED else None
    low, high, missing = math.inf, -math.inf, 0
    for array in arrays:
        missing += array.null_count
        if kind in NUMBERS:
            limits = pc.min_max(array).as_py()
            if limits["min"] is not None:
                low, high = min(low, limits["min"]), max(high, limits["max"])
        if counts is not None:
            counts.update(_value_counts(array))
            counts = counts if len(counts) <= MOST_VALUES else None
    found = Column(name, kind, missing=missing, values=None, limits=(low, high) if low <= high else None)
    if counts is not None:
        ordered = sorted(counts) if kind == "int" else [value for value, _ in counts.most_common()]
        found.values = {_text(value): counts[value] for value in ordered}
    return found


def _value_counts(array: pa.ChunkedArray) -> dict[Any, int]:
    return {item["values"]: item["counts"] for item in pc.value_counts(array.drop_null()).to_pylist()}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
