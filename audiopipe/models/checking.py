"""`check`: whether a model takes the feature that a feature set holds."""

import sys
from typing import Any

from audiopipe.errors import ArgumentError, ConfigMismatchError
from audiopipe.feature_sets import fingerprints
from audiopipe.feature_sets.feature_set import FeatureSet
from audiopipe.feature_sets.identities import Identity
from audiopipe.feature_sets.single_identity import difference


def check(model: Any, features: Any = None) -> None:
    """Raises an error unless a model takes the feature that a feature set holds.

    A model says which feature it takes by its front end, a layer from `config.layer()`, or by its stamp, see
    `Config.stamp_model`. If it has both, they must agree.

    Args:
        model: A Keras model or layer; an object that `tf.saved_model.load` returned; or the path of a `.keras` file or
            a SavedModel, which is not loaded.
        features: What the model is trained on or evaluated with: the folder of a feature set, a `FeatureSet`, a view of
            one or a list of these; a dataset that `audiopipe.hf` made; or a config, a registered name or a `Transform`
            that computes the features. None checks only the model itself.

    Raises:
        ConfigMismatchError: If the model takes another feature, or the model computes another feature than the one that
            it was trained on. The message lists the differences.
        FingerprintError: If the model says nothing about its feature, or has several.
        AudiopipeError: If `features` cannot be opened, or it is not known which feature they are.

    Example:
        >>> import keras
        >>> from audiopipe import FeatureSet, registry
        >>> sets = FeatureSet("tests/data/v0.1/features")
        >>> model = keras.Sequential([keras.Input((None, 20, 1)), keras.layers.GlobalAveragePooling2D()])
        >>> check(sets.config.stamp_model(model), sets)
        >>> check(sets.config.stamp_model(model), "speech-mel-80")
        Traceback (most recent call last):
            ...
        audiopipe.errors.ConfigMismatchError: The model takes another feature than that of 'speech-mel-80'...
    """
    found = fingerprints.fingerprint_of(model)
    if features is not None:
        compare(found, identity_of(features), described(features))


def compare(model: Identity, features: Identity, name: str) -> None:
    """Raises an error unless a model and features have one fingerprint.

    Args:
        model: Identity of the feature that the model takes.
        features: Identity of the features.
        name: What the features are, for the message.
    """
    if model.fingerprint == features.fingerprint:
        return
    raise ConfigMismatchError(
        f"The model takes another feature than that of {name}. The model takes (left, fingerprint "
        f"{model.fingerprint}) and the features are (right, fingerprint {features.fingerprint}):\n"
        f"{difference(model, features)}\nUse features of the config of the model, "
        "audiopipe.fingerprint_of(model).config, or train a model on these features."
    )


def identity_of(features: Any) -> Identity:
    """Returns the identity of what `check` compares a model with."""
    tensorflow = sys.modules.get("tensorflow")
    if tensorflow is not None and isinstance(features, tensorflow.data.Dataset):
        raise ArgumentError(
            f"A tf.data.Dataset does not say which feature its elements are. Received: features={features!r}. Pass the "
            "feature set, the config or the Transform that it was made with."
        )
    if isinstance(features, (list, tuple)):
        features = FeatureSet(features)
    return fingerprints.identity_of(features)


def described(features: Any) -> str:
    """Returns what the features are, for error messages."""
    text = repr(features)
    return text if len(text) <= 200 else f"{text[:200]} ..."
