"""`check`: whether a model takes the feature that a feature set holds."""

import sys
from typing import Any

from audiopipe.configs.base import Config
from audiopipe.errors import ArgumentError, ConfigMismatchError
from audiopipe.feature_sets import expected_configs, fingerprints
from audiopipe.feature_sets.described_sets import DescribedSets
from audiopipe.feature_sets.feature_set import FeatureSet
from audiopipe.feature_sets.identities import Identity


def check(model: Any, features: Any = None) -> None:
    """Raises an error unless a model takes the feature that a feature set holds.

    The front end of a model, a layer from `config.layer()`, says which feature it takes, and so does its stamp, see
    `Config.stamp_model`. If it has both, they must agree.

    Args:
        model: A Keras model or layer; an object that `tf.saved_model.load` returned; or the path of a `.keras` file or
            a SavedModel, which is not loaded.
        features: The features that the model is trained on or evaluated with: the folder of a feature set, a
            `FeatureSet`, a view of one or a list of these; a dataset that `audiopipe.hf` made; or a config, a
            registered name or a `Transform` that computes the features. None checks only the model itself. A model of a
            normalized feature takes no features without the normalization. If `load(sets, config=model)` applies it for
            you, pass the view `sets.normalized(audiopipe.fingerprint_of(model).config)`.

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
        audiopipe.errors.ConfigMismatchError: The model takes another feature...
    """
    found = fingerprints.fingerprint_of(model)
    if features is not None:
        Expectation(features).check(found)


class Expectation:
    """What a model must take.

    Args:
        features: As for `check`. They are opened here, once.
    """

    def __init__(self, features: Any):
        tensorflow = sys.modules.get("tensorflow")
        is_data = tensorflow is not None and isinstance(features, tensorflow.data.Dataset)
        if is_data or hasattr(features, "__array__"):
            raise ArgumentError(
                f"Arrays and a tf.data.Dataset do not say which feature they hold. Received: {features!r:.200}. Pass "
                "the feature set, the config or the Transform that they were made with."
            )
        # The text of a config is long, and the message lists the fields that differ anyway.
        is_config = isinstance(features, Config)
        self._name = f"The {type(features).__name__} that was passed" if is_config else f"{features!r:.300}"
        self._sets = FeatureSet(features) if isinstance(features, (list, tuple)) else features
        self._identity = fingerprints.identity_of(self._sets)

    def check(self, model: Identity) -> None:
        """Raises an error unless a model takes these features.

        Args:
            model: Identity of the feature that the model takes.
        """
        expected, found = model, self._identity
        try:
            if isinstance(self._sets, DescribedSets):  # a view says more of its features than its config
                self._sets.expect(expected.config, expected.kernel_version)
            else:
                here = found.config, found.kernel_version
                expected_configs.check(self._name, *here, expected.config, expected.kernel_version)
        except ConfigMismatchError as error:
            raise ConfigMismatchError(f"The model takes another feature (the expected one below). {error}") from error
