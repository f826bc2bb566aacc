"""Rate of change over time."""

from typing import Any

import keras
import tensorflow as tf

from audiopipe import checks
from audiopipe.layers.spectrogram_layer import SpectrogramLayer
from audiopipe.signal import ops

MODES = ("symmetric", "reflect", "constant")


@keras.saving.register_keras_serializable(package="audiopipe")
class Delta(SpectrogramLayer):
    """How fast each bin changes from frame to frame: the slope of a straight line through `win_length` frames.

    With `n = (win_length - 1) / 2` that is the sum of `k * (x[t + k] - x[t - k])` over `k = 1 .. n`, over
    `2 * (1 + 4 + .. + n**2)`. Twice applied, it is the acceleration.

    Args:
        win_length: Number of frames, odd and at least 3.
        mode: What is beyond the first and the last frame: `"symmetric"` repeats the clip backwards, `"reflect"` too
            but without its outermost frame, `"constant"` is zero. Capitals do not matter.
        data_format: `"channels_last"`, `"channels_first"` or `"default"`, which follows Keras's setting.

    Input shape:
        `(batch, frames, bins, channels)`, or `(batch, channels, frames, bins)` for `channels_first`. Real, any number
        of frames and channels.

    Output shape:
        The same.

    Raises:
        ArgumentError: If an argument is out of range, or the input is not of rank 4.

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
        """Compute the rate of change of a batch of spectrograms."""
        shape = self.check_input(spectrogram)
        reach = self.win_length // 2
        n_frames = tf.shape(spectrogram)[self.frame_axis]
        continued = self._continued(spectrogram, n_frames, reach)

        def shifted(frames: int) -> tf.Tensor:
            part = slice(reach + frames, reach + frames + n_frames)
            return continued[:, part] if self.frame_axis == 1 else continued[:, :, part]

        norm = 2 * sum(k * k for k in range(1, reach + 1))
        slopes = [(shifted(k) - shifted(-k)) * tf.constant(k / norm, spectrogram.dtype) for k in range(1, reach + 1)]
        # In a fixed order: a convolution would choose its own, and a graph reorders a chain of ten additions.
        return tf.ensure_shape(ops.pairwise_sum(tf.stack(slopes), axis=0), shape)

    def _continued(self, spectrogram: tf.Tensor, n_frames: tf.Tensor, reach: int) -> tf.Tensor:
        """The spectrogram with `reach` more frames on either side.

        `tf.pad` would need more than `reach` frames to mirror.
        """
        if self.mode == "constant":
            return tf.pad(spectrogram, [[0, 0] if axis != self.frame_axis else [reach, reach] for axis in range(4)])
        once = self.mode == "reflect"  # whether the outermost frame comes once, not twice in a row
        period = tf.maximum(2 * (n_frames - 1) if once else 2 * n_frames, 1)
        reach = tf.minimum(reach, n_frames * reach)  # a clip without frames has none to mirror
        places = tf.math.floormod(tf.range(-reach, n_frames + reach), period)
        return tf.gather(spectrogram, tf.minimum(places, period - (0 if once else 1) - places), axis=self.frame_axis)

    def get_config(self):
        return {**super().get_config(), "win_length": self.win_length, "mode": self.mode}
