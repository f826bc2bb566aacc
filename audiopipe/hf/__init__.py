"""Door to Hugging Face `datasets`."""

import importlib.util

import lazy_loader

from audiopipe.errors import MissingDependencyError

if importlib.util.find_spec("datasets") is None:
    raise MissingDependencyError(
        'audiopipe.hf needs the package datasets, which is not installed: pip install "audiopipe[hf]".'
    )

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
