"""Layer that appends frames to a clip."""

from typing import Any

import keras
import tensorflow as tf

from audiopipe import checks
from audiopipe.errors import ArgumentError
from audiopipe.layers.spectrogram_layer import PerBin, SpectrogramLayer, canonical_per_bin, plain_per_bin


@keras.saving.register_keras_serializable(package="audiopipe")
class PadFrames(SpectrogramLayer):
    """Padding with frames of one value: a fixed number of them, or as many as a fixed length needs.

    Args:
        count: Number of frames to append, at least 1. A clip without frames gets them as well.
        n_frames: Number of frames of the result, at least 1. Longer clips are cut. Give either this or `count`.
        value: Value of the appended frames, or a sequence of one value for each bin.
        data_format: `"channels_last"`, `"channels_first"` or `"default"`, which follows Keras's setting.

    Input shape:
        `(batch, frames, bins, channels)`, or `(batch, channels, frames, bins)` for `channels_first`. Real.

    Output shape:
        Same as the input, with `frames + count` or with `n_frames` frames.

    Raises:
        ArgumentError: If an argument is out of range, if both or none of `count` and `n_frames` are given, or if the
            input is not of rank 4.

    Example:
        >>> clip = tf.ones([1, 2, 1, 1])
        >>> PadFrames(count=1, value=-1.0)(clip).numpy().ravel()
        array([ 1.,  1., -1.], dtype=float32)
        >>> [PadFrames(n_frames=frames)(clip).numpy().ravel().tolist() for frames in (1, 3)]
        [[1.0], [1.0, 1.0, 0.0]]

    See Also:
        `CutFrames`: drops frames.
    """

    def __init__(
        self,
        count: int | None = None,
        n_frames: int | None = None,
        value: PerBin = 0.0,
        data_format: str = "default",
        **kwargs: Any,
    ):
        super().__init__(data_format, **kwargs)
        if (count is None) == (n_frames is None):
            raise ArgumentError(
                f"PadFrames needs either count or n_frames. Received: count={count!r}, n_frames={n_frames!r}. Give "
                f"count to append frames, or n_frames for a fixed number of frames."
            )
        self.count = None if count is None else checks.integer("count", count, minimum=1)
        self.n_frames = None if n_frames is None else checks.integer("n_frames", n_frames, minimum=1)
        self.value = canonical_per_bin("value", value)
        if self.count is not None:
            self.frame_context = 0, 0
        else:
            self.most_frames = self.n_frames
            self.whole_clip = "each clip gets a fixed number of frames"

    def call(self, spectrogram):
        """Pads a batch of spectrograms."""
        shape = self.check_input(spectrogram)
        axis = self.frame_axis
        if self.n_frames is not None:
            spectrogram = spectrogram[:, : self.n_frames] if axis == 1 else spectrogram[:, :, : self.n_frames]
        sizes = tf.unstack(tf.shape(spectrogram))
        sizes[axis] = self.count or self.n_frames - sizes[axis]
        value = self.per_bin(self.value, spectrogram.dtype)
        padded = tf.concat([spectrogram, tf.broadcast_to(value, sizes)], axis=axis)  # three times as fast as tf.pad
        return tf.ensure_shape(padded, shape)

    def compute_output_shape(self, input_shape):
        shape = list(super().compute_output_shape(input_shape))
        self.check_bins(tuple(shape), "value", self.value)
        frames = shape[self.frame_axis]
        if self.count is None:
            shape[self.frame_axis] = self.n_frames
        elif frames is not None:
            shape[self.frame_axis] = frames + self.count
        return tuple(shape)

    def get_config(self):
        return {
            **super().get_config(),
            "count": self.count,
            "n_frames": self.n_frames,
            "value": plain_per_bin(self.value),
        }
