"""Required ratios of speed, and their measured values."""

import statistics
from collections.abc import Iterator
from dataclasses import dataclass, field

from benchmarks import definitions, modes, rounds
from benchmarks.peers import FLOOR, KAPRE, KERAS, LAYER, LIBROSA, SIGNAL, TORCH, TRANSFORM

OURS = (LAYER, TRANSFORM)
FUNCTION_BOUNDS = {1: 1.7, 16: 1.6}
SHORT_SECONDS, SHORT_BOUND, SHORT_BOUND_OF_ONE_THREAD = 2.0, 1.2, 1.4  # one clip, where starting operations takes long
EAGER_BOUNDS = {KAPRE: 2.0, KERAS: 4.0}
TORCH_BOUND, DATA_BOUND, LIBROSA_BOUND, FLOOR_BOUND = 1.0, 1.7, 3.0, 2.1


@dataclass(frozen=True)
class Measured:
    """Measurements of one mode.

    Args:
        setting: Name of the feature, see `definitions.SETTINGS`.
        clip_seconds: Length of a clip, in seconds.
        mode: One of `modes.MODES`.
        batch: Clips per batch.
        times: Seconds per clip of each contender, one value per round.
        differences: Largest difference of each contender to the feature in float64, in decibels.
        load: Load of the machine before the measurement.
        threads: Threads of TensorFlow.
    """

    setting: str
    clip_seconds: float
    mode: str
    batch: int
    times: dict[str, list[float]]
    differences: dict[str, float] = field(default_factory=dict)
    load: float = 0.0
    threads: int = 2


@dataclass(frozen=True)
class Row:
    """Required ratio and its measured values.

    Args:
        title: Description of the comparison.
        setting: Name of the feature.
        clip_seconds: Length of a clip, in seconds.
        bound: Bound of the ratio.
        ratios: Ratio of each round, by contender of audiopipe.
        at_most: Whether the bound is an upper one. By default it is a lower one.
    """

    title: str
    setting: str
    clip_seconds: float
    bound: float
    ratios: dict[str, list[float]]
    at_most: bool = False

    def holds(self, name: str) -> bool:
        """Returns whether the median ratio of a contender satisfies the bound."""
        median = statistics.median(self.ratios[name])
        return median <= self.bound if self.at_most else median >= self.bound


def rows(found: list[Measured]) -> list[Row]:
    """Returns the rows of all measured mel settings, with the installed peers."""
    return [row for measured in found if measured.setting in definitions.MEL_SETTINGS for row in _rows(measured)]


def best(times: dict[str, list[float]], names: tuple[str, ...]) -> str | None:
    """Returns the contender with the smallest median time among those of these names, in any order of a pipeline."""
    own = [name for name in times if name.split(", per ")[0] in names]
    return min(own, key=lambda name: statistics.median(times[name])) if own else None


def baseline(measured: Measured) -> str:
    """Returns the contender that others are compared with: the layer, or the fastest of audiopipe in a pipeline."""
    name = best(measured.times, OURS if measured.mode == modes.DATA else (LAYER,))
    assert name is not None
    return name


def _rows(measured: Measured) -> Iterator[Row]:
    times, batch = measured.times, measured.batch

    def row(title: str, peer: str, bound: float) -> Iterator[Row]:
        if peer in times:
            against = {name: rounds.ratios(times[peer], times[name]) for name in OURS}
            yield Row(f"{title}: {peer}", measured.setting, measured.clip_seconds, bound, against)

    if measured.mode == modes.FUNCTION:
        for peer in (KAPRE, KERAS):
            yield from row(f"tf.function, batch {batch}", peer, _function_bound(measured))
        yield from row(f"tf.function, batch {batch}", TORCH, TORCH_BOUND)
        if batch == 1:
            yield from row("one clip", LIBROSA, LIBROSA_BOUND)
        else:
            over = {name: rounds.ratios(times[name], times[FLOOR]) for name in OURS}
            title = f"tf.function, batch {batch}: over the {FLOOR}"
            yield Row(title, measured.setting, measured.clip_seconds, FLOOR_BOUND, over, at_most=True)
    elif measured.mode == modes.EAGER and batch == 1:
        for peer, bound in EAGER_BOUNDS.items():
            yield from row("eager, one clip", peer, bound)
    elif measured.mode == modes.DATA:
        ours = best(times, OURS)
        for peer in (KAPRE, KERAS, SIGNAL, LIBROSA):
            theirs = best(times, (peer,))
            if ours and theirs:
                ratios = {ours: rounds.ratios(times[theirs], times[ours])}
                yield Row(f"tf.data: {peer}", measured.setting, measured.clip_seconds, DATA_BOUND, ratios)


def _function_bound(measured: Measured) -> float:
    """Returns the bound for the time of a peer divided by ours, in a `tf.function`."""
    if measured.batch > 1 or measured.clip_seconds > SHORT_SECONDS:
        return FUNCTION_BOUNDS[measured.batch]
    return SHORT_BOUND_OF_ONE_THREAD if measured.threads == 1 else SHORT_BOUND
