"""Blocks of a clip whose reading is timed."""

import time
from collections.abc import Iterable, Iterator

import numpy as np


class TimedBlocks:
    """Iterable over the blocks of one clip, which measures how long reading takes.

    Args:
        blocks: Consecutive blocks of the clip, float32 `[time, channels]`.

    Attributes:
        seconds: How long reading has taken, without the time in which nobody asked for a block.
        is_reading: Whether a block is being read. If an error was raised, whether it comes from the blocks, and not
            from their consumer.
    """

    def __init__(self, blocks: Iterable[np.ndarray]):
        self._blocks = blocks
        self.is_reading = False
        self.seconds = 0.0

    def __iter__(self) -> Iterator[np.ndarray]:
        started, self.is_reading = time.perf_counter(), True
        for block in self._blocks:
            self.seconds += time.perf_counter() - started
            self.is_reading = False
            yield block
            started, self.is_reading = time.perf_counter(), True
        self.seconds, self.is_reading = self.seconds + time.perf_counter() - started, False
