"""A float64 NumPy reference of every preset that reproduces a published front end, by the preset's name."""

import functools

from front_ends import kaldi_references as kaldi
from front_ends import spectrum_references as spectrum
from front_ends.reference import Reference

# Sample rate, samples that a frame takes, hop, and the function that computes the feature.
_REFERENCES = {
    "kaldi-fbank-80": (16000, 400, 160, kaldi.kaldi_fbank),
    "wenet-80": (16000, 400, 160, kaldi.wenet),
    "lhotse-fbank-80": (16000, 400, 160, kaldi.lhotse_fbank),
    "ast": (16000, 400, 160, kaldi.ast),
    "seamless-m4t": (16000, 400, 160, kaldi.seamless_m4t),
    "w2v-bert": (16000, 400, 160, kaldi.w2v_bert),
    "speech-to-text": (16000, 400, 160, kaldi.speech_to_text),
    "beats": (16000, 400, 160, kaldi.beats),
    "nemo-mel-80": (16000, 512, 160, functools.partial(spectrum.nemo, n_mels=80)),
    "nemo-mel-128": (16000, 512, 160, functools.partial(spectrum.nemo, n_mels=128)),
    "clap-fused": (48000, 1024, 480, functools.partial(spectrum.clap, fused=True)),
    "clap-unfused": (48000, 1024, 480, functools.partial(spectrum.clap, fused=False)),
    "whisper-80": (16000, 400, 160, functools.partial(spectrum.whisper, n_mels=80)),
    "whisper-128": (16000, 400, 160, functools.partial(spectrum.whisper, n_mels=128)),
    "speecht5": (16000, 1024, 256, spectrum.speecht5),
    "univnet": (24000, 1024, 256, spectrum.univnet),
    "bigvgan-24k-100": (24000, 1024, 256, spectrum.bigvgan),
    "hifigan-22k-80": (22050, 1024, 256, spectrum.hifigan),
    "tacotron2-80": (22050, 1024, 256, spectrum.tacotron2),
    "vggish": (16000, 400, 160, functools.partial(spectrum.audioset, offset=0.01)),
    "yamnet": (16000, 400, 160, functools.partial(spectrum.audioset, offset=0.001)),
    "panns-32k-64": (32000, 1024, 320, spectrum.panns),
    "gemma3n-128": (16000, 513, 160, spectrum.gemma3n),
    "lasr-128": (16000, 400, 160, spectrum.lasr),
    "musicnn-96": (16000, 512, 256, spectrum.musicnn),
    "librosa-mel-128": (22050, 2048, 512, spectrum.librosa_mel),
    "torchaudio-mel-128": (16000, 400, 200, spectrum.torchaudio_mel),
}

NAMES = tuple(_REFERENCES)


def sample_rate(name: str) -> int:
    """Returns the sample rate of a front end in hertz."""
    return _REFERENCES[name][0]


def framing(name: str) -> tuple[int, int]:
    """Returns the number of samples that a frame takes, and the hop."""
    return _REFERENCES[name][1:3]


def reference(name: str, samples) -> Reference:
    """Computes a front end's feature of one clip `[time]` in float64."""
    return _REFERENCES[name][-1](samples)
