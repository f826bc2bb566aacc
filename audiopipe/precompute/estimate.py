"""Estimates of how long clips are and how much space their features take, without decoding them."""

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

import numpy as np

from audiopipe import audio
from audiopipe.configs.base import Config
from audiopipe.inputs import Source
from audiopipe.inputs.listings import Listed
from audiopipe.transform.segments import Segments

HEADERS = 1000
AT_ONCE = 1 << 16  # clips whose sizes are computed together, because many may have one length
TABLE_HEADERS = 50  # each may need a whole row group to be read
THREADS = 16  # they wait for storage, not for a processor
LONGEST = 366 * 86400.0  # seconds; a column with larger values does not contain durations
SECONDS_COLUMNS = ("duration",)
SAMPLES_COLUMNS = ("num_samples", "n_samples")
RATE_COLUMNS = ("sample_rate", "sampling_rate")
RECORD_OVERHEAD = 200  # bytes of a record besides the feature and its metadata, measured
MIXED_CHANNELS = 1  # assumed if the feature has as many channels as each clip


@dataclass(frozen=True)
class Lengths:
    """Lengths of clips, as far as they are known without decoding.

    Args:
        exact: Whether the metadata contains the length of every clip.
        headers: Number of audio file headers that were read.
        per_byte: Seconds per byte, for each file extension.
        mean: Length in seconds of a clip about which nothing is known.
    """

    exact: bool
    headers: int
    per_byte: dict[str, float]
    mean: float

    @classmethod
    def of(cls, known: np.ndarray, clips: Callable[[list[int]], Iterable[Listed]]) -> "Lengths":
        """Finds lengths in at most 1,000 headers of clips whose metadata does not tell.

        The clips whose headers are read are spread over the input and are the same in every run.

        Args:
            known: Length of each clip in seconds, as `known_seconds` returns it, or NaN.
            clips: Function that returns the clips with some numbers, in ascending order.
        """
        n_clips = len(known)
        chosen = [number for number in sorted(_spread(n_clips, HEADERS)) if math.isnan(known[number])]
        unknown = [clip for clip in clips(chosen) if clip.version is not None]
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
        count = n_clips - int(np.isnan(known).sum())
        sampled = [seconds for _, seconds in read]
        return cls(
            exact=count == n_clips,
            headers=len(read),
            per_byte={name: seconds / size for name, (seconds, size) in sums.items()},
            mean=math.fsum(sampled) / len(sampled) if sampled else float(np.nansum(known)) / max(count, 1),
        )

    def seconds(self, clip: Listed) -> float:
        """Returns the length of a clip in seconds.

        The length comes from the stretch, or from the metadata: `duration` in seconds, or `num_samples` or `n_samples`
        with `sample_rate` or `sampling_rate`. Otherwise it is estimated from the file size, or it is the mean if the
        clip is in a table. A missing file has length 0.
        """
        known = known_seconds(clip.source)
        if known is not None:
            return known
        if clip.version is None:
            return 0.0
        per_byte = self.per_byte.get(_extension(clip))
        whole = self.mean if per_byte is None or clip.size is None else clip.size * per_byte
        return max(0.0, whole - (clip.source.start or 0.0))


def record_bytes(seconds: float, config: Config, segments: Segments | None, itemsize: int = 4) -> int:
    """Returns the size of the records of one recording in bytes, without its metadata.

    Args:
        seconds: Length of the recording in seconds.
        config: Config of the feature. If the feature has as many channels as the recording, one is assumed.
        segments: How recordings are cut into segments. None keeps them whole.
        itemsize: Bytes per value.

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
        if n_frames > 0:  # a clip without frames is a failure and gets no record
            size += count * (n_frames * frame_bytes + RECORD_OVERHEAD)
    return size


def sizes_of_records(seconds: np.ndarray, config: Config, segments: Segments | None, itemsize: int = 4) -> np.ndarray:
    """Returns `record_bytes` of many recordings: float64 `[recordings]`. Memory holds little beside the result."""
    sizes = np.zeros(len(seconds))
    for start in range(0, len(seconds), AT_ONCE):
        n_samples = np.rint(seconds[start : start + AT_ONCE] * config.sample_rate)
        different, places = np.unique(n_samples, return_inverse=True)
        lengths = (different / config.sample_rate).tolist()
        known = np.array([record_bytes(length, config, segments, itemsize) for length in lengths], np.float64)
        sizes[start : start + AT_ONCE] = known[places]
    return sizes


@functools.lru_cache(maxsize=4)  # counting bins is slow for some configs, and there may be ten million clips
def _frame_values(config: Config) -> int:
    return config.n_bins * (config.feature_channels or MIXED_CHANNELS * len(config.quantities))


def _segment_lengths(n_samples: int, config: Config, segments: Segments) -> dict[int, int]:
    """Returns how many segments of each length `Segments.clips` would cut, without cutting."""
    length, hop = segments.sizes(config)
    whole = (n_samples - length) // hop + 1 if n_samples >= length else 0
    lengths = {length: whole}
    rest = n_samples - whole * hop
    if segments.last != "drop" and rest > (max(0, length - hop) if whole else 0):
        last = length if segments.last == "pad" else rest
        lengths[last] = lengths.get(last, 0) + 1
    return lengths


def _spread(n_clips: int, count: int) -> set[int]:
    """Returns the numbers of `count` clips: one from each of `count` equal stretches of the input.

    Each is drawn at random, because a fixed step could miss a kind of file that recurs at regular intervals.
    """
    if n_clips <= count:
        return set(range(n_clips))
    draw = random.Random(0)
    bounds = [number * n_clips // count for number in range(count + 1)]
    return {draw.randrange(start, end) for start, end in pairwise(bounds)}


def _header(clip: Listed) -> float | None:
    try:
        return audio.duration(clip.source.open())
    except Exception:  # the job reports what is wrong with the clip when it reads it
        return None


def known_seconds(source: Source) -> float | None:
    """Returns the length of a clip in seconds as far as its stretch and its metadata tell, or None.

    Example:
        >>> known_seconds(Source("a", "/calls/a.wav", metadata={"num_samples": 8000, "sample_rate": 16000}))
        0.5
    """
    if source.end is not None:
        return source.end - (source.start or 0.0)
    # A duration beside a start without an end may be that of the recording.
    return None if source.is_stretch else _seconds_in(source.metadata)


def _seconds_in(metadata: dict[str, Any]) -> float | None:
    """Returns the length of a clip in seconds according to its metadata, or None."""
    seconds = _number(metadata, SECONDS_COLUMNS)
    if seconds is None:
        samples, rate = _number(metadata, SAMPLES_COLUMNS), _number(metadata, RATE_COLUMNS)
        seconds = None if samples is None or rate is None else samples / rate
    return seconds if seconds is not None and seconds <= LONGEST else None


def _number(metadata: dict[str, Any], names: tuple[str, ...]) -> float | None:
    """Returns the first positive number among some columns, or None. Numbers may be text, as in CSV."""
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
