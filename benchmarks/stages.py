"""Processor time of each step of a worker, without the steps that it calls."""

import contextlib
import functools
import inspect
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any
from unittest import mock

FEATURE, STATISTICS, REST = "feature", "the statistics", "the rest"
WRITING = "tfrecords.Writer, and the SHA-256 of the shard"


def steps() -> list[tuple[str, Any, str]]:
    """Returns the name of each step, and the object and the attribute of its function. Steps may share a name."""
    import soundfile

    from audiopipe.audio import conversion, decoding, layouts, opening
    from audiopipe.feature_sets import records, tfrecords
    from audiopipe.feature_sets.clip_sums import ClipSums
    from audiopipe.inputs import listings
    from audiopipe.transform import kernel

    return [
        ("whether the file is what was listed, and stays it", listings, "changed"),
        ("whether the file is what was listed, and stays it", opening.Opened, "check_unchanged"),
        ("opening the file", opening, "_open"),
        ("whether the file is whole: its container", layouts, "parts"),
        ("libsndfile's opening and closing", soundfile.SoundFile, "__init__"),
        ("libsndfile's opening and closing", soundfile.SoundFile, "close"),
        ("decoding", decoding, "_read"),
        ("whether all samples are finite, and other steps of reading", conversion, "convert_parts"),
        (FEATURE, kernel.Kernel, "clips"),
        ("encoding the record", records, "encode"),
        (STATISTICS, ClipSums, "add"),
        (STATISTICS, ClipSums, "to_dict"),
        (WRITING, tfrecords.Writer, "write"),
        (WRITING, tfrecords.Writer, "__exit__"),
    ]


class Stages:
    """Stopwatch of steps that call one another.

    Args:
        clock: Function that returns the time in seconds.

    Attributes:
        seconds: Seconds spent in each step, and in all other code under the key `REST`.
    """

    def __init__(self, clock: Callable[[], float] = time.process_time):
        self.seconds: dict[str, float] = defaultdict(float)
        self._clock = clock
        self._running = [REST]
        self._since = 0.0

    @contextlib.contextmanager
    def measured(self, steps: list[tuple[str, Any, str]]) -> Iterator[None]:
        """Measures steps while the `with` block runs.

        Args:
            steps: Name of each step, and the object and the attribute of its function or generator function.
        """
        with contextlib.ExitStack() as patches:
            for step, home, attribute in steps:
                wrapped = self._wrapped(step, getattr(home, attribute))
                patches.enter_context(mock.patch.object(home, attribute, wrapped))
            self._since = self._clock()
            yield
            self._count()

    def _count(self) -> None:
        now = self._clock()
        self.seconds[self._running[-1]] += now - self._since
        self._since = now

    def _begin(self, step: str) -> None:
        self._count()
        self._running.append(step)

    def _end(self) -> None:
        self._count()
        self._running.pop()

    def _wrapped(self, step: str, function: Callable[..., Any]) -> Callable[..., Any]:
        if inspect.isgeneratorfunction(function):
            return functools.partial(self._generate, step, function)

        def call(*arguments: Any, **options: Any) -> Any:
            self._begin(step)
            try:
                return function(*arguments, **options)
            finally:
                self._end()

        return call

    def _generate(self, step: str, function: Callable[..., Any], *arguments: Any, **options: Any) -> Iterator[Any]:
        items = function(*arguments, **options)
        with contextlib.closing(items):
            while True:
                self._begin(step)
                try:
                    item = next(items, items)
                finally:
                    self._end()
                if item is items:
                    return
                yield item
