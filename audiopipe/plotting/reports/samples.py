"""Measurements of a random sample of the clips of a feature set: level, silence, and distance from the other clips."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from audiopipe.configs.base import Config
from audiopipe.errors import ArgumentError
from audiopipe.feature_sets import clip_sums, dtypes
from audiopipe.feature_sets.feature_set import FeatureSet, clips_of
from audiopipe.signal.feature_sums import FeatureSums
from audiopipe.signal.statistics import Statistics

MOST_CLIPS = 256
MOST_BYTES = 1 << 28  # of all records that are read
CLIP_BYTES = 1 << 24  # of one record; a stretch of a longer one is read
FLOOR_BINS = 4  # with fewer bins, a frame can have the smallest value of each of them by chance
LINEAR = {"magnitude": 20, "power": 10}  # decibels in a decade


@dataclass(frozen=True)
class Measured:
    """Measurements of one clip.

    Args:
        number: Number of the clip in the feature set.
        clip_id: Its id.
        n_frames: Number of its frames that were read and hold audio.
        mean: Mean of each bin and channel, float64 `[bins, channels]`.
        level: Mean over all bins and frames of the first quantity, in decibels if it is a magnitude or a power.
        silent: Number of the frames that hold no sound.
    """

    number: int
    clip_id: str
    n_frames: int
    mean: np.ndarray
    level: float
    silent: int

    @property
    def is_finite(self) -> bool:
        """Whether all values that were read are finite."""
        return bool(np.isfinite(self.mean).all())

    @property
    def is_silent(self) -> bool:
        """Whether no frame holds sound."""
        return self.silent == self.n_frames


@dataclass(frozen=True)
class Sample:
    """Measurements of some clips.

    Args:
        clips: The clips that have at least one frame.
        n_chosen: Number of clips that were read.
        n_all: Number of clips to choose from.
        n_stretches: Number of clips of which only a stretch was read, because they are long.
        statistics: Statistics of the frames that were read. None if there are none, or some value is not finite.
    """

    clips: list[Measured]
    n_chosen: int
    n_all: int
    n_stretches: int
    statistics: Statistics | None

    @property
    def is_all(self) -> bool:
        """Whether every frame of every clip was read."""
        return self.n_chosen == self.n_all and not self.n_stretches


def measure(
    feature_set: FeatureSet, silence: float | np.ndarray, seed: int, on_clip: Callable[[int, int], None]
) -> Sample:
    """Reads a random sample of clips, of bounded size, and measures them.

    Args:
        feature_set: A feature set or a view.
        silence: The `silence` of its config.
        seed: Seed of the choice.
        on_clip: Function of the number of clips that are read, and the number to read.
    """
    random = np.random.default_rng(seed)
    chosen = _chosen(feature_set, random)
    view = feature_set.select(chosen)
    sets, rows = clips_of(view)
    n_frames, valid = (sets.column(sets.layout.own[name], rows).to_pylist() for name in ("n_frames", "valid_frames"))
    sizes, ids, config = sets.sizes(rows), view.ids, view.config
    sums: FeatureSums | None = clip_sums.empty(config)
    clips, n_stretches = [], 0
    for place, clip_id in enumerate(ids):
        on_clip(place, len(ids))
        n_valid = n_frames[place] if valid[place] is None else min(valid[place], n_frames[place])
        if n_valid == 0:
            continue
        most = max(1, int(CLIP_BYTES * n_frames[place] / max(1, sizes[place])))
        if sizes[place] <= CLIP_BYTES:
            feature = view.read(place)
        else:
            n_stretches += n_valid > most
            start = int(random.integers(max(0, n_valid - most) + 1))
            feature = view.read(place, start, min(n_valid, start + most))
            n_valid = min(n_valid - start, most)
        values = np.concatenate(list(clip_sums.frames_of(feature, config, n_valid, "float32")))
        clips.append(_measured(int(chosen[place]), clip_id, n_valid, values, _as_stored(silence, view.dtype), config))
        sums = _added(sums, values)
    on_clip(len(ids), len(ids))
    statistics = sums.statistics(view.fingerprint) if sums is not None and sums.count else None
    return Sample(clips, len(ids), len(feature_set), n_stretches, statistics)


def distances(sample: Sample, statistics: Statistics) -> np.ndarray:
    """Returns how far the mean of each clip is from that of all clips: float64 `[clips]`.

    The distance is the root mean square of `(mean of the clip - mean) / std` over the bins and channels. Bins that are
    constant do not count. A clip with values that are not finite is infinitely far.
    """
    varies = statistics.std > 0
    found = []
    for clip in sample.clips:
        if not clip.is_finite:
            found.append(np.inf)
            continue
        deviations = ((clip.mean - statistics.mean)[varies]) / statistics.std[varies]
        found.append(float(np.sqrt(np.mean(deviations**2))) if varies.any() else 0.0)
    return np.array(found)


def _chosen(feature_set: FeatureSet, random: np.random.Generator) -> np.ndarray:
    """Returns the numbers of random clips whose records are not too large together, in ascending order."""
    count = min(MOST_CLIPS, len(feature_set))
    numbers = random.choice(len(feature_set), count, replace=False) if count else np.zeros(0, np.int64)
    sets, rows = clips_of(feature_set.select(numbers))
    total = np.cumsum(np.minimum(sets.sizes(rows), CLIP_BYTES))
    return np.sort(numbers[total <= MOST_BYTES])


def _as_stored(silence: float | np.ndarray, dtype: str) -> np.ndarray:
    return dtypes.as_loaded(np.atleast_2d(np.asarray(silence, np.float32)), dtype)


def _measured(
    number: int, clip_id: str, n_frames: int, values: np.ndarray, silence: np.ndarray, config: Config
) -> Measured:
    """Measures the frames `[frames, bins, channels]` of a clip, as `clip_sums.frames_of` arranges them."""
    quantities = config.quantities
    first = values[:, :, : values.shape[2] // len(quantities)]
    with np.errstate(invalid="ignore", over="ignore"):
        mean = values.mean(axis=0, dtype=np.float64)
        level = float(first.mean(dtype=np.float64))
        is_silent = np.isclose(values, silence, rtol=1e-5, atol=1e-7).all(axis=(1, 2))
    if config.n_bins >= FLOOR_BINS:
        # Decibels with a dynamic range: the floor of a clip lies above silence if the clip is loud. Frames that are all
        # equal have no floor: a steady sound has them too.
        at_floor = (first == first.min(axis=0)).all(axis=(1, 2))
        is_silent |= at_floor & (1 < at_floor.sum() < len(first))
    if quantities[0] in LINEAR:
        level = LINEAR[quantities[0]] * np.log10(max(level, 1e-10))
    # A clip with any number of channels has its channels after one another here.
    silent = round(float(is_silent.mean()) * n_frames)
    return Measured(number, clip_id, n_frames, mean, level, silent)


def _added(sums: FeatureSums | None, values: np.ndarray) -> FeatureSums | None:
    if sums is not None:
        try:
            sums.add_parts([values])
        except ArgumentError:  # an older release stored values that are not finite
            return None
    return sums
