"""Layer that extends a waveform at both ends as the frames of a front end need it."""

import dataclasses
from typing import Any

import keras
import tensorflow as tf

from audiopipe.layers.waveform_layer import WaveformLayer
from audiopipe.signal import edges as clip_edges
from audiopipe.signal.edges import EdgeFraming
from audiopipe.signal.framing import any_samples


@keras.saving.register_keras_serializable(package="audiopipe")
class EdgePadding(WaveformLayer):
    """Extension of a waveform, so that an `STFT` has the frames of librosa, Kaldi or another library.

    The result begins with the first sample of the first window and ends with the last sample of the last window. An
    `STFT` with the same `n_fft`, `win_length` and `hop_length`, and without padding of its own, computes the frames.
    Samples that no window needs are left out, at the beginning if the first window starts after the first sample, and
    at the end. If the window lies elsewhere in a frame, the magnitudes are the same, but the phases differ.

    A waveform that is shorter than its extension is reflected several times, and a single sample is repeated. A
    waveform that has no frames becomes empty.

    Args:
        n_fft: Length of the Fourier transform, in samples.
        win_length: Length of the window, at most `n_fft`. None means `n_fft`.
        hop_length: Samples between neighbouring frames. None means `win_length // 4`, but at least 1.
        frame_length: Number of samples that a frame needs, at least `win_length`: `n_fft` in librosa and torch,
            `win_length` in Kaldi and `tf.signal`. None means `n_fft` if the window is centred in the frame, otherwise
            `win_length`.
        window_position: Where the window lies in the frame, `"start"` or `"center"`. None means `"start"` for the edges
            `"snip"` and `"midpoint"`, and `"center"` for `"center"` and `"same"`.
        edges: How frames meet the ends of the clip. `"snip"` takes only frames that lie within the clip, as Kaldi's
            `snip_edges=True`. `"center"` centres frames at the samples 0, `hop_length`, `2 * hop_length`, ..., as
            `center=True` of librosa and torch. `"same"` extends the clip by `(frame_length - hop_length) // 2` samples
            on both sides, as HiFi-GAN. `"midpoint"` centres frames in the middle of each hop, as Kaldi's
            `snip_edges=False`.
        pad_mode: What extends the clip, by the names of `numpy.pad`: `"constant"` (zeros), `"reflect"` or
            `"symmetric"`. None means `"constant"` for `"center"`, `"reflect"` for `"same"` and `"symmetric"` for
            `"midpoint"`. It must be None for `"snip"`.
        data_format: `"channels_last"`, `"channels_first"` or `"default"`, which follows Keras's setting.

    Input shape:
        `(batch, time, channels)`, or `(batch, channels, time)` for `channels_first`.

    Output shape:
        Same as the input, with `(frames - 1) * hop_length + win_length` samples, or none if there are no frames.

    Raises:
        ArgumentError: If an argument is out of range or contradicts another one, or if the input is not of rank 3.

    Example:
        >>> layer = EdgePadding(n_fft=4, hop_length=2, edges="center", pad_mode="reflect")
        >>> layer(tf.reshape([1.0, 2.0, 3.0], [1, 3, 1])).numpy()[0, :, 0]
        array([3., 2., 1., 2., 3., 2.], dtype=float32)
    """

    extends_clip = True

    def __init__(
        self,
        n_fft: int = 512,
        win_length: int | None = None,
        hop_length: int | None = None,
        frame_length: int | None = None,
        window_position: str | None = None,
        edges: str = clip_edges.CENTER,
        pad_mode: str | None = None,
        data_format: str = "default",
        **kwargs: Any,
    ):
        super().__init__(data_format, **kwargs)
        self.framing = EdgeFraming.resolve(
            n_fft=n_fft,
            win_length=win_length,
            hop_length=hop_length,
            frame_length=frame_length,
            window_position=window_position,
            edges=edges,
            pad_mode=pad_mode,
        )

    def call(self, waveform):
        """Extends a batch of waveforms."""
        output_shape = self.check_input(waveform)
        axis = self.time_axis
        time = tf.shape(waveform)[axis] if waveform.shape[axis] is None else waveform.shape[axis]
        start = -self.framing.before
        stop = start + self.framing.n_samples(self.framing.n_frames(time))
        # Positions from `start` to `stop` lie before the clip, in it or after it.
        first, last = _between(0, start, stop), _between(time, start, stop)
        inside = waveform[:, first:last] if axis == 1 else waveform[:, :, first:last]
        before = self._extension(waveform, time, start, first)
        after = self._extension(waveform, time, last, stop)
        return tf.ensure_shape(tf.concat([before, inside, after], axis=axis), output_shape)

    def _extension(self, waveform: tf.Tensor, time: Any, start: Any, stop: Any) -> tf.Tensor:
        """Returns what stands at the positions from `start` to `stop`, which lie before or after the clip."""
        if self.framing.pad_mode in (None, clip_edges.CONSTANT):
            sizes = tf.shape(waveform)
            return tf.zeros(
                [stop - start if place == self.time_axis else sizes[place] for place in range(3)], waveform.dtype
            )
        at_least_one = time + 1 - any_samples(time)  # an empty clip has no frames, so that nothing is taken from it
        sources = clip_edges.sources(tf.range(start, stop), at_least_one, self.framing.pad_mode)
        return tf.gather(waveform, sources, axis=self.time_axis)

    def compute_output_shape(self, input_shape):
        shape = list(super().compute_output_shape(input_shape))
        time = shape[self.time_axis]
        shape[self.time_axis] = None if time is None else self.framing.n_samples(self.framing.n_frames(time))
        return tuple(shape)

    def get_config(self):
        return {**super().get_config(), **dataclasses.asdict(self.framing)}


def _between(position: Any, start: Any, stop: Any) -> Any:
    """Returns the position between `start` and `stop` that is closest to `position`: ints or tensors."""
    if all(isinstance(value, int) for value in (position, start, stop)):
        return min(max(position, start), stop)
    return tf.minimum(tf.maximum(position, start), stop)
