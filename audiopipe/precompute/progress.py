"""Progress of a precompute job: a bar on a terminal, plain lines elsewhere, or JSON lines for programs."""

import abc
import contextlib
import datetime
import itertools
import json
import math
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import astuple, dataclass
from typing import Any, Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from audiopipe.wording import count_of, duration, size

AGAIN = "Run the same command again to resume. Finished shards are kept."
INTERVAL_SECONDS = 10.0
WINDOW_SECONDS = 60.0
WINDOW_GAPS = 4  # the window is at least this many times the longest gap between two shards


@dataclass(frozen=True)
class Done:
    """Progress of a job so far, including earlier runs.

    Args:
        clips: Number of clips done, including failures.
        failures: Number of clips that failed.
        seconds: Seconds of audio done.
        shards: Number of finished shards.
    """

    clips: int
    failures: int
    seconds: float
    shards: int

    def __add__(self, other: "Done") -> "Done":
        """Returns the progress of both."""
        pairs = zip(astuple(self), astuple(other), strict=True)
        return Done(*(one + another for one, another in pairs))


class Reporter(Protocol):
    """Interface of all reporters of progress.

    A job calls `planned` first, then `update` any number of times, then either `finished` or `stopped`.
    """

    def planned(
        self,
        *,
        clips: int,
        copied: int = 0,
        hours: float,
        bytes: int,
        shards: int,
        exact: bool,
        headers: int = 0,
        notes: Sequence[str] = (),
        changes: Mapping[str, int] | None = None,
        done_before: int = 0,
        failed_before: int = 0,
    ) -> None:
        """Shows the plan.

        Args:
            clips: Number of clips to compute or to copy. If there is nothing to do, the number of clips of the input.
            copied: Number of these clips whose records are copied from the old feature set.
            hours: Hours of their audio.
            bytes: Size of the shards to write in bytes.
            shards: Number of shards to write.
            exact: Whether the length of every clip is known. If so, hours and bytes are not estimates.
            headers: Number of audio file headers that the estimate is based on.
            notes: Sentences about the input, such as how many files were left out.
            changes: What an update changes, see `audiopipe.precompute.plan.Changes`. None for a new feature set.
            done_before: Number of these clips that an earlier run did.
            failed_before: Number of clips of `done_before` that failed, and are not tried again.
        """

    def update(self, done: Done, total_clips: int) -> None:
        """Shows how far the job is. The job may call this as often as it likes."""

    def finished(self, facts: dict[str, Any]) -> None:
        """Shows that the job has finished.

        The facts are for programs. People read the final table of the command line.

        Args:
            facts: Facts such as the counts in `dataset.json`. The names `event` and `time` are reserved.
        """

    def stopped(self, reason: str) -> None:
        """Shows why the job ended early."""


class Silent:
    """Reporter that shows nothing."""

    def planned(self, **facts: Any) -> None:
        """Does nothing."""

    def update(self, done: Done, total_clips: int) -> None:
        """Does nothing."""

    def finished(self, facts: dict[str, Any]) -> None:
        """Does nothing."""

    def stopped(self, reason: str) -> None:
        """Does nothing."""


def reporter(
    console: Console,
    log_json: bool,
    *,
    interval: float = INTERVAL_SECONDS,
    clock: Callable[[], float] = time.monotonic,
) -> Reporter:
    """Returns the reporter for a console or, with `log_json`, for programs.

    Args:
        console: Console that people read, usually standard error. A terminal gets a bar, anything else plain lines.
        log_json: Whether to print one JSON object per event to standard output instead.
        interval: Minimum time in seconds between two updates in plain lines or JSON.
        clock: Function that returns the time in seconds since any start.
    """
    if log_json:
        return _JsonLines(clock, interval)
    if console.is_terminal:
        return _Bar(clock, console)
    return _Lines(clock, interval, console)


