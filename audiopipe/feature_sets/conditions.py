"""Conditions on metadata columns that select clips."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from audiopipe.errors import ArgumentError
from audiopipe.feature_sets.index import escaped
from audiopipe.inputs.columns import is_list, item_type
from audiopipe.inputs.metadata_types import TYPE_NAMES, plain

_ACCEPTED = {"string": {"string"}, "int": {"int"}, "float": {"int", "float"}, "bool": {"bool"}}


def matching(column: str, kind: str, classes: Sequence[str] | None, values: pa.ChunkedArray, wanted: Any) -> np.ndarray:
    """Returns which rows of a column have one of some values.

    Args:
        column: Name of the column, for error messages.
        kind: Type of the column, see `audiopipe.inputs.metadata_types`.
        classes: Names of its classes, if it has classes.
        values: The column.
        wanted: A value or a list of values. None is a missing value, and a class is its name or its position. A list
            in a column of lists has a value if it contains it.

    Returns:
        bool `[rows]`.

    Raises:
        ArgumentError: If a value has another type than the column, or there is no such class.
    """
    choices = plain(wanted)
    if isinstance(choices, (set, frozenset, range, dict)):
        choices = list(choices)
    choices = choices if isinstance(choices, list) else [choices]
    present = [_checked(column, kind, classes, choice) for choice in choices if choice is not None]
    if is_list(kind):
        found = _containing(values, present)
    else:
        found = pc.is_in(values, pa.array(present, values.type)).to_numpy()
    if None in choices:
        found |= pc.is_null(values).to_numpy()
    return found


def _containing(values: pa.ChunkedArray, wanted: list[Any]) -> np.ndarray:
    masks = []
    for chunk in values.chunks:
        mask = np.zeros(len(chunk), bool)
        parents = pc.list_parent_indices(chunk)
        mask[parents.filter(pc.is_in(pc.list_flatten(chunk), pa.array(wanted, chunk.type.value_type))).to_numpy()] = (
            True
        )
        masks.append(mask)
    return np.concatenate(masks) if masks else np.zeros(0, bool)


def _checked(column: str, kind: str, classes: Sequence[str] | None, value: Any) -> Any:
    item = item_type(kind)
    if classes is not None and isinstance(value, str):
        if value not in classes:
            shown = ", ".join(map(repr, classes[:20])) + (", ..." if len(classes) > 20 else "")
            raise ArgumentError(f"{column} must be one of the classes {shown}. Received: {column}={value!r}.")
        return classes.index(value)
    if TYPE_NAMES.get(type(value)) not in _ACCEPTED[item]:
        expected = "a class" if classes is not None else f"a value of type {item}"
        raise ArgumentError(f"{column} must be {expected}, or a list of these. Received: {column}={value!r}.")
    if item == "string":
        return escaped(value)
    if item == "int" and not -(2**63) <= value < 2**63:
        raise ArgumentError(f"{column} must be an integer of 64 bits. Received: {column}={value!r}.")
    return float(value) if item == "float" else value
