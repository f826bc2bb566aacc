"""Metadata columns of several feature sets as those of one."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from audiopipe.errors import ConfigMismatchError, FeatureSetError
from audiopipe.feature_sets.description import Description
from audiopipe.inputs.columns import Columns, is_list


class JoinedColumns:
    """Metadata columns of feature sets that are joined.

    A joined set has every column of every set, and a column that a set lacks is missing in its clips. The classes of a
    column are those of the first set that has the column, then new ones of the others. So the positions of the classes
    of the first set stay, and those of the others may change.

    Args:
        descriptions: The feature sets.

    Attributes:
        columns: The columns of the joined set.
        positions: For each set, by column, the new position of each of its classes. It has the columns whose classes
            have other positions in the set.

    Raises:
        FeatureSetError: If a column has different types in two sets.
    """

    def __init__(self, descriptions: Sequence[Description]):
        types: dict[str, str] = {}
        classes: dict[str, list[str]] = {}
        fill_values: dict[str, int] = {}
        first: dict[str, Description] = {}
        for description in descriptions:
            found = description.columns
            for name, kind in found.types.items():
                other = first.setdefault(name, description)
                if _described(found, name) != _described(other.columns, name):
                    raise FeatureSetError(
                        f"The column {name!r} must have one type in all feature sets. Received: "
                        f"{_described(other.columns, name)} in {other.path!r} and {_described(found, name)} in "
                        f"{description.path!r}. Rename one of them, or leave it out."
                    )
                types[name] = kind
                if name in found.classes:
                    classes[name] = list(dict.fromkeys([*classes.get(name, []), *found.classes[name]]))
                if name in found.fill_values:
                    fill_values.setdefault(name, found.fill_values[name])
        self.columns = Columns(types=types, classes=classes, fill_values=fill_values)
        self.positions = [self._moves(description.columns) for description in descriptions]

    def metadata(self, number: int, metadata: Mapping[str, Any]) -> dict[str, Any]:
        """Returns the metadata of a clip of one of the sets as that of a clip of the joined set.

        Args:
            number: Number of the set.
            metadata: Metadata of the clip, with positions of classes.
        """
        joined = {name: metadata.get(name) for name in self.columns.types}
        for name, positions in self.positions[number].items():
            joined[name] = _moved(joined[name], positions)
        return joined

    def values(self, number: int, name: str, values: pa.ChunkedArray) -> pa.ChunkedArray:
        """Returns a metadata column of one of the sets as a part of that of the joined set, like `metadata`."""
        positions = self.positions[number].get(name)
        if positions is None:
            return values
        return pa.chunked_array([_moved_array(chunk, positions) for chunk in values.chunks], type=values.type)

    def _moves(self, columns: Columns) -> dict[str, np.ndarray]:
        """Returns the new position of each class of the columns of a set whose classes have other positions."""
        moves = {}
        for name, names in columns.classes.items():
            joined = self.columns.classes[name]
            if names != joined[: len(names)]:
                places = {item: position for position, item in enumerate(joined)}
                moves[name] = np.array([places[item] for item in names], np.int64)
        return moves


def check_features(descriptions: Sequence[Description]) -> None:
    """Raises an error unless feature sets have the same feature, stored in the same dtype.

    Raises:
        ConfigMismatchError: If the fingerprints differ. The message lists the differences.
        FeatureSetError: If the dtypes differ.
    """
    first = descriptions[0]
    for other in descriptions[1:]:
        if other.fingerprint != first.fingerprint:
            difference = first.config.diff(other.config, other.kernel_version, first.kernel_version)
            raise ConfigMismatchError(
                f"Feature sets must have one config to be joined. Received: {first.path!r} (left, fingerprint "
                f"{first.fingerprint}) and {other.path!r} (right, fingerprint {other.fingerprint}):\n{difference}\n"
                "Compute one of them again with the config of the other."
            )
        if other.dtype != first.dtype:
            raise FeatureSetError(
                f"Feature sets must have one dtype to be joined. Received: {first.dtype} in {first.path!r} and "
                f"{other.dtype} in {other.path!r}. Compute one of them again with the dtype of the other."
            )


def _described(columns: Columns, name: str) -> str:
    kind = columns.types[name]
    if name not in columns.classes:
        return kind
    return "list of classes" if is_list(kind) else "class"


def _moved(value: Any, positions: np.ndarray) -> Any:
    """Returns a position, or a list of them, in the classes of the joined set. Missing values have no position."""
    if isinstance(value, list):
        return [_moved(item, positions) for item in value]
    return int(positions[value]) if value is not None and 0 <= value < len(positions) else value


def _moved_array(values: pa.Array, positions: np.ndarray) -> pa.Array:
    if pa.types.is_list(values.type):
        return pa.array([_moved(value, positions) for value in values.to_pylist()], values.type)
    encoded = values.dictionary_encode()  # a column has few classes and may have millions of rows
    moved = pa.array([_moved(value, positions) for value in encoded.dictionary.to_pylist()], values.type)
    return pa.DictionaryArray.from_arrays(encoded.indices, moved).dictionary_decode()
