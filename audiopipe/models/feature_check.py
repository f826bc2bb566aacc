"""`FeatureCheck`: a callback that refuses to train a model on another feature than its own."""

from typing import Any

import keras

from audiopipe.feature_sets import fingerprints
from audiopipe.models import checking


class FeatureCheck(keras.callbacks.Callback):
    """Callback of `fit`, `evaluate` and `predict` that refuses a model of another feature.

    It runs `audiopipe.check` before the first batch. It compares the model with the features that you name here. It
    does not see the batches, so name the set that you load them from.

    Args:
        features: What the model is trained on or evaluated with, as for `audiopipe.check`. It is opened once, here.

    Raises:
        AudiopipeError: If `features` cannot be opened, or it is not known which feature they are. When the callback
            runs, the errors of `audiopipe.check`.

    Example:
        >>> from audiopipe import FeatureSet, load, tfdata
        >>> sets = FeatureSet("tests/data/v0.1/features")
        >>> model = keras.Sequential(
        ...     [keras.Input((None, 20, 1)), keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(1)]
        ... )
        >>> model = sets.config.stamp_model(model)
        >>> model.compile("sgd", "mse")
        >>> batches = tfdata.padded_batch(load(sets, config=model, columns=["gain"]), 2, model)
        >>> batches = batches.map(lambda batch: (batch["feature"], batch["gain"]))
        >>> _ = model.fit(batches, verbose=0, callbacks=[FeatureCheck(sets)])
    """

    def __init__(self, features: Any):
        super().__init__()
        self._expectation = checking.Expectation(features)

    def on_train_begin(self, logs: Any = None) -> None:
        """Checks the model before `fit` reads a batch."""
        self._check()

    def on_test_begin(self, logs: Any = None) -> None:
        """Checks the model before `evaluate` reads a batch."""
        self._check()

    def on_predict_begin(self, logs: Any = None) -> None:
        """Checks the model before `predict` reads a batch."""
        self._check()

    def _check(self) -> None:
        self._expectation.check(fingerprints.fingerprint_of(self.model))
