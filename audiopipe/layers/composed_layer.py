"""The class of all composed layers."""

import json
import math
import threading
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from audiopipe.errors import FingerprintError
from audiopipe.identity import kernel_versions, model_stamps
from audiopipe.layers.audio_layer import AudioLayer, check_waveform_dtype, compute_policy
from audiopipe.signal import real_arithmetic

_building = threading.RLock()

PIECE_SAMPLES = 1 << 18
"""Samples of the clips that a graph computes together: so few that what is made of them stays in a processor's cache.

Fewer cost more in starting operations than they save. Measured in `benchmarks`, see docs/performance.md.
"""

MOST_PIECES = 32


class _EagerGraph:
    """What the last eager call was for, and its graph. Keras would save it with the layer if it stood there."""

    last: tuple[Any, Any] = (None, None)


@keras.saving.register_keras_serializable(package="audiopipe")
class ComposedLayer(keras.Sequential):
    """A Keras layer made of smaller ones: what the functions of `audiopipe.composed` return.

    It is a `keras.Sequential` whose layers can be taken one by one from `layers`. Whatever the policy, it computes in
    float32 (float64 under a float64 policy); only the last result is cast to the policy's compute dtype. When it was
    made from a config, it carries the config's JSON through every way of saving a model.

    Args:
        layers: The layers, first to last.
        name: Name of the layer.
        config_json: JSON of the config that it was made from, or None.
        output_dtype: Dtype of the result. None means the compute dtype of the global policy.

    Input shape:
        That of the first layer, usually `(batch, time, channels)`. Floating point, or complex where the first layer
        takes a spectrogram.

    Output shape:
        That of the last layer.

    Raises:
        ArgumentError: If the input holds integers or half-precision numbers.
    """

    def __init__(
        self,
        layers: list[keras.layers.Layer] | None = None,
        name: str | None = None,
        config_json: str | None = None,
        output_dtype: str | None = None,
    ):
        super().__init__(name=name)
        self._eager = _EagerGraph()
        self.feature_dtype = output_dtype or keras.config.dtype_policy().compute_dtype
        self.dtype_policy = compute_policy(self.feature_dtype)
        for layer in layers or []:
            self.add(layer)
        self.config_json = config_json

    def add(self, layer, rebuild=True):
        """Add a layer behind the others. What is computed then is no longer the feature of a config."""
        super().add(layer, rebuild)
        self.config_json = None

    def pop(self, rebuild=True):
        """Remove the last layer. What is computed then is no longer the feature of a config."""
        self.config_json = None
        return super().pop(rebuild)

    def __call__(self, inputs, *args, **kwargs):
        inputs = inputs if hasattr(inputs, "dtype") else np.asarray(inputs)
        dtype = keras.backend.standardize_dtype(inputs.dtype)
        if "complex" in self._input_dtype:
            self.layers[0].compute_output_dtype(dtype)  # refuses real values, which Keras would make complex
        else:
            check_waveform_dtype(dtype, self)
        return super().__call__(inputs, *args, **kwargs)

    @property
    def _input_dtype(self) -> str:
        """Dtype of what goes in: complex where the first layer takes a spectrogram."""
        first = self.layers[0] if self.layers else self
        return str(getattr(first, "model_input_dtype", first.compute_dtype))

    def build(self, input_shape=None):
        with _building:  # threads that call a new layer at once would each add an input layer
            if not self.built:  # type: ignore[has-type]
                self._build(input_shape)
                self.built = True  # which Keras says only when the next thread may have come in

    def _build(self, input_shape: Any) -> None:
        has_input_layer = self._layers and isinstance(self._layers[0], keras.layers.InputLayer)
        if input_shape is not None and not has_input_layer:
            input_shape = self._of_any_length(input_shape)
            # Keras would make one of its own, which is never complex.
            self._layers.insert(0, keras.layers.InputLayer(batch_shape=input_shape, dtype=self._input_dtype))
        super().build(input_shape)

    def call(self, inputs, training=None, mask=None):
        """Compute the feature of a batch of clips."""
        if self.config_json is not None and not tf.executing_eagerly():
            # A node of the graph, so that a SavedModel tells which feature it was built for. The kernel version is
            # that of the numerics that are frozen with it, which need not be those that the layer was made with.
            config = json.loads(self.config_json)
            stamp = {"config": config, "kernel_version": kernel_versions.VERSIONS.get(config["feature"])}
            tf.constant(json.dumps(stamp, sort_keys=True), name=model_stamps.NODE)
        if real_arithmetic.active() or not self._is_fixed:
            return self._through(inputs)
        return self._graph(inputs) if tf.executing_eagerly() else self._in_pieces(inputs)

    def _through(self, inputs: Any) -> Any:
        """What the layers make of the inputs, one after the other."""
        for layer in self.layers:
            # A layer of Keras may have been added behind ours; it is in real arithmetic as it is.
            inputs = getattr(layer, "call_real", layer)(inputs) if real_arithmetic.active() else layer(inputs)
        if isinstance(inputs, real_arithmetic.ComplexParts):
            return inputs
        return inputs if inputs.dtype.is_complex else tf.cast(inputs, self.feature_dtype)

    @property
    def _is_fixed(self) -> bool:
        """Whether all that the layers do is decided by their arguments: nothing is trained, and nothing drawn."""
        return all(isinstance(layer, AudioLayer) and not layer.variables for layer in self.layers)

    def _in_pieces(self, inputs: tf.Tensor) -> tf.Tensor:
        """`_through` a few clips at a time where their number and length are known, with the same bits."""
        pieces = self._pieces(inputs)
        # In a map of tf.data, which does not inline functions, a batch in pieces takes half as long again.
        if len(pieces) < 2 or tf.compat.v1.get_default_graph().name.startswith("Dataset_"):
            return self._through(inputs)
        # A function of its own is traced once for all pieces of a size.
        piece = tf.function(self._through, autograph=False)
        return tf.concat([piece(clips) for clips in tf.split(inputs, pieces)], axis=0)

    def _pieces(self, inputs: tf.Tensor) -> list[int]:
        """Clips of each piece of a batch; none where that is as fast, or nothing is known."""
        shape = inputs.shape
        if not (shape.is_fully_defined() and getattr(self.layers[0], "takes_waveform", False)):
            return []
        feature = self.compute_output_spec(keras.KerasTensor(shape, dtype=self._input_dtype)).shape
        if math.prod(feature) > math.prod(shape):  # to put such pieces together takes as long as they save
            return []
        clip = max(1, math.prod(shape[1:]))
        size = max(1, round(PIECE_SAMPLES / clip), math.ceil(shape[0] / MOST_PIECES))
        whole, rest = divmod(shape[0], size)
        return [size] * whole + [rest] * (rest > 0)

    def _graph(self, inputs: tf.Tensor) -> tf.Tensor:
        """`_through` as a graph for eager calls, which would spend more time between its operations than in them.

        To trace it takes as long as some twenty calls without it, so the first call does.
        """
        shape = self._of_any_length(inputs.shape)
        key = (tuple(self.layers), shape, inputs.dtype)
        made, graph = self._eager.last
        if made != key:
            self._eager.last = key, None
            return self._through(inputs)
        if graph is None:
            signature = [tf.TensorSpec(shape, inputs.dtype)]
            graph = tf.function(self._through, input_signature=signature, autograph=False)
            self._eager.last = key, graph
        return graph(inputs)

    def _of_any_length(self, shape: Any) -> tuple[int | None, ...]:
        """The shape of an input, of which only the channels are kept: one layer serves every batch and every length."""
        first = self.layers[0]
        data_format = getattr(first, "input_data_format", getattr(first, "data_format", None))
        channels_axis = 1 if data_format == "channels_first" else len(shape) - 1
        return tuple(size if axis == channels_axis else None for axis, size in enumerate(shape))

    def compute_output_spec(self, inputs, training=None, mask=None):
        for layer in self.layers:
            inputs = layer.compute_output_spec(inputs)
        dtype = inputs.dtype if "complex" in inputs.dtype else self.feature_dtype
        return keras.KerasTensor(inputs.shape, dtype=dtype)

    def get_config(self):
        config = {**super().get_config(), "config_json": self.config_json, "output_dtype": self.feature_dtype}
        if self.config_json is not None:
            config[model_stamps.DIGEST] = model_stamps.digest(self.config_json, config["layers"])
        return config

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects=None):
        if model_stamps.is_edited(config):
            raise FingerprintError(
                f"The layers of {config.get('name')!r} are not those that were saved with its config: one of the two "
                f"was edited. Received: config_json={config['config_json']!r}. Save the model again, with the layer "
                "that config.layer() gives."
            )
        config = {name: value for name, value in config.items() if name != model_stamps.DIGEST}
        config_json, output_dtype = config.pop("config_json"), config.pop("output_dtype")
        layer = super().from_config(config, custom_objects)
        layer.config_json, layer.feature_dtype = config_json, output_dtype
        layer.dtype_policy = compute_policy(output_dtype)
        return layer

    def save_assets(self, dir_path: str) -> None:
        """Leave the config in a `.keras` file; Keras calls it. Of a model's subclass the file names no layers."""
        if self.config_json is not None:
            (Path(dir_path) / model_stamps.ASSET).write_text(self.config_json, encoding="utf-8")
