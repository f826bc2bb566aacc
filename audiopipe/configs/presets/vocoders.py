"""Mel spectrograms that text-to-speech models predict and vocoders turn into audio."""

from typing import Any

from audiopipe.configs.log_mel import LogMel
from audiopipe.configs.presets.formats import CHANNELS_LAST

__all__ = ["bigvgan_24k_100", "hifigan_22k_80", "speecht5", "tacotron2_80", "univnet"]

# The spectrogram of HiFi-GAN and of what follows it: https://github.com/jik876/hifi-gan/blob/master/meldataset.py
# (`mel_spectrogram`: periodic Hann window of 1024, (n_fft - hop_size) / 2 reflected samples on both sides, 1e-9 under
# the root; `dynamic_range_compression_torch`: 1e-5).
HIFIGAN: dict[str, Any] = {
    "n_fft": 1024,
    "hop_length": 256,
    "edges": "same",
    "pad_mode": "reflect",
    "power": 1.0,
    "magnitude_offset": 1e-9,
    "mel_scale": "slaney",
    "mel_norm": "slaney",
    "log": "ln",
    "log_floor": 1e-5,
    **CHANNELS_LAST,
}


def speecht5() -> LogMel:
    """SpeechT5: the log-mel spectrogram that it predicts, and that its vocoder reads.

    Used by: microsoft/speecht5_tts, speecht5_vc and speecht5_hifigan. The extractor computes it of `audio_target`; what
    it computes of `audio` is the waveform.

    Source: `SpeechT5FeatureExtractor` of transformers,
    https://github.com/huggingface/transformers/blob/v5.23.0/src/transformers/models/speecht5/feature_extraction_speecht5.py
    (`__init__`: 64 ms every 16 ms, 80 bands, 80 to 7600 Hz, floor; `_extract_mel_features`: magnitudes, logarithm to
    base 10; `_process_audio`: padding with 0).

    Agreement: 2.5e-7 of a frame's maximum before the logarithm, 4.8e-5 after it.
    """
    return LogMel(
        sample_rate=16000,
        n_fft=1024,
        hop_length=256,
        edges="center",
        pad_mode="reflect",
        power=1.0,
        n_mels=80,
        f_min=80.0,
        f_max=7600.0,
        mel_scale="slaney",
        mel_norm="slaney",
        log="log10",
        log_floor=1e-10,
        padding_value=0.0,
        **CHANNELS_LAST,
    )


def univnet() -> LogMel:
    """UnivNet: the log-mel spectrogram at 24 kHz that it turns into audio.

    Used by: dg845/univnet-dev. The extractor cuts audio at 10 seconds and can append silence; the config does neither.

    Source: `UnivNetFeatureExtractor` of transformers,
    https://github.com/huggingface/transformers/blob/v5.23.0/src/transformers/models/univnet/feature_extraction_univnet.py
    (`__init__`: all numbers; `mel_spectrogram`: reflection, `mel_floor` under the root, `compression_clip_val`).

    Agreement: 2.2e-7 of a frame's maximum before the logarithm, 9e-5 after it.
    """
    return LogMel(sample_rate=24000, n_mels=100, f_max=12000.0, **HIFIGAN)


def bigvgan_24k_100() -> LogMel:
    """BigVGAN at 24 kHz: log-mel spectrogram with 100 bands.

    Used by: bigvgan_24khz_100band, bigvgan_base_24khz_100band and bigvgan_v2_24khz_100band_256x, and text-to-speech
    models with this vocoder.

    Source: `mel_spectrogram` of https://github.com/NVIDIA/BigVGAN/blob/main/meldataset.py, and
    https://github.com/NVIDIA/BigVGAN/blob/main/configs/bigvgan_24khz_100band.json (1024/256, 100 bands, 0 to 12000 Hz).
    The feature is that of `univnet`.

    Agreement: 2.2e-7 of a frame's maximum before the logarithm, 9e-5 after it.
    """
    return univnet()


def hifigan_22k_80() -> LogMel:
    """HiFi-GAN at 22.05 kHz: log-mel spectrogram with 80 bands up to 8 kHz.

    Used by: HiFi-GAN v1 to v3, Matcha-TTS before it subtracts its mean, and bigvgan_22khz_80band.

    Source: https://github.com/jik876/hifi-gan/blob/master/meldataset.py (`mel_spectrogram`) and
    https://github.com/jik876/hifi-gan/blob/master/config_v1.json (1024/256, 80 bands, 0 to 8000 Hz).

    Agreement: 3e-7 of a frame's maximum before the logarithm, 1.1e-4 after it.
    """
    return LogMel(sample_rate=22050, n_mels=80, f_max=8000.0, **HIFIGAN)


def tacotron2_80() -> LogMel:
    """Tacotron 2 and WaveGlow at 22.05 kHz: log-mel spectrogram with 80 bands up to 8 kHz.

    Used by: NVIDIA's Tacotron 2, WaveGlow and FastPitch. It differs from `hifigan-22k-80` in its frames, which are
    centred, and in the root, under which it adds nothing.

    Source: `TacotronSTFT` of https://github.com/NVIDIA/tacotron2/blob/master/layers.py, `STFT.transform` of
    https://github.com/NVIDIA/tacotron2/blob/master/stft.py (reflection of half a frame, magnitude),
    `dynamic_range_compression` of https://github.com/NVIDIA/tacotron2/blob/master/audio_processing.py (1e-5), and
    https://github.com/NVIDIA/tacotron2/blob/master/hparams.py (1024/256, 80 bands, 0 to 8000 Hz).

    Agreement: 2.7e-7 of a frame's maximum before the logarithm, 1.3e-4 after it.
    """
    centred = {"edges": "center", "magnitude_offset": 0.0}
    return LogMel(sample_rate=22050, n_mels=80, f_max=8000.0, **HIFIGAN | centred)
