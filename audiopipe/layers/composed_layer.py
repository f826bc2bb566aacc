"""The class of all composed layers."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from audiopipe import real_arithmetic
from audiopipe.errors import ArgumentError
from audiopipe.layers.audio_layer import compute_policy


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
        self.config_json = config_json
        self.feature_dtype = output_dtype or keras.config.dtype_policy().compute_dtype
        self.dtype_policy = compute_policy(self.feature_dtype)
        for layer in layers or []:
            self.add(layer)

    def __call__(self, inputs, *args, **kwargs):
        inputs = inputs if hasattr(inputs, "dtype") else np.asarray(inputs)
        dtype = keras.backend.standardize_dtype(inputs.dtype)
        if "complex" in self._input_dtype:
            self.layers[0].compute_output_dtype(dtype)  # refuses real values, which Keras would make complex
        else:
            self._check_waveform(dtype)
        return super().__call__(inputs, *args, **kwargs)

    @property
    def _input_dtype(self) -> str:
        """Dtype of what goes in: complex where the first layer takes a spectrogram."""
        first = self.layers[0] if self.layers else self
        return str(getattr(first, "model_input_dtype", first.compute_dtype))

    def _check_waveform(self, dtype: str) -> None:
        if dtype in ("float16", "bfloat16"):
            raise ArgumentError(
                f"A waveform must have at least 32 bits a sample, or decibels are off by up to 2.4. Received: dtype="
                f"{dtype} in '{self.name}'. If a model under a mixed policy cast it, begin the model with "
                f"keras.Input((None, 1))."
            )
        if "float" not in dtype:
            raise ArgumentError(
                f"A waveform must hold floating-point samples with full scale 1.0. Received: dtype={dtype} in "
                f"'{self.name}'. Scale integers first, 16 bits for example with waveform.astype('float32') / 32768."
            )

    def build(self, input_shape=None):
        has_input_layer = self._layers and isinstance(self._layers[0], keras.layers.InputLayer)
        if input_shape is not None and not has_input_layer:
            # Of the first call's shape only the channels are kept: one layer serves every batch and every length.
            first = self.layers[0]
            data_format = getattr(first, "input_data_format", getattr(first, "data_format", None))
            channels_first = data_format == "channels_first"
            channels_axis = 1 if channels_first else len(input_shape) - 1
            input_shape = tuple(size if axis == channels_axis else None for axis, size in enumerate(input_shape))
            # Keras would make one of its own, which is never complex.
            self._layers.insert(0, keras.layers.InputLayer(batch_shape=input_shape, dtype=self._input_dtype))
        super().build(input_shape)

    def call(self, inputs, training=None, mask=None):
        """Compute the feature of a batch of clips."""
        if self.config_json is not None:
            # A node of the graph, so that a SavedModel tells which feature it was built for.
            tf.constant(self.config_json, name="audiopipe_config")
        for layer in self.layers:
            inputs = layer.call_real(inputs) if real_arithmetic.active() else layer(inputs)
        if isinstance(inputs, real_arithmetic.ComplexParts):
            return inputs
        return inputs if inputs.dtype.is_complex else tf.cast(inputs, self.feature_dtype)

    def compute_output_spec(self, inputs, training=None, mask=None):
        for layer in self.layers:
            inputs = layer.compute_output_spec(inputs)
        dtype = inputs.dtype if "complex" in inputs.dtype else self.feature_dtype
        return keras.KerasTensor(inputs.shape, dtype=dtype)

    def get_config(self):
        return {**super().get_config(), "config_json": self.config_json, "output_dtype": self.feature_dtype}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects=None):
        config = dict(config)
        config_json, output_dtype = config.pop("config_json"), config.pop("output_dtype")
        layer = super().from_config(config, custom_objects)
        layer.config_json, layer.feature_dtype = config_json, output_dtype
        layer.dtype_policy = compute_policy(output_dtype)
        return layer
