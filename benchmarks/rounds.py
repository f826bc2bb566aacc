"""Measurement of contenders in turn, round by round, so that a busy machine slows all of them equally."""

import math
import statistics
import time
from collections.abc import Callable, Collection
from typing import Any

SAMPLE_SECONDS = 0.02  # per contender and round: a thousand times the error of the clock and the scheduler
SETTLE_SECONDS = 0.25  # a longer call hardly depends on what ran before
PAUSE_SECONDS = 0.15  # threads of NumPy's products spin for 0.1 s before they sleep, and those of torch for 5 ms
MIN_ROUNDS, MAX_ROUNDS = 5, 41
WARM_UPS = 2  # the first call traces and compiles, and the second reuses the memory of the first


def measure(
    functions: dict[str, Callable[[], Any]],
    seconds: float,
    settle: bool = True,
    clock: Callable[[], float] = time.perf_counter,
    busy_after: Collection[str] = (),
    sleep: Callable[[float], None] = time.sleep,
) -> dict[str, list[float]]:
    """Measures the seconds per call of each function, as one mean per round.

    Every round starts with another function, because each function affects the next one through caches, memory and
    waiting threads.

    Args:
        functions: Functions to measure, by name.
        seconds: Approximate total time, without warming up. There are 5 to 41 rounds.
        settle: Whether every round makes one call before the measured ones. Long calls do not need it.
        clock: Function that returns the time in seconds.
        busy_after: Functions whose threads keep processors busy after they return. A pause follows each of them.
        sleep: Function that waits for some seconds.
    """
    takes = {name: _warm(function, clock) for name, function in functions.items()}
    repetitions = {name: max(1, math.ceil(SAMPLE_SECONDS / takes[name])) for name in functions}
    times: dict[str, list[float]] = {name: [] for name in functions}
    names = list(functions)
    started = clock()
    for number in range(MAX_ROUNDS):
        if number >= MIN_ROUNDS and (clock() - started) * (number + 1) / number > seconds:
            break
        first = number % len(names)
        for name in names[first:] + names[:first]:
            if settle and takes[name] < SETTLE_SECONDS:
                functions[name]()
            began = clock()
            for _ in range(repetitions[name]):
                functions[name]()
            times[name].append((clock() - began) / repetitions[name])
            if name in busy_after:
                sleep(PAUSE_SECONDS)
    return times


def ratios(times: list[float], of: list[float]) -> list[float]:
    """Divides times by those of another contender, round by round."""
    return [mine / other for mine, other in zip(times, of, strict=True)]


def spread(values: list[float], form: str = ".2f") -> str:
    """Formats the median, minimum and maximum of values.

    Example:
        >>> spread([2.0, 1.0, 4.0])
        '2.00 (1.00 .. 4.00)'
    """
    return f"{statistics.median(values):{form}} ({min(values):{form}} .. {max(values):{form}})"


def _warm(function: Callable[[], Any], clock: Callable[[], float]) -> float:
    """Warms a function up, and returns the approximate seconds of a call."""
    for _ in range(WARM_UPS):
        function()
    began = clock()
    function()
    return max(clock() - began, SAMPLE_SECONDS / 10_000)
