"""Identity of a feature, and the texts in which models and datasets carry it."""

import json
from dataclasses import dataclass, field
from typing import Any

from audiopipe import configs
from audiopipe.configs.base import Config
from audiopipe.errors import FingerprintError
from audiopipe.identity import model_stamps

FRONT_END = "front end"
STAMP = "stamp"


@dataclass(frozen=True, kw_only=True)
class Identity:
    """Identity of a feature, as `fingerprint_of` returns it: its config and its kernel version.

    Args:
        config: Config of the feature.
        kernel_version: Kernel version of the feature.
        frozen: Whether the computation was saved, as in a SavedModel, or its results were, as in a feature set. If
            False, the installed version of audiopipe computes the feature.
        origin: Part of a model that carries the identity: `"front end"`, `"stamp"` or `"front end and stamp"`. None for
            everything else. Comparisons ignore it.
    """

    config: Config
    kernel_version: int
    frozen: bool
    origin: str | None = field(default=None, compare=False)

    @property
    def fingerprint(self) -> str:
        """Fingerprint of the feature: 64 hexadecimal characters."""
        return self.config.fingerprint_at(self.kernel_version)


@dataclass(frozen=True, kw_only=True)
class TrainedOn(Identity):
    """Identity of the feature that a model was trained on, as its stamp says.

    Args:
        machines: What the stamp says about each kind of machine that computed the features.
    """

    origin: str | None = field(default=STAMP, compare=False)
    machines: list[dict[str, Any]] = field(default_factory=list, compare=False)


def current(config_json: str) -> Identity:
    """Returns the identity of a layer whose feature the installed version computes."""
    config = configs.from_json(config_json)
    return Identity(config=config, kernel_version=config.kernel_version, frozen=False, origin=FRONT_END)


def stamped(text: str | None, origin: str | None = None) -> Identity | None:
    """Returns the identity in a stamp, or None if the text is not a stamp or lacks the kernel version."""
    try:
        stamp = json.loads(text or "")
        fields, kernel_version = stamp["config"], stamp["kernel_version"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    if type(kernel_version) is not int:
        return None
    return Identity(config=configs.from_dict(fields), kernel_version=kernel_version, frozen=True, origin=origin)


def trained_on(text: str) -> TrainedOn:
    """Returns the identity in a stamp of `audiopipe.layers.FeatureStamp`.

    Raises:
        FingerprintError: If the text is not a stamp, or was edited.
        ConfigError: If its config cannot be read.
    """
    try:
        content = model_stamps.parse(text)
    except ValueError as error:
        raise FingerprintError(f"The stamp of the model is damaged: {error}. Stamp the model again.") from error
    identity = TrainedOn(
        config=configs.from_dict(content["config"]),
        kernel_version=content["kernel_version"],
        frozen=True,
        machines=content["machines"],
    )
    if identity.fingerprint != content["fingerprint"]:
        raise FingerprintError(
            f"The stamp of the model was edited: its config {identity.config!r} has the fingerprint "
            f"{identity.fingerprint}, but the stamp has {content['fingerprint']}. Stamp the model again."
        )
    return identity
