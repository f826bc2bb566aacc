"""Whether this machine computes the features that a model was trained on."""

from typing import Any

from audiopipe.configs.base import Config
from audiopipe.feature_sets import machine_checks
from audiopipe.feature_sets.identities import TrainedOn
from audiopipe.feature_sets.machine_checks import MachineCheck
from audiopipe.transform import probe


def checks(stamp: TrainedOn) -> list[MachineCheck]:
    """Compares what the machines of a stamp computed with what this machine computes.

    Args:
        stamp: What the stamp of the model says.

    Returns:
        The comparison of each machine, whether or not a fact about it differs.
    """
    return [
        found
        for machines, config in _grouped(stamp)
        for found in machine_checks.check(machines, config, stamp.kernel_version, always=True)
    ]


def differences(stamp: TrainedOn) -> str:
    """Describes how features that are computed here differ from those that a model was trained on.

    Args:
        stamp: What the stamp of the model says.

    Returns:
        A description, or an empty string if the facts about the machines agree, or the bits do.
    """
    texts = [machine_checks.differences(machines, config, stamp.kernel_version) for machines, config in _grouped(stamp)]
    return " ".join(filter(None, texts))


def _grouped(stamp: TrainedOn) -> list[tuple[list[dict[str, Any]], Config]]:
    """Returns the machines of a stamp with the config of what they computed.

    If the model was trained on stored features that were normalized on reading, the machines computed the features
    before the normalization.
    """
    base = stamp.config.without_normalization
    of_base: list[dict[str, Any]] = []
    others: list[dict[str, Any]] = []
    for facts in stamp.machines:
        found = probe.of_machine(facts)
        (of_base if found is not None and found.fingerprint == base.fingerprint else others).append(facts)
    return [(of_base, base), (others, stamp.config)]
