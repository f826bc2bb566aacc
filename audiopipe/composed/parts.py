"""Helpers of the functions that compose layers."""

from typing import Any

import keras

from audiopipe.layers import ComposedLayer, MagnitudeToDecibel
from audiopipe.layers.audio_layer import AudioLayer


def resolve_name(name: str | None, default: str) -> str:
    """Returns the name of a layer, or a unique name if it is None.

    Unique names are `default`, `default_1`, `default_2`, and so on, as Keras names its own layers.
    """
    if name is not None:
        return name
    count = keras.backend.get_uid(default) - 1
    return f"{default}_{count}" if count else default


def decibel_layers(
    name: str, return_decibel: bool, ref_value: float, amin: float, dynamic_range: float
) -> list[AudioLayer]:
    """Returns a list with the layer that converts to decibels, or an empty list."""
    if not return_decibel:
        return []
    return [MagnitudeToDecibel(ref_value=ref_value, amin=amin, dynamic_range=dynamic_range, name=f"{name}_decibel")]


def compose(layers: list[AudioLayer], input_shape: Any, name: str, padding: float | None = None) -> ComposedLayer:
    """Returns a composed layer. It is built at once if the shape of a clip is given.

    Args:
        layers: The layers, first to last.
        input_shape: Shape of a clip without the batch, or None.
        name: Name of the layer.
        padding: What frames beyond a clip's end hold. None means silence.
    """
    if input_shape is not None:
        layers = [keras.Input(input_shape, dtype=layers[0].model_input_dtype), *layers]
    return ComposedLayer(layers, name=name, padding=padding)
