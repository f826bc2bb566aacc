"""Layer that masks bins and frames at random."""

from typing import Any

import keras
import tensorflow as tf

from audiopipe import checks
from audiopipe.layers.random_layer import RandomLayer


@keras.saving.register_keras_serializable(package="audiopipe")
class SpecAugment(RandomLayer):
    """Random masks over bins and over frames, in training only (Park et al. 2019, arXiv:1904.08779).

    The width of a mask is uniform in 0 .. `mask_param`, and its start is uniform over all positions where it fits.
    Masks may overlap. All channels of an example have the same masks, but each example has its own. Every call draws
    new masks, also inside a `tf.function` and a `tf.data` map. In a graph with an unknown number of frames or bins,
    masks are at most as wide as the spectrogram.

    Args:
        freq_mask_param: Maximum width of a mask over bins. If 0, no bins are masked.
        time_mask_param: Maximum width of a mask over frames. If 0, no frames are masked.
        n_freq_masks: Number of masks over bins.
        n_time_masks: Number of masks over frames.
        mask_value: Value of masked bins and frames.
        data_format: `"channels_last"`, `"channels_first"` or `"default"`, which follows Keras's setting.
        seed: Integer seed. New layers with the same seed draw the same masks. None means a random seed.

    Input shape:
        `(batch, frames, bins, channels)`, or `(batch, channels, frames, bins)` for `channels_first`. Real.

    Output shape:
        Same as the input.

    Raises:
        ArgumentError: If an argument is out of range, or if the input is not of rank 4. Also if the input has fewer
            frames or bins than the maximum width of a mask, in training or in a model of fixed size.

    Example:
        >>> spectrogram = tf.ones([1, 50, 40, 1])
        >>> layer = SpecAugment(freq_mask_param=10, time_mask_param=20, seed=7)
        >>> bool(tf.reduce_any(layer(spectrogram, training=True) == 0.0))
        True
        >>> bool(tf.reduce_any(layer(spectrogram) == 0.0))
        False
    """

    def __init__(
        self,
        freq_mask_param: int,
        time_mask_param: int,
        n_freq_masks: int = 1,
        n_time_masks: int = 1,
        mask_value: float = 0.0,
        data_format: str = "default",
        seed: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(data_format=data_format, seed=seed, **kwargs)
        self.freq_mask_param = checks.integer("freq_mask_param", freq_mask_param, minimum=0)
        self.time_mask_param = checks.integer("time_mask_param", time_mask_param, minimum=0)
        self.n_freq_masks = checks.integer("n_freq_masks", n_freq_masks, minimum=0)
        self.n_time_masks = checks.integer("n_time_masks", n_time_masks, minimum=0)
        self.mask_value = checks.real("mask_value", mask_value)

    def augment(self, inputs):
        self._check_sizes(inputs.shape)
        masked = self._mask(inputs, self.frame_axis, self.time_mask_param, self.n_time_masks)
        masked |= self._mask(inputs, self.bin_axis, self.freq_mask_param, self.n_freq_masks)
        return tf.where(masked, tf.constant(self.mask_value, inputs.dtype), inputs)

    def _mask(self, spectrogram: tf.Tensor, axis: int, mask_param: int, n_masks: int) -> tf.Tensor:
        """Returns a boolean tensor that is True for masked values.

        Its shape is `[batch, 1, 1, 1]` with the size of the spectrogram at `axis`.
        """
        batch, size = tf.shape(spectrogram)[0], tf.shape(spectrogram)[axis]
        # The remainders favour some widths and starts, but by at most size / 2**31.
        widths, starts = tf.unstack(self.draw([2, batch, n_masks, 1]))
        widths %= tf.minimum(mask_param, size) + 1
        starts %= size - widths + 1
        positions = tf.range(size)
        masked = tf.reduce_any((starts <= positions) & (positions < starts + widths), axis=1)
        return tf.reshape(masked, [batch, *(size if other == axis else 1 for other in (1, 2, 3))])

    def compute_output_spec(self, inputs, **kwargs):
        self._check_sizes(inputs.shape)
        return super().compute_output_spec(inputs, **kwargs)

    def _check_sizes(self, shape: tuple[int | None, ...]) -> None:
        """Raises an error if a mask can be wider than the spectrogram.

        This is not checked in inference, because a model for clips of any length must accept short clips too.
        """
        shape = self.compute_output_shape(shape)
        n_frames, n_bins = shape[self.frame_axis], shape[self.bin_axis]
        for name, size, unit in (("time_mask_param", n_frames, "frames"), ("freq_mask_param", n_bins, "bins")):
            mask_param = getattr(self, name)
            if size is not None and mask_param > size:
                raise checks.fail(name, f"at most {size}, the number of {unit} of {shape}", mask_param)

    def get_config(self):
        return {
            **super().get_config(),
            "freq_mask_param": self.freq_mask_param,
            "time_mask_param": self.time_mask_param,
            "n_freq_masks": self.n_freq_masks,
            "n_time_masks": self.n_time_masks,
            "mask_value": self.mask_value,
        }
