"""Layer that computes the rate of change of a spectrogram."""

from typing import Any

import keras
import tensorflow as tf

from audiopipe import checks
from audiopipe.layers.spectrogram_layer import SpectrogramLayer
from audiopipe.signal import ops

MODES = ("symmetric", "reflect", "constant")


@keras.saving.register_keras_serializable(package="audiopipe")
class Delta(SpectrogramLayer):
    """Rate of change of each bin over time: the slope of a line fitted to `win_length` frames.

    With `n = (win_length - 1) / 2`, the slope at frame t is the sum of `k * (x[t + k] - x[t - k])` for `k = 1 .. n`,
    divided by `2 * (1 + 4 + .. + n**2)`. Apply the layer twice to compute the acceleration.

    Args:
        win_length: Number of frames, odd and at least 3.
        mode: Frames beyond the first and the last one. `"symmetric"` mirrors the clip, `"reflect"` mirrors it without
            repeating the outermost frame, and `"constant"` adds zeros. Not case-sensitive.
        data_format: `"channels_last"`, `"channels_first"` or `"default"`, which follows Keras's setting.

    Input shape:
        `(batch, frames, bins, channels)`, or `(batch, channels, frames, bins)` for `channels_first`. Real, with any
        number of frames and channels.

    Output shape:
        Same as the input.

    Raises:
        ArgumentError: If an argument is out of range, or if the input is not of rank 4.

    Example:
        >>> rising = tf.reshape([0.0, 2.0, 4.0, 6.0, 8.0], [1, 5, 1, 1])
        >>> Delta(win_length=3)(rising).numpy().ravel()
        array([1., 2., 2., 2., 1.], dtype=float32)
    """

    def __init__(self, win_length: int = 5, mode: str = "symmetric", data_format: str = "default", **kwargs: Any):
        super().__init__(data_format=data_format, **kwargs)
        self.win_length = checks.integer("win_length", win_length, minimum=3)
        if self.win_length % 2 == 0:
            raise checks.fail("win_length", "odd, so that it has a middle frame", win_length)
        self.mode = checks.choice("mode", mode.lower() if isinstance(mode, str) else mode, MODES)

    def call(self, spectrogram):
        """Computes the rate of change of a batch of spectrograms."""
        shape = self.check_input(spectrogram)
        reach = self.win_length // 2
        n_frames = tf.shape(spectrogram)[self.frame_axis]
        extended = self._extended(spectrogram, n_frames, reach)

        def shifted(frames: int) -> tf.Tensor:
            part = slice(reach + frames, reach + frames + n_frames)
            return extended[:, part] if self.frame_axis == 1 else extended[:, :, part]

        norm = 2 * sum(k * k for k in range(1, reach + 1))
        slopes = [(shifted(k) - shifted(-k)) * tf.constant(k / norm, spectrogram.dtype) for k in range(1, reach + 1)]
        # The order of the sum is fixed. A convolution chooses its own, and a graph reorders a chain of ten additions.
        return tf.ensure_shape(ops.pairwise_sum(tf.stack(slopes), axis=0), shape)

    def _extended(self, spectrogram: tf.Tensor, n_frames: tf.Tensor, reach: int) -> tf.Tensor:
        """Returns the spectrogram with `reach` more frames on both sides.

        Mirroring does not use `tf.pad`, which needs more than `reach` frames.
        """
        if self.mode == "constant":
            return tf.pad(spectrogram, [[0, 0] if axis != self.frame_axis else [reach, reach] for axis in range(4)])
        once = self.mode == "reflect"  # the outermost frame is not repeated
        period = tf.maximum(2 * (n_frames - 1) if once else 2 * n_frames, 1)
        reach = tf.minimum(reach, n_frames * reach)  # a clip without frames has nothing to mirror
        places = tf.math.floormod(tf.range(-reach, n_frames + reach), period)
        return tf.gather(spectrogram, tf.minimum(places, period - (0 if once else 1) - places), axis=self.frame_axis)

    def get_config(self):
        return {**super().get_config(), "win_length": self.win_length, "mode": self.mode}
