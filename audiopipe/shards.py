"""Compute the features of one shard, and put finished shards together to a feature set."""

import functools
import json
import os
import time
from collections.abc import Iterable
from typing import Any

import tensorflow as tf

from audiopipe import environment, files, records
from audiopipe.config import Config
from audiopipe.errors import AudioError, FeatureSetError
from audiopipe.featureset import FAILURES_FILE, FeatureSet, sha256
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
    transform = _transform(plan.config)
    counts: dict[str, Any] = {"records": 0, "frames": 0, "seconds": 0.0}
    seconds_spent = {"read": 0.0, "feature": 0.0, "record": 0.0}
    failures = []
    path = files.join(plan.output, plan.shard_name(shard))
    with files.temporary_file(path) as temporary:
        with tf.io.TFRecordWriter(temporary) as writer:
            for source in plan.sources(shard):
                started, stage = time.perf_counter(), "read"
                try:
                    clip = transform.read(source.open())
                    read, stage = time.perf_counter(), "feature"
                    feature = transform.compute(clip)
                    computed = time.perf_counter()
                    record = records.encode(source.id, feature, plan.config, source.metadata, plan.schema)
                except Exception as error:  # whatever a damaged file provokes: it is this clip's failure and no other's
                    message = str(error) if isinstance(error, AudioError) else f"{type(error).__name__}: {error}"
                    stage = error.stage if isinstance(error, AudioError) else stage
                    failures.append({"id": source.id, **source.location(), "stage": stage, "error": message})
                    continue
                writer.write(record)
                counts["records"] += 1
                counts["frames"] += plan.config.n_frames(clip.shape[0])
                counts["seconds"] += clip.shape[0] / plan.config.sample_rate
                seconds_spent["read"] += read - started
                seconds_spent["feature"] += computed - read
                seconds_spent["record"] += time.perf_counter() - computed
        counts["bytes"], counts["sha256"] = os.path.getsize(temporary), sha256(temporary)
    sidecar = {
        "name": plan.shard_name(shard),
        **counts,
        "failures": failures,
        "seconds_spent": seconds_spent,
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
        shards=[{key: sidecar[key] for key in ("name", "records", "bytes", "sha256")} for sidecar in sidecars],
        machines=_different(sidecar["machine"] for sidecar in sidecars),
    )
    feature_set.write()
    return feature_set


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
