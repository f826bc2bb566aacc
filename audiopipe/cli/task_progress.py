"""Progress of a task with the rate and the time left: a bar on a terminal, plain lines elsewhere."""

import contextlib
import math
import time
from collections.abc import Callable, Iterator

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from audiopipe.cli.terminal import errors
from audiopipe.precompute.progress import INTERVAL_SECONDS, Speed, pace

MEASURE_SECONDS = 0.1  # time between two measurements of the speed

Update = Callable[[str, int, int], None]


@contextlib.contextmanager
def shown(
    console: Console = errors,
    *,
    interval: float = INTERVAL_SECONDS,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[Update]:
    """Shows how far a task is while the block runs.

    A terminal gets a bar, which is gone after the block. Anything else gets a line for every `interval`, and so nothing
    about short tasks.

    Args:
        console: Console that people read.
        interval: Time in seconds between two lines.
        clock: Function that returns the time in seconds since any start.

    Yields:
        A function of the name of the current step, such as `"checking records"`, how much of it is done, and how much
        there is in all. Call it with 0 when a step starts, and as often as you like after that.

    Example:
        >>> with shown() as update:
        ...     update("drawing clips", 0, 3)
        ...     for number in range(3):
        ...         update("drawing clips", number + 1, 3)
    """
    display = _Bar(console, clock) if console.is_terminal else _Lines(console, clock, interval)
    with contextlib.closing(display):
        yield display.update


class _Lines:
    def __init__(self, console: Console, clock: Callable[[], float], interval: float):
        self._console, self._clock, self._interval = console, clock, interval
        self._step: str | None = None
        self._speed = Speed(0, clock)
        self._measured_at, self._shown_at = -math.inf, clock()

    def update(self, step: str, done: int, total: int) -> None:
        now = self._clock()
        if step != self._step:
            self._step, self._speed, self._measured_at = step, Speed(0, self._clock), -math.inf
        if now - self._measured_at >= MEASURE_SECONDS or done == total:
            self._measured_at = now
            self._speed.add(done)
            facts = pace(self._speed.rate(), self._speed.seconds_left(total - done))
            self._measured(step, done, total, ", ".join(facts))

    def close(self) -> None:
        """Ends the display."""

    def _measured(self, step: str, done: int, total: int, facts: str) -> None:
        now = self._clock()
        if now - self._shown_at >= self._interval:
            self._shown_at = now
            percent = math.floor(100 * done / total) if total else 100
            line = f"{step}: {done:,} of {total:,} ({percent} %)"
            self._console.print(", ".join(filter(None, (line, facts))), markup=False, highlight=False, soft_wrap=True)


class _Bar(_Lines):
    def __init__(self, console: Console, clock: Callable[[], float]):
        super().__init__(console, clock, 0.0)
        columns = (TextColumn("{task.description}", markup=False), BarColumn(), TextColumn("{task.fields[facts]}"))
        self._bar = Progress(*columns, TimeElapsedColumn(), console=console, transient=True)
        self._task: TaskID | None = None

    def close(self) -> None:
        self._bar.stop()

    def _measured(self, step: str, done: int, total: int, facts: str) -> None:
        if self._task is None:
            self._bar.start()
            self._task = self._bar.add_task(step, total=total, facts="")
        facts = ", ".join(filter(None, (f"{done:,} of {total:,}", facts)))
        self._bar.update(self._task, description=step, completed=done, total=total, facts=facts)
