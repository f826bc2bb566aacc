"""Keras layers for audio features. The composed layers are in `audiopipe.composed`."""

from audiopipe.layers.apply_filterbank import ApplyFilterbank
from audiopipe.layers.composed_layer import ComposedLayer
from audiopipe.layers.magnitude import Magnitude
from audiopipe.layers.magnitude_to_decibel import MagnitudeToDecibel
from audiopipe.layers.stft import STFT

__all__ = ["STFT", "ApplyFilterbank", "ComposedLayer", "Magnitude", "MagnitudeToDecibel"]
