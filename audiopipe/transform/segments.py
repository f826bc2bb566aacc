"""Segmentation of recordings: each segment is a clip of its own."""

import dataclasses
import re
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from audiopipe import checks
from audiopipe.audio.remarks import Remark
from audiopipe.errors import ArgumentError, AudioError, InputError
from audiopipe.inputs import Source
from audiopipe.inputs.columns import Columns
from audiopipe.transform import block_cutting, ends
from audiopipe.wording import count_of

LAST = ("drop", "pad", "keep")
START = "start"  # metadata column with the start of a segment in seconds
SEPARATOR = "#"
_SEGMENT = re.compile(rf".*{SEPARATOR}\d{{5,}}", re.DOTALL)
MAX_SAMPLES = 2**31 - 1  # of a segment: lengths reach TensorFlow as int32


@dataclass(frozen=True, kw_only=True)
class Segments:
    """Settings for cutting recordings into segments.

    The whole recording is resampled and then cut. Segments begin every `hop` seconds, rounded to samples, until one
    reaches the end of the recording.

    Args:
        seconds: Length of a segment.
        hop: Seconds between the starts of neighbouring segments. None means `seconds`.
        last: What to do with an incomplete last segment. `"drop"` leaves it out, `"pad"` fills it up with zeros, and
            `"keep"` keeps it as it is, unless it is shorter than one frame. A job counts the seconds that are left out
            or padded, and records of padded segments say how many of their frames hold audio.

    Raises:
        ArgumentError: If a value is out of range.

    Example:
        >>> Segments(seconds=30, hop=10)
        Segments(seconds=30.0, hop=10.0, last='drop')
    """

    seconds: float
    hop: float | None = None
    last: str = "drop"

    def __post_init__(self) -> None:
        seconds = checks.real("seconds", self.seconds, above=0)
        object.__setattr__(self, "seconds", seconds)
        object.__setattr__(self, "hop", seconds if self.hop is None else checks.real("hop", self.hop, above=0))
        object.__setattr__(self, "last", checks.choice("last", self.last, LAST))

    def to_dict(self) -> dict[str, Any]:
        """Returns the settings as a dict for JSON. `Segments(**settings)` restores them."""
        return dataclasses.asdict(self)

    def sizes(self, config: Any) -> tuple[int, int]:
        """Returns the length of a segment and the hop in samples, at the sample rate of a config.

        Raises:
            ArgumentError: If a segment has no frame or is longer than the feature allows, or if the length or the hop
                is less than one sample or too long.
        """
        length = _samples("seconds", self.seconds, config.sample_rate)
        hop = _samples("hop", self.hop, config.sample_rate)
        if config.n_frames(length) == 0:
            raise ArgumentError(
                f"A segment must have at least one frame. Received: {self.seconds:g} s, {length} samples at "
                f"{config.sample_rate} Hz. Use longer segments."
            )
        if config.max_samples is not None and length > config.max_samples:
            raise ArgumentError(
                f"A segment must have at most {config.max_samples / config.sample_rate:g} s, the longest clip that "
                f"this feature allows. Received: {self.seconds:g} s. Use shorter segments."
            )
        return length, hop

    def columns(self, columns: Columns, *, stretches: bool = False) -> Columns:
        """Returns the metadata columns of segments: those of the recordings, and `start`.

        Args:
            columns: The columns of the recordings.
            stretches: Whether the recordings are stretches. Their column `start` is then replaced.

        Raises:
            InputError: If the recordings have a column of that name, and are no stretches.
        """
        if START in columns.types and not stretches:
            raise InputError(
                f"Segments get a metadata column {START!r}, so the input cannot have one. Received the columns: "
                f"{', '.join(columns.types)}. Rename the column."
            )
        return Columns(
            types=dict(sorted({**columns.types, START: "float"}.items())),
            classes={name: names for name, names in columns.classes.items() if name != START},
            fill_values={name: value for name, value in columns.fill_values.items() if name != START},
        )

    @staticmethod
    def columns_of_recordings(columns: Columns) -> Columns:
        """Returns the metadata columns of the recordings: those of the segments without `start`."""
        return Columns(
            types={name: kind for name, kind in columns.types.items() if name != START},
            classes=columns.classes,
            fill_values=columns.fill_values,
        )

    def source(self, recording: Source, number: int, config: Any) -> Source:
        """Returns the clip of a segment, by its number in the recording."""
        _, hop = self.sizes(config)
        begin = round((recording.start or 0.0) * config.sample_rate)
        metadata = {**recording.metadata, START: (begin + number * hop) / config.sample_rate}
        return dataclasses.replace(recording, id=f"{recording.id}{SEPARATOR}{number:05d}", metadata=metadata)

    def clips(
        self,
        recording: Source,
        blocks: Iterable[np.ndarray],
        config: Any,
        only: Collection[int] | None = None,
        on_remark: Callable[[Remark], None] | None = None,
    ) -> Iterator[tuple[Source, np.ndarray, int]]:
        """Cuts a recording into segments.

        Args:
            recording: The recording.
            blocks: Samples of the recording, consecutive blocks `[time, channels]` at the config's sample rate.
            config: The config of the feature.
            only: Numbers of the wanted segments. Blocks after the last of them are not read. None means all segments.
            on_remark: Function that takes the remark about a recording that is too short for a segment, whose end is
                in no segment, or whose last segment is padded, see `audiopipe.transform.ends`.

        Yields:
            Each segment, its samples, and how many of them are samples of the recording and not padding. The id of a
            segment is that of the recording, followed by `#` and the number of the segment. Its metadata has `start`,
            in seconds from the start of the recording, also if a stretch of the recording is cut. A recording that is
            too short for a segment yields nothing.

        Raises:
            AudioError: If the recording lacks the last of the wanted segments.
        """
        length, hop = self.sizes(config)
        needed = -1 if only is None else max(only)
        number, n_samples, left_out, padded = -1, 0, 0, 0
        for samples in block_cutting.cut(blocks, length, hop):
            n_samples = len(samples)
            if n_samples < length and self.last == "pad":
                padded = length - n_samples
                samples = np.pad(samples, [(0, padded), (0, 0)])
            if (n_samples < length and self.last == "drop") or config.n_frames(len(samples)) == 0:
                # Segments that overlap have the start of this piece already.
                left_out = n_samples - (max(0, length - hop) if number >= 0 else 0)
                break
            number += 1
            if only is None or number in only:
                yield self.source(recording, number, config), samples, n_samples
            if only is not None and number == needed:
                return
        if only is None and on_remark is not None:
            what, rate = "stretch" if recording.is_stretch else "recording", config.sample_rate
            if number < 0:
                on_remark(ends.short(what, n_samples / rate, self.seconds))
            elif left_out:
                on_remark(ends.dropped(what, left_out / rate))
            elif padded:
                on_remark(ends.padded(padded / rate))
        if number < needed:
            raise AudioError(
                f"{recording.id!r} has no segment {needed}. Received: {count_of(number + 1, 'segment')} of {length} "
                f"samples at {config.sample_rate} Hz, and {n_samples} samples in the last piece. Use shorter "
                "segments, a longer recording, or last='pad'.",
                stage="feature",
            )


