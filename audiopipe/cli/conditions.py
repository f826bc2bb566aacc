"""Conditions `--where column=value`, which choose some clips of a feature set."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from audiopipe import wording
from audiopipe.errors import ArgumentError

if TYPE_CHECKING:
    from audiopipe.feature_sets import FeatureSet

WHERE_HELP = (
    "Take only clips with this value in a metadata column. Can be repeated: another column is a further condition, "
    "and another value of the same column is an alternative. No value means a missing one."
)
BOOLEANS = {"true": True, "false": False}

WhereOption = Annotated[list[str], typer.Option("--where", metavar="COLUMN=VALUE", help=WHERE_HELP, show_default=False)]


def chosen(feature_set: "FeatureSet", texts: Sequence[str], option: str = "--where") -> "FeatureSet":
    """Returns the clips that meet all conditions.

    Args:
        feature_set: A feature set or a view.
        texts: Conditions, `column=value`.
        option: Name of the option, for error messages.

    Raises:
        ArgumentError: If a text is no condition, there is no such column or class, or a value does not have the type of
            its column.

    Example:
        >>> from audiopipe import FeatureSet
        >>> sets = FeatureSet("tests/data/v0.1/features")
        >>> chosen(sets, ["clean=true", "speaker=Zoë", "speaker=Bo"]).ids
        ['mono']
    """
    if not texts:
        return feature_set
    from audiopipe.feature_sets.feature_set import clips_of
    from audiopipe.inputs.columns import item_type

    kinds = clips_of(feature_set)[0].kinds
    wanted: dict[str, list[Any]] = {}
    for text in texts:
        column, value = _split(text, kinds, option)
        classes = feature_set.classes.get(column)
        if classes is not None:
            values: list[Any] = [value] if value or "" in classes else []
        else:
            values = _values(value, item_type(kinds[column]), f"{option} {text}")
        wanted.setdefault(column, []).extend(values if value else [*values, None])
    return feature_set.where(**wanted)


def _split(text: str, kinds: Mapping[str, str], option: str) -> tuple[str, str]:
    """Returns the column and the text of the value. A column may have an equals sign in its name."""
    found = [column for column in kinds if text.startswith(f"{column}=")]
    if not found:
        column, equals, _ = text.partition("=")
        fault = (
            f"There is no such column.{wording.did_you_mean(column, kinds)}" if equals else "There is no equals sign."
        )
        raise ArgumentError(
            f"{option} must be COLUMN=VALUE, such as {option} {next(iter(kinds))}=... Received: {option} {text}. "
            f"{fault} The columns are {', '.join(kinds)}."
        )
    column = max(found, key=len)
    return column, text[len(column) + 1 :]


def _values(text: str, kind: str, received: str) -> list[Any]:
    """Returns the values that a text stands for in a column of a type, besides missing ones."""
    if not text:
        return [""] if kind == "string" else []
    value = _PARSERS[kind](text)
    if value is None:
        raise ArgumentError(f"The column has the type {kind}: VALUE must be {_EXPECTED[kind]}. Received: {received}.")
    return [value]


def _integer(text: str) -> int | None:
    return int(text) if re.fullmatch(r"[+-]?[0-9]{1,19}", text) else None


def _float(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


_PARSERS: dict[str, Callable[[str], Any]] = {
    "string": str,
    "int": _integer,
    "float": _float,
    "bool": lambda text: BOOLEANS.get(text.lower()),
}
_EXPECTED = {"int": "an integer", "float": "a number", "bool": "true or false"}
