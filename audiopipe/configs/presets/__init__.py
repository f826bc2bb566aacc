"""Built-in configs and their names: one module per family of front ends, one function per name.

The name of a preset is that of its function, with hyphens. The first line of the function's docstring says what the
preset is for, the rest which models use it, where its numbers come from, and how well it agrees with its reference.

"Agreement" is the largest difference from an independent float64 reference, over noise, tones, synthetic speech and
four recordings: before the logarithm in units of the maximum of the frame's spectrum, and after it where a value is
less than 80 dB below that maximum. What follows the logarithm is left out there. `tests/front_ends` has the references,
which agree with the published code, and `measure_agreement.py`, which measures this.
"""

import functools
from collections.abc import Callable
from types import ModuleType
from typing import Any

from audiopipe.configs.base import Config
from audiopipe.configs.log_mel import LogMel
from audiopipe.configs.presets import (
    audio_transformers,
    audiopipe_features,
    clap,
    fairseq,
    google_speech,
    kaldi,
    libraries,
    nemo,
    tagging,
    tensorflow_models,
    vocoders,
    whisper,
)

__all__ = ["families", "has_published_bands", "presets"]

_FAMILIES: dict[str, ModuleType] = {
    "audiopipe": audiopipe_features,
    "Whisper": whisper,
    "Kaldi": kaldi,
    "NeMo": nemo,
    "fairseq": fairseq,
    "Google": google_speech,
    "audio transformers": audio_transformers,
    "CLAP": clap,
    "tagging": tagging,
    "TensorFlow models": tensorflow_models,
    "speech synthesis": vocoders,
    "defaults of libraries": libraries,
}

# What the mel bands of a config depend on.
_BANDS = ("sample_rate", "n_fft", "n_mels", "f_min", "f_max", "mel_scale", "mel_norm", "mel_triangles")


def families() -> dict[str, dict[str, str]]:
    """Returns what each built-in config is for, by family and name.

    Example:
        >>> families()["Kaldi"]["kaldi-fbank-80"]
        "Kaldi's filterbank features with 80 bands, of samples in -1 .. 1."
    """
    return {
        family: {name: _purpose(function) for name, function in _functions(module).items()}
        for family, module in _FAMILIES.items()
    }


@functools.cache
def _presets() -> dict[str, Config]:
    return {name: function() for module in _FAMILIES.values() for name, function in _functions(module).items()}


def presets() -> dict[str, Config]:
    """Returns the built-in configs by name."""
    return dict(_presets())


def has_published_bands(config: LogMel) -> bool:
    """Tells whether the mel bands of a config are those of a built-in one, so that empty bands are meant to be empty.

    AST, for example, has 128 bands of 257 frequencies, and the fourth one lies between two of them.
    """
    return _bands(config) in _published_bands()


@functools.cache
def _published_bands() -> frozenset[tuple[Any, ...]]:
    return frozenset(_bands(config) for config in _presets().values() if isinstance(config, LogMel))


def _bands(config: LogMel) -> tuple[Any, ...]:
    return tuple(getattr(config, name) for name in _BANDS)


def _functions(module: ModuleType) -> dict[str, Callable[[], Config]]:
    return {name.replace("_", "-"): getattr(module, name) for name in module.__all__}


def _purpose(function: Callable[[], Any]) -> str:
    return (function.__doc__ or "").partition("\n")[0]
