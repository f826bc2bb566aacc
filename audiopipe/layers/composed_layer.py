"""Class of all composed layers."""

import contextlib
import functools
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
from audiopipe.layers import clips_of_rows
from audiopipe.layers.audio_layer import AudioLayer, check_waveform_dtype, compute_policy
from audiopipe.layers.statistics_normalization import StatisticsNormalization
from audiopipe.signal import real_arithmetic

_build_lock = threading.RLock()

PIECE_SAMPLES = 1 << 18
"""Number of samples that a graph computes together, so that intermediate results stay in the processor's cache.

With fewer samples, starting the operations costs more than the cache saves. Measured in `benchmarks`, see
docs/concepts/performance.md.
"""

MAX_PIECES = 32


class _EagerGraph:
    """Key of the last eager call, and the graph for it. Keras would save these if they were attributes of the layer."""

    last: tuple[Any, Any] = (None, None)


class _SilentFrames:
    """Frames of silence. Keras would save them if they were an attribute of the layer."""

    def __init__(self) -> None:
        self.frames: dict[Any, np.ndarray] = {}


@keras.saving.register_keras_serializable(package="audiopipe")
class ComposedLayer(keras.Sequential):
    """Keras layer that chains smaller layers, as returned by the functions of `audiopipe.composed`.

    It is a `keras.Sequential`, and `layers` lists the smaller layers. It computes in float64 under a float64 policy,
    and in float32 under every other policy. Only the final result is cast to the policy's compute dtype. A layer that
    was made from a config keeps the config's JSON in every format that a model can be saved in.

    A call takes an optional second input, `lengths`: the number of samples of each clip of a padded batch, int
    `[batch]`. Each clip is then computed from its own samples alone, and the frames beyond its end hold padding, as in
    `audiopipe.Transform`. Without it, each row of the batch counts as one clip, with its padding. The frames at the end
    of a shorter clip then differ. All its frames differ if the result depends on the whole clip: decibels relative to
    the maximum, normalization, fixed lengths. XLA cannot compile clips of different lengths. A model of your own class
    needs `compile(..., jit_compile=False)`, and other models set this themselves.

    Args:
        layers: List of layers, first to last.
        name: Name of the layer.
        config_json: JSON of the config that the layer was made from, or None.
        output_dtype: Dtype of the result. None means the compute dtype of the global policy.
        padding: Value of frames beyond the end of a clip, with `lengths`, before a `StatisticsNormalization` at the
            end. None means the value of silence.

    Input shape:
        Input shape of the first layer, usually `(batch, time, channels)`. Floating-point, or complex if the first layer
        takes a complex spectrogram.

    Output shape:
        Output shape of the last layer.

    Raises:
        ArgumentError: If the input has an integer or half-precision dtype, or `lengths` are no integers `[batch]`
            of at least 0 and at most the samples of a row.

    Example:
        >>> from audiopipe import composed
        >>> layer = composed.get_log_mel_layer(n_fft=400, hop_length=160, normalization="clip")
        >>> audio, lengths = keras.Input((None, 1)), keras.Input((), dtype="int32")
        >>> model = keras.Model([audio, lengths], layer(audio, lengths=lengths))
        >>> model([np.ones((2, 16000, 1), "float32"), np.array([16000, 8000])]).shape
        TensorShape([2, 101, 80, 1])
    """

    def __init__(
        self,
        layers: list[keras.layers.Layer] | None = None,
        name: str | None = None,
        config_json: str | None = None,
        output_dtype: str | None = None,
        padding: float | None = None,
    ):
        super().__init__(name=name)
        self._eager = _EagerGraph()
        self._silent = _SilentFrames()
        self.feature_dtype = output_dtype or keras.config.dtype_policy().compute_dtype
        self.dtype_policy = compute_policy(self.feature_dtype)
        for layer in layers or []:
            self.add(layer)
        self.config_json, self.padding = config_json, padding

    def add(self, layer, rebuild=True):
        """Adds a layer at the end. Removes the config and the padding, as the result is no longer that feature."""
        super().add(layer, rebuild)
        self.config_json = self.padding = None

    def pop(self, rebuild=True):
        """Removes the last layer, and the config and the padding, as the result is no longer that feature."""
        self.config_json = self.padding = None
        return super().pop(rebuild)

    def append_normalization(self, layer: StatisticsNormalization, config_json: str) -> None:
        """Adds the last step of a normalized config. The padding is kept, and is normalized as well.

        Args:
            layer: The step.
            config_json: JSON of the normalized config.
        """
        padding = self.padding
        self.add(layer)
        self.config_json, self.padding = config_json, padding

    def __call__(self, inputs, lengths=None, **kwargs):
        inputs = inputs if hasattr(inputs, "dtype") else np.asarray(inputs)
        dtype = keras.backend.standardize_dtype(inputs.dtype)
        if "complex" in self._input_dtype:
            self.layers[0].compute_output_dtype(dtype)  # refuses real values, which Keras would cast to complex
        else:
            check_waveform_dtype(dtype, self)
        if lengths is not None:
            lengths = lengths if hasattr(lengths, "dtype") else np.asarray(lengths)
            clips_of_rows.check(lengths, inputs, self)
            self.supports_jit = False  # clips of different lengths have no fixed shapes
            kwargs["lengths"] = lengths
        outputs = super().__call__(inputs, **kwargs)
        if self.config_json is not None:
            with contextlib.suppress(AttributeError):  # pairs of real parts take no attributes
                setattr(outputs, model_stamps.MARK, self.config_json)  # `FeatureStamp` reads it
        return outputs

    @property
    def _input_dtype(self) -> str:
        """Dtype of the input, which is complex if the first layer takes a complex spectrogram."""
        first = self.layers[0] if self.layers else self
        return str(getattr(first, "model_input_dtype", first.compute_dtype))

    def build(self, input_shape=None):
        # Threads that call a new layer at the same time would each add an input layer.
        with _build_lock:
            if not self.built:  # type: ignore[has-type]
                self._build(input_shape)
                self.built = True  # Keras sets it only after the lock is released

    def _build(self, input_shape: Any) -> None:
        has_input_layer = self._layers and isinstance(self._layers[0], keras.layers.InputLayer)
        if input_shape is not None and not has_input_layer:
            input_shape = self._variable_shape(input_shape)
            # The input layer that Keras would add is never complex.
            self._layers.insert(0, keras.layers.InputLayer(batch_shape=input_shape, dtype=self._input_dtype))
        super().build(input_shape)

    def call(self, inputs, lengths=None, training=None, mask=None):
        """Computes the feature of a batch of clips."""
        if self.config_json is not None and not tf.executing_eagerly():
            # This constant in the graph of a SavedModel identifies the feature. The kernel version is the current one,
            # because the graph freezes the current numerics. The layer may have been made with another version.
            config = json.loads(self.config_json)
            stamp = {"config": config, "kernel_version": kernel_versions.VERSIONS.get(config["feature"])}
            tf.constant(json.dumps(stamp, sort_keys=True), name=model_stamps.NODE)
        if lengths is not None:
            if tf.executing_eagerly():
                return self._graph(inputs, lengths)
            return clips_of_rows.compute(self, inputs, lengths)
        if real_arithmetic.active() or not self._is_fixed:
            return self.apply_layers(inputs)
        return self._graph(inputs) if tf.executing_eagerly() else self._in_pieces(inputs)

    def apply_layers(self, inputs: Any) -> Any:
        """Applies the layers, first to last."""
        for layer in self.layers:
            # A layer of Keras may have been added at the end. It has no `call_real`, and it needs none.
            inputs = getattr(layer, "call_real", layer)(inputs) if real_arithmetic.active() else layer(inputs)
        if isinstance(inputs, real_arithmetic.ComplexParts):
            return inputs
        return inputs if inputs.dtype.is_complex else tf.cast(inputs, self.feature_dtype)

    @property
    def _is_fixed(self) -> bool:
        """True if the result depends only on the input: no layer has trained weights or random state."""
        return all(isinstance(layer, AudioLayer) and not layer.variables for layer in self.layers)

    def _in_pieces(self, inputs: tf.Tensor) -> tf.Tensor:
        """Applies the layers to a few clips at a time if the shape is known. The bits are the same."""
        pieces = self._pieces(inputs)
        # tf.data does not inline functions, so in its maps a batch takes 50 % longer in pieces.
        if len(pieces) < 2 or tf.compat.v1.get_default_graph().name.startswith("Dataset_"):
            return self.apply_layers(inputs)
        # A separate function is traced only once for all pieces of the same size.
        piece = tf.function(self.apply_layers, autograph=False)
        return tf.concat([piece(clips) for clips in tf.split(inputs, pieces)], axis=0)

    def _pieces(self, inputs: tf.Tensor) -> list[int]:
        """Returns the number of clips in each piece of a batch.

        The list is empty if pieces would not be faster or if the shape is unknown.
        """
        shape = inputs.shape
        if not (shape.is_fully_defined() and getattr(self.layers[0], "takes_waveform", False)):
            return []
        feature = self.compute_output_spec(keras.KerasTensor(shape, dtype=self._input_dtype)).shape
        if math.prod(feature) > math.prod(shape):  # joining such large pieces costs as much time as they save
            return []
        clip = max(1, math.prod(shape[1:]))
        size = max(1, round(PIECE_SAMPLES / clip), math.ceil(shape[0] / MAX_PIECES))
        whole, rest = divmod(shape[0], size)
        return [size] * whole + [rest] * (rest > 0)

    def _graph(self, inputs: tf.Tensor, *lengths: tf.Tensor) -> tf.Tensor:
        """Applies the layers as a graph, because eager calls spend more time between operations than in them.

        Tracing a graph takes as long as about twenty eager calls, so the first call with a key runs without one.
        """
        shape = self._variable_shape(inputs.shape)
        compute = functools.partial(clips_of_rows.compute, self) if lengths else self.apply_layers
        key = (tuple(self.layers), shape, inputs.dtype, len(lengths))
        last_key, graph = self._eager.last
        if last_key != key:
            self._eager.last = key, None
            return compute(inputs, *lengths)
        if graph is None:
            signature = [tf.TensorSpec(shape, inputs.dtype), *[tf.TensorSpec([None], tf.int32)] * len(lengths)]
            graph = tf.function(compute, input_signature=signature, autograph=False)
            self._eager.last = key, graph
        return graph(inputs, *[tf.cast(numbers, tf.int32) for numbers in lengths])

    def _variable_shape(self, shape: Any) -> tuple[int | None, ...]:
        """Returns `shape` with None for every size but that of the channels, for batches and clips of any length."""
        channels_axis = 1 if self.is_channels_first else len(shape) - 1
        return tuple(size if axis == channels_axis else None for axis, size in enumerate(shape))

    @property
    def silent_frames(self) -> dict[Any, np.ndarray]:
        """Frames of silence that were computed before, see `audiopipe.layers.clips_of_rows`."""
        return self._silent.frames

    @property
    def is_channels_first(self) -> bool:
        """Whether the channels come first in the input."""
        first = self.layers[0]
        return getattr(first, "input_data_format", getattr(first, "data_format", None)) == "channels_first"

    def compute_output_spec(self, inputs, lengths=None, training=None, mask=None):
        for layer in self.layers:
            inputs = layer.compute_output_spec(inputs)
        dtype = inputs.dtype if "complex" in inputs.dtype else self.feature_dtype
        return keras.KerasTensor(inputs.shape, dtype=dtype)

    def get_config(self):
        config = {**super().get_config(), "config_json": self.config_json, "output_dtype": self.feature_dtype}
        if self.padding is not None:
            config["padding"] = self.padding
        if self.config_json is not None:
            config[model_stamps.DIGEST] = model_stamps.digest(config)
        return config

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects=None):
        if model_stamps.is_edited(config):
            raise FingerprintError(
                f"The layers and the padding of {config.get('name')!r} must match the config that was saved with them, "
                f"but one of these was edited. Received: config_json={config['config_json']!r:.200}, "
                f"padding={config.get('padding')!r}. Save the model again with a layer from config.layer()."
            )
        config = {name: value for name, value in config.items() if name != model_stamps.DIGEST}
        config_json, output_dtype = config.pop("config_json"), config.pop("output_dtype")
        padding = config.pop("padding", None)
        layer = super().from_config(config, custom_objects)
        layer.config_json, layer.feature_dtype, layer.padding = config_json, output_dtype, padding
        layer.dtype_policy = compute_policy(output_dtype)
        return layer

    def save_assets(self, dir_path: str) -> None:
        """Writes the config to a `.keras` file, called by Keras.

        For a subclass of `keras.Model`, the file does not list the layers, so it has no other record of the config.
        """
        if self.config_json is not None:
            (Path(dir_path) / model_stamps.ASSET).write_text(self.config_json, encoding="utf-8")
