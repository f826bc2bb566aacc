"""Feature sets and views that become one: the rows of their clips, and the texts before their ids."""

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from audiopipe import checks
from audiopipe.errors import ConfigMismatchError
from audiopipe.inputs.metadata_types import check_text

if TYPE_CHECKING:
    from audiopipe.configs.base import Config
    from audiopipe.feature_sets.index import Rows


def prefixes_of(items: Sequence[Any], prefix: Sequence[str] | Mapping[str, str] | None) -> list[str]:
    """Returns the text before the ids of each item.

    Args:
        items: Paths and feature sets.
        prefix: A text for each item, or a dict by path. None means none.

    Raises:
        ArgumentError: If `prefix` does not have a text for each item, or has one for another path.

    Example:
        >>> prefixes_of(["features/2024", "features/2025"], {"features/2025": "new/"})
        ['', 'new/']
    """
    if prefix is None:
        return [""] * len(items)
    paths = [os.fspath(item) if isinstance(item, (str, os.PathLike)) else "" for item in items]
    if isinstance(prefix, Mapping):
        known = {os.fspath(path): text for path, text in prefix.items()}
        unknown = sorted(set(known) - set(paths))
        prefixes = [known.get(path, "") for path in paths]
    else:
        unknown, prefixes = [], [prefix] if isinstance(prefix, str) else list(prefix)
    if unknown or len(prefixes) != len(items) or not all(isinstance(text, str) for text in prefixes):
        raise checks.fail("prefix", f"a text for each of {list(items)}, or a dict by path", prefix)
    for text in prefixes:
        check_text(text, "prefix")
    return prefixes


def common_normalization(members: Sequence[tuple[str, "Config | None"]]) -> "Config | None":
    """Returns the config whose normalization is applied to the features of all sets. None means that there is none.

    Args:
        members: Folder of each set, and the config whose normalization is applied to its features.

    Raises:
        ConfigMismatchError: If they have different normalizations.
    """
    (path, first), *others = members
    for other_path, other in others:
        if other != first:
            raise ConfigMismatchError(
                "Feature sets must be normalized in the same way to be joined. Received: "
                f"{path!r} {_described(first)}, {other_path!r} {_described(other)}. Join them as they are stored, and "
                "normalize the joined set: FeatureSet([...]).normalized(...)."
            )
    return first


def _described(normalized: "Config | None") -> str:
    return "as it is stored" if normalized is None else f"normalized by {normalized.standardization!r}"


def shifted(rows: "Rows", offset: int) -> "Rows":
    """Returns rows with an offset added to each.

    Example:
        >>> shifted(range(0, 6, 2), 10)
        range(10, 16, 2)
    """
    if isinstance(rows, range):
        return range(rows.start + offset, rows.stop + offset, rows.step)
    return rows + offset


def concatenated(parts: Sequence["Rows"]) -> "Rows":
    """Returns the rows of all parts. Ranges that continue each other stay a range, which takes no memory.

    Example:
        >>> concatenated([range(3), range(3, 5)])
        range(0, 5)
    """
    first = parts[0]
    for other in parts[1:]:
        if not (isinstance(first, range) and isinstance(other, range)):
            break
        if first.step != 1 or other.step != 1 or other.start != first.stop:
            break
        first = range(first.start, other.stop)
    else:
        return first
    return np.concatenate([np.asarray(part, np.int64) for part in parts])


def picked(rows: "Rows", positions: np.ndarray) -> "Rows":
    """Returns the rows at some positions. All rows of a range stay a range, which takes no memory.

    Example:
        >>> picked(range(10, 20, 2), np.array([0, 3]))
        array([10, 16])
    """
    if isinstance(rows, np.ndarray):
        return rows[positions]
    if len(positions) == len(rows) and (np.diff(positions) == 1).all():
        return rows
    return rows.start + positions * rows.step
