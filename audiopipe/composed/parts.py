"""What the composed functions share."""

from typing import Any

import keras

from audiopipe.layers import ComposedLayer, MagnitudeToDecibel
from audiopipe.layers.audio_layer import AudioLayer


def decibel_layers(
    name: str, return_decibel: bool, ref_value: float, amin: float, dynamic_range: float
) -> list[AudioLayer]:
    """The layer that puts a composed layer's result on a decibel scale, or none."""
    if not return_decibel:
        return []
    return [MagnitudeToDecibel(ref_value=ref_value, amin=amin, dynamic_range=dynamic_range, name=f"{name}_decibel")]


def compose(layers: list[AudioLayer], input_shape: Any, name: str) -> ComposedLayer:
    """A composed layer, built at once where the shape of a clip is given."""
    if input_shape is not None:
        layers = [keras.Input(input_shape, dtype=layers[0].model_input_dtype), *layers]
    return ComposedLayer(layers, name=name)