class Speed:
    """Clips per second of this run, and the time left.

    Shards finish in steps, so progress between two steps is interpolated linearly. The rate is the average over the
    last minute, or over a longer window if shards take longer. The start of the workers therefore lowers the rate only
    until it is older than the window.

    Args:
        done_before: Number of clips that an earlier run did. None takes the number of the first `add`.
        clock: Function that returns the time in seconds since any start.

    Example:
        >>> now = iter([0.0, 10.0, 10.0])
        >>> speed = Speed(1000, lambda: next(now))
        >>> speed.add(1200)
        >>> speed.rate()
        20.0
    """

    def __init__(self, done_before: int | None, clock: Callable[[], float]):
        self._clock = clock
        self._started = clock()
        self._steps: deque[tuple[float, int]] = deque()
        if done_before is not None:
            self._steps.append((self._started, done_before))

    def add(self, clips: int) -> None:
        """Records how many clips are done now."""
        now = self._clock()
        if not self._steps:
            self._steps.append((self._started, clips))
        elif clips > self._steps[-1][1]:
            self._steps.append((now, clips))
            while len(self._steps) > 2 and self._steps[1][0] <= now - self._window():
                self._steps.popleft()

    def rate(self) -> float | None:
        """Returns the clips per second, or None before the first clips are done."""
        if len(self._steps) < 2:
            return None
        last, clips = self._steps[-1]
        # Workers are busy between two shards, so only a wait longer than any before lowers the rate.
        end = max(last, self._clock() - self._longest_gap())
        first = max(self._steps[0][0], end - self._window())
        return (clips - self._at(first)) / (end - first) if end > first else None

    def seconds_left(self, clips_left: int) -> float | None:
        """Returns the time in seconds that the remaining clips take, or None if it is not known."""
        if clips_left <= 0:
            return 0.0
        rate = self.rate()
        return clips_left / rate if rate else None

    def _window(self) -> float:
        return max(WINDOW_SECONDS, WINDOW_GAPS * self._longest_gap())

    def _longest_gap(self) -> float:
        times = [at for at, _ in self._steps]
        return max((after - before for before, after in itertools.pairwise(times)), default=0.0)

    def _at(self, moment: float) -> float:
        """Returns the number of clips done at a moment, interpolated linearly between steps."""
        for (before, clips), (after, more) in itertools.pairwise(self._steps):
            if moment <= after:
                return clips + (more - clips) * (moment - before) / (after - before) if after > before else more
        return self._steps[-1][1]


class _Base(abc.ABC):
    """Base class of reporters. It measures the speed and shows progress at most once per interval and at the end.

    Attributes:
        changes: What an update changes. None for a new feature set.
        notes: Sentences about the input that were shown with the plan.
    """

    changes: Mapping[str, int] | None = None
    notes: Sequence[str] = ()

    def __init__(self, clock: Callable[[], float], interval: float):
        self._clock = clock
        self._interval = interval
        self._speed = Speed(None, clock)
        self._shown_at = -math.inf
        self._waiting: tuple[Done, int] | None = None
        self._shown: tuple[Done, int] | None = None

    def planned(self, *, done_before: int = 0, **facts: Any) -> None:
        self.changes, self.notes = facts.get("changes"), facts.get("notes", ())
        self._speed = Speed(done_before, self._clock)
        unless_given = {"copied": 0, "headers": 0, "notes": (), "changes": None, "failed_before": 0}
        self._show_plan({**unless_given, **facts, "done_before": done_before})

    def update(self, done: Done, total_clips: int) -> None:
        self._speed.add(done.clips)
        if (done, total_clips) == self._shown:
            return
        self._waiting = (done, total_clips)
        if self._clock() - self._shown_at >= self._interval:
            self._show_waiting()

    def finished(self, facts: dict[str, Any]) -> None:
        self._show_waiting()
        self._show_end("finished", facts)

    def stopped(self, reason: str) -> None:
        self._show_waiting()
        self._show_end("stopped", {"reason": reason})

    def _show_waiting(self) -> None:
        if self._waiting is not None:
            done, total_clips = self._waiting
            self._shown_at, self._shown, self._waiting = self._clock(), self._waiting, None
            self._show(done, total_clips, self._speed.rate(), self._speed.seconds_left(total_clips - done.clips))

    @abc.abstractmethod
    def _show_plan(self, facts: dict[str, Any]) -> None: ...

    @abc.abstractmethod
    def _show(self, done: Done, total_clips: int, rate: float | None, seconds_left: float | None) -> None: ...

    @abc.abstractmethod
    def _show_end(self, event: str, facts: dict[str, Any]) -> None: ...


class _JsonLines(_Base):
    def _show_plan(self, facts: dict[str, Any]) -> None:
        self._print("planned", facts)

    def _show(self, done: Done, total_clips: int, rate: float | None, seconds_left: float | None) -> None:
        facts = {"clips": done.clips, "total_clips": total_clips, "failures": done.failures, "shards": done.shards}
        seconds = {"seconds_of_audio": done.seconds, "seconds_left": seconds_left}
        self._print("progress", {**facts, **seconds, "clips_per_second": rate})

    def _show_end(self, event: str, facts: dict[str, Any]) -> None:
        self._print(event, facts)

    def _print(self, event: str, facts: dict[str, Any]) -> None:
        now = datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds")
        print(json.dumps({**_strict(facts), "event": event, "time": now}, allow_nan=False), flush=True)


