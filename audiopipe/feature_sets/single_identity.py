"""The one identity that something has, of all that it carries."""

from collections.abc import Iterable

from audiopipe.errors import ConfigError, ConfigMismatchError, FingerprintError
from audiopipe.feature_sets.identities import Identity, TrainedOn


def only(found: Iterable[Identity], searched: str) -> Identity:
    """Returns the identity that all carried ones agree on.

    If a model has a front end and a stamp of the same feature, the result is the identity of the front end.

    Args:
        found: The identities.
        searched: What was searched for them, for error messages.

    Raises:
        FingerprintError: If there is none, or there are several.
        ConfigMismatchError: If a model computes another feature than the one that it was trained on.
    """
    try:
        identities = list(found)
    except ConfigError as error:
        raise FingerprintError(f"The config in {searched} cannot be read: {error}") from error
    stamps = {identity.fingerprint: identity for identity in identities if isinstance(identity, TrainedOn)}
    computed = {identity.fingerprint: identity for identity in identities if not isinstance(identity, TrainedOn)}
    different = list((stamps | computed).values())
    if not different:
        raise FingerprintError(
            f"No config was found. Searched: {searched}. Only layers and datasets that were made from a config carry "
            "one. Build the model with config.layer(), stamp a model that takes features with "
            "config.stamp_model(model), or map the dataset with audiopipe.hf.map. If you know which feature the "
            "columns of a dataset hold, vouch for it: audiopipe.hf.with_digests(dataset, config)."
        )
    if len(different) > 1:
        if len(stamps) == len(computed) == 1:
            [trained_on], [front_end] = stamps.values(), computed.values()
            raise _mismatch(trained_on, front_end, searched)
        raise _several(different, searched)
    [identity] = different
    origins = sorted({item.origin for item in identities if item.origin is not None})
    return Identity(
        config=identity.config,
        kernel_version=identity.kernel_version,
        frozen=identity.frozen,
        origin=" and ".join(origins) or None,
    )


def difference(expected: Identity, found: Identity) -> str:
    """Returns the fields in which two identities differ, one per line."""
    return expected.config.diff(found.config, found.kernel_version, expected.kernel_version)


def _mismatch(trained_on: Identity, computed: Identity, searched: str) -> ConfigMismatchError:
    return ConfigMismatchError(
        f"The model was trained on another feature than the one that it computes. Searched: {searched}. Its stamp says "
        f"(left, fingerprint {trained_on.fingerprint}) and its front end computes (right, fingerprint "
        f"{computed.fingerprint}):\n{difference(trained_on, computed)}\nPut the layer of the config that the model was "
        "trained on in front of it, or train it on the feature of the front end."
    )


def _several(different: list[Identity], searched: str) -> FingerprintError:
    first, *others = different
    lines = [f"{first.fingerprint}: {first.config!r}"]
    for other in others:
        lines.append(f"{other.fingerprint}: differs from the first in {difference(first, other)}".replace("\n", ", "))
    return FingerprintError(
        f"There must be one config. Received: {len(different)} in {searched}:\n" + "\n".join(lines) + "\n"
        "Pass one composed layer at a time: fingerprint_of(model.get_layer(...))."
    )
