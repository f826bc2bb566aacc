"""Entries of clips as few arrays, on their way from Python into a graph."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from audiopipe.inputs.columns import is_list, item_type

_DTYPES = {"string": tf.string, "int": tf.int64, "float": tf.float64, "bool": tf.bool}


class PackedEntries:
    """Entries of clips, with one array for all single values of a type and one for each list.

    Every array that a Python function returns to a graph takes as long as several operations of the graph.

    Args:
        kinds: Type of each entry, one of `audiopipe.inputs.metadata_types.TYPES`.

    Attributes:
        specs: Specification of each array.

    Example:
        >>> packed = PackedEntries({"id": "string", "take": "int", "age": "int", "tags": "list<string>"})
        >>> [(spec.shape.as_list(), spec.dtype.name) for spec in packed.specs]
        [([1], 'string'), ([2], 'int64'), ([None], 'string')]
        >>> arrays = packed.pack({"id": "a", "take": 3, "age": -1, "tags": ["rain"]})
        >>> entries = packed.unpack([tf.constant(array) for array in arrays])
        >>> {name: np.asarray(entry).tolist() for name, entry in entries.items()}
        {'id': b'a', 'take': 3, 'age': -1, 'tags': [b'rain']}
    """

    def __init__(self, kinds: Mapping[str, str]):
        self._names = list(kinds)
        self._lists = {name: item_type(kind) for name, kind in kinds.items() if is_list(kind)}
        groups = {kind: [name for name, of_name in kinds.items() if of_name == kind] for kind in _DTYPES}
        self._groups = {kind: names for kind, names in groups.items() if names}
        self.specs = [
            *(tf.TensorSpec([len(names)], _DTYPES[kind]) for kind, names in self._groups.items()),
            *(tf.TensorSpec([None], _DTYPES[kind]) for kind in self._lists.values()),
        ]

    def pack(self, values: Mapping[str, Any]) -> list[np.ndarray]:
        """Returns the arrays of a clip.

        Args:
            values: Value of each entry, without missing ones. Text may hold bytes that are no UTF-8, as
                `os.fsdecode` returns them.
        """
        return [
            *(_array([values[name] for name in names], kind) for kind, names in self._groups.items()),
            *(_array(values[name], kind) for name, kind in self._lists.items()),
        ]

    def unpack(self, arrays: list[tf.Tensor]) -> dict[str, tf.Tensor]:
        """Returns the entries from the tensors of the arrays, and sets the shapes of the tensors."""
        for array, spec in zip(arrays, self.specs, strict=True):
            array.set_shape(spec.shape)
        n_groups = len(self._groups)
        entries = dict(zip(self._lists, arrays[n_groups:], strict=True))
        for names, array in zip(self._groups.values(), arrays[:n_groups], strict=True):
            entries.update(zip(names, tf.unstack(array), strict=True))
        return {name: entries[name] for name in self._names}


def _array(values: list[Any], kind: str) -> np.ndarray:
    if kind == "string":
        return np.array([value.encode("utf-8", "surrogateescape") for value in values], dtype=object)
    return np.array(values, dtype=_DTYPES[kind].as_numpy_dtype)
