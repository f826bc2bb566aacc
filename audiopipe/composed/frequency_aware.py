"""Frequency-aware convolution."""

import inspect
from typing import Any

import keras

from audiopipe.composed.parts import resolve_name
from audiopipe.errors import ArgumentError
from audiopipe.layers import ConcatenateFrequencyMap
from audiopipe.layers.audio_layer import resolve_data_format


def get_frequency_aware_conv2d(
    data_format: str = "default", freq_aware_name: str | None = None, *args: Any, **kwargs: Any
) -> keras.Sequential:
    """Returns a two-dimensional convolution over a spectrogram and the frequency of each bin (Koutini et al. 2019).

    The convolution is part of a model, not a feature. It follows the dtype policy of the model, as
    `keras.layers.Conv2D` does.

    Args:
        data_format: `"channels_last"`, `"channels_first"` or `"default"`, which follows Keras's setting.
        freq_aware_name: Name of the layer. None means a unique name such as `frequency_aware_conv2d`.
        *args: Positional arguments of `keras.layers.Conv2D`, starting with `filters` and `kernel_size`.
        **kwargs: Keyword arguments of `keras.layers.Conv2D`.

    Returns:
        A `keras.Sequential` of `ConcatenateFrequencyMap` and `keras.layers.Conv2D`. It maps `(batch, frames, bins,
        channels)`, or `(batch, channels, frames, bins)` with `channels_first`, to the output of the convolution.

    Raises:
        ArgumentError: If the data format is unknown or differs from that of the convolution, an argument is unknown to
            `keras.layers.Conv2D`, or the convolution has more than one group: only one group would see the
            frequencies.

    Example:
        >>> layer = get_frequency_aware_conv2d(filters=16, kernel_size=(3, 3), padding="same")
        >>> layer(np.zeros((1, 40, 80, 1), "float32")).shape
        TensorShape([1, 40, 80, 16])
    """
    freq_aware_name = resolve_name(freq_aware_name, "frequency_aware_conv2d")
    data_format = resolve_data_format("data_format", data_format)
    try:
        convolution = inspect.signature(keras.layers.Conv2D.__init__).bind(None, *args, **kwargs)
    except TypeError as error:
        raise ArgumentError(
            f"The arguments after freq_aware_name must be arguments of keras.layers.Conv2D. "
            f"Received: args={args!r}, kwargs={kwargs!r} ({error})."
        ) from error
    groups = convolution.arguments.get("groups", 1)
    if groups != 1:
        raise ArgumentError(
            f"groups must be 1, because only one group of channels would see the frequencies. Received: "
            f"groups={groups!r}."
        )
    if convolution.arguments.get("data_format") not in (None, data_format):
        raise ArgumentError(
            f"data_format must be the same for the frequencies and the convolution. Received: data_format="
            f"{data_format!r} and {convolution.arguments['data_format']!r}. Give it once, as the first argument."
        )
    convolution.arguments["data_format"] = data_format
    return keras.Sequential(
        [
            ConcatenateFrequencyMap(data_format, name=f"{freq_aware_name}_map"),
            keras.layers.Conv2D(*convolution.args[1:], **convolution.kwargs),
        ],
        name=freq_aware_name,
    )
