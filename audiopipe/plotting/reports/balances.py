"""Bars of the values of metadata columns, of one feature set or of two beside each other."""

from collections.abc import Sequence
from dataclasses import dataclass

from audiopipe.plotting.reports.columns import SHOWN_VALUES, Column
from audiopipe.plotting.reports.sides import Side

MISSING = "no value"


@dataclass(frozen=True)
class Bar:
    """Bar of a value, or of all values that have none of their own.

    Args:
        label: The value.
        widths: Width of the bar of each feature set, in per cent of the widest one. 0 for what is no single value: it
            may be so frequent that the bars of the values would be too short to see.
        told: Number and share of the clips of each feature set.
        is_rest: Whether the bar is no single value.
    """

    label: str
    widths: list[float]
    told: list[str]
    is_rest: bool = False


@dataclass(frozen=True)
class Balance:
    """Bars of a column.

    Args:
        name: Name of the column.
        described: What its values are, in words.
        bars: Bars of the values, and of the rest.
    """

    name: str
    described: str
    bars: list[Bar]


@dataclass(frozen=True)
class Described:
    """A column without bars.

    Args:
        name: Name of the column.
        kind: Type of its values.
        values: What the values are in each feature set, in words.
    """

    name: str
    kind: str
    values: list[str]


def balances(sides: Sequence[Side]) -> list[Balance]:
    """Returns the bars of all columns whose values can be shown one by one in every feature set that has them."""
    found = []
    for name, columns in _by_name(sides).items():
        shown = [column for column in columns if column is not None]
        if all(column.is_balance for column in shown):
            totals = [len(side.feature_set) for side in sides]
            described = " · ".join(dict.fromkeys(column.described for column in shown))
            found.append(Balance(name, described, _bars(columns, totals)))
    return found


def others(sides: Sequence[Side]) -> list[Described]:
    """Returns the columns that have no bars."""
    taken = {balance.name for balance in balances(sides)}
    return [
        Described(name, next(column.kind for column in columns if column is not None), list(map(_told, columns)))
        for name, columns in _by_name(sides).items()
        if name not in taken
    ]


def _by_name(sides: Sequence[Side]) -> dict[str, list[Column | None]]:
    tables = [{column.name: column for column in side.columns} for side in sides]
    names = dict.fromkeys(name for table in tables for name in table)
    return {name: [table.get(name) for table in tables] for name in names}


def _bars(columns: Sequence[Column | None], totals: Sequence[int]) -> list[Bar]:
    counts = [{} if column is None or column.values is None else column.values for column in columns]
    is_number = any(column is not None and column.kind == "int" and not column.has_classes for column in columns)
    values = list(dict.fromkeys(value for found in counts for value in found))
    if not is_number:
        values.sort(key=lambda value: -sum(found.get(value, 0) for found in counts))
    rows = [(value, [found.get(value, 0) for found in counts], False) for value in values[:SHOWN_VALUES]]
    rest = values[SHOWN_VALUES:]
    if rest:
        rows.append((f"{len(rest):,} others", [sum(found.get(value, 0) for value in rest) for found in counts], True))
    missing = [total if column is None else column.missing for column, total in zip(columns, totals, strict=True)]
    if any(missing):
        rows.append((MISSING, missing, True))
    shares = [[count / max(1, total) for count, total in zip(row[1], totals, strict=True)] for row in rows]
    single = [found for (_, _, is_rest), found in zip(rows, shares, strict=True) if not is_rest]
    widest = max((share for found in single for share in found), default=0) or 1
    return [
        Bar(
            label if label else "(empty)",
            [0 if is_rest else 100 * share / widest for share in found],
            [f"{count:,} · {100 * share:.3g} %" for count, share in zip(numbers, found, strict=True)],
            is_rest or not label,
        )
        for (label, numbers, is_rest), found in zip(rows, shares, strict=True)
    ]


def _told(column: Column | None) -> str:
    if column is None:
        return "no such column"
    missing = [f"{column.missing:,} missing"] if column.missing else []
    return ", ".join(filter(None, [column.described, *missing])) or "every clip has a value"
