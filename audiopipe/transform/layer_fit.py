"""Check that the layer of a config computes the feature that the config describes.

Config classes of other packages define both. Without the check, a mistake in one of them would show as a mismatch of
shapes in a graph, or as a wrong axis in a figure.
"""

import functools
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from audiopipe.configs import Config, clip_lengths, config_classes
from audiopipe.errors import ConfigError, ForkError
from audiopipe.runtime import forks
from audiopipe.wording import noun_of

FRAMES = 3  # of the clip that is checked, so that a wrong number of frames is not mistaken for a single one
METHODS = {"frames": "`n_frames`", "bins": "`n_bins` and `frequencies`", "channels": "`quantities`"}


@functools.lru_cache(maxsize=64)
def check(config: Config) -> None:
    """Raises an error if the layer of a config from another package does not compute what the config says.

    The layer is made, and the shape of its result for a clip of a few frames is compared. The layer computes this clip
    if it does not know the shape in advance, but not in a process in which TensorFlow would hang.

    Raises:
        ConfigError: If the numbers of frames, bins or channels, the dtype, or the config that the layer keeps differ.
    """
    if config_classes.is_own(type(config)):
        return
    name, layer = type(config).__name__, config.layer()
    if getattr(layer, "config_json", None) != config.to_json():
        raise ConfigError(
            f"{name}.layer must return a layer that keeps the config, so that models say which feature they use. "
            f"Received: config_json={getattr(layer, 'config_json', None)!r:.200}. Return an "
            "audiopipe.layers.ComposedLayer, and set layer.config_json = self.to_json()."
        )
    n_samples, channels = max(1, clip_lengths.fewest_samples(config, FRAMES)), config.channels or 1
    if n_samples >= clip_lengths.MAX_SAMPLES:
        n_samples = max(1, clip_lengths.fewest_samples(config, 1))  # the feature has fewer frames for every clip
    clip = (n_samples, channels) if config.input_data_format == "channels_last" else (channels, n_samples)
    shape, dtype = _result(layer, (1, *clip))
    expected = (1, *config.feature_shape(int(config.n_frames(n_samples)), channels))
    if shape is not None and shape != expected:
        raise ConfigError(_mismatch(config, n_samples, channels, expected[1:], shape[1:]))
    if dtype != "float32":
        raise ConfigError(f"{name}.layer must return float32. Received: {dtype}. Cast the result of the last layer.")
    frequencies = np.shape(config.frequencies())
    if frequencies != (config.n_bins,):
        raise ConfigError(
            f"{name}.frequencies must return one number for each of the {config.n_bins} bins. Received: an array of "
            f"shape {frequencies}. Correct `n_bins` or `frequencies` of this class."
        )


def _result(layer: Any, shape: tuple[int, ...]) -> tuple[tuple[int, ...] | None, str]:
    """Returns the shape and the dtype of what a layer computes. The shape is None if it cannot be known here."""
    result = layer.compute_output_spec(keras.KerasTensor(shape, dtype="float32"))
    if None not in result.shape:
        return tuple(result.shape), result.dtype
    try:
        forks.check()
    except ForkError:
        return None, result.dtype
    with tf.init_scope():  # a transform may be made in the graph of a tf.data map
        return tuple(layer(tf.zeros(shape)).shape), result.dtype


def _mismatch(
    config: Config, n_samples: int, channels: int, expected: tuple[int | None, ...], found: tuple[int, ...]
) -> str:
    axes = ["frames", "bins"]
    axes.insert(0 if config.output_data_format == "channels_first" else 2, "channels")
    if len(found) == len(expected):
        wrong = [axis for axis, *sizes in zip(axes, expected, found, strict=True) if sizes[0] != sizes[1]]
    else:
        wrong = axes
    advice = ", ".join(f"{METHODS[axis]} for the {axis}" for axis in wrong)
    name, of = type(config).__name__, f"a clip of {n_samples} samples and {channels} {noun_of(channels, 'channel')}"
    return (
        f"The layer of {name} must compute what the config describes. For {of}, the config describes "
        f"[{', '.join(axes)}] = {list(expected)}. Received from the layer: {list(found)}. Correct the layer, or "
        f"{advice} of the class."
    )
