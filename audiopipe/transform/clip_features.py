"""Computation of the features of clips that a reader has read: in groups, and of long clips block by block."""

import time
from collections.abc import Generator, Iterable, Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from audiopipe.runtime.read_ahead import Waiting
from audiopipe.transform.clip_items import Block, Computed, End, Failed, Long, Whole
from audiopipe.transform.kernel import GROUP, Kernel

MAX_HELD = 64  # items that wait for their group to fill
MAX_VALUES = 1 << 23  # of the clips of a group, after the last one: 32 MB. Large clips gain nothing from a group


def computed(items: Iterable[Any], kernel: Kernel) -> Generator[Any, None, None]:
    """Replaces clips by their features.

    Clips are computed in groups of `GROUP`, and in smaller ones where they have many values, where a long clip follows,
    where the next item takes long to come, and at the end. A clip that fails does not affect the others.

    Args:
        items: Items of `audiopipe.transform.clip_items`, and any others.
        kernel: The kernel of the feature.

    Yields:
        A `Computed` for each clip that was read, and all other items as they are, in order. Other items within a long
        clip come before its feature.
    """
    held: list[Any] = []
    n_clips = n_values = 0
    items = iter(items)
    for item in items:
        if isinstance(item, Long):
            yield from _released(held, kernel)
            yield from _of_long(item, items, kernel)
            n_clips = n_values = 0
            continue
        if isinstance(item, Whole):
            n_clips, n_values = n_clips + 1, n_values + item.samples.size
        elif not n_clips:
            yield item
            continue
        is_waiting = isinstance(item, Waiting)
        held.append(item)
        del item
        if n_clips == GROUP or n_values >= MAX_VALUES or is_waiting or len(held) >= MAX_HELD:
            yield from _released(held, kernel)
            n_clips = n_values = 0
    yield from _released(held, kernel)


def _released(held: list[Any], kernel: Kernel) -> Iterator[Any]:
    """Computes the clips among the held items and yields all of them. The list is empty then."""
    items = held.copy()
    held.clear()
    clips = [item.samples for item in items if isinstance(item, Whole)]
    started = time.perf_counter()
    features = _features(clips, kernel)
    seconds = (time.perf_counter() - started) / max(1, len(clips))
    del clips
    items.reverse()
    features.reverse()
    while items:  # nothing here refers to an item that was yielded
        yield _with_feature(items.pop(), features, seconds)


def _with_feature(item: Any, features: list[np.ndarray | Exception], seconds: float) -> Any:
    """Replaces a clip by its feature, which is the last one of the list."""
    return Computed(item.key, features.pop(), len(item.samples), seconds) if isinstance(item, Whole) else item


def _features(clips: list[np.ndarray], kernel: Kernel) -> list[np.ndarray | Exception]:
    try:
        # TensorFlow converts the arguments of a function more slowly than `tf.constant` does.
        features = kernel.clips([tf.constant(clip, tf.float32) for clip in clips])
        return [np.asarray(feature) for feature in features]
    except Exception as error:
        if len(clips) == 1:
            return [error]
        return [feature for clip in clips for feature in _features([clip], kernel)]


class _UnreadError(Exception):
    """The rest of a long clip could not be read."""


def _of_long(start: Long, items: Iterator[Any], kernel: Kernel) -> Iterator[Any]:
    """Computes the feature of a long clip, whose blocks come next."""
    blocks = _Blocks(items)
    started = time.perf_counter()
    result: list[np.ndarray | Exception]
    try:
        result = [np.asarray(kernel.stream(blocks))]
    except Exception as error:
        if blocks.is_broken:
            raise
        result = [error]
        if blocks.failure is None:
            blocks.skip()
    seconds = time.perf_counter() - started - blocks.seconds
    yield from blocks.others
    # Nothing here may refer to the feature, which may be the largest object of the process.
    yield blocks.failure or Computed(start.key, result.pop(), blocks.n_samples, seconds)


class _Blocks:
    """Iterable over the blocks of a long clip.

    Attributes:
        n_samples: Number of samples so far.
        seconds: Time spent waiting for blocks.
        others: Other items among the blocks.
        failure: What came instead of the rest of the clip.
        is_broken: Whether the iterator of the items has raised an error.
    """

    def __init__(self, items: Iterator[Any]):
        self._items = items
        self._has_ended = self.is_broken = False
        self.n_samples = 0
        self.seconds = 0.0
        self.others: list[Any] = []
        self.failure: Failed | None = None

    def __iter__(self) -> Iterator[np.ndarray]:
        while (block := self._next()) is not None:
            self.n_samples += len(block)
            yield block
        if self.failure is not None:
            raise _UnreadError

    def skip(self) -> None:
        """Passes over the rest of the clip and what was noticed about it, which does not matter any more."""
        n_others = len(self.others)
        while self._next() is not None:
            pass
        del self.others[n_others:]
        self.failure = None

    def _next(self) -> np.ndarray | None:
        started = time.perf_counter()
        try:
            while not self._has_ended:
                self.is_broken = True
                item = next(self._items)
                self.is_broken = False
                if isinstance(item, Block):
                    return item.samples
                if isinstance(item, Failed):
                    self.failure = item
                elif not isinstance(item, End):
                    if not isinstance(item, Waiting):
                        self.others.append(item)
                    continue
                self._has_ended = True
            return None
        finally:
            self.seconds += time.perf_counter() - started
