"""How long clips are and how much space their features take, before any is decoded."""

import bisect
import contextlib
import functools
import math
import os
import random
from collections import defaultdict
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from audiopipe import audio
from audiopipe.configs.base import Config
from audiopipe.inputs.listings import Listed
from audiopipe.transform.segments import Segments

HEADERS = 1000
TABLE_HEADERS = 50  # for every one of them a whole row group may have to be read
THREADS = 16  # they wait for storage, not for a processor
LONGEST = 366 * 86400.0  # seconds; a column that tells more holds something else
SECONDS_COLUMNS = ("duration",)
SAMPLES_COLUMNS = ("num_samples", "n_samples")
RATE_COLUMNS = ("sample_rate", "sampling_rate")
RECORD_OVERHEAD = 200  # bytes of a record beside the feature and its metadata, measured
MIXED_CHANNELS = 1  # taken where the clips decide
MOST_SAMPLES = 1 << 40  # of a recording: years


@dataclass(frozen=True)
class Lengths:
    """How long clips are, as far as that is known without decoding.

    Args:
        exact: Whether the length of every clip stands in its metadata.
        headers: Headers of audio files that were read.
        per_byte: Seconds a byte of the files with each extension.
        mean: Seconds of a clip of which nothing is known.
    """

    exact: bool
    headers: int
    per_byte: dict[str, float]
    mean: float

    @classmethod
    def of(cls, clips: Callable[[], Iterable[Listed]], n_clips: int) -> "Lengths":
        """Look through the clips, and read at most 1,000 headers: of clips here and there, the same in every run.

        Args:
            clips: Gives the clips.
            n_clips: Their number.
        """
        chosen = _spread(n_clips, HEADERS)
        unknown: list[Listed] = []
        count, total = 0, 0.0
        for number, clip in enumerate(clips()):
            seconds = _told(clip.source.metadata)
            if seconds is not None:
                count, total = count + 1, total + seconds
            elif number in chosen and clip.version is not None:
                unknown.append(clip)
        if unknown and unknown[0].source.row is not None:
            unknown = [unknown[number] for number in sorted(_spread(len(unknown), TABLE_HEADERS))]
        with ThreadPoolExecutor(THREADS, "audiopipe-headers") as threads:
            read = [
                (clip, seconds)
                for clip, seconds in zip(unknown, threads.map(_header, unknown), strict=True)
                if seconds is not None
            ]
        sums: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
        for clip, seconds in read:
            if clip.size:
                extension = sums[_extension(clip)]
                extension[0], extension[1] = extension[0] + seconds, extension[1] + clip.size
        sampled = [seconds for _, seconds in read]
        return cls(
            exact=count == n_clips,
            headers=len(read),
            per_byte={name: seconds / size for name, (seconds, size) in sums.items()},
            mean=math.fsum(sampled) / len(sampled) if sampled else total / max(count, 1),
        )

    def seconds(self, clip: Listed) -> float:
        """Seconds of a clip.

        They stand in its metadata, as `duration` in seconds, or as `num_samples` or `n_samples` with `sample_rate` or
        `sampling_rate`. Where they do not, the size of the file tells, and within a table the mean. A file that is gone
        has none.
        """
        told = _told(clip.source.metadata)
        if told is not None:
            return told
        if clip.version is None:
            return 0.0
        per_byte = self.per_byte.get(_extension(clip))
        return self.mean if per_byte is None or clip.size is None else clip.size * per_byte


def record_bytes(seconds: float, config: Config, segments: Segments | None, itemsize: int = 4) -> int:
    """Bytes that the records of one recording take, without its metadata.

    Args:
        seconds: Length of the recording.
        config: The config of the feature. Where its channels are those of the recording, one is assumed.
        segments: How recordings are cut into segments; None leaves them whole.
        itemsize: Bytes of a value.

    Example:
        >>> from audiopipe import configs
        >>> record_bytes(10.0, configs.MelSpectrogram(sample_rate=16000, n_fft=512, hop_length=160, n_mels=80), None)
        319240
    """
    n_samples = round(seconds * config.sample_rate)
    lengths = {n_samples: 1} if segments is None else _segment_lengths(n_samples, config, segments)
    frame_bytes = _frame_values(config) * itemsize
    size = 0
    for length, count in lengths.items():
        n_frames = int(config.n_frames(length))
        if n_frames > 0:  # else a failure
            size += count * (n_frames * frame_bytes + RECORD_OVERHEAD)
    return size


def fewest_samples(config: Config, n_frames: int) -> int:
    """The fewest samples that give so many frames; `MOST_SAMPLES` where no clip has so many, as in padded chunks.

    Example:
        >>> from audiopipe import configs
        >>> fewest_samples(configs.StftMagnitude(sample_rate=16000, n_fft=512, hop_length=160), 3)
        832
    """
    least, most = 0, 1
    while config.n_frames(most) < n_frames:
        if most >= MOST_SAMPLES:
            return most
        least, most = most, 2 * most
    return bisect.bisect_left(range(least, most), n_frames, key=config.n_frames) + least


@functools.lru_cache(maxsize=4)  # the bins of some configs take long to count, and there are ten million clips
def _frame_values(config: Config) -> int:
    return config.n_bins * (config.feature_channels or MIXED_CHANNELS * len(config.quantities))


def _segment_lengths(n_samples: int, config: Config, segments: Segments) -> dict[int, int]:
    """How many segments of each length a recording has; the numbers of `Segments.clips`, without cutting."""
    length, hop = segments.sizes(config)
    whole = (n_samples - length) // hop + 1 if n_samples >= length else 0
    lengths = {length: whole}
    rest = n_samples - whole * hop
    if segments.last != "drop" and rest > (max(0, length - hop) if whole else 0):
        last = length if segments.last == "pad" else rest
        lengths[last] = lengths.get(last, 0) + 1
    return lengths


def _spread(n_clips: int, count: int) -> set[int]:
    """Numbers of some clips, one of each stretch of equal length: drawn, for files of one kind may follow a pattern."""
    if n_clips <= count:
        return set(range(n_clips))
    draw = random.Random(0)
    bounds = [number * n_clips // count for number in range(count + 1)]
    return {draw.randrange(start, end) for start, end in pairwise(bounds)}


def _header(clip: Listed) -> float | None:
    try:
        return audio.duration(clip.source.open())
    except Exception:  # whatever is wrong with the clip is told when it is read
        return None


def _told(metadata: dict[str, Any]) -> float | None:
    """Seconds that a clip's metadata tells."""
    seconds = _number(metadata, SECONDS_COLUMNS)
    if seconds is None:
        samples, rate = _number(metadata, SAMPLES_COLUMNS), _number(metadata, RATE_COLUMNS)
        seconds = None if samples is None or rate is None else samples / rate
    return seconds if seconds is not None and seconds <= LONGEST else None


def _number(metadata: dict[str, Any], names: tuple[str, ...]) -> float | None:
    """The first value among columns that is a number above zero; in CSV numbers are text."""
    for name in names:
        value = metadata.get(name)
        if isinstance(value, bool) or value is None or (isinstance(value, str) and "_" in value):
            continue
        with contextlib.suppress(ValueError):
            number = float(value)
            if 0 < number < math.inf:
                return number
    return None


def _extension(clip: Listed) -> str:
    return os.path.splitext(clip.source.path)[1].lower()
