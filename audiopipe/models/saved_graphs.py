"""Keras model that computes with the graphs of a SavedModel."""

from typing import Any

import keras

ENDPOINTS = ("serve", "serving_default")  # what `model.export` writes, and what every other SavedModel has


class SavedGraphs(keras.Model):
    """Model that computes with the graphs of a SavedModel, as `audiopipe.load_model` returns it.

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
