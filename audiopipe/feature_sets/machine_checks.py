"""Whether this machine computes the features of a feature set, or of anything else that records machines.

If a machine that computed the features differs from this one in any fact, the probe is computed here and compared with
that machine's. What is said is then measured. Without a probe, only the facts can be named.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from audiopipe.configs.base import Config
from audiopipe.runtime import machine_facts
from audiopipe.transform import probe
from audiopipe.transform.probe_verdicts import Verdict


@dataclass(frozen=True, kw_only=True)
class MachineCheck:
    """How another machine compares with this one.

    Args:
        facts: What is recorded about the other machine, as in `dataset.json`.
        different: The facts that differ, with both values.
        deciding: Those of them that are known to change bits.
        verdict: What the probe says. None if the probes cannot be compared, or were not because no fact differs.
    """

    facts: dict[str, Any]
    different: tuple[str, ...]
    deciding: tuple[str, ...]
    verdict: Verdict | None


def check(
    machines: Iterable[dict[str, Any]], config: Config, kernel_version: int | None = None, *, always: bool = False
) -> list[MachineCheck]:
    """Compares the machines that computed some features with this one.

    Args:
        machines: What is recorded about each machine, as in `dataset.json`.
        config: Config of the features.
        kernel_version: Kernel version of the features. None means that of this release.
        always: Whether to compute the probe even if no fact differs.

    Returns:
        The comparison of each machine.
    """
    here, checks = machine_facts.machine(), []
    for facts in machines:
        different = tuple(machine_facts.different_facts(facts, here, every=True))
        deciding = tuple(machine_facts.different_facts(facts, here))
        verdict = probe.verdict(facts, config, kernel_version) if different or always else None
        checks.append(MachineCheck(facts=facts, different=different, deciding=deciding, verdict=verdict))
    return checks


def differences(machines: Iterable[dict[str, Any]], config: Config, kernel_version: int | None = None) -> str:
    """Describes how features that are computed here differ from those of other machines.

    Args:
        machines: As in `check`.
        config: As in `check`.
        kernel_version: As in `check`.

    Returns:
        A description, or an empty string if nothing differs: the facts agree, or every bit of the probes does.

    Example:
        >>> from audiopipe import registry
        >>> mel = registry.get("speech-mel-80")
        >>> facts = probe.record(mel)
        >>> differences([facts, {**facts, "onednn": None}], mel)
        ''
        >>> del facts["probe"]
        >>> differences([{**facts, "onednn": None}], mel)
        'Bits may differ from those computed here: oneDNN None there, ... here. Each rounds float32 in its own way.'
    """
    measured: list[str] = []
    unknown: list[str] = []
    for item in check(machines, config, kernel_version):
        if item.verdict is None:
            unknown += item.deciding
        elif not item.verdict.agrees:
            measured.append(f"{'; '.join(item.different)}: {probe.SUBJECT} {item.verdict.text}")
    return " ".join(filter(None, [*dict.fromkeys(measured), machine_facts.warning_of(unknown)]))
