"""Writer of one shard: it reads the clips, computes their features and stores them."""

import contextlib
import functools
import os
import time
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from audiopipe.audio.remarks import Remark
from audiopipe.configs.base import Config
from audiopipe.errors import AudioError, OutputError, StoppedError
from audiopipe.feature_sets import records, tfrecords
from audiopipe.feature_sets.description import sha256
from audiopipe.inputs import Source, listings
from audiopipe.inputs.listings import Listed
from audiopipe.precompute import finished_shards
from audiopipe.precompute.ordered_records import OrderedRecords, Record
from audiopipe.precompute.plan import Part, read_part
from audiopipe.precompute.retained_records import KeptRecords
from audiopipe.runtime import machine_facts, stopping
from audiopipe.storage import files
from audiopipe.transform import recordings
from audiopipe.transform.segments import Segments
from audiopipe.transform.transform import Transform


def write_shard(clips_file: str, shard: int) -> dict[str, Any]:
    """Computes and writes one shard and then its sidecar. Does nothing if the shard is finished.

    A clip that fails is added to the failures and does not affect other clips. Each attempt writes to a temporary file
    of its own and publishes it whole. Attempts that run at the same time, are repeated or are killed therefore never
    leave a partial shard, and all of them write the same bytes.

    Args:
        clips_file: Path of the clips file that contains the shard's clips.
        shard: Number of the shard.

    Returns:
        The sidecar: name, records, bytes and SHA-256 of the shard, its failures, frames and seconds of audio.

    Raises:
        OutputError: If the shard cannot be written.
        StoppedError: If `audiopipe.runtime.stopping.stop` was called for the folder.
    """
    part = read_part(clips_file, shard)
    plan = part.plan
    done = finished_shards.find(plan, shard, part.digest)
    if done is not None:
        return done
    path = files.join(plan.output, plan.shard_name(shard))
    with writing(path), files.temporary_file(path) as temporary:
        with tfrecords.Writer(temporary) as file, KeptRecords.of_shard(part) as kept:
            writer = _Writer(part, file, kept)
            writer.write()
        size, digest = os.path.getsize(temporary), sha256(temporary)
    sidecar = {
        "shard": shard,
        "digest": part.digest,
        "name": plan.shard_name(shard),
        "id": part.shard_id,
        "records": len(writer.samples),
        "frames": writer.frames,
        "samples": writer.samples,
        "seconds": sum(writer.samples) / plan.config.sample_rate,
        "max_error": writer.max_error,
        "bytes": size,
        "sha256": digest,
        "failures": writer.failures,
        "remarks": writer.remarks,
        "short_recordings": writer.short_recordings,
        "seconds_spent": writer.seconds_spent,
        "machine": _machine(),
    }
    with writing(path):
        finished_shards.publish(plan, sidecar)
        finished_shards.forget_previous(plan, shard)
    return sidecar


@contextlib.contextmanager
def writing(path: str) -> Iterator[None]:
    """Turns errors of a block that writes a file into an error that names the file.

    Args:
        path: Path of the file.

    Raises:
        OutputError: If the block raises an error of the operating system or of TensorFlow.
    """
    try:
        yield
    except (OSError, tf.errors.OpError) as error:
        reason = error.message if isinstance(error, tf.errors.OpError) else error.strerror or str(error)
        raise OutputError(f"Could not write {path!r}: {reason.rstrip('.')}.") from error


class _Reading:
    """Iterable over the samples of a clip. It measures how long reading takes."""

    def __init__(self, clip: Listed, blocks: Iterator[np.ndarray]):
        self._clip = clip
        self._blocks = blocks
        self.is_reading = False
        self.n_samples = 0
        self.seconds = 0.0

    def __iter__(self) -> Iterator[np.ndarray]:
        started, self.is_reading = time.perf_counter(), True
        difference = listings.changed(self._clip)
        if difference is not None:
            raise AudioError(
                f"{self._clip.source.path!r} has changed since it was listed: the file {difference}. Do not change the "
                "input while a job runs. Run it again with --retry-failures.",
                stage="read",
            )
        for block in self._blocks:
            self.seconds += time.perf_counter() - started
            self.n_samples, self.is_reading = self.n_samples + len(block), False
            yield block
            started, self.is_reading = time.perf_counter(), True
        self.seconds, self.is_reading = self.seconds + time.perf_counter() - started, False


