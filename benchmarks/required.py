"""What must hold of the speed: bounds of ratios, and what a run measured of each."""

import statistics
from collections.abc import Iterator
from dataclasses import dataclass, field

from benchmarks import definitions, modes, rounds
from benchmarks.peers import FLOOR, KAPRE, KERAS, LAYER, LIBROSA, SIGNAL, TORCH, TRANSFORM

OURS = (LAYER, TRANSFORM)
FUNCTION_BOUNDS = {1: 1.7, 16: 1.6}
EAGER_BOUNDS = {KAPRE: 2.0, KERAS: 4.0}
TORCH_BOUND, DATA_BOUND, LIBROSA_BOUND, FLOOR_BOUND = 1.0, 1.7, 3.0, 2.1


@dataclass(frozen=True)
class Measured:
    """What was measured of one mode.

    Args:
        setting: Name of the feature, see `definitions.SETTINGS`.
        clip_seconds: Length of a clip.
        mode: One of `modes.MODES`.
        batch: Clips of a batch.
        times: Seconds a clip of each contender, a value a round.
        differences: Decibels by which each was off the feature in float64, at most.
        load: Load of the machine before.
    """

    setting: str
    clip_seconds: float
    mode: str
    batch: int
    times: dict[str, list[float]]
    differences: dict[str, float] = field(default_factory=dict)
    load: float = 0.0


@dataclass(frozen=True)
class Row:
    """A ratio that must hold, and what it was.

    Args:
        title: What is compared, and with whom.
        setting: Name of the feature.
        clip_seconds: Length of a clip.
        bound: What the ratio must be.
        at_most: Whether it must be at most that; else it must be at least that.
        ratios: Ratio of each round, by who of audiopipe was measured.
    """

    title: str
    setting: str
    clip_seconds: float
    bound: float
    ratios: dict[str, list[float]]
    at_most: bool = False

    def holds(self, name: str) -> bool:
        """Whether the median is within the bound."""
        median = statistics.median(self.ratios[name])
        return median <= self.bound if self.at_most else median >= self.bound


def rows(found: list[Measured]) -> list[Row]:
    """The rows of all mel settings that were measured, with the peers that were there."""
    return [row for measured in found if measured.setting in definitions.MEL_SETTINGS for row in _rows(measured)]


def best(times: dict[str, list[float]], names: tuple[str, ...]) -> str | None:
    """Who has the least median time, among those of these names in whatever order of a pipeline."""
    own = [name for name in times if name.split(", per ")[0] in names]
    return min(own, key=lambda name: statistics.median(times[name])) if own else None


def baseline(measured: Measured) -> str:
    """Whose times the others are put in relation to: the layer, or in a pipeline the best of audiopipe."""
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
            yield from row(f"tf.function, batch {batch}", peer, FUNCTION_BOUNDS[batch])
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
