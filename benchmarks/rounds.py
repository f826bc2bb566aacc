"""Contenders measured in turn, round by round, so that a busy machine slows all of them alike."""

import math
import statistics
import time
from collections.abc import Callable, Collection
from typing import Any

SAMPLE_SECONDS = 0.02  # of one contender in one round: a thousand times what the clock and the scheduler blur
SETTLE_SECONDS = 0.25  # in a longer call it is little what ran before
PAUSE_SECONDS = 0.15  # threads of NumPy's products wait for more work for 0.1 s, and those of torch for 5 ms
LEAST_ROUNDS, MOST_ROUNDS = 5, 41
WARM_UPS = 2  # the first call traces and compiles, and what it left in memory is used again by the next


def measure(
    functions: dict[str, Callable[[], Any]],
    seconds: float,
    settle: bool = True,
    clock: Callable[[], float] = time.perf_counter,
    busy_after: Collection[str] = (),
    sleep: Callable[[float], None] = time.sleep,
) -> dict[str, list[float]]:
    """Seconds of a call of each function, a mean a round.

    Every round begins with another function, for what runs before leaves caches, memory and waiting threads behind.

    Args:
        functions: What is measured, by name.
        seconds: About how long it may take in all, but for warming up. There are 5 to 41 rounds.
        settle: Whether a call that does not count comes before those that do in every round, unless it is a long one.
        clock: Gives the time in seconds.
        busy_after: Functions whose threads keep processors busy when they have returned. A pause comes after them.
        sleep: Waits for seconds.
    """
    takes = {name: _warm(function, clock) for name, function in functions.items()}
    repetitions = {name: max(1, math.ceil(SAMPLE_SECONDS / takes[name])) for name in functions}
    times: dict[str, list[float]] = {name: [] for name in functions}
    names = list(functions)
    started = clock()
    for number in range(MOST_ROUNDS):
        if number >= LEAST_ROUNDS and (clock() - started) * (number + 1) / number > seconds:
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
    """Times over those of another contender, round by round."""
    return [mine / other for mine, other in zip(times, of, strict=True)]


def spread(values: list[float], form: str = ".2f") -> str:
    """Median, least and greatest of some values.

    Example:
        >>> spread([2.0, 1.0, 4.0])
        '2.00 (1.00 .. 4.00)'
    """
    return f"{statistics.median(values):{form}} ({min(values):{form}} .. {max(values):{form}})"


def _warm(function: Callable[[], Any], clock: Callable[[], float]) -> float:
    """About how long a call takes, after those that warm it up."""
    for _ in range(WARM_UPS):
        function()
    began = clock()
    function()
    return max(clock() - began, SAMPLE_SECONDS / 10_000)
