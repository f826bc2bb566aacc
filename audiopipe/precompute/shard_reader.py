"""Reading of the clips of shards, as units for `audiopipe.transform.clip_reader`.

A unit is one recording, with all its stretches in the shard. Its items are those of `audiopipe.transform.clip_items`,
whose keys are `Clip`, and those of this module.
"""

import contextlib
from collections import defaultdict
from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

import numpy as np

from audiopipe.audio.remarks import Remark
from audiopipe.errors import AudioError
from audiopipe.inputs import Source, listings
from audiopipe.inputs.listings import Listed
from audiopipe.precompute.planned_clips import Part, Stored
from audiopipe.runtime.read_ahead import Unit
from audiopipe.transform import recordings, row_features
from audiopipe.transform.clip_items import Failed
from audiopipe.transform.timed_blocks import TimedBlocks
from audiopipe.transform.transform import Transform


@dataclass(frozen=True, slots=True)
class Clip:
    """Clip of a shard, which may be a segment of a recording.

    Args:
        number: Number of the planned clip.
        source: The clip.
        n_valid: Number of its samples that are no padding. None if all are.
    """

    number: int
    source: Source
    n_valid: int | None = None


@dataclass(frozen=True, slots=True)
class Copied:
    """Clip whose records are copied from an older shard."""

    number: int
    stored: Stored


@dataclass(frozen=True, slots=True)
class Noticed:
    """Remark about a clip."""

    clip: Clip
    remark: Remark


@dataclass(frozen=True, slots=True)
class Hashed:
    """Digest of the audio file that was read for a clip."""

    number: int
    digest: bytes


@dataclass(frozen=True, slots=True)
class Finished:
    """End of a clip. Only its digest may follow. Reading the clip took `seconds`."""

    number: int
    seconds: float


@dataclass(frozen=True, slots=True)
class _Begun:
    """First item of a recording in a table."""


def units(part: Part, transform: Transform) -> Iterator[Unit[Any]]:
    """Yields the units of a shard, in the order of its clips."""
    groups, read = _groups(part), set[int]()
    for number, clip in enumerate(part.clips):
        if clip.stored is not None:
            # Not ahead: the records of a long recording are large, and copying them takes nearly no time.
            yield Unit([Copied(number, clip.stored)], ahead=False)
        elif number not in read:
            together = groups[_recording(clip.listed.source, number)]
            read.update(together)
            yield Unit(items(part, together, transform), begins_in_order=clip.listed.source.row is not None)


def items(part: Part, numbers: list[int], transform: Transform) -> Iterator[Any]:
    """Reads one recording, or several stretches of it.

    The first item comes when the audio has been read from its table, if it is in one. A table holds only its last row
    group, so its rows are read in order.

    Args:
        part: The shard.
        numbers: Numbers of the clips, which are stretches of one recording if they are several.
        transform: Transform whose config says how to read them.
    """
    made: list[Any] = []  # which callbacks add
    sources = [part.clips[number].listed.source for number in numbers]
    places = {source.id: number for source, number in zip(sources, numbers, strict=True)}

    def remark(source: Source, remark: Remark) -> None:
        made.append(Noticed(Clip(places[source.id], source), remark))

    def hashed(source: Source, digest: bytes) -> None:
        made.append(Hashed(places[source.id], digest))

    opened: Future[str | bytes] | None = None
    if sources[0].row is not None:
        opened = _opened(sources[0])
        yield _Begun()
    open_audio = None if opened is None else opened.result
    with contextlib.closing(recordings.read(sources, transform, remark, hashed, open_audio)) as clips:
        for number, (source, blocks) in zip(numbers, clips, strict=True):
            reading = TimedBlocks(_unchanged(part.clips[number].listed, blocks))
            for item in _of_clip(part, Clip(number, source), reading, transform, made):
                yield from _taken(made)
                yield item
                del item
            yield from _taken(made)
            yield Finished(number, reading.seconds)
    yield from _taken(made)


def _opened(source: Source) -> "Future[str | bytes]":
    """Opens the audio of a row now. The result is the audio, or the error, which then fails the clip."""
    opened: Future[str | bytes] = Future()
    try:
        opened.set_result(source.open())
    except Exception as error:
        opened.set_exception(error)
    return opened


def _of_clip(part: Part, clip: Clip, reading: TimedBlocks, transform: Transform, made: list[Any]) -> Iterator[Any]:
    """Yields the clip, or its segments. Any error fails it alone, because a damaged file can cause any exception."""
    config, segments = part.plan.config, part.plan.segments

    def remark(remark: Remark) -> None:
        made.append(Noticed(clip, remark))

    if segments is None:
        yield from _failing(clip, reading, row_features.items(clip, reading, config))
        return

    def cut() -> Iterator[Any]:
        for segment, samples, n_valid in segments.clips(clip.source, reading, config, on_remark=remark):
            piece = Clip(clip.number, segment, n_valid)
            yield from _failing(piece, reading, row_features.items(piece, [samples], config))

    yield from _failing(clip, reading, cut())


def _failing(clip: Clip, reading: TimedBlocks, items: Iterator[Any]) -> Iterator[Any]:
    try:
        yield from items
    except Exception as error:
        yield Failed(clip, error, reading.is_reading)


def _taken(made: list[Any]) -> Iterable[Any]:
    taken = made.copy()
    made.clear()
    return taken


def _unchanged(clip: Listed, blocks: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
    """Yields the blocks of a clip, unless its file has changed since it was listed."""
    difference = listings.changed(clip)
    if difference is not None:
        raise AudioError(
            f"{clip.source.path!r} has changed since it was listed: the file {difference}. Do not change the input "
            "while a job runs. Run it again with --retry-failures.",
            stage="read",
        )
    yield from blocks


def _groups(part: Part) -> dict[Any, list[int]]:
    """Returns the numbers of the clips to read together: the stretches of a recording, by their starts."""
    groups: dict[Any, list[int]] = defaultdict(list)
    for number, clip in enumerate(part.clips):
        if clip.stored is None:
            groups[_recording(clip.listed.source, number)].append(number)
    for numbers in groups.values():
        numbers.sort(key=lambda number: part.clips[number].listed.source.start or 0.0)
    return groups


def _recording(source: Source, number: int) -> tuple[Any, ...]:
    """Returns a key that stretches of one recording share. A whole recording has a key of its own."""
    return source.recording() if source.is_stretch else (number,)
