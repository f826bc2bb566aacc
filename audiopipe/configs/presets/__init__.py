"""Built-in configs and their names: one module per family of front ends, one function per name.

The name of a preset is that of its function, with hyphens. The first line of the function's docstring says what the
preset is for, the rest which models use it, where its numbers come from, and how well it agrees with its reference.
"""

import functools
from collections.abc import Callable
from types import ModuleType
from typing import Any

from audiopipe.configs.base import Config
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

__all__ = ["families", "presets"]

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


def _functions(module: ModuleType) -> dict[str, Callable[[], Config]]:
    return {name.replace("_", "-"): getattr(module, name) for name in module.__all__}


def _purpose(function: Callable[[], Any]) -> str:
    return (function.__doc__ or "").partition("\n")[0]
