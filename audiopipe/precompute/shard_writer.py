"""Writer of one shard: it reads the clips, computes their features and stores them."""

import contextlib
import functools
import os
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import tensorflow as tf

from audiopipe.audio.remarks import Remark
from audiopipe.configs.base import Config
from audiopipe.errors import AudioError, OutputError, StoppedError
from audiopipe.feature_sets import file_names, index, record_heads, records, tfrecords, valid_frames
from audiopipe.feature_sets.clip_sums import ClipSums
from audiopipe.feature_sets.description import sha256
from audiopipe.inputs import Source, listings
from audiopipe.inputs.listings import Listed
from audiopipe.precompute import finished_shards, planned_clips, probed_machines
from audiopipe.precompute.copied_records import OlderShards
from audiopipe.precompute.ordered_records import OrderedRecords, Record
from audiopipe.precompute.planned_clips import Part, Stored
from audiopipe.precompute.source_changes import source_facts
from audiopipe.runtime import stopping
from audiopipe.storage import files
from audiopipe.transform import ends, recordings
from audiopipe.transform.segments import Segments, parse_id
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
        The sidecar: name, id, number of records, bytes and SHA-256 of the shard, the sums of its features, its failures
        and seconds of audio.

    Raises:
        OutputError: If the shard cannot be written.
        StoppedError: If `audiopipe.runtime.stopping.stop` was called for the folder.
    """
    part = planned_clips.of_shard(clips_file, shard)
    plan = part.plan
    done = finished_shards.find(plan, shard, part.digest)
    if done is not None:
        return done
    path = plan.shard_path(shard)
    with writing(path), files.temporary_file(path) as temporary:
        with tfrecords.Writer(temporary) as file, OlderShards(plan.output) as older:
            writer = _Writer(part, file, older)
            writer.write()
        size, digest = os.path.getsize(temporary), sha256(temporary)
    rows = writer.rows()
    sidecar = {
        "shard": shard,
        "digest": part.digest,
        "name": file_names.shard_name(shard),
        "id": part.id,
        "records": len(rows),
        "clips": len(part.clips),
        "seconds": writer.seconds,
        "max_error": writer.max_error,
        "sums": writer.sums.to_dict(),
        "bytes": size,
        "sha256": digest,
        "failures": writer.failures,
        "remarks": writer.remarks,
        "seconds_spent": writer.seconds_spent,
        **writer.machine(),
    }
    with writing(path):
        with files.temporary_file(plan.rows_file(shard)) as temporary:
            pq.write_table(index.table(rows, plan.columns), temporary, compression="zstd")
        finished_shards.publish(plan, sidecar)
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
    """Writer of the records of one shard. It collects the facts for the sidecar and the index."""

    def __init__(self, part: Part, file: tfrecords.Writer, older: OlderShards):
        self._plan = part.plan
        self._part = part
        self._clips = [clip.listed for clip in part.clips]
        self._file = file
        self._older = older
        self._transform = _transform(part.plan.config, part.plan.accept_truncated)
        self._digests: dict[int, bytes | None] = {}
        self._written: list[tuple[int, Record, int]] = []  # number of the clip, record without content, offset
        self._sizes: list[int] = []
        self.sums = ClipSums(part.plan.config)
        self.seconds = 0.0
        self.max_error = 0.0
        self._has_computed = False
        self.seconds_spent = {"read": 0.0, "feature": 0.0, "record": 0.0}
        self._failures: list[tuple[int, dict[str, Any]]] = []
        self._remarks: list[tuple[int, dict[str, Any]]] = []

    @property
    def failures(self) -> list[dict[str, Any]]:
        """Failures in the order of the clips."""
        return [failure for _, failure in sorted(self._failures, key=lambda item: item[0])]

    @property
    def remarks(self) -> list[dict[str, Any]]:
        """Remarks in the order of the clips."""
        return [remark for _, remark in sorted(self._remarks, key=lambda item: item[0])]

    def machine(self) -> dict[str, Any]:
        """Returns what the sidecar says about the machine that computed features, see `probed_machines`."""
        if not self._has_computed:
            return {"machine": None, "probe": None}
        return probed_machines.of_this_process(self._plan, self._transform)

    def rows(self) -> list[index.Row]:
        """Returns the rows of the index, in the order of the records."""
        rows = []
        for place, ((number, record, offset), size) in enumerate(zip(self._written, self._sizes, strict=True)):
            listed, source = self._clips[number], record.source
            rows.append(
                index.Row(
                    id=source.id,
                    n_frames=record.n_frames,
                    valid_frames=record.valid_frames,
                    seconds=record.seconds,
                    metadata=self._plan.columns.normalized(source.metadata),
                    shard=0,  # its place in dataset.json is known when the feature set is complete
                    number=place,
                    offset=offset,
                    bytes=size,
                    source=source_facts(listed, source.id, self._digests.get(number)),
                )
            )
        return rows

    def write(self) -> None:
        """Writes the records of all clips in their order.

        Raises:
            OutputError: If the shard cannot be written.
            StoppedError: If the job was stopped.
        """
        groups, computed = self._groups(), set[int]()
        with OrderedRecords(self._write) as ordered:
            for number, clip in enumerate(self._part.clips):
                if number in computed or (clip.stored is not None and self._copy(number, clip.stored, ordered)):
                    continue
                together = [number] if clip.stored is not None else groups[_recording(clip.listed.source, number)]
                computed.update(together)
                self._compute(together, ordered)

    def _groups(self) -> dict[Any, list[int]]:
        """Returns the numbers of the clips to compute together: the stretches of a recording, by their starts."""
        groups: dict[Any, list[int]] = defaultdict(list)
        for number, clip in enumerate(self._part.clips):
            if clip.stored is None:
                groups[_recording(clip.listed.source, number)].append(number)
        for numbers in groups.values():
            numbers.sort(key=lambda number: self._clips[number].source.start or 0.0)
        return groups

    def _copy(self, number: int, stored: Stored, ordered: OrderedRecords) -> bool:
        """Copies the records of a clip with its metadata of today. Returns False if they are missing or damaged."""
        found = self._older.read(stored)
        if found is None:
            return False
        self._check_stopped()
        plan, source = self._plan, self._clips[number].source
        padded = valid_frames.may_pad(plan.config, plan.segments)
        for content, (_, _, seconds) in zip(found, stored.records, strict=True):
            clip = source
            if plan.segments is not None:
                clip = plan.segments.source(source, parse_id(records.clip_id(content))[1], plan.config)
            place = len(self._written)
            copied = records.rewritten(
                content, clip.metadata, plan.columns, records.Place(self._part.id, place), padded=padded
            )
            head = record_heads.head(copied)
            self.sums.add_record(copied, head.valid_frames)
            ordered.add(number, Record(copied, place, clip, head.n_frames, head.valid_frames, seconds))
        ordered.finish(number)
        self._digests[number] = bytes.fromhex(stored.digest) if stored.digest else None
        self.max_error = max(self.max_error, stored.max_error)
        return True

    def _compute(self, numbers: list[int], ordered: OrderedRecords) -> None:
        """Computes the records of one recording, or of several stretches of it."""
        current = numbers[0]

        def remark(source: Source, made: Remark) -> None:
            self._remark(current, source, made)

        places = {self._clips[number].source.id: number for number in numbers}

        def hashed(source: Source, digest: bytes) -> None:
            self._digests[places[source.id]] = digest

        sources = [self._clips[number].source for number in numbers]
        clips = recordings.read(sources, self._transform, remark, hashed)
        for current, (source, blocks) in zip(numbers, clips, strict=True):
            self._check_stopped()
            reading = _Reading(self._clips[current], blocks)
            with self._failing(current, source, reading):
                if self._plan.segments is None:
                    self._add(current, source, reading, reading, ordered)
                else:
                    self._add_segments(current, source, reading, self._plan.segments, ordered)
            ordered.finish(current)
            self.seconds_spent["read"] += reading.seconds

    def _check_stopped(self) -> None:
        if stopping.is_stopped(self._plan.output):
            raise StoppedError("The job was stopped.")

    def _add_segments(
        self, number: int, source: Source, reading: _Reading, segments: Segments, ordered: OrderedRecords
    ) -> None:
        def remark(made: Remark) -> None:
            self._remark(number, source, made)

        for segment, samples, n_valid in segments.clips(source, reading, self._plan.config, on_remark=remark):
            with self._failing(number, segment, reading):
                self._add(number, segment, samples, reading, ordered, n_valid)

    def _add(
        self,
        number: int,
        clip: Source,
        samples: np.ndarray | _Reading,
        reading: _Reading,
        ordered: OrderedRecords,
        n_valid: int | None = None,
    ) -> None:
        config = self._plan.config
        started, read_before = time.perf_counter(), reading.seconds
        feature = self._transform.compute(samples)
        self._has_computed = True
        computed, read = time.perf_counter(), reading.seconds - read_before
        n_samples = len(samples) if isinstance(samples, np.ndarray) else samples.n_samples
        n_valid = n_samples if n_valid is None else n_valid
        n_frames = feature.shape[config.frame_axis]
        valid = min(n_frames, int(config.valid_frames(n_valid)))
        place = len(self._written)
        content, error = records.encode(
            clip.id,
            feature,
            config,
            clip.metadata,
            self._plan.columns,
            records.Place(self._part.id, place),
            self._plan.dtype,
            valid_frames=valid,
        )
        self.sums.add(feature, valid, self._plan.dtype)
        del feature  # for a long recording, it takes as much memory as everything else together
        seconds = n_samples / config.sample_rate
        ordered.add(number, Record(content, place, clip, n_frames, valid, seconds))
        cut = ends.cut(n_valid, config)
        if cut is not None:
            self._remark(number, clip, cut)
        self.max_error = max(self.max_error, error)
        self.seconds_spent["feature"] += computed - started - read
        self.seconds_spent["record"] += time.perf_counter() - computed

    def _write(self, number: int, record: Record) -> None:
        """Writes a record, with the number that it has in the shard."""
        content, place = record.content, len(self._written)
        if record.place != place:
            content, _ = records.moved(content, records.Place(self._part.id, place))
        with writing(self._plan.shard_path(self._part.shard)):
            offset = self._file.write(content)
        self._written.append((number, replace(record, content=b""), offset))
        self._sizes.append(len(content))
        self.seconds += record.seconds

    def _remark(self, number: int, source: Source, remark: Remark) -> None:
        facts = {"stage": remark.stage, "remark": remark.text, **remark.facts}
        self._remarks.append((number, {**self._location(number, source), **facts}))

    def _location(self, number: int, clip: Source) -> dict[str, Any]:
        """Returns what failures and remarks say about a clip and its audio."""
        listed = self._clips[number]
        recording = {} if clip.id == listed.source.id else {"recording": listed.source.id}
        return {"id": clip.id, **recording, **listed.location()}

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
            self._failures.append((number, {**self._location(number, clip), "stage": stage, "error": message}))


def _recording(source: Source, number: int) -> tuple[Any, ...]:
    """Returns a key that stretches of one recording share. A whole recording has a key of its own."""
    return source.recording() if source.is_stretch else (number,)


@functools.lru_cache(maxsize=4)
def _transform(config: Config, accept_truncated: bool) -> Transform:
    """Returns the transform of a config, compiled once per process for all shards."""
    return Transform(config, accept_truncated=accept_truncated)
