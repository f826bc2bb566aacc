"""Keras layers for audio features. The composed layers are in `audiopipe.composed`."""

from audiopipe.layers.apply_filterbank import ApplyFilterbank
from audiopipe.layers.channel_swap import ChannelSwap
from audiopipe.layers.chunk import Chunk
from audiopipe.layers.composed_layer import ComposedLayer
from audiopipe.layers.concatenate_frequency_map import ConcatenateFrequencyMap
from audiopipe.layers.delta import Delta
from audiopipe.layers.edge_padding import EdgePadding
from audiopipe.layers.energy import Energy
from audiopipe.layers.frame import Frame
from audiopipe.layers.gain import Gain
from audiopipe.layers.inverse_stft import InverseSTFT
from audiopipe.layers.logmel_to_mfcc import LogmelToMFCC
from audiopipe.layers.magnitude import Magnitude
from audiopipe.layers.magnitude_phase import MagnitudePhase
from audiopipe.layers.magnitude_to_decibel import MagnitudeToDecibel
from audiopipe.layers.mel_spectrogram import MelSpectrogram
from audiopipe.layers.mu_law_decoding import MuLawDecoding
from audiopipe.layers.mu_law_encoding import MuLawEncoding
from audiopipe.layers.pad_begin import PadBegin
from audiopipe.layers.phase import Phase
from audiopipe.layers.power import Power
from audiopipe.layers.power_spectrum import PowerSpectrum
from audiopipe.layers.pre_emphasis import PreEmphasis
from audiopipe.layers.real_imaginary import RealImaginary
from audiopipe.layers.reflection_padding import ReflectionPadding
from audiopipe.layers.spec_augment import SpecAugment
from audiopipe.layers.stft import STFT
from audiopipe.layers.whisper_scale import WhisperScale

__all__ = [
    "STFT",
    "ApplyFilterbank",
    "ChannelSwap",
    "Chunk",
    "ComposedLayer",
    "ConcatenateFrequencyMap",
    "Delta",
    "EdgePadding",
    "Energy",
    "Frame",
    "Gain",
    "InverseSTFT",
    "LogmelToMFCC",
    "Magnitude",
    "MagnitudePhase",
    "MagnitudeToDecibel",
    "MelSpectrogram",
    "MuLawDecoding",
    "MuLawEncoding",
    "PadBegin",
    "Phase",
    "Power",
    "PowerSpectrum",
    "PreEmphasis",
    "RealImaginary",
    "ReflectionPadding",
    "SpecAugment",
    "WhisperScale",
]
