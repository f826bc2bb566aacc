"""Values of a feature where there is no sound: in an all-zero clip, and beyond the end of a clip."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from audiopipe.configs import clip_lengths
from audiopipe.errors import ConfigError
from audiopipe.runtime import forks

if TYPE_CHECKING:
    from audiopipe.configs.base import Config

MAX_SAMPLES = 1 << 30  # no clip needs as many for one frame


def of_zeros(config: Config) -> float | np.ndarray:
    """Computes the values of a frame of an all-zero clip with the layer of a config.

    Returns:
        A float if all values are equal. Otherwise a read-only float32 array that broadcasts to `[bins, channels]`,
        where an axis along which the values are equal has size 1. If the config keeps all channels, `[bins, channels]`
        is the shape for a clip of one channel.

    Raises:
        ForkError: If this process was forked after TensorFlow had run.
    """
    forks.check()
    import tensorflow as tf

    channels = config.channels or 1
    shape = (1, _shortest_clip(config), channels)
    if config.input_data_format == "channels_first":
        shape = (shape[0], shape[2], shape[1])
    with tf.init_scope():  # the first use may be inside the graph of a tf.data map
        feature = config.layer()(tf.zeros(shape)).numpy()[0]
    values = np.moveaxis(feature, (config.frame_axis, config.channel_axis), (0, -1))[0]
    return smallest(values + np.float32(0))  # -0.0 becomes 0.0


def frame(padding: float | np.ndarray, config: Config, channels: int) -> np.ndarray:
    """Returns one frame of padding for a clip with a number of channels, see `Config.padding_frame`."""
    shape = (1, config.n_bins, channels * len(config.quantities))
    values = np.broadcast_to(for_channels(padding, config, channels), shape)
    if config.output_data_format == "channels_first":
        values = np.transpose(values, (2, 0, 1))
    return np.ascontiguousarray(values)


def for_channels(padding: float | np.ndarray, config: Config, channels: int) -> np.ndarray:
    """Returns padding as float32 that broadcasts to `[bins, channels of the feature]` of a clip with some channels."""
    values = np.atleast_2d(np.asarray(padding, np.float32))
    if values.shape[-1] in (1, channels * len(config.quantities)):
        return values
    return np.repeat(of_one_channel(values, config), channels, axis=-1)


def of_one_channel(padding: np.ndarray, config: Config) -> np.ndarray:
    """Returns the padding `[..., quantities]` of a clip of one channel."""
    return padding if padding.shape[-1] == 1 else padding[..., :: config.channels or 1]


def _shortest_clip(config: Config) -> int:
    """Returns the smallest number of samples, at least 1, that has a valid frame.

    Raises:
        ConfigError: If no clip of a reasonable length has one.
    """
    samples = max(1, clip_lengths.fewest_samples(config, 1, valid=True))
    if samples > MAX_SAMPLES:
        raise ConfigError(
            "A long clip must have at least one valid frame. Received: "
            f"{type(config).__name__}.valid_frames({MAX_SAMPLES}) is {config.valid_frames(MAX_SAMPLES)}. Correct "
            "`n_frames` or `valid_frames` of this class."
        )
    return samples


def smallest(values: np.ndarray) -> float | np.ndarray:
    """Reduces an axis of `[bins, channels]` to size 1 if all values along it are equal, and one value to a float."""
    for axis in (0, 1):
        first = np.take(values, [0], axis)
        if (values == first).all():
            values = first
    if values.size == 1:
        return float(values.item())
    values.setflags(write=False)
    return values
