"""Stored features that are requested in another order than that of the shards."""

import tempfile
from collections.abc import Iterable, Iterator

import numpy as np

HELD_BYTES = 1 << 26  # of waiting features in memory; more go to disk


class StoredFeatures:
    """Features of a feature set by the ids of the clips, read once.

    Features that are passed over wait in a temporary file, or in memory if they are small.

    Args:
        features: Id and feature of each clip, in the order of the shards.
        order: Ids in the order in which features are taken. Some may be left out.

    Example:
        >>> stored = [("a", np.float32([1])), ("b", np.float32([2])), ("c", np.float32([3]))]
        >>> with StoredFeatures(stored, ["c", "a"]) as features:
        ...     [features.take("c"), features.take("a")]
        [array([3.], dtype=float32), array([1.], dtype=float32)]
    """

    def __init__(self, features: Iterable[tuple[str, np.ndarray]], order: Iterable[str]):
        self._features: Iterator[tuple[str, np.ndarray]] = iter(features)
        self._positions = {clip_id: position for position, clip_id in enumerate(order)}
        self._waiting: dict[str, tuple[int, tuple[int, ...]]] = {}
        self._file = tempfile.SpooledTemporaryFile(HELD_BYTES, prefix="audiopipe-")  # noqa: SIM115 (`__exit__`)

    def __enter__(self) -> "StoredFeatures":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def take(self, clip_id: str) -> np.ndarray:
        """Returns the feature of a clip, float32. Each clip can be taken once."""
        if clip_id in self._waiting:
            return self._read(*self._waiting.pop(clip_id))
        if not self._waiting:  # what was read takes no space any more
            self._file.seek(0)
            self._file.truncate()
        position = self._positions[clip_id]
        for stored_id, feature in self._features:
            if stored_id == clip_id:
                return feature
            if self._positions.get(stored_id, -1) > position:
                self._waiting[stored_id] = self._file.seek(0, 2), feature.shape
                self._file.write(np.ascontiguousarray(feature, "<f4").tobytes())
        raise KeyError(clip_id)

    def _read(self, start: int, shape: tuple[int, ...]) -> np.ndarray:
        self._file.seek(start)
        return np.frombuffer(self._file.read(4 * int(np.prod(shape))), "<f4").reshape(shape)
