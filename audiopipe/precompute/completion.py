"""Completion of a feature set from its finished shards."""

import json
from collections.abc import Iterable
from typing import Any

from audiopipe.errors import FeatureSetError
from audiopipe.feature_sets.feature_set import FAILURES_FILE, FeatureSet
from audiopipe.precompute.finished_shards import Finished
from audiopipe.precompute.plan import Plan
from audiopipe.storage import files


def finish(plan: Plan) -> FeatureSet:
    """Writes `failures.jsonl` and then `dataset.json`, which completes the feature set.

    Args:
        plan: The plan of the feature set.

    Returns:
        The complete feature set.

    Raises:
        FeatureSetError: If a shard is not finished, or every clip failed.
    """
    finished = Finished(plan)
    finished.refresh()
    missing = finished.missing()
    if missing:
        raise FeatureSetError(
            f"{len(missing)} of {plan.n_shards} shards were not written, starting with {plan.shard_name(missing[0])}. "
            "Find the cause in the runner's log, then run the same command again."
        )
    sidecars = list(finished.sidecars())
    failures = [failure for sidecar in sidecars for failure in sidecar["failures"]]
    write_failures(plan.output, failures)
    clips = sum(sidecar["records"] for sidecar in sidecars)
    if clips == 0:
        raise FeatureSetError(
            f"All {plan.n_clips} clips failed, so there is no feature set. First failure: {failures[0]['path']!r}, "
            f"{failures[0]['stage']}: {failures[0]['error']} All failures are listed in {FAILURES_FILE}."
        )
    feature_set = FeatureSet(
        path=plan.output,
        config=plan.config,
        kernel_version=plan.config.kernel_version,
        counts={
            "clips": clips,
            "failures": len(failures),
            "frames": sum(sidecar["frames"] for sidecar in sidecars),
            "hours": sum(sum(sidecar["samples"]) for sidecar in sidecars) / plan.config.sample_rate / 3600,
        },
        schema=plan.schema,
        classes=plan.classes,
        fill_values=plan.fill_values,
        segments=plan.segments,
        shards=[{key: sidecar[key] for key in ("name", "records", "bytes", "sha256")} for sidecar in sidecars],
        machines=_unique(sidecar["machine"] for sidecar in sidecars),
        set_id=plan.set_id,
        dtype=plan.dtype,
        max_error=max(sidecar["max_error"] for sidecar in sidecars),
    )
    feature_set.write()
    return feature_set


def write_failures(output: str, failures: Iterable[dict[str, Any]]) -> None:
    """Writes `failures.jsonl`, one line per failure."""
    lines = b"".join(json.dumps(failure, sort_keys=True).encode() + b"\n" for failure in failures)
    files.write_bytes(files.join(output, FAILURES_FILE), lines)


def _unique(machines: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Returns each machine once, in order of first appearance."""
    unique: list[dict[str, Any]] = []
    for machine in machines:
        if machine not in unique:
            unique.append(machine)
    return unique
