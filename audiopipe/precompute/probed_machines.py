"""What workers record about their machines, and how the job collects it.

The probe of a machine takes 33 kB, and there may be thousands of shards. So a sidecar has only its digest, and workers
write the probe itself once per process, as `plan/probe-1f3a9c8203b45d67.json`.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from audiopipe.precompute.finished_shards import Work
from audiopipe.precompute.plan import Plan, to_line
from audiopipe.runtime import machine_facts
from audiopipe.storage import files
from audiopipe.transform import probe

if TYPE_CHECKING:
    from audiopipe.transform.transform import Transform  # imports TensorFlow, which a merge does not need

DIGITS = 16  # of the digest, in the name of a file


def of_this_process(plan: Plan, transform: Transform) -> dict[str, Any]:
    """Returns what a sidecar says about this machine: `machine`, and the digest of its `probe`, or None without one.

    The probe is computed once per process, and written if the folder of the plan does not have it.

    Args:
        plan: The plan.
        transform: The transform that computes the features of the plan.
    """
    computed = probe.here(plan.config, transform)
    if computed is None:
        return {"machine": _facts(), "probe": None}
    digest = computed.digest[:DIGITS]
    path = plan.path(_name(digest))
    if not files.exists(path):
        files.write_bytes(path, to_line(computed.to_dict()))
    return {"machine": _facts(), "probe": digest}


def of_sidecars(
    work: Work, sidecars: Iterable[dict[str, Any]], others: Iterable[dict[str, Any]]
) -> list[dict[str, Any]]:
    """Returns the machines that computed shards, each once, with their probes.

    Args:
        work: The plan.
        sidecars: The sidecars. That of a shard that only has copies of records names no machine.
        others: Machines that come first.
    """
    named = {(json.dumps(sidecar["machine"], sort_keys=True), sidecar.get("probe")): sidecar for sidecar in sidecars}
    found = [
        sidecar["machine"] | _read(work, sidecar.get("probe"))
        for sidecar in named.values()
        if sidecar["machine"] is not None
    ]
    return unique([*others, *found])


def unique(machines: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Returns each machine once, in order of first appearance."""
    return list({json.dumps(machine, sort_keys=True): machine for machine in machines}.values())


@functools.cache
def _facts() -> dict[str, Any]:
    """Returns facts about the machine, once per process: they are slow to read on Linux with many cores."""
    return machine_facts.machine()


def _read(work: Work, digest: str | None) -> dict[str, Any]:
    """Returns the probe with a digest as an entry of a machine, or nothing if its file is gone or damaged."""
    if digest is None:
        return {}
    try:
        facts = {probe.KEY: json.loads(files.read_bytes(work.path(_name(digest))))}
    except (OSError, ValueError):
        return {}
    found = probe.of_machine(facts)
    return facts if found is not None and found.digest.startswith(digest) else {}


def _name(digest: str) -> str:
    return f"probe-{digest}.json"
