"""Layer that appends rates of change to the bins of a spectrogram."""

from typing import Any

import keras
import tensorflow as tf

from audiopipe import checks
from audiopipe.layers.delta import Delta


@keras.saving.register_keras_serializable(package="audiopipe")
class Deltas(Delta):
    """Spectrogram with its rate of change, and with the acceleration, as further bins.

    The slopes are those of `Delta`. The acceleration is the slope of the slopes, and frames beyond the clip are added
    to the slopes again, as in HTK and torchaudio. Kaldi adds frames only once, to the spectrogram, so its acceleration
    differs in the first and the last `win_length // 2` frames. With the mode `"interp"`, the acceleration is the second
    derivative of a parabola fitted to `win_length` frames, as in `librosa.feature.delta` with `order=2`.

    Args:
        order: 1 appends the slopes, 2 the slopes and the acceleration.
        win_length: Number of frames of a fit, odd and at least 3. Kaldi's default is 5 (`delta-window=2`), librosa's 9.
        mode: Frames beyond the first and the last one, see `Delta`.
        data_format: `"channels_last"`, `"channels_first"` or `"default"`, which follows Keras's setting.

    Input shape:
        `(batch, frames, bins, channels)`, or `(batch, channels, frames, bins)` for `channels_first`. Real, usually
        cepstral coefficients.

    Output shape:
        Same as the input, with `(order + 1) * bins` bins: all bins of the input, their slopes, their acceleration.

    Raises:
        ArgumentError: If an argument is out of range, or if the input is not of rank 4.

    Example:
        >>> rising = tf.reshape([0.0, 2.0, 4.0, 6.0, 8.0], [1, 5, 1, 1])
        >>> Deltas(order=1, win_length=3)(rising).numpy()[0, ..., 0].T
        array([[0., 2., 4., 6., 8.],
               [1., 2., 2., 2., 1.]], dtype=float32)
    """

    def __init__(
        self, order: int = 2, win_length: int = 5, mode: str = "edge", data_format: str = "default", **kwargs: Any
    ):
        super().__init__(win_length, mode, data_format, **kwargs)
        self.order = checks.choice("order", order, (1, 2))
        self.frame_context = self._reach(self.order)

    def call(self, spectrogram):
        """Appends the rates of change to a batch of spectrograms."""
        shape = self.check_input(spectrogram)
        parts = [spectrogram, self._slopes(spectrogram)]
        if self.order == 2:
            parts.append(self._curvature(spectrogram) if self.mode == "interp" else self._slopes(parts[1]))
        return tf.ensure_shape(tf.concat(parts, axis=self.bin_axis), shape)

    def _curvature(self, spectrogram: tf.Tensor) -> tf.Tensor:
        """Returns the second derivative of the parabola around each frame.

        A least-squares fit weights `x[t + k]` with `k**2 - mean(k**2)`. These weights sum to zero, so `x[t]` can be
        subtracted from every frame.
        """
        reach = self.win_length // 2
        squares = [k * k for k in range(-reach, reach + 1)]
        mean = sum(squares) / self.win_length
        norm = sum((square - mean) ** 2 for square in squares)
        weights = [2 * (k * k - mean) / norm for k in range(1, reach + 1)]
        return self._weighted(spectrogram, weights, lambda before, now, after: (after - now) - (now - before))

    def compute_output_shape(self, input_shape):
        shape = list(super().compute_output_shape(input_shape))
        if shape[self.bin_axis] is not None:
            shape[self.bin_axis] *= self.order + 1
        return tuple(shape)

    def get_config(self):
        return {**super().get_config(), "order": self.order}
