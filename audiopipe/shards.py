"""Compute the features of one shard, and put finished shards together to a feature set."""

import contextlib
import functools
import json
import os
import time
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from audiopipe import environment, files, records
from audiopipe.config import Config
from audiopipe.errors import AudioError, FeatureSetError
from audiopipe.featureset import FAILURES_FILE, FeatureSet, sha256
from audiopipe.inputs import Source
from audiopipe.plan import Plan
from audiopipe.transform import Transform


def write_shard(plan: Plan, shard: int) -> dict[str, Any]:
    """Read, transform and write the clips of one shard, then its sidecar.

    A clip that fails becomes a line among the failures; the others are not touched by it.

    Args:
        plan: The plan.
        shard: Number of the shard.

    Returns:
        The sidecar: name, records, bytes and SHA-256 of the shard, its failures, frames and seconds of audio.
    """
    path = files.join(plan.output, plan.shard_name(shard))
    with files.temporary_file(path) as temporary:
        with tf.io.TFRecordWriter(temporary) as file:
            writer = _Writer(plan, shard, file)
            for source in plan.sources(shard):
                writer.add(source)
        size, digest = os.path.getsize(temporary), sha256(temporary)
    sidecar = {
        "name": plan.shard_name(shard),
        **writer.counts,
        "bytes": size,
        "sha256": digest,
        "failures": writer.failures,
        "seconds_spent": writer.seconds_spent,
        "machine": environment.machine(),
    }
    plan.finish_shard(shard, sidecar)
    return sidecar


def finish(plan: Plan) -> FeatureSet:
    """Write `failures.jsonl` and then `dataset.json`, which makes the feature set complete.

    Raises:
        FeatureSetError: If a shard is not finished, or every clip failed.
    """
    finished = plan.finished()
    missing = [shard for shard in range(plan.n_shards) if shard not in finished]
    if missing:
        raise FeatureSetError(
            f"{len(missing)} of {plan.n_shards} shards were not written, the first is {plan.shard_name(missing[0])}. "
            f"Look for the cause in the runner's log, then run the same command again."
        )
    sidecars = [finished[shard] for shard in range(plan.n_shards)]
    failures = [failure for sidecar in sidecars for failure in sidecar["failures"]]
    lines = b"".join(json.dumps(failure, sort_keys=True).encode() + b"\n" for failure in failures)
    files.write_bytes(files.join(plan.output, FAILURES_FILE), lines)
    clips = sum(sidecar["records"] for sidecar in sidecars)
    if clips == 0:
        raise FeatureSetError(
            f"All {plan.n_clips} clips failed, so there is no feature set. The first failure: {failures[0]['path']!r}, "
            f"{failures[0]['stage']}: {failures[0]['error']} The others are in {FAILURES_FILE}."
        )
    feature_set = FeatureSet(
        path=plan.output,
        config=plan.config,
        kernel_version=plan.config.kernel_version,
        counts={
            "clips": clips,
            "failures": len(failures),
            "frames": sum(sidecar["frames"] for sidecar in sidecars),
            "hours": sum(sidecar["seconds"] for sidecar in sidecars) / 3600,
        },
        schema=plan.schema,
        segments=plan.segments,
        shards=[{key: sidecar[key] for key in ("name", "records", "bytes", "sha256")} for sidecar in sidecars],
        machines=_different(sidecar["machine"] for sidecar in sidecars),
    )
    feature_set.write()
    return feature_set


class _Recording:
    """The blocks of a recording, with what was read of it and how long that took."""

    def __init__(self, source: Source, transform: Transform):
        self._source = source
        self._transform = transform
        self.reading = False
        self.n_samples = 0
        self.seconds = 0.0

    def __iter__(self) -> Iterator[np.ndarray]:
        started, self.reading = time.perf_counter(), True
        for block in self._transform.read_blocks(self._source.open()):
            self.seconds += time.perf_counter() - started
            self.n_samples, self.reading = self.n_samples + len(block), False
            yield block
            started, self.reading = time.perf_counter(), True
        self.seconds, self.reading = self.seconds + time.perf_counter() - started, False


class _Writer:
    """Writes the records of one shard, and counts."""

    def __init__(self, plan: Plan, shard: int, file: tf.io.TFRecordWriter):
        self._plan = plan
        self._shard = shard
        self._file = file
        self._transform = _transform(plan.config)
        self.counts: dict[str, Any] = {"records": 0, "frames": 0, "seconds": 0.0}
        self.seconds_spent = {"read": 0.0, "feature": 0.0, "record": 0.0}
        self.failures: list[dict[str, Any]] = []

    def add(self, source: Source) -> None:
        """Write the record of a clip, or those of its segments."""
        recording = _Recording(source, self._transform)
        if self._plan.segments is None:
            with self._failing(source, recording):
                self._write(source, recording, recording)
        else:
            with self._failing(source, recording):
                for clip, samples in self._plan.segments.clips(source, recording, self._plan.config):
                    with self._failing(clip, recording):
                        self._write(clip, samples, recording)
        self.seconds_spent["read"] += recording.seconds

    def _write(self, clip: Source, samples: np.ndarray | _Recording, recording: _Recording) -> None:
        started, read_before = time.perf_counter(), recording.seconds
        feature = self._transform.compute(samples)
        computed, read = time.perf_counter(), recording.seconds - read_before
        place = (self._shard, self.counts["records"])
        frames = feature.shape[self._plan.config.feature_shape(None, 0).index(None)]
        record = records.encode(clip.id, feature, self._plan.config, clip.metadata, self._plan.schema, place)
        del feature  # of a long recording it is as great as all else together
        self._file.write(record)
        n_samples = len(samples) if isinstance(samples, np.ndarray) else samples.n_samples
        self.counts["records"] += 1
        self.counts["frames"] += frames
        self.counts["seconds"] += n_samples / self._plan.config.sample_rate
        self.seconds_spent["feature"] += computed - started - read
        self.seconds_spent["record"] += time.perf_counter() - computed

    @contextlib.contextmanager
    def _failing(self, clip: Source, recording: _Recording) -> Iterator[None]:
        """Make whatever a damaged file provokes this clip's failure and no other's."""
        try:
            yield
        except Exception as error:
            message = str(error) if isinstance(error, AudioError) else f"{type(error).__name__}: {error}"
            stage = "read" if recording.reading else "feature"
            stage = error.stage if isinstance(error, AudioError) else stage
            self.failures.append({"id": clip.id, **clip.location(), "stage": stage, "error": message})


def _different(machines: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Each machine once, in the order of first appearance."""
    different: list[dict[str, Any]] = []
    for machine in machines:
        if machine not in different:
            different.append(machine)
    return different


@functools.lru_cache(maxsize=4)
def _transform(config: Config) -> Transform:
    """One compiled transform a process, whatever the number of shards."""
    return Transform(config)
