"""Layer that masks bins and frames at random."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from audiopipe import checks
from audiopipe.errors import ArgumentError
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
        mask_value: Value of masked bins and frames. A number, or an array or nested list that broadcasts to
            `[bins, channels]`, with the channels last for `channels_first` too. The default is loud in decibels: pass
            `config.silence` for a feature of a config.
        data_format: `"channels_last"`, `"channels_first"` or `"default"`, which follows Keras's setting.
        seed: Integer seed. New layers with the same seed draw the same masks. None means a random seed.

    Input shape:
        `(batch, frames, bins, channels)`, or `(batch, channels, frames, bins)` for `channels_first`. Real.

    Output shape:
        Same as the input.

    Raises:
        ArgumentError: If an argument is out of range, or if the input is not of rank 4. Also, in training or in a
            model of fixed size, if the input has fewer frames or bins than the maximum width of a mask, or other
            numbers of bins and channels than the mask value.

    Example:
        >>> spectrogram = tf.ones([1, 50, 40, 1])
        >>> layer = SpecAugment(freq_mask_param=10, time_mask_param=20, seed=7)
        >>> bool(tf.reduce_any(layer(spectrogram, training=True) == 0.0))
        True
        >>> bool(tf.reduce_any(layer(spectrogram) == 0.0))
        False
        >>> from audiopipe import registry
        >>> SpecAugment(10, 20, mask_value=registry.get("speech-mel-80").silence).mask_value
        -50.0
    """

    def __init__(
        self,
        freq_mask_param: int,
        time_mask_param: int,
        n_freq_masks: int = 1,
        n_time_masks: int = 1,
        mask_value: float | Sequence[Any] | np.ndarray = 0.0,
        data_format: str = "default",
        seed: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(data_format=data_format, seed=seed, **kwargs)
        self.freq_mask_param = checks.integer("freq_mask_param", freq_mask_param, minimum=0)
        self.time_mask_param = checks.integer("time_mask_param", time_mask_param, minimum=0)
        self.n_freq_masks = checks.integer("n_freq_masks", n_freq_masks, minimum=0)
        self.n_time_masks = checks.integer("n_time_masks", n_time_masks, minimum=0)
        self.mask_value = _checked_mask_value(mask_value)

    def augment(self, inputs):
        self._check_sizes(inputs.shape)
        masked = self._mask(inputs, self.frame_axis, self.time_mask_param, self.n_time_masks)
        masked |= self._mask(inputs, self.bin_axis, self.freq_mask_param, self.n_freq_masks)
        return tf.where(masked, self._values(inputs), inputs)

    def _values(self, spectrogram: tf.Tensor) -> tf.Tensor:
        """Returns the mask value in a shape that broadcasts to the spectrogram, and to nothing larger."""
        value = tf.constant(self.mask_value, spectrogram.dtype)
        if value.shape.rank == 0:
            return value
        shape = tf.shape(spectrogram)
        value = tf.broadcast_to(value, [shape[self.bin_axis], shape[self.channel_axis]])[None, None]
        return tf.transpose(value, [0, 3, 1, 2]) if self.channel_axis == 1 else value

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
        sizes = np.shape(self.mask_value)
        wanted = (n_bins, shape[self.channel_axis])[2 - len(sizes) :]
        if any(size not in (1, other) for size, other in zip(sizes, wanted, strict=True) if other is not None):
            raise ArgumentError(
                f"mask_value must be a number or broadcast to [bins, channels], [{n_bins}, "
                f"{shape[self.channel_axis]}]. Received: an array of shape {sizes}. If the config keeps all channels, "
                "config.silence is that of one channel: repeat each quantity for every channel."
            )

    def get_config(self):
        return {
            **super().get_config(),
            "freq_mask_param": self.freq_mask_param,
            "time_mask_param": self.time_mask_param,
            "n_freq_masks": self.n_freq_masks,
            "n_time_masks": self.n_time_masks,
            "mask_value": np.asarray(self.mask_value).tolist(),
        }


def _checked_mask_value(value: Any) -> float | np.ndarray:
    """Returns a number as a float, and an array or a nested list of numbers as float64 of rank 1 or 2.

    Raises:
        ArgumentError: If a value is not a finite number, or the rank is higher.
    """
    if not isinstance(value, (list, tuple, np.ndarray)):
        return checks.real("mask_value", value)
    try:
        array = np.asarray(value)
    except ValueError:  # lists of unequal lengths
        array = np.empty(0)
    if array.ndim == 0:
        return checks.real("mask_value", array.item())
    if array.ndim > 2 or array.size == 0 or array.dtype.kind not in "fiu" or not np.isfinite(array).all():
        raise checks.fail("mask_value", "finite, a number or an array that broadcasts to [bins, channels]", value)
    return array.astype(np.float64)
