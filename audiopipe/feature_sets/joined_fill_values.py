"""Fill values of integer columns of feature sets that become one."""

from collections.abc import Sequence
from dataclasses import replace

import pyarrow.compute as pc

from audiopipe.feature_sets import index
from audiopipe.feature_sets.description import Description
from audiopipe.inputs.column_inference import unused_integer
from audiopipe.inputs.columns import MISSING_CLASS, Columns


def with_fill_values(columns: Columns, descriptions: Sequence[Description]) -> Columns:
    """Returns the columns of joined feature sets with a fill value for each integer column that has missing values.

    A set that lacks a column makes its values missing. The fill value of one set may be a real value in another one.

    Args:
        columns: The columns of the joined set, see `audiopipe.feature_sets.joined_columns.JoinedColumns`.
        descriptions: The feature sets.

    Raises:
        InputError: If a column has missing values and no integer of 64 bits is left to stand for them.
        CorruptFeatureSetError: If an index is missing or damaged.
    """
    fill_values: dict[str, int] = {}
    for name, kind in columns.types.items():
        having = [description for description in descriptions if name in description.schema]
        known = [description.fill_values[name] for description in having if name in description.fill_values]
        if kind != "int" or (len(having) == len(descriptions) and not known):
            continue
        if name in columns.classes:
            fill_values[name] = MISSING_CLASS
        elif len(known) == len(having) and len(set(known)) == 1:
            fill_values[name] = known[0]
        else:
            fill_values[name] = _unused(name, having, known)
    return replace(columns, fill_values=fill_values)


def _unused(name: str, having: Sequence[Description], known: Sequence[int]) -> int:
    """Returns an integer that no clip has in a column, if possible one that stands for missing values already."""
    low, high, present = 0, -1, set[int]()
    wanted = {-1, *known}
    for description in having:
        opened = index.opened(description)
        values = opened.column(opened.layout.metadata[name])
        ends = pc.min_max(values).as_py()
        if ends["min"] is not None:
            low, high = min(low, ends["min"]), max(high, ends["max"])
        present.update(value for value in wanted if pc.any(pc.equal(values, value)).as_py())
    free = [value for value in known if value not in present]
    return free[0] if free else unused_integer(name, low, high, has_minus_one=-1 in present)
