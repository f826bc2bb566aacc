"""VGGish and YAMNet of the TensorFlow Model Garden, which were trained on AudioSet and YouTube."""

from typing import Any

from audiopipe.configs.log_mel import LogMel
from audiopipe.configs.presets.formats import CHANNELS_LAST

__all__ = ["vggish", "yamnet"]

# https://github.com/tensorflow/models/blob/master/research/audioset/vggish/mel_features.py (`stft_magnitude`: periodic
# Hann window, no padding, magnitude; `spectrogram_to_mel_matrix`: triangles over mels, no weight at 0 Hz).
_MEL: dict[str, Any] = {
    "sample_rate": 16000,
    "n_fft": 512,
    "win_length": 400,
    "hop_length": 160,
    "edges": "snip",
    "power": 1.0,
    "n_mels": 64,
    "f_min": 125.0,
    "f_max": 7500.0,
    "mel_scale": "htk",
    "mel_triangles": "mel",
    "log": "ln",
    **CHANNELS_LAST,
}


def vggish() -> LogMel:
    """VGGish: log-mel spectrogram with 64 bands, of which the model takes patches of 96 frames.

    Used by: VGGish, and the Fréchet audio distance that is computed with it. Patches follow one another without
    overlap, every 96 frames; `audiopipe.patches` makes them.

    Source: https://github.com/tensorflow/models/blob/master/research/audioset/vggish/vggish_params.py (25 ms every
    10 ms, 64 bands, 125 to 7500 Hz, `LOG_OFFSET = 0.01`), and `log_mel_spectrogram` of `mel_features.py` beside it.

    Agreement: 2.5e-7 of a frame's maximum before the logarithm, 5.3e-4 after it.
    """
    return LogMel(log_offset=0.01, **_MEL)


def yamnet() -> LogMel:
    """YAMNet: log-mel spectrogram with 64 bands, of which the model takes patches of 96 frames.

    Used by: YAMNet. Patches start every 48 frames; `audiopipe.patches` makes them. YAMNet's code first pads the clip
    with zeros to whole patches (`pad_waveform`), which the config does not.

    Source: https://github.com/tensorflow/models/blob/master/research/audioset/yamnet/params.py (25 ms every 10 ms, 64
    bands, 125 to 7500 Hz, `log_offset = 0.001`), and `waveform_to_log_mel_spectrogram_patches` of `features.py` beside
    it.

    Agreement: 2.5e-7 of a frame's maximum before the logarithm, 2.3e-4 after it.
    """
    return LogMel(log_offset=0.001, **_MEL)
