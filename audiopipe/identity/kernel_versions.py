"""Kernel version of each kind of feature, raised when the same config would produce different bits.

This package is below the layers, because a model that is loaded from a file must be able to report its kernel version
even if only the layers are imported. Config classes of other packages add their versions when they are defined.
"""

VERSIONS = {
    "KerasMelSpectrogram": 3,
    "LogFrequencySpectrogram": 3,
    "LogMel": 1,
    "MelSpectrogram": 3,
    "Mfcc": 1,
    "NormalizedWaveform": 1,
    "Stft": 1,
    "StftMagPhase": 2,
    "StftMagnitude": 2,
    "WhisperLogMel": 3,
}
