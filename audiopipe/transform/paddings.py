"""Frames of padding in graphs, where the number of channels of a clip may be unknown."""

import numpy as np
import tensorflow as tf

from audiopipe.configs.base import Config
from audiopipe.configs.silence import for_channels, of_one_channel


def constant(config: Config) -> float | None:
    """Returns the padding of a config if one value fits all bins and channels, otherwise None.

    Example:
        >>> from audiopipe import configs, registry
        >>> constant(registry.get("speech-mel-80")), constant(configs.StftMagPhase(return_decibel=True))
        (-50.0, None)
    """
    padding = config.padding
    return None if np.ndim(padding) else float(padding)


def frame(config: Config, feature: tf.Tensor) -> tf.Tensor:
    """Returns one frame of padding that broadcasts to a feature.

    Args:
        config: The config of the feature.
        feature: `[..., frames, bins, channels]`, or `[..., channels, frames, bins]` for `channels_first`, with any
            number of leading axes. The number of channels may be unknown.

    Returns:
        Tensor of rank 3 and of the dtype of the feature. Axes along which the padding has one value are of size 1.

    Example:
        >>> from audiopipe import configs
        >>> config = configs.StftMagPhase(return_decibel=True, channels=None, output_data_format="channels_last")
        >>> frame(config, tf.zeros([16, 100, 1025, 4])).numpy()
        array([[[-50., -50.,   0.,   0.]]], dtype=float32)
    """
    padding = np.atleast_2d(np.asarray(config.padding, np.float32))
    quantities, axis = len(config.quantities), config.channel_axis - 3
    channels = feature.shape[axis]
    if padding.shape[-1] == 1:
        values = tf.constant(padding)
    elif channels is not None:
        values = tf.constant(for_channels(padding, config, channels // quantities))
    else:
        values = tf.repeat(of_one_channel(padding, config), tf.shape(feature)[axis] // quantities, axis=-1)
    values = values[None]
    if config.output_data_format == "channels_first":
        values = tf.transpose(values, [2, 0, 1])
    return tf.cast(values, feature.dtype)


def pad_frames(config: Config, feature: tf.Tensor, n_frames: int | tf.Tensor) -> tf.Tensor:
    """Appends frames of padding to a feature.

    Args:
        config: The config of the feature.
        feature: `[..., frames, bins, channels]`, or `[..., channels, frames, bins]` for `channels_first`, with any
            number of leading axes.
        n_frames: Number of frames of the result, at least that of the feature.

    Returns:
        The feature with `n_frames` frames. The bits of its own frames do not change.

    Example:
        >>> from audiopipe import registry
        >>> pad_frames(registry.get("speech-mel-80"), tf.zeros([1, 80, 1]), 3).numpy()[:, 0, 0]
        array([  0., -50., -50.], dtype=float32)
    """
    rank, axis = feature.shape.rank, config.frame_axis - 3
    value = constant(config)
    missing = n_frames - tf.shape(feature)[axis]
    if value is not None:
        amounts = [[0, missing if place == rank + axis else 0] for place in range(rank)]
        return tf.pad(feature, amounts, constant_values=tf.cast(value, feature.dtype))
    shape = [missing if place == rank + axis else size for place, size in enumerate(tf.unstack(tf.shape(feature)))]
    return tf.concat([feature, tf.broadcast_to(frame(config, feature), shape)], axis=axis)
