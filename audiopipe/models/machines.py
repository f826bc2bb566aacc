"""Whether this machine computes the features that a model was trained on."""

from typing import Any

from audiopipe.feature_sets import machine_checks
from audiopipe.feature_sets.identities import TrainedOn
from audiopipe.transform import probe


def differences(stamp: TrainedOn) -> str:
    """Describes how features that are computed here differ from those that a model was trained on.

    If the model was trained on stored features that were normalized on reading, the machines of its stamp computed the
    features before the normalization.

    Args:
        stamp: What the stamp of the model says.

    Returns:
        A description, or an empty string if the facts about the machines agree, or the bits do.
    """
    base = stamp.config.without_normalization
    of_base: list[dict[str, Any]] = []
    others: list[dict[str, Any]] = []
    for facts in stamp.machines:
        found = probe.of_machine(facts)
        (of_base if found is not None and found.fingerprint == base.fingerprint else others).append(facts)
    texts = (
        machine_checks.differences(of_base, base, stamp.kernel_version),
        machine_checks.differences(others, stamp.config, stamp.kernel_version),
    )
    return " ".join(filter(None, texts))
