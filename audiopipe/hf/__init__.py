"""Door 2: features of Hugging Face `datasets`."""

from audiopipe.errors import MissingDependencyError

try:
    import datasets as _datasets  # noqa: F401
except ImportError as error:
    raise MissingDependencyError(
        'audiopipe.hf needs the package datasets, which is not installed: pip install "audiopipe[hf]".'
    ) from error

from audiopipe.hf.mapping import map
from audiopipe.hf.spawning import spawned
from audiopipe.hf.types import feature_type

__all__ = ["feature_type", "map", "spawned"]