def _samples(name: str, seconds: float | None, sample_rate: int) -> int:
    """Converts a length or a hop in seconds to samples, and checks its range."""
    exact = (seconds or 0.0) * sample_rate
    if exact > MAX_SAMPLES or round(exact) < 1:
        raise ArgumentError(
            f"{name} must be at least one sample and at most {MAX_SAMPLES}. Received: {name}={seconds}, {exact:g} "
            f"samples at {sample_rate} Hz."
        )
    return round(exact)


def recording_of(clip_id: str, recordings: Collection[str]) -> str:
    """Returns the id of the recording that a clip comes from.

    Args:
        clip_id: Id of a segment, or of a whole recording that failed.
        recordings: Ids of known recordings, which may look like ids of segments.

    Example:
        >>> recording_of("meeting#00012", {"meeting"}), recording_of("take#2", {"take", "take#2"})
        ('meeting', 'take#2')
    """
    is_segment = clip_id not in recordings and _SEGMENT.fullmatch(clip_id)
    return parse_id(clip_id)[0] if is_segment else clip_id


def parse_id(clip_id: str) -> tuple[str, int]:
    """Splits the id of a segment into the id of its recording and its number.

    Example:
        >>> parse_id("meeting#2.wav#00012")
        ('meeting#2.wav', 12)
    """
    recording, _, number = clip_id.rpartition(SEPARATOR)
    return recording, int(number)
