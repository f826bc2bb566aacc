"""The ends of clips and recordings: what a feature or segments leave out or pad, and clips that are too long.

The facts of remarks say how many seconds these are. `dataset.json` has the sums, see `totals`.
"""

import math
from array import array
from collections.abc import Iterable, Mapping
from typing import Any

from audiopipe.audio.remarks import Remark
from audiopipe.configs.base import Config
from audiopipe.errors import AudioError

STAGE = "feature"
FACTS = ("short", "dropped_seconds", "padded_seconds")
"""Names of the facts: whether a recording is too short for a segment, and how many seconds are left out or padded."""


def cut(n_samples: int, config: Config) -> Remark | None:
    """Returns the remark about a clip that is longer than its feature, or None if the feature covers all of it.

    Args:
        n_samples: Number of samples of the clip.
        config: Config of the feature.

    Example:
        >>> from audiopipe import registry
        >>> cut(42 * 16000, registry.get("whisper-80")).text
        'the clip has 42 s, and 12 s beyond 30 s were left out'
        >>> cut(30 * 16000, registry.get("whisper-80"))
    """
    kept = int(config.kept_samples(n_samples))
    if kept >= n_samples:
        return None
    seconds, most, dropped = (size / config.sample_rate for size in (n_samples, kept, n_samples - kept))
    text = f"the clip has {seconds:g} s, and {dropped:g} s beyond {most:g} s were left out"
    return Remark(STAGE, text, {"dropped_seconds": dropped})


def check_length(n_samples: int, config: Config) -> None:
    """Raises an error if a clip is longer than the feature allows.

    Args:
        n_samples: Number of samples of the clip, or of its beginning.
        config: Config of the feature.

    Raises:
        AudioError: If it is longer than `config.max_samples`.
    """
    if config.max_samples is not None and n_samples > config.max_samples:
        raise AudioError(f"{too_long(config)} Received: {n_samples} samples or more.", stage=STAGE)


def too_long(config: Config) -> str:
    """Returns what to say about a clip with more samples than `config.max_samples`."""
    most, rate = config.max_samples or 0, config.sample_rate
    return (
        f"The clip is longer than this feature allows: {most / rate:g} s, or {most} samples at {rate} Hz. Cut it into "
        f"segments, for example with audiopipe.Segments(seconds={most / rate:g}), or choose a config that cuts clips."
    )


def short(what: str, seconds: float, least: float) -> Remark:
    """Returns the remark about a recording that is too short for a segment.

    Args:
        what: What it is: "recording" or "stretch".
        seconds: Its length.
        least: Length of a segment.
    """
    text = f"the {what} has {seconds:g} s and gives no segment of {least:g} s"
    return Remark(STAGE, text, {"short": True, "dropped_seconds": seconds})


def dropped(what: str, seconds: float) -> Remark:
    """Returns the remark about a recording whose end is in no segment.

    Args:
        what: What it is: "recording" or "stretch".
        seconds: Length of the end.
    """
    text = f"{seconds:g} s at the end of the {what} were left out, because they give no segment"
    return Remark(STAGE, text, {"dropped_seconds": seconds})


def padded(seconds: float) -> Remark:
    """Returns the remark about a recording whose last segment is padded with zeros.

    Args:
        seconds: Length of the padding.
    """
    return Remark(STAGE, f"the last segment was padded with {seconds:g} s of zeros", {"padded_seconds": seconds})


def totals(remarks: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Returns the counts of a feature set about the ends of its clips.

    Args:
        remarks: The remarks as in `remarks.jsonl`, with their facts.

    Returns:
        `cut_clips`, the number of clips and recordings whose end was left out; `dropped_seconds`, the length of these
        ends and of recordings that are too short for a segment; and `padded_seconds`. Those that are 0 are left out.

    Example:
        >>> totals([{"dropped_seconds": 12.0}, {"short": True, "dropped_seconds": 0.5}, {"remark": "truncated"}])
        {'cut_clips': 1, 'dropped_seconds': 12.5}
    """
    cut_clips, seconds = 0, {"dropped_seconds": array("d"), "padded_seconds": array("d")}
    for remark in remarks:
        cut_clips += "dropped_seconds" in remark and not remark.get("short")
        for name, values in seconds.items():
            values.append(remark.get(name, 0.0))
    found = {"cut_clips": cut_clips, **{name: math.fsum(values) for name, values in seconds.items()}}
    return {name: total for name, total in found.items() if total}
