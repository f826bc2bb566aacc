"""Layer that computes the rate of change of a spectrogram."""

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from audiopipe import checks
from audiopipe.layers.spectrogram_layer import SpectrogramLayer
from audiopipe.signal import ops

MODES = ("symmetric", "reflect", "constant", "edge", "interp")


@keras.saving.register_keras_serializable(package="audiopipe")
class Delta(SpectrogramLayer):
    """Rate of change of each bin over time: the slope of a line fitted to `win_length` frames.

    With `n = (win_length - 1) / 2`, the slope at frame t is the sum of `k * (x[t + k] - x[t - k])` for `k = 1 .. n`,
    divided by `2 * (1 + 4 + .. + n**2)`. Apply the layer twice to compute the acceleration.

    Args:
        win_length: Number of frames, odd and at least 3.
        mode: Frames beyond the first and the last one. `"symmetric"` mirrors the clip, `"reflect"` mirrors it without
            repeating the outermost frame, `"constant"` adds zeros, and `"edge"` repeats the outermost frame as HTK,
            Kaldi and torchaudio do. `"interp"` uses no such frames: the outermost frames take the slope of the first or
            last window inside the clip, as in librosa, and a clip of fewer frames than a window has slopes of 0
            (librosa raises an error). Not case-sensitive.
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

    See Also:
        `Deltas`: appends slopes to the bins.
    """

    def __init__(self, win_length: int = 5, mode: str = "symmetric", data_format: str = "default", **kwargs: Any):
        super().__init__(data_format=data_format, **kwargs)
        self.win_length = checks.integer("win_length", win_length, minimum=3)
        if self.win_length % 2 == 0:
            raise checks.fail("win_length", "odd, so that it has a middle frame", win_length)
        self.mode = checks.choice("mode", mode.lower() if isinstance(mode, str) else mode, MODES)
        self.frame_context = self._reach(1)

    def call(self, spectrogram):
        """Computes the rate of change of a batch of spectrograms."""
        shape = self.check_input(spectrogram)
        return tf.ensure_shape(self._slopes(spectrogram), shape)

    def _reach(self, order: int) -> tuple[int, int]:
        """Returns how many frames before and after a frame its derivative of some order depends on."""
        # With "interp", the outermost frames depend on a whole window, and the second order is that of the same window.
        reach = self.win_length - 1 if self.mode == "interp" else order * (self.win_length // 2)
        return reach, reach

    def _slopes(self, spectrogram: tf.Tensor) -> tf.Tensor:
        """Returns the slope at each frame."""
        reach = self.win_length // 2
        weights = [k / (2 * sum(k * k for k in range(1, reach + 1))) for k in range(1, reach + 1)]
        return self._weighted(spectrogram, weights, lambda before, _, after: after - before)

    def _weighted(self, spectrogram: tf.Tensor, weights: list[float], term: Callable) -> tf.Tensor:
        """Returns the sum of `weights[k - 1] * term(x[t - k], x[t], x[t + k])` at each frame t."""
        reach = self.win_length // 2
        n_frames = tf.shape(spectrogram)[self.frame_axis]
        extended = self._extended(spectrogram, n_frames, reach)

        def shifted(frames: int) -> tf.Tensor:
            part = slice(reach + frames, reach + frames + n_frames)
            return extended[:, part] if self.frame_axis == 1 else extended[:, :, part]

        terms = [
            term(shifted(-k), spectrogram, shifted(k)) * tf.constant(weight, spectrogram.dtype)
            for k, weight in enumerate(weights, start=1)
        ]
        # The order of the sum is fixed. A convolution chooses its own, and a graph reorders a chain of ten additions.
        total = ops.pairwise_sum(tf.stack(terms), axis=0)
        return self._inner(total, n_frames, reach) if self.mode == "interp" else total

    def _inner(self, slopes: tf.Tensor, n_frames: tf.Tensor, reach: int) -> tf.Tensor:
        """Returns slopes that depend on no frame beyond the clip: each that does becomes the nearest one that does not.

        The slope of a line is the same along the whole line, so this is what librosa's interpolation computes.
        """
        last = tf.maximum(n_frames - 1 - reach, 0)
        places = tf.minimum(tf.maximum(tf.range(n_frames), reach), last)
        inner = tf.gather(slopes, places, axis=self.frame_axis)
        return tf.where(n_frames >= self.win_length, inner, tf.zeros([], slopes.dtype))

    def _extended(self, spectrogram: tf.Tensor, n_frames: tf.Tensor, reach: int) -> tf.Tensor:
        """Returns the spectrogram with `reach` more frames on both sides.

        Mirroring does not use `tf.pad`, which needs more than `reach` frames.
        """
        if self.mode == "constant":
            return tf.pad(spectrogram, [[0, 0] if axis != self.frame_axis else [reach, reach] for axis in range(4)])
        reach = tf.minimum(reach, n_frames * reach)  # a clip without frames has nothing to mirror or to repeat
        places = tf.range(-reach, n_frames + reach)
        if self.mode in ("edge", "interp"):
            places = tf.minimum(tf.maximum(places, 0), n_frames - 1)
        else:
            once = self.mode == "reflect"  # the outermost frame is not repeated
            period = tf.maximum(2 * (n_frames - 1) if once else 2 * n_frames, 1)
            places = tf.math.floormod(places, period)
            places = tf.minimum(places, period - (0 if once else 1) - places)
        return tf.gather(spectrogram, places, axis=self.frame_axis)

    def get_config(self):
        return {**super().get_config(), "win_length": self.win_length, "mode": self.mode}
