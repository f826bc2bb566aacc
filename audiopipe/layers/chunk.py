"""Layer that cuts or pads a waveform to a chunk."""

from typing import Any

import keras
import tensorflow as tf

from audiopipe import checks
from audiopipe.errors import ArgumentError
from audiopipe.layers.waveform_layer import WaveformLayer


@keras.saving.register_keras_serializable(package="audiopipe")
class Chunk(WaveformLayer):
    """Chunk of a waveform: a longer waveform is cut or refused, a shorter one is padded with as few zeros as needed.

    The feature of silent frames is known, so they need not be computed. A shorter waveform therefore gets `margin`
    zeros, and then more zeros up to a multiple of `multiple`. It never becomes longer than the chunk.

    Args:
        n_samples: Number of samples in a chunk.
        margin: Minimum number of zeros after a shorter waveform. None pads it to the full chunk.
        multiple: The length of a padded waveform is a multiple of this number, unless it fills the chunk.
        data_format: `"channels_last"`, `"channels_first"` or `"default"`, which follows Keras's setting.
        fill: `"zeros"` pads a shorter waveform with zeros only. `"repeat"` first repeats it as often as whole
            repetitions fit in the chunk, as the padding `"repeatpad"` of
            [CLAP](https://github.com/huggingface/transformers/blob/main/src/transformers/models/clap/feature_extraction_clap.py).
            The margin comes after the repetitions. A waveform without samples is padded with zeros.
        longer: What happens to a waveform of more than `n_samples` samples: `"cut"` keeps its beginning, and `"error"`
            refuses it.

    Input shape:
        `(batch, time, channels)`, or `(batch, channels, time)` for `channels_first`.

    Output shape:
        Same as the input, with at most `n_samples` samples.

    Raises:
        ArgumentError: If an argument is out of range, or if the input is not of rank 3 or is longer than the chunk with
            `longer="error"`. In a graph that does not know the length, the last is an `InvalidArgumentError` of
            TensorFlow.

    Example:
        >>> layer = Chunk(5, margin=1, data_format="channels_first")
        >>> [layer(tf.ones([1, 1, time])).numpy()[0, 0].tolist() for time in (2, 7)]
        [[1.0, 1.0, 0.0], [1.0, 1.0, 1.0, 1.0, 1.0]]
        >>> Chunk(5, fill="repeat")(tf.constant([[[1.0], [2.0]]])).numpy().ravel()
        array([1., 2., 1., 2., 0.], dtype=float32)
    """

    whole_clip = "each clip gets a fixed length"

    def __init__(
        self,
        n_samples: int,
        margin: int | None = None,
        multiple: int = 1,
        data_format: str = "default",
        fill: str = "zeros",
        longer: str = "cut",
        **kwargs: Any,
    ):
        super().__init__(data_format, **kwargs)
        self.n_samples = checks.integer("n_samples", n_samples, minimum=1)
        self.margin = None if margin is None else checks.integer("margin", margin, minimum=0)
        self.multiple = checks.integer("multiple", multiple, minimum=1)
        self.fill = checks.choice("fill", fill, ("zeros", "repeat"))
        self.longer = checks.choice("longer", longer, ("cut", "error"))
        self.most_samples = self.n_samples if longer == "cut" else self.n_samples + 1  # one more is an error

    def call(self, waveform):
        """Cuts or pads a batch of waveforms."""
        output_shape = self.check_input(waveform)
        axis = self.time_axis
        if self.longer == "error" and waveform.shape[axis] is None:
            waveform = self._not_longer(waveform)
        waveform = waveform[:, : self.n_samples] if axis == 1 else waveform[:, :, : self.n_samples]
        time = tf.shape(waveform)[axis] if waveform.shape[axis] is None else waveform.shape[axis]
        if self.fill == "repeat":
            repetitions = self._repetitions(time)
            waveform = tf.tile(waveform, [repetitions if place == axis else 1 for place in range(3)])
            time *= repetitions
        missing = self._padded_length(time) - time
        sizes = tf.shape(waveform)
        zeros = tf.zeros([missing if place == axis else sizes[place] for place in range(3)], waveform.dtype)
        padded = tf.concat([waveform, zeros], axis=axis)  # three times as fast as tf.pad
        return tf.ensure_shape(padded, output_shape)

    def compute_output_shape(self, input_shape):
        shape = list(super().compute_output_shape(input_shape))
        time = shape[self.time_axis]
        if time is not None:
            if time > self.n_samples and self.longer == "error":
                raise ArgumentError(f"{self._too_long} Received: shape={tuple(input_shape)}.")
            time = min(time, self.n_samples)
            time *= self._repetitions(time) if self.fill == "repeat" else 1
            shape[self.time_axis] = self._padded_length(time)
        elif self.margin is None:
            shape[self.time_axis] = self.n_samples
        return tuple(shape)

    @property
    def _too_long(self) -> str:
        return (
            f"The input of {type(self).__name__} '{self.name}' must have at most n_samples={self.n_samples} samples. "
            "Cut the recording into segments, or keep only its beginning with longer='cut'."
        )

    def _not_longer(self, waveform: tf.Tensor) -> tf.Tensor:
        """Returns the waveform, which makes the graph fail if it is longer than the chunk."""
        check = tf.debugging.assert_less_equal(tf.shape(waveform)[self.time_axis], self.n_samples, self._too_long)
        with tf.control_dependencies([check]):
            return tf.identity(waveform)

    def _repetitions(self, time: Any) -> Any:
        """Returns how often a waveform of `time` samples fits in the chunk, for `time` of at most `n_samples`."""
        return self.n_samples // (max(time, 1) if isinstance(time, int) else tf.maximum(time, 1))

    def _padded_length(self, time: Any) -> Any:
        """Returns the padded length of a waveform of `time` samples, for `time` of at most `n_samples`."""
        if self.margin is None:
            return self.n_samples
        padded = -(-(time + self.margin) // self.multiple) * self.multiple
        return min(padded, self.n_samples) if isinstance(padded, int) else tf.minimum(padded, self.n_samples)

    def get_config(self):
        return {
            **super().get_config(),
            "n_samples": self.n_samples,
            "margin": self.margin,
            "multiple": self.multiple,
            **self.changed_arguments(fill="zeros", longer="cut"),
        }
