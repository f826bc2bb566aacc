"""Keras model that computes with the graphs of a SavedModel."""

import contextlib
from typing import Any

import keras

from audiopipe.configs import stamping
from audiopipe.errors import ConfigError, FingerprintError, ModelError
from audiopipe.feature_sets import fingerprints
from audiopipe.feature_sets.identities import STAMP
from audiopipe.layers import FeatureStamp

ENDPOINTS = ("serve", "serving_default")  # what `model.export` writes, and what every other SavedModel has


class SavedGraphs(keras.Model):
    """Model that computes with the graphs of a SavedModel, as `audiopipe.load_model` returns it.

    If the graphs have a stamp, the model has it too. It then refuses the feature of another config and a second stamp,
    as the model did that was saved.

    Attributes:
        has_front_end: Whether the graphs compute a feature themselves.

    Args:
        path: Local folder of the SavedModel.
        endpoint: Function to call.
        name: Name of the model.

    Raises:
        ValueError: If there is no such function.
    """

    def __init__(self, path: str, endpoint: str, name: str | None = None):
        super().__init__(name=name, dtype="float32")
        # Under another policy, Keras would cast the inputs to half precision.
        self.graphs = keras.layers.TFSMLayer(path, call_endpoint=endpoint, dtype="float32")
        self._is_signature = not hasattr(self.graphs._reloaded_obj, endpoint)
        self.has_front_end = False
        self._stamp: FeatureStamp | None = None
        with contextlib.suppress(ConfigError, FingerprintError):  # many models have no config, and some have several
            is_stamp_alone = fingerprints.fingerprint_of(self.graphs).origin == STAMP
            self.has_front_end = not is_stamp_alone
            if is_stamp_alone:
                stamp = fingerprints.stamps_of(self.graphs)[0]
                self._stamp = FeatureStamp(stamping.stamp_text(stamp.config, stamp.kernel_version, stamp.machines))
                self._stamp.built = True  # nothing calls it; it is the record that other code looks for

    def __call__(self, inputs, *args, **kwargs):
        if self._stamp is not None:
            self._stamp.check_front_end(inputs)
        return super().__call__(inputs, *args, **kwargs)

    def call(self, inputs, training=None):
        """Computes the outputs of the saved model. A single output of a signature is returned without its name."""
        if isinstance(inputs, tuple):  # `predict` turns lists into tuples, which are another structure for the graphs
            inputs = list(inputs)
        if not self._is_signature:
            return self.graphs(inputs, training=bool(training))
        outputs: dict[str, Any]
        function = self.graphs.call_endpoint_fn
        outputs = function(**inputs) if isinstance(inputs, dict) else function(inputs)
        return next(iter(outputs.values())) if len(outputs) == 1 else outputs

    def get_config(self):
        """Refuses, because a `.keras` file cannot hold the graphs."""
        raise ModelError(
            "A model that was loaded from a SavedModel cannot be part of a .keras file, which describes layers and "
            f"holds no graphs. Received: {self.name!r}. Call it once and save it with model.export(path), or copy the "
            "folder of the SavedModel."
        )
