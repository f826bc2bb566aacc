"""Features of the elements of one bundle, which come one after the other.

Clips are read ahead in threads and computed in groups, as in jobs, see `audiopipe.transform.clip_reader`. So a few
elements are held back until others have come or the bundle ends.
"""

import functools
import threading
from collections import deque
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from audiopipe.beam.elements import Element
from audiopipe.configs.base import Config
from audiopipe.errors import AudioError
from audiopipe.runtime import threads
from audiopipe.runtime.read_ahead import OPEN_UNITS, Unit
from audiopipe.transform import audio_values, clip_reader, row_features
from audiopipe.transform.clip_items import Computed, Failed
from audiopipe.transform.kernel import GROUP
from audiopipe.transform.timed_blocks import TimedBlocks
from audiopipe.transform.transform import Transform

MOST_BYTES = 1 << 26  # of audio in elements that are held back
COMPILED = 16  # transforms of a process

_compiling = threading.Lock()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of an element.

    Args:
        key: What the caller knows the element by.
        element: The element.
        feature: Its feature, as `audiopipe.transform.clip_items.Computed` has it. None if it failed.
        n_samples: Number of samples of its clip. 0 if it failed.
        read_seconds: How long reading took.
        feature_seconds: How long the computation took.
        error: The error, if it failed.
        stage: The stage that failed.
    """

    key: Any
    element: Element
    feature: np.ndarray | None = None
    n_samples: int = 0
    read_seconds: float = 0.0
    feature_seconds: float = 0.0
    error: Exception | None = None
    stage: str = ""


@dataclass(slots=True, eq=False)
class _Row:
    """Element that waits for its outcome."""

    key: Any
    element: Element
    read_seconds: float = 0.0


class BundleFeatures:
    """Computation of the features of a bundle.

    The elements in memory are limited: while more than `MOST_BYTES` of their audio are held back, each new element
    releases an older one. An element that is larger than that is computed at once.

    Args:
        transform: The transform.
    """

    def __init__(self, transform: Transform):
        self._transform = transform
        # So many that reading ahead and groups never lack elements before the bundle ends.
        self._most = 2 * GROUP + (OPEN_UNITS if threads.available() > 1 else 0)
        self._waiting: deque[_Row] = deque()
        self._n_held = self._n_bytes = 0
        self._outcomes: Generator[Any, None, None] | None = None

    def add(self, key: Any, element: Element) -> None:
        """Adds the next element."""
        self._waiting.append(_Row(key, element))
        self._n_held += 1
        self._n_bytes += element.size

    def ready(self) -> Iterator[Outcome]:
        """Yields the outcomes of elements that need not be held back any more, in the order of the elements."""
        while self._n_held > self._most or self._n_bytes > MOST_BYTES:
            yield self._next()

    def rest(self) -> Iterator[Outcome]:
        """Yields the outcomes of all other elements."""
        while self._n_held:
            yield self._next()

    def close(self) -> None:
        """Ends the threads."""
        if self._outcomes is not None:
            self._outcomes.close()
            self._outcomes = None

    def _next(self) -> Outcome:
        outcome = None
        while outcome is None:
            # The iterator ends when it runs out of elements, which does no harm: the next ones get another.
            self._outcomes = self._outcomes or self._computed()
            outcome = next(self._outcomes, None)
            if outcome is None:
                self._outcomes = None
        self._n_held -= 1
        self._n_bytes -= outcome.element.size
        return outcome

    def _computed(self) -> Generator[Outcome, None, None]:
        found = clip_reader.ahead(self._units())
        results = self._transform.computed(found)
        try:
            for item in results:
                made = _outcomes(item)
                del item  # nothing here refers to a feature that was yielded
                while made:
                    yield made.pop()
        finally:
            # Closed even if a traceback keeps this frame, so that no thread is left.
            results.close()
            found.close()

    def _units(self) -> Iterator[Unit[Any]]:
        rate = self._transform.config.sample_rate
        while self._waiting:
            row = self._waiting.popleft()
            element = row.element
            # If nothing has to be decoded, handing the samples over takes longer than reading.
            has_to_read = element.error is None and not audio_values.is_ready(element.audio, rate)
            yield Unit(self._items(row), ahead=has_to_read)

    def _items(self, row: _Row) -> Iterator[Any]:
        """Reads one element. Any error fails it alone, because a damaged file can cause any exception."""
        element = row.element
        if element.error is not None:
            yield Failed(row, element.error, while_reading=True)
            return
        blocks = TimedBlocks(self._transform.read_blocks(element.audio, on_remark=element.remarks.append))
        try:
            for item in row_features.items(row, blocks, self._transform.config):
                row.read_seconds = blocks.seconds
                yield item
                del item
        except Exception as error:
            yield Failed(row, error, blocks.is_reading)


def _outcomes(item: Any) -> list[Outcome]:
    """Returns the outcome that an item of a reader is, if it is one."""
    if isinstance(item, Failed):
        return [_failed(item.key, item.error, "read" if item.while_reading else "feature")]
    if not isinstance(item, Computed):
        return []
    if isinstance(item.feature, Exception):
        return [_failed(item.key, item.feature, "feature")]
    row = item.key
    return [Outcome(row.key, row.element, item.feature, item.n_samples, row.read_seconds, item.seconds)]


def _failed(row: _Row, error: Exception, stage: str) -> Outcome:
    stage = error.stage if isinstance(error, AudioError) else stage
    return Outcome(row.key, row.element, error=error, stage=stage)


def compiled(transform: Transform) -> Transform:
    """Returns a transform that computes the same, whose graphs all bundles of this process share."""
    kind: Any = type(transform)
    with _compiling:
        return _compiled(kind, transform.config, transform.strict, transform.accept_truncated)


@functools.lru_cache(maxsize=COMPILED)
def _compiled(kind: Any, config: Config, strict: bool, accept_truncated: bool) -> Transform:
    return kind(config, strict=strict, accept_truncated=accept_truncated)
