"""The kernel version of each kind of feature: it goes up when the same config would give other bits than before.

It stands below the layers because a model that freezes its numerics has to say which they are, also where it was read
from a file and nothing but the layers was imported. Config classes of other packages add theirs when they are defined.
"""

VERSIONS = {
    "KerasMelSpectrogram": 3,
    "LogFrequencySpectrogram": 3,
    "MelSpectrogram": 3,
    "Stft": 1,
    "StftMagPhase": 2,
    "StftMagnitude": 2,
    "WhisperLogMel": 3,
}
