"""Identity of a feature, and the texts in which models and datasets carry it."""

import json
from dataclasses import dataclass

from audiopipe import configs
from audiopipe.configs.base import Config


@dataclass(frozen=True, kw_only=True)
class Identity:
    """Identity of the feature that something was built for.

    Args:
        config: Config of the feature.
        kernel_version: Kernel version of the feature.
        frozen: Whether the computation was saved, as in a SavedModel, or its results were, as in a feature set. If
            False, the installed version of audiopipe computes the feature.
    """

    config: Config
    kernel_version: int
    frozen: bool

    @property
    def fingerprint(self) -> str:
        """Fingerprint of the feature: 64 hexadecimal characters."""
        return self.config.fingerprint_at(self.kernel_version)


def current(config_json: str) -> Identity:
    """Returns the identity of a layer whose feature the installed version computes."""
    config = configs.from_json(config_json)
    return Identity(config=config, kernel_version=config.kernel_version, frozen=False)


def stamped(text: str | None) -> Identity | None:
    """Returns the identity in a stamp, or None if the text is not a stamp or lacks the kernel version."""
    try:
        stamp = json.loads(text or "")
        fields, kernel_version = stamp["config"], stamp["kernel_version"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    if type(kernel_version) is not int:
        return None
    return Identity(config=configs.from_dict(fields), kernel_version=kernel_version, frozen=True)