class _Lines(_Base):
    def __init__(self, clock: Callable[[], float], interval: float, console: Console):
        super().__init__(clock, interval)
        self._console = console

    def _show_plan(self, facts: dict[str, Any]) -> None:
        changes = [] if facts["changes"] is None else [f"changes: {changes_line(facts['changes'])}"]
        for line in (_plan_line(facts), *changes, *facts["notes"]):
            self._print(line)

    def _show(self, done: Done, total_clips: int, rate: float | None, seconds_left: float | None) -> None:
        percent = math.floor(100 * done.clips / total_clips) if total_clips else 100
        parts = [f"clips {done.clips:,} of {total_clips:,} ({percent} %)", _audio(done), _failures(done)]
        self._print(", ".join([*parts, *pace(rate, seconds_left, "clips")]))

    def _show_end(self, event: str, facts: dict[str, Any]) -> None:
        """Shows nothing, because people read the final table or the error of the command line."""

    def _print(self, line: str) -> None:
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)


class _Bar(_Lines):
    def __init__(self, clock: Callable[[], float], console: Console):
        super().__init__(clock, 0.0, console)
        columns = (TextColumn("clips"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[facts]}"))
        self._bar = Progress(*columns, TimeElapsedColumn(), console=console)
        self._task = self._bar.add_task("clips", total=None, facts="")

    def _show(self, done: Done, total_clips: int, rate: float | None, seconds_left: float | None) -> None:
        self._bar.start()  # only now, so that an error before the work starts is shown without a bar
        facts = ", ".join([_audio(done), _failures(done), *pace(rate, seconds_left, "clips")])
        self._bar.update(self._task, completed=done.clips, total=total_clips, facts=facts)

    def _show_end(self, event: str, facts: dict[str, Any]) -> None:
        self._bar.stop()
        super()._show_end(event, facts)


def _plan_line(facts: dict[str, Any]) -> str:
    """Formats the facts about a plan, for people."""
    amount = f"{duration(3600 * facts['hours'])} of audio, {size(facts['bytes'])}"
    line = f"planned: {_work(facts)}, {amount} in {count_of(facts['shards'], 'shard')}"
    if not facts["exact"]:
        line += f" (estimated from {count_of(facts['headers'], 'header')})"
    if facts["done_before"]:
        line += f"; {count_of(facts['done_before'], 'clip')} done before"
    if facts["failed_before"]:
        line += f", of which {facts['failed_before']:,} failed. Pass --retry-failures to try them again"
    return line


def _work(facts: dict[str, Any]) -> str:
    """Says how many clips a plan computes, and how many records of an old feature set it copies."""
    clips, copied = facts["clips"], facts["copied"]
    if not copied:
        return count_of(clips, "clip")
    if copied == clips:
        return f"{count_of(clips, 'clip')} to copy"
    return f"{count_of(clips - copied, 'clip')} to compute and {copied:,} to copy"


def changes_line(changes: Mapping[str, int]) -> str:
    """Describes what an update changes, for people.

    Args:
        changes: Numbers of clips, see `audiopipe.precompute.plan.Changes`.

    Example:
        >>> changes_line({"kept": 40, "added": 2, "changed": 0, "removed": 1, "relabelled": 3, "retried": 0})
        '40 clips kept (3 with other metadata), 2 added, 0 changed, 1 removed'
    """
    kept = f"{count_of(changes['kept'], 'clip')} kept"
    details = [f"{changes['relabelled']:,} with other metadata"] if changes["relabelled"] else []
    if changes.get("without_digest"):
        details.append(f"{changes['without_digest']:,} compared by size and time alone, because there is no digest")
    line = [f"{kept} ({', '.join(details)})" if details else kept]
    line += [f"{changes[name]:,} {name}" for name in ("added", "changed", "removed")]
    line += [f"{changes[name]:,} {name}" for name in ("retried", "restored") if changes.get(name)]
    return ", ".join(line)


def _audio(done: Done) -> str:
    return f"{duration(done.seconds)} of audio"


def _failures(done: Done) -> str:
    return count_of(done.failures, "failure")


def pace(rate: float | None, seconds_left: float | None, noun: str = "") -> list[str]:
    """Formats a rate and the time left, for people. What is not known is left out.

    Args:
        rate: Number of things per second.
        seconds_left: Time left in seconds.
        noun: Name of the things, in the plural.

    Example:
        >>> pace(20.4, 750, "clips"), pace(0.123, None)
        (['20 clips/s', '12.5 min left'], ['0.12/s'])
    """
    number = None if rate is None else f"{rate:,.0f}" if rate >= 10 else f"{rate:.2g}"
    parts = [] if number is None else [f"{number} {noun}/s" if noun else f"{number}/s"]
    return parts if seconds_left is None else [*parts, f"{duration(seconds_left)} left"]


def _strict(value: Any) -> Any:
    """Converts a value for strict JSON. NaN and infinities become None, and NumPy numbers become plain ones."""
    if isinstance(value, dict):
        return {str(name): _strict(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_strict(item) for item in value]
    if value is None or isinstance(value, (str, bool, int)):
        return value
    with contextlib.suppress(TypeError, ValueError):
        number = value.item() if hasattr(value, "item") else float(value)
        return None if isinstance(number, float) and not math.isfinite(number) else number
    return str(value)
