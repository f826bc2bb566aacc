"""Defaults of audio libraries, which many models were trained with."""

from audiopipe.configs.log_mel import LogMel
from audiopipe.configs.presets.formats import CHANNELS_LAST

__all__ = ["librosa_mel_128", "torchaudio_mel_128"]


def librosa_mel_128() -> LogMel:
    """Defaults of librosa: decibels of 128 Slaney bands, at most 80 dB below the maximum.

    Used by: models of music and sounds whose code says
    `librosa.power_to_db(librosa.feature.melspectrogram(y=y, sr=22050))`. Values more than 80 dB below the clip's
    maximum are raised to that.

    Source: https://librosa.org/doc/0.11.0/generated/librosa.feature.melspectrogram.html (2048/512, centred frames with
    zeros, power), https://librosa.org/doc/0.11.0/generated/librosa.filters.mel.html (128 bands, Slaney) and
    https://librosa.org/doc/0.11.0/generated/librosa.power_to_db.html (`ref=1.0`, `amin=1e-10`, `top_db=80`). Before
    librosa 0.10, frames at the ends were extended by reflection.

    Agreement: 3.6e-7 of a frame's maximum before the logarithm, 5.6e-4 dB after it.
    """
    return LogMel(
        sample_rate=22050,
        n_fft=2048,
        hop_length=512,
        edges="center",
        pad_mode="constant",
        power=2.0,
        n_mels=128,
        f_max=11025.0,
        mel_scale="slaney",
        mel_norm="slaney",
        log="db",
        log_floor=1e-10,
        top_db=80.0,
        **CHANNELS_LAST,
    )


def torchaudio_mel_128() -> LogMel:
    """Defaults of torchaudio's `MelSpectrogram`: power of 128 HTK bands, without a logarithm.

    Used by: models whose code calls `torchaudio.transforms.MelSpectrogram` without arguments. Code that takes a
    logarithm afterwards sets `log` and `log_floor` or `log_offset`.

    Source: `MelSpectrogram` of https://docs.pytorch.org/audio/stable/generated/torchaudio.transforms.MelSpectrogram.html
    (16 kHz, 400/200, centred frames with reflection, power, 128 bands, `norm=None`, HTK scale).

    Agreement: 3.3e-7 of a frame's maximum.
    """
    return LogMel(
        sample_rate=16000,
        n_fft=400,
        hop_length=200,
        edges="center",
        pad_mode="reflect",
        power=2.0,
        n_mels=128,
        f_max=8000.0,
        mel_scale="htk",
        log=None,
        **CHANNELS_LAST,
    )
