"""Writer of one shard: it reads the clips, computes their features and stores them."""

import contextlib
import functools
import os
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from audiopipe.configs.base import Config
from audiopipe.errors import AudioError, OutputError, StoppedError
from audiopipe.feature_sets import records
from audiopipe.feature_sets.feature_set import sha256
from audiopipe.inputs import Source, listings
from audiopipe.inputs.listings import Listed
from audiopipe.precompute import finished_shards
from audiopipe.precompute.plan import Part, read_part
from audiopipe.precompute.retained_records import KeptRecords
from audiopipe.runtime import machine_facts, stopping
from audiopipe.storage import files
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
        with tf.io.TFRecordWriter(temporary) as file, KeptRecords.of_shard(part) as kept:
            writer = _Writer(part, file, kept)
            for clip in part.clips:
                if stopping.is_stopped(plan.output):
                    raise StoppedError("The job was stopped.")
                writer.add(clip)
        size, digest = os.path.getsize(temporary), sha256(temporary)
    sidecar = {
        "shard": shard,
        "digest": part.digest,
        "name": plan.shard_name(shard),
        "records": len(writer.samples),
        "frames": writer.frames,
        "samples": writer.samples,
        "seconds": sum(writer.samples) / plan.config.sample_rate,
        "max_error": writer.max_error,
        "bytes": size,
        "sha256": digest,
        "failures": writer.failures,
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


class _Recording:
    """Iterable over the blocks of a recording. It counts the samples and measures how long reading takes."""

    def __init__(self, clip: Listed, transform: Transform):
        self._clip = clip
        self._transform = transform
        self.reading = False
        self.n_samples = 0
        self.seconds = 0.0

    def __iter__(self) -> Iterator[np.ndarray]:
        started, self.reading = time.perf_counter(), True
        difference = listings.changed(self._clip)
        if difference is not None:
            raise AudioError(
                f"{self._clip.source.path!r} has changed since it was listed: the file {difference}. Do not change the "
                "input while a job runs. Run it again with --retry-failures.",
                stage="read",
            )
        for block in self._transform.read_blocks(self._clip.source.open()):
            self.seconds += time.perf_counter() - started
            self.n_samples, self.reading = self.n_samples + len(block), False
            yield block
            started, self.reading = time.perf_counter(), True
        self.seconds, self.reading = self.seconds + time.perf_counter() - started, False


class _Writer:
    """Writer of the records of one shard. It collects the facts for the sidecar."""

    def __init__(self, part: Part, file: tf.io.TFRecordWriter, kept: KeptRecords):
        self._plan = part.plan
        self._shard = part.shard
        self._file = file
        self._kept = kept
        self._transform = _transform(part.plan.config)
        self.samples: list[int] = []  # number of samples behind each record
        self.frames = 0
        self.max_error = kept.max_error
        self.seconds_spent = {"read": 0.0, "feature": 0.0, "record": 0.0}
        self.failures: list[dict[str, Any]] = []

    def add(self, clip: Listed) -> None:
        """Writes the record of a clip, or the records of its segments."""
        if self._kept.has(clip.source.id):
            for record, n_samples in self._kept.take(clip.source.id):
                moved, frames = records.moved(record, (self._shard, len(self.samples)))
                self._write(moved, frames, n_samples)
            return
        recording = _Recording(clip, self._transform)
        if self._plan.segments is None:
            with self._failing(clip.source, recording):
                self._add(clip.source, recording, recording)
        else:
            with self._failing(clip.source, recording):
                for segment, samples in self._plan.segments.clips(clip.source, recording, self._plan.config):
                    with self._failing(segment, recording):
                        self._add(segment, samples, recording)
        self.seconds_spent["read"] += recording.seconds

    def _add(self, clip: Source, samples: np.ndarray | _Recording, recording: _Recording) -> None:
        started, read_before = time.perf_counter(), recording.seconds
        feature = self._transform.compute(samples)
        computed, read = time.perf_counter(), recording.seconds - read_before
        place = (self._shard, len(self.samples))
        frames = feature.shape[self._plan.config.frame_axis]
        record, error = records.encode(
            clip.id,
            feature,
            self._plan.config,
            clip.metadata,
            self._plan.columns,
            place,
            self._plan.dtype,
            self._plan.set_id,
        )
        del feature  # for a long recording, it takes as much memory as everything else together
        n_samples = len(samples) if isinstance(samples, np.ndarray) else samples.n_samples
        self._write(record, frames, n_samples)
        self.max_error = max(self.max_error, error)
        self.seconds_spent["feature"] += computed - started - read
        self.seconds_spent["record"] += time.perf_counter() - computed

    def _write(self, record: bytes, frames: int, n_samples: int) -> None:
        with writing(files.join(self._plan.output, self._plan.shard_name(self._shard))):
            self._file.write(record)
        self.samples.append(n_samples)
        self.frames += frames

    @contextlib.contextmanager
    def _failing(self, clip: Source, recording: _Recording) -> Iterator[None]:
        """Records any error as a failure of this clip alone, because a damaged file can cause any exception."""
        try:
            yield
        except OutputError:
            raise
        except Exception as error:
            message = str(error) if isinstance(error, AudioError) else f"{type(error).__name__}: {error}"
            stage = "read" if recording.reading else "feature"
            stage = error.stage if isinstance(error, AudioError) else stage
            self.failures.append({"id": clip.id, **clip.location(), "stage": stage, "error": message})


@functools.cache
def _machine() -> dict[str, Any]:
    """Returns facts about the machine, once per process: they are slow to read on Linux with many cores."""
    return machine_facts.machine()


@functools.lru_cache(maxsize=4)
def _transform(config: Config) -> Transform:
    """Returns the transform of a config, compiled once per process for all shards."""
    return Transform(config)