class _Writer:
    """Writer of the records of one shard. It collects the facts for the sidecar."""

    def __init__(self, part: Part, file: tfrecords.Writer, kept: KeptRecords):
        self._plan = part.plan
        self._shard = part.shard
        self._shard_id = part.shard_id
        self._clips = part.clips
        self._file = file
        self._kept = kept
        self._transform = _transform(part.plan.config, part.plan.accept_truncated)
        self.samples: list[int] = []  # number of samples behind each record
        self.frames = 0
        self.max_error = kept.max_error
        self.seconds_spent = {"read": 0.0, "feature": 0.0, "record": 0.0}
        self._failures: list[tuple[int, dict[str, Any]]] = []
        self._remarks: list[tuple[int, dict[str, Any]]] = []
        self.short_recordings = kept.short_recordings

    @property
    def failures(self) -> list[dict[str, Any]]:
        """Failures in the order of the clips."""
        return [failure for _, failure in sorted(self._failures, key=lambda item: item[0])]

    @property
    def remarks(self) -> list[dict[str, Any]]:
        """Remarks in the order of the clips."""
        return [remark for _, remark in sorted(self._remarks, key=lambda item: item[0])]

    def write(self) -> None:
        """Writes the records of all clips in their order.

        Raises:
            OutputError: If the shard cannot be written.
            StoppedError: If the job was stopped.
        """
        groups, computed = self._groups(), set[int]()
        with OrderedRecords(self._write) as ordered:
            for number, clip in enumerate(self._clips):
                if self._kept.has(clip.source.id):
                    self._keep(number, clip, ordered)
                elif number not in computed:
                    together = groups[_recording(clip.source, number)]
                    computed.update(together)
                    self._compute(together, ordered)

    def _groups(self) -> dict[Any, list[int]]:
        """Returns the numbers of the clips to compute together: the stretches of a recording, by their starts."""
        groups: dict[Any, list[int]] = defaultdict(list)
        for number, clip in enumerate(self._clips):
            if not self._kept.has(clip.source.id):
                groups[_recording(clip.source, number)].append(number)
        for numbers in groups.values():
            numbers.sort(key=lambda number: self._clips[number].source.start or 0.0)
        return groups

    def _keep(self, number: int, clip: Listed, ordered: OrderedRecords) -> None:
        """Writes the records of a clip that an earlier run wrote, and repeats its remarks."""
        for content, n_samples in self._kept.take(clip.source.id):
            place = len(self.samples)
            moved, n_frames = records.moved(content, records.Place(self._shard_id, place))
            ordered.add(number, Record(moved, place, n_frames, n_samples))
        ordered.finish(number)
        self._remarks += [(number, remark) for remark in self._kept.remarks(clip.source.id)]

    def _compute(self, numbers: list[int], ordered: OrderedRecords) -> None:
        """Computes the records of one recording, or of several stretches of it."""
        current = numbers[0]

        def remark(source: Source, made: Remark) -> None:
            self._remark(current, source, made)

        clips = recordings.read([self._clips[number].source for number in numbers], self._transform, remark)
        for current, (source, blocks) in zip(numbers, clips, strict=True):
            if stopping.is_stopped(self._plan.output):
                raise StoppedError("The job was stopped.")
            reading = _Reading(self._clips[current], blocks)
            with self._failing(current, source, reading):
                if self._plan.segments is None:
                    self._add(current, source, reading, reading, ordered)
                else:
                    self._add_segments(current, source, reading, self._plan.segments, ordered)
            ordered.finish(current)
            self.seconds_spent["read"] += reading.seconds

    def _add_segments(
        self, number: int, source: Source, reading: _Reading, segments: Segments, ordered: OrderedRecords
    ) -> None:
        def short(remark: Remark) -> None:
            self.short_recordings.append(source.id)
            self._remark(number, source, remark)

        _, hop = segments.sizes(self._plan.config)
        cut = segments.clips(source, reading, self._plan.config, on_short=short)
        for place, (segment, samples) in enumerate(cut):
            padded = max(0, place * hop + len(samples) - reading.n_samples)
            with self._failing(number, segment, reading):
                self._add(number, segment, samples, reading, ordered, padded)

    def _add(
        self,
        number: int,
        clip: Source,
        samples: np.ndarray | _Reading,
        reading: _Reading,
        ordered: OrderedRecords,
        padded: int = 0,
    ) -> None:
        started, read_before = time.perf_counter(), reading.seconds
        feature = self._transform.compute(samples)
        computed, read = time.perf_counter(), reading.seconds - read_before
        place = len(self.samples)
        n_frames = feature.shape[self._plan.config.frame_axis]
        n_samples = len(samples) if isinstance(samples, np.ndarray) else samples.n_samples
        content, error = records.encode(
            clip.id,
            feature,
            self._plan.config,
            clip.metadata,
            self._plan.columns,
            records.Place(self._shard_id, place),
            self._plan.dtype,
            valid_frames=self._plan.config.valid_frames(n_samples - padded),
        )
        del feature  # for a long recording, it takes as much memory as everything else together
        ordered.add(number, Record(content, place, n_frames, n_samples))
        self.max_error = max(self.max_error, error)
        self.seconds_spent["feature"] += computed - started - read
        self.seconds_spent["record"] += time.perf_counter() - computed

    def _write(self, record: Record) -> None:
        """Writes a record, with the number that it has in the shard."""
        content, place = record.content, len(self.samples)
        if record.place != place:
            content, _ = records.moved(content, records.Place(self._shard_id, place))
        with writing(files.join(self._plan.output, self._plan.shard_name(self._shard))):
            self._file.write(content)
        self.samples.append(record.n_samples)
        self.frames += record.n_frames

    def _remark(self, number: int, source: Source, remark: Remark) -> None:
        facts = {"id": source.id, **source.location(), "stage": remark.stage, "remark": remark.text}
        self._remarks.append((number, facts))

    @contextlib.contextmanager
    def _failing(self, number: int, clip: Source, reading: _Reading) -> Iterator[None]:
        """Records any error as a failure of this clip alone, because a damaged file can cause any exception."""
        try:
            yield
        except (OutputError, StoppedError):
            raise
        except Exception as error:
            message = str(error) if isinstance(error, AudioError) else f"{type(error).__name__}: {error}"
            stage = "read" if reading.is_reading else "feature"
            stage = error.stage if isinstance(error, AudioError) else stage
            self._failures.append((number, {"id": clip.id, **clip.location(), "stage": stage, "error": message}))


def _recording(source: Source, number: int) -> tuple[Any, ...]:
    """Returns a key that stretches of one recording share. A whole recording has a key of its own."""
    return source.recording() if source.is_stretch else (number,)


@functools.cache
def _machine() -> dict[str, Any]:
    """Returns facts about the machine, once per process: they are slow to read on Linux with many cores."""
    return machine_facts.machine()


@functools.lru_cache(maxsize=4)
def _transform(config: Config, accept_truncated: bool) -> Transform:
    """Returns the transform of a config, compiled once per process for all shards."""
    return Transform(config, accept_truncated=accept_truncated)
