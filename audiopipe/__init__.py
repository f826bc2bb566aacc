"""Describe an audio feature once, compute it anywhere, and get the same bits.

TensorFlow, Apache Beam and `datasets` are imported when something needs them, not with this package.
"""

# `python -m audiopipe` runs this module while the working directory is still on `sys.path`. So nothing is imported here
# that Python has not loaded already: a file called typing.py beside somebody's data must not run.
import importlib

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from audiopipe import (
        audio,
        beam,
        composed,
        configs,
        errors,
        export,
        feature_sets,
        hf,
        layers,
        models,
        patches,
        plotting,
        registry,
        tfdata,
        verification,
    )
    from audiopipe.errors import AudiopipeError
    from audiopipe.feature_sets import FeatureSet, fingerprint_of, load
    from audiopipe.models import FeatureCheck, check, load_model
    from audiopipe.precompute.merging import merge
    from audiopipe.signal.statistics import Statistics
    from audiopipe.transform import Segments, Transform

__all__ = [
    "AudiopipeError",
    "FeatureCheck",
    "FeatureSet",
    "Segments",
    "Statistics",
    "Transform",
    "audio",
    "beam",
    "check",
    "composed",
    "configs",
    "errors",
    "export",
    "feature_sets",
    "fingerprint_of",
    "hf",
    "layers",
    "load",
    "load_model",
    "merge",
    "models",
    "patches",
    "plotting",
    "registry",
    "tfdata",
    "verification",
]

_HOMES = {
    "AudiopipeError": "audiopipe.errors",
    "FeatureCheck": "audiopipe.models",
    "FeatureSet": "audiopipe.feature_sets",
    "Segments": "audiopipe.transform",
    "Statistics": "audiopipe.signal.statistics",
    "Transform": "audiopipe.transform",
    "check": "audiopipe.models",
    "fingerprint_of": "audiopipe.feature_sets",
    "load": "audiopipe.feature_sets",
    "load_model": "audiopipe.models",
    "merge": "audiopipe.precompute.merging",
}


def __getattr__(name: str) -> "Any":
    if name == "__version__":
        from importlib.metadata import version

        return version("audiopipe")
    if name in _HOMES:
        value = getattr(importlib.import_module(_HOMES[name]), name)
        globals()[name] = value
        return value
    if name in __all__:
        return importlib.import_module(f"audiopipe.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
