"""Checks and conversions of waveforms, the floating-point samples of a clip or a batch."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import tensorflow as tf

from audiopipe.configs import MAX_CHANNELS, Config
from audiopipe.errors import ArgumentError

TOO_MANY_CHANNELS = (
    f"A clip must be [time] or [time, channels] with at most {MAX_CHANNELS} channels. If this is a batch of mono "
    "clips, give it a channel axis: batch[..., None]. If the channels come first, transpose it."
)


def check(waveform: Any, lengths: Any, config: Config) -> None:
    """Raises an error unless the feature of a config can be computed from a waveform.

    Args:
        waveform: Array or tensor.
        lengths: Number of samples of each clip of a batch, or None.
        config: The config.

    Raises:
        ArgumentError: If the samples are not floating point, the rank is not 1, 2 or 3, a single clip comes with
            lengths, or the config does not accept the number of channels; see `check_channel`.
    """
    dtype = tf.as_dtype(waveform.dtype) if waveform.dtype != object else None
    if dtype is None or not dtype.is_floating:
        raise ArgumentError(
            f"A waveform must have floating-point samples with full scale 1.0. Received: dtype="
            f"{waveform.dtype if dtype is None else dtype.name}. Scale integers first, 16 bits for example with "
            "waveform.astype('float32') / 32768. To read a file, use transform.read or audiopipe.tfdata.from_audio."
        )
    shape = tf.TensorShape(waveform.shape)
    if shape.rank not in (1, 2, 3):
        raise ArgumentError(
            "A waveform must be [time] or [time, channels], and a batch [batch, time, channels]. Received: "
            f"shape={shape}{'; set it with tf.ensure_shape' if shape.rank is None else ''}."
        )
    if shape.rank != 3 and lengths is not None:
        raise ArgumentError(
            "lengths must come with a batch, [batch, time, channels]. Received: lengths with "
            f"shape={shape}, which is one clip. Give mono clips a channel axis: batch[..., None]."
        )
    channels = shape[-1] if shape.rank > 1 else 1
    if channels is not None and not 1 <= channels <= MAX_CHANNELS:
        raise ArgumentError(f"{TOO_MANY_CHANNELS} Received: shape={tuple(shape)}.")
    if config.channels not in (None, 1, channels) and channels is not None:
        raise ArgumentError(
            f"The config requires {config.channels} channels. Received: shape={tuple(shape)}. Set channels=1 "
            "in the config to mix down, or channels=None to keep the channels as they are."
        )
    check_channel(shape, config)


def check_channel(shape: Iterable[int | None], config: Config) -> None:
    """Raises an error if a waveform lacks the channel that a config picks.

    A waveform `[time, 1]` or `[batch, time, 1]` is accepted, because it may come from `Transform.read`, which has
    picked the channel. A waveform `[time]` is mono audio, whose only channel is channel 0.

    Args:
        shape: Shape of the waveform. Unknown sizes are None.
        config: The config.

    Raises:
        ArgumentError: If there is no such channel.
    """
    shape = tuple(shape)
    channels = 1 if len(shape) == 1 else shape[-1]
    if not config.channel or channels is None or channels > config.channel or (len(shape) > 1 and channels == 1):
        return
    raise ArgumentError(
        f"The config picks channel {config.channel}, and channels count from 0. Received: shape={shape}. "
        + (
            "If this is already that channel, give it a channel axis: waveform[:, None]."
            if len(shape) == 1
            else "Pass all channels of the recording, or pick another channel in the config."
        )
    )


def samples(values: Any) -> np.ndarray:
    """Returns the samples of one clip as float32 `[time, channels]`.

    Args:
        values: Floating-point numbers, `[time]` or `[time, channels]`.

    Raises:
        ArgumentError: If they are integers, are not of rank 1 or 2, or have too many channels.
    """
    array = numbers(values)
    if array.dtype == object or not np.issubdtype(array.dtype, np.floating):
        is_integer = np.issubdtype(array.dtype, np.integer)
        raise ArgumentError(
            f"A waveform must have floating-point samples with full scale 1.0. Received: dtype={array.dtype}, "
            f"shape={array.shape}. "
            + (
                "Scale integers first, 16 bits for example with waveform.astype('float32') / 32768."
                if is_integer
                else "Convert the samples to float32 numbers."
            )
        )
    if array.ndim not in (1, 2):
        raise ArgumentError(f"A clip must be [time] or [time, channels]. Received: shape={array.shape}.")
    array = array.astype(np.float32, copy=False)
    if array.ndim == 2 and min(array.shape) > MAX_CHANNELS:
        raise ArgumentError(f"A clip must have at most {MAX_CHANNELS} channels. Received: shape={array.shape}.")
    return array[:, None] if array.ndim == 1 else array


def numbers(values: Any) -> np.ndarray:
    """Converts nested lists of numbers, or anything else that NumPy accepts, to an array.

    Raises:
        ArgumentError: If the lists have unequal lengths.
    """
    try:
        return np.asarray(values)
    except ValueError as error:
        raise ArgumentError(
            f"A waveform must be [time] or [time, channels]. Received: rows of unequal lengths ({error})."
        ) from error


def is_symbolic(value: Any) -> bool:
    """Returns whether a value is a tensor of a graph that is being traced, whose values are not known yet."""
    return tf.is_tensor(value) and not hasattr(value, "numpy")
