"""Completion of a feature set from its finished shards."""

import json
from collections.abc import Iterable
from typing import Any

from audiopipe.errors import FeatureSetError
from audiopipe.feature_sets import set_files
from audiopipe.feature_sets.description import Description
from audiopipe.feature_sets.file_names import FAILURES_FILE, REMARKS_FILE, failures_name, remarks_name
from audiopipe.precompute.finished_shards import Finished
from audiopipe.precompute.plan import Plan
from audiopipe.storage import files

GENERATION = 1  # of a set that was never updated
SHARD_FIELDS = ("name", "id", "records", "bytes", "sha256", "max_error")


def finish(plan: Plan) -> Description:
    """Writes `failures.jsonl`, `remarks.jsonl` and then `dataset.json`, which completes the feature set.

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
    remarks = [remark for sidecar in sidecars for remark in sidecar["remarks"]]
    failures_file = write_lines(plan.output, failures_name(GENERATION), failures)
    remarks_file = write_lines(plan.output, remarks_name(GENERATION), remarks)
    short = sum(len(sidecar["short_recordings"]) for sidecar in sidecars)
    clips = sum(sidecar["records"] for sidecar in sidecars)
    if clips == 0 and not failures:
        raise FeatureSetError(
            f"All {short} recordings are too short for a segment, so there is no feature set. They are listed in "
            f"{remarks_file['name']}. Use shorter segments, or --segment-last pad."
        )
    if clips == 0:
        raise FeatureSetError(
            f"All {plan.n_clips} clips failed, so there is no feature set. First failure: {failures[0]['path']!r}, "
            f"{failures[0]['stage']}: {failures[0]['error']} All failures are listed in {failures_file['name']}."
        )
    feature_set = Description(
        path=plan.output,
        config=plan.config,
        kernel_version=plan.config.kernel_version,
        counts={
            "clips": clips,
            "failures": len(failures),
            "remarks": len(remarks),
            "left_out": plan.left_out,
            **({} if plan.segments is None else {"short_recordings": short}),
            "frames": sum(sidecar["frames"] for sidecar in sidecars),
            "hours": sum(sum(sidecar["samples"]) for sidecar in sidecars) / plan.config.sample_rate / 3600,
        },
        schema=plan.schema,
        classes=plan.classes,
        fill_values=plan.fill_values,
        segments=plan.segments,
        shards=[{key: sidecar[key] for key in SHARD_FIELDS} for sidecar in sidecars],
        machines=_unique(sidecar["machine"] for sidecar in sidecars),
        dtype=plan.dtype,
        options=plan.options,
        accept_truncated=plan.accept_truncated,
        notes=plan.notes,
        max_error=max(sidecar["max_error"] for sidecar in sidecars),
        generation=GENERATION,
        failures_file=failures_file,
        remarks_file=remarks_file,
    )
    feature_set.write()
    write_lines(plan.output, FAILURES_FILE, failures)
    write_lines(plan.output, REMARKS_FILE, remarks)
    return feature_set


def write_lines(output: str, name: str, facts: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Writes a file with one line per failure or remark.

    Returns:
        The facts about the file for `dataset.json`.
    """
    lines = b"".join(json.dumps(fact, sort_keys=True).encode() + b"\n" for fact in facts)
    files.write_bytes(files.join(output, name), lines)
    return set_files.facts(output, name)


def _unique(machines: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Returns each machine once, in order of first appearance."""
    unique: list[dict[str, Any]] = []
    for machine in machines:
        if machine not in unique:
            unique.append(machine)
    return unique
