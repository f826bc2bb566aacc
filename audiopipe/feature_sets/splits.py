"""Division of clips into parts by the hash of their id or group."""

from collections.abc import Mapping

import numpy as np

from audiopipe import checks
from audiopipe.errors import ArgumentError
from audiopipe.feature_sets import hashes
from audiopipe.feature_sets.index import Rows
from audiopipe.feature_sets.joined_sets import JoinedSets, chunks
from audiopipe.inputs.columns import is_list

_RANGE = 2**64
_TOLERANCE = 1e-9  # of the sum of fractions such as 0.7, 0.2 and 0.1, whose sum is not exactly 1


class Parts:
    """Division of clips into parts by the hash of a text.

    The hashes are divided into consecutive ranges, one for each part, whose sizes are the fractions. So the part of a
    text depends on nothing but the text, the fractions and their order.

    Args:
        fractions: Fraction of each part, by its name. The sum must be 1.

    Raises:
        ArgumentError: If a fraction is not between 0 and 1, or the sum is not 1.

    Example:
        >>> parts = Parts({"train": 0.75, "test": 0.25})
        >>> parts.of_hashes(np.array([0, 2**63, 2**64 - 2**62, 2**64 - 1], np.uint64)).tolist()
        [0, 0, 1, 1]
    """

    def __init__(self, fractions: Mapping[str, float]):
        if not isinstance(fractions, Mapping) or not fractions:
            raise checks.fail(
                "fractions", "a dict of parts and their fractions", fractions, 'Pass {"train": 0.9, ...}.'
            )
        values = [checks.real(f"fractions[{name!r}]", value, above=0, maximum=1) for name, value in fractions.items()]
        if abs(sum(values) - 1) > _TOLERANCE:
            raise ArgumentError(
                f"The fractions of a split must have the sum 1. Received: {dict(fractions)}, with the sum "
                f"{sum(values)}. Add a part for the rest."
            )
        self.names = list(fractions)
        ends = np.cumsum(values)[:-1]
        self._bounds = np.array([min(round(float(end) * _RANGE), _RANGE - 1) for end in ends], np.uint64)

    def of_hashes(self, hashes: np.ndarray) -> np.ndarray:
        """Returns the number of the part of each hash: unsigned integers `[n]`."""
        return np.searchsorted(self._bounds, hashes, side="right").astype(np.min_scalar_type(len(self.names)))


def hashes_of(sets: JoinedSets, rows: Rows, by: str | None, seed: int) -> np.ndarray:
    """Returns the hash that decides the part of each clip.

    Args:
        sets: The feature sets.
        rows: Numbers of the clips.
        by: Metadata column of groups. None means the id, without the number of a segment.
        seed: Seed of the hash.

    Returns:
        uint64 `[rows]`.

    Raises:
        ArgumentError: If there is no such column, or it has lists.
    """
    if by is None:
        return hashes.of_texts(sets.recordings(rows), seed)
    types = sets.columns.types
    if by not in types or is_list(types[by]):
        choices = [name for name, kind in types.items() if not is_list(kind)]
        raise ArgumentError(f"by must be a metadata column without lists, one of {choices}. Received: by={by!r}.")
    classes = sets.columns.classes.get(by)
    found = [np.zeros(0, np.uint64)]
    for chunk in chunks(rows):
        encoded = sets.column(by, chunk).combine_chunks().dictionary_encode(null_encoding="encode")
        texts = [_text(value, classes) for value in encoded.dictionary.to_pylist()]
        found.append(hashes.of_texts(texts, seed)[encoded.indices.to_numpy()])
    return np.concatenate(found)


def _text(value: object, classes: list[str] | None) -> bytes:
    """Returns the text of a group. Equal classes are one group, whatever their positions are."""
    if value is None:
        return b""
    if classes is not None and isinstance(value, int) and 0 <= value < len(classes):
        value = classes[value]
    return str(value).encode("utf-8", "surrogateescape")
