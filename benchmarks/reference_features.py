"""The code of other libraries that presets reproduce, called as its users call it."""

from collections.abc import Callable, Sequence
from typing import Any

import librosa
import numpy as np
import transformers
from transformers import audio_utils

Features = Callable[[list[np.ndarray]], Sequence[np.ndarray]]  # clips `[time]` to features `[frames, bins]`
SPECTROGRAM = "transformers.audio_utils.spectrogram"


def _extractor(name: str, sample_rate: int = 16000, audio: str = "", **arguments: Any) -> tuple[str, Features]:
    extractor = getattr(transformers, name)(**arguments)
    options: dict[str, Any] = {"sampling_rate": sample_rate, "return_tensors": "np"}

    def compute(waveforms: list[np.ndarray]) -> Sequence[np.ndarray]:
        made = extractor(**{audio: waveforms}, **options) if audio else extractor(waveforms, **options)
        return made["input_features"] if "input_features" in made else made["input_values"]

    return name, compute


def _gemma3n() -> tuple[str, Features]:
    extractor = transformers.Gemma3nAudioFeatureExtractor()

    def compute(waveforms: list[np.ndarray]) -> Sequence[np.ndarray]:
        return extractor(waveforms, pad_to_multiple_of=None, return_tensors="np").input_features

    return "Gemma3nAudioFeatureExtractor", compute


def _univnet(sample_rate: int = 24000, **arguments: Any) -> tuple[str, Features]:
    extractor = transformers.UnivNetFeatureExtractor(sampling_rate=sample_rate, **arguments)

    def compute(waveforms: list[np.ndarray]) -> Sequence[np.ndarray]:
        return extractor(waveforms, sampling_rate=sample_rate, return_noise=False).input_features

    return "UnivNetFeatureExtractor", compute


def _clap(truncation: str) -> tuple[str, Features]:
    name, compute = _extractor(
        "ClapFeatureExtractor", 48000, frequency_min=50, frequency_max=14000, truncation=truncation
    )
    return name, lambda waveforms: compute(waveforms)[:, 0]  # type: ignore[call-overload]


def kaldi(n_mels: int, window: str = "povey", gain: float = 1.0) -> Callable[[np.ndarray], np.ndarray]:
    """Returns the function for Kaldi's features that the extractors of AST and SeamlessM4T call.

    Args:
        n_mels: Number of mel bands.
        window: Name of the window, which is symmetric.
        gain: Factor on the samples.

    Returns:
        Function from a clip `[time]` at 16 kHz to the logarithms of its bands, `[frames, n_mels]`.
    """
    filters = audio_utils.mel_filter_bank(
        257, n_mels, 20, 8000, 16000, mel_scale="kaldi", triangularize_in_mel_space=True
    )
    values = audio_utils.window_function(400, window, periodic=False)

    def of_clip(clip: np.ndarray) -> np.ndarray:
        return audio_utils.spectrogram(
            clip * np.float32(gain),
            values,
            frame_length=400,
            hop_length=160,
            fft_length=512,
            power=2.0,
            center=False,
            preemphasis=0.97,
            mel_filters=filters,
            log_mel="log",
            mel_floor=1.192092955078125e-07,
            remove_dc_offset=True,
        ).T

    return of_clip


def beats(clip: np.ndarray) -> np.ndarray:
    """Returns the feature of BEATs for a clip `[time]` at 16 kHz: `[frames, 128]`."""
    return (kaldi(128, gain=2.0**15)(clip) - 15.41663) / (2 * 6.55582)


def _each(of_clip: Callable[[np.ndarray], np.ndarray], name: str) -> tuple[str, Features]:
    return name, lambda waveforms: [of_clip(clip) for clip in waveforms]


def _librosa(log: Callable[[np.ndarray], np.ndarray], **arguments: Any) -> tuple[str, Features]:
    def of_clip(clip: np.ndarray) -> np.ndarray:
        return log(librosa.feature.melspectrogram(y=clip, **arguments)).T

    return _each(of_clip, "librosa")


def _decibels(mel: np.ndarray) -> np.ndarray:
    return librosa.power_to_db(mel, top_db=None)


_MAKERS: dict[str, Callable[[], tuple[str, Features]]] = {
    "seamless-m4t": lambda: _extractor("SeamlessM4TFeatureExtractor"),
    "w2v-bert": lambda: _extractor("SeamlessM4TFeatureExtractor", padding_value=1),
    "speech-to-text": lambda: _extractor("Speech2TextFeatureExtractor"),
    "speecht5": lambda: _extractor("SpeechT5FeatureExtractor", audio="audio_target"),
    "univnet": _univnet,
    "bigvgan-24k-100": _univnet,
    "hifigan-22k-80": lambda: _univnet(22050, num_mel_bins=80, fmax=8000),
    "gemma3n-128": _gemma3n,
    "ast": lambda: _extractor("ASTFeatureExtractor"),
    "clap-fused": lambda: _clap("fusion"),
    "clap-unfused": lambda: _clap("rand_trunc"),
    "nemo-mel-80": lambda: _extractor("ParakeetFeatureExtractor", feature_size=80),
    "nemo-mel-128": lambda: _extractor("ParakeetFeatureExtractor", feature_size=128),
    "lasr-128": lambda: _extractor("LasrFeatureExtractor"),
    "kaldi-fbank-80": lambda: _each(kaldi(80), SPECTROGRAM),
    "wenet-80": lambda: _each(kaldi(80, gain=2.0**15), SPECTROGRAM),
    "beats": lambda: _each(beats, SPECTROGRAM),
    "tacotron2-80": lambda: _librosa(
        lambda mel: np.log(np.maximum(mel, 1e-5)),
        sr=22050,
        n_fft=1024,
        hop_length=256,
        n_mels=80,
        fmax=8000,
        power=1,
        pad_mode="reflect",
    ),
    "panns-32k-64": lambda: _librosa(
        _decibels, sr=32000, n_fft=1024, hop_length=320, n_mels=64, fmin=50, fmax=14000, pad_mode="reflect"
    ),
    "musicnn-96": lambda: _librosa(
        lambda mel: np.log10(10000 * mel + 1), sr=16000, n_fft=512, hop_length=256, n_mels=96, pad_mode="reflect"
    ),
    "librosa-mel-128": lambda: _librosa(librosa.power_to_db, sr=22050),
    "torchaudio-mel-128": lambda: _librosa(
        lambda mel: mel, sr=16000, n_fft=400, hop_length=200, htk=True, norm=None, pad_mode="reflect"
    ),
}

PRESETS = tuple(_MAKERS)
NEED_TORCH = ("ast", "clap-fused", "clap-unfused", "nemo-mel-80", "nemo-mel-128", "lasr-128")


def of_preset(preset: str) -> tuple[str, Features]:
    """Returns the name of a preset's reference, and the function that computes its features."""
    return _MAKERS[preset]()
