"""Keras layers for audio features. The composed layers are in `audiopipe.composed`."""

from audiopipe.layers.apply_filterbank import ApplyFilterbank
from audiopipe.layers.audio_layer import AudioLayer
from audiopipe.layers.channel_swap import ChannelSwap
from audiopipe.layers.chunk import Chunk
from audiopipe.layers.clip_normalization import ClipNormalization
from audiopipe.layers.composed_layer import ComposedLayer
from audiopipe.layers.concatenate_frequency_map import ConcatenateFrequencyMap
from audiopipe.layers.cut_frames import CutFrames
from audiopipe.layers.delta import Delta
from audiopipe.layers.deltas import Deltas
from audiopipe.layers.edge_padding import EdgePadding
from audiopipe.layers.energy import Energy
from audiopipe.layers.feature_stamp import FeatureStamp
from audiopipe.layers.frame import Frame
from audiopipe.layers.gain import Gain
from audiopipe.layers.inverse_stft import InverseSTFT
from audiopipe.layers.logarithm import Logarithm
from audiopipe.layers.logmel_to_mfcc import LogmelToMFCC
from audiopipe.layers.magnitude import Magnitude
from audiopipe.layers.magnitude_phase import MagnitudePhase
from audiopipe.layers.magnitude_to_decibel import MagnitudeToDecibel
from audiopipe.layers.mel_spectrogram import MelSpectrogram
from audiopipe.layers.mu_law_decoding import MuLawDecoding
from audiopipe.layers.mu_law_encoding import MuLawEncoding
from audiopipe.layers.pad_begin import PadBegin
from audiopipe.layers.pad_frames import PadFrames
from audiopipe.layers.phase import Phase
from audiopipe.layers.power import Power
from audiopipe.layers.power_spectrum import PowerSpectrum
from audiopipe.layers.pre_emphasis import PreEmphasis
from audiopipe.layers.real_imaginary import RealImaginary
from audiopipe.layers.reflection_padding import ReflectionPadding
from audiopipe.layers.spec_augment import SpecAugment
from audiopipe.layers.spectrogram_layer import SpectrogramLayer
from audiopipe.layers.stack_frames import StackFrames
from audiopipe.layers.standardize import Standardize
from audiopipe.layers.statistics_normalization import StatisticsNormalization
from audiopipe.layers.stft import STFT
from audiopipe.layers.whisper_scale import WhisperScale

__all__ = [
    "STFT",
    "ApplyFilterbank",
    "AudioLayer",
    "ChannelSwap",
    "Chunk",
    "ClipNormalization",
    "ComposedLayer",
    "ConcatenateFrequencyMap",
    "CutFrames",
    "Delta",
    "Deltas",
    "EdgePadding",
    "Energy",
    "FeatureStamp",
    "Frame",
    "Gain",
    "InverseSTFT",
    "Logarithm",
    "LogmelToMFCC",
    "Magnitude",
    "MagnitudePhase",
    "MagnitudeToDecibel",
    "MelSpectrogram",
    "MuLawDecoding",
    "MuLawEncoding",
    "PadBegin",
    "PadFrames",
    "Phase",
    "Power",
    "PowerSpectrum",
    "PreEmphasis",
    "RealImaginary",
    "ReflectionPadding",
    "SpecAugment",
    "SpectrogramLayer",
    "StackFrames",
    "Standardize",
    "StatisticsNormalization",
    "WhisperScale",
]
