"""Describe an audio feature once, compute it anywhere, and get the same bits.

TensorFlow, Apache Beam and `datasets` are imported when something needs them, not with this package.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from audiopipe import beam, composed, configs, errors, hf, layers, registry, tfdata, tflite
    from audiopipe.errors import AudiopipeError
    from audiopipe.fingerprints import fingerprint_of
    from audiopipe.records import load
    from audiopipe.transform import Transform

__all__ = [
    "AudiopipeError",
    "Transform",
    "beam",
    "composed",
    "configs",
    "errors",
    "fingerprint_of",
    "hf",
    "layers",
    "load",
    "registry",
    "tfdata",
    "tflite",
]

_ATTRIBUTES = {
    "AudiopipeError": "audiopipe.errors",
    "Transform": "audiopipe.transform",
    "fingerprint_of": "audiopipe.fingerprints",
    "load": "audiopipe.records",
}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("audiopipe")
    if name in _ATTRIBUTES:
        value = getattr(importlib.import_module(_ATTRIBUTES[name]), name)
        globals()[name] = value
        return value
    if name in __all__:
        return importlib.import_module(f"audiopipe.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
