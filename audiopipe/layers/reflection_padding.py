"""Layer that pads a waveform by reflection."""

from typing import Any

import keras
import tensorflow as tf

from audiopipe import checks
from audiopipe.layers.waveform_layer import WaveformLayer
from audiopipe.signal.framing import any_samples


@keras.saving.register_keras_serializable(package="audiopipe")
class ReflectionPadding(WaveformLayer):
    """Padding of a waveform by reflection on both sides, as with `numpy.pad(mode="reflect")`.

    The first and the last sample are not repeated. A waveform shorter than the padding is reflected several times. A
    single sample is repeated, and a waveform without samples is not padded.

    Args:
        before: Number of samples to add before the waveform.
        after: Number of samples to add after the waveform.
        data_format: `"channels_last"`, `"channels_first"` or `"default"`, which follows Keras's setting.

    Input shape:
        `(batch, time, channels)`, or `(batch, channels, time)` for `channels_first`.

    Output shape:
        Same as the input, with `before + time + after` samples.

    Raises:
        ArgumentError: If an argument is out of range, or if the input is not of rank 3.

    Example:
        >>> layer = ReflectionPadding(2, 3, data_format="channels_first")
        >>> layer(tf.constant([[[1.0, 2.0, 3.0]]])).numpy()
        array([[[3., 2., 1., 2., 3., 2., 1., 2.]]], dtype=float32)
    """

    extends_clip = True

    def __init__(self, before: int, after: int, data_format: str = "default", **kwargs: Any):
        super().__init__(data_format, **kwargs)
        self.before = checks.integer("before", before, minimum=0)
        self.after = checks.integer("after", after, minimum=0)

    def call(self, waveform):
        """Pads a batch of waveforms."""
        self.check_input(waveform)
        axis = self.time_axis
        time = tf.shape(waveform)[axis] if waveform.shape[axis] is None else waveform.shape[axis]
        last = time - any_samples(time)

        def reflected(start, stop):
            # An endless reflection takes its samples from a triangle wave of indices: 0 1 .. last .. 1 0 1 ..
            sources = last - tf.abs(tf.range(start, stop) % tf.maximum(2 * last, 1) - last)
            return tf.gather(waveform, sources, axis=axis)

        begin = reflected(-self.before * any_samples(time), 0)
        end = reflected(time, time + self.after * any_samples(time))
        return tf.concat([begin, waveform, end], axis=axis)

    def compute_output_shape(self, input_shape):
        shape = list(super().compute_output_shape(input_shape))
        time = shape[self.time_axis]
        shape[self.time_axis] = None if time is None else time + (self.before + self.after) * any_samples(time)
        return tuple(shape)

    def get_config(self):
        return {**super().get_config(), "before": self.before, "after": self.after}
