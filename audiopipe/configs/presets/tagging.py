"""Convolutional networks that tag sounds and music."""

from audiopipe.configs.log_mel import LogMel
from audiopipe.configs.presets.formats import CHANNELS_LAST

__all__ = ["musicnn_96", "panns_32k_64"]


def panns_32k_64() -> LogMel:
    """PANNs at 32 kHz: decibels of 64 Slaney bands from 50 to 14000 Hz.

    Used by: Cnn14, ResNet38, Wavegram-Logmel-Cnn14 and the other PANNs at 32 kHz, and HTS-AT.

    Source: `Cnn14.__init__` of https://github.com/qiuqiangkong/audioset_tagging_cnn/blob/master/pytorch/models.py
    (Hann window, centred frames with reflection, `amin = 1e-10`, no `top_db`), the arguments of `inference.py` beside
    it (1024/320, 64 bands, 50 to 14000 Hz), and https://github.com/qiuqiangkong/torchlibrosa (`Spectrogram`: power;
    `LogmelFilterBank`: Slaney filters).

    Agreement: 3.5e-7 of a frame's maximum before the logarithm, 6.5e-4 dB after it.
    """
    return LogMel(
        sample_rate=32000,
        n_fft=1024,
        hop_length=320,
        edges="center",
        pad_mode="reflect",
        power=2.0,
        n_mels=64,
        f_min=50.0,
        f_max=14000.0,
        mel_scale="slaney",
        mel_norm="slaney",
        log="db",
        log_floor=1e-10,
        **CHANNELS_LAST,
    )


def musicnn_96() -> LogMel:
    """musicnn: logarithm of 96 Slaney bands, for tagging music.

    Used by: musicnn's models of MagnaTagATune and the Million Song Dataset, such as MTT_musicnn and MSD_vgg. They take
    patches of about 3 seconds.

    Source: `batch_data` of https://github.com/jordipons/musicnn/blob/master/musicnn/extractor.py
    (`log10(10000 * x + 1)`), and https://github.com/jordipons/musicnn/blob/master/musicnn/configuration.py (16 kHz,
    512/256, 96 bands). The rest are the defaults of `librosa.feature.melspectrogram`, which extended clips by
    reflection before librosa 0.10; later versions extend by zeros. musicnn rounds the mel spectrogram to float16, which
    the config does not.

    Agreement: 4.6e-7 of a frame's maximum before the logarithm, 8.2e-6 after it.
    """
    return LogMel(
        sample_rate=16000,
        n_fft=512,
        hop_length=256,
        edges="center",
        pad_mode="reflect",
        power=2.0,
        n_mels=96,
        f_max=8000.0,
        mel_scale="slaney",
        mel_norm="slaney",
        log="log10",
        log_factor=1e4,
        log_offset=1.0,
        **CHANNELS_LAST,
    )
