"""Frozen configs, one class for each kind of feature.

To add a feature, write a composed function and a subclass of `Config` whose fields are the arguments of the function.
"""

from audiopipe.configs.base import MAX_CHANNELS, Config
from audiopipe.configs.extractors import from_extractor
from audiopipe.configs.fields import later_field
from audiopipe.configs.keras_mel import KerasMelSpectrogram
from audiopipe.configs.log_frequency import LogFrequencySpectrogram
from audiopipe.configs.log_mel import LogMel
from audiopipe.configs.mel import MelSpectrogram
from audiopipe.configs.mfcc import Mfcc
from audiopipe.configs.normalized_waveform import NormalizedWaveform
from audiopipe.configs.parsing import from_dict, from_json
from audiopipe.configs.standardization import Standardization
from audiopipe.configs.stft import Stft, StftMagnitude, StftMagPhase
from audiopipe.configs.whisper import WhisperLogMel

__all__ = [
    "MAX_CHANNELS",
    "Config",
    "KerasMelSpectrogram",
    "LogFrequencySpectrogram",
    "LogMel",
    "MelSpectrogram",
    "Mfcc",
    "NormalizedWaveform",
    "Standardization",
    "Stft",
    "StftMagPhase",
    "StftMagnitude",
    "WhisperLogMel",
    "from_dict",
    "from_extractor",
    "from_json",
    "later_field",
]
