"""Door 2: features of Hugging Face `datasets`."""

from audiopipe.errors import MissingDependencyError

try:
    import datasets as _datasets  # noqa: F401
except ImportError as error:
    raise MissingDependencyError(
        'audiopipe.hf needs the package datasets, which is not installed: pip install "audiopipe[hf]".'
    ) from error

from audiopipe.hf.from_sets import from_feature_set
from audiopipe.hf.mapping import map
from audiopipe.hf.on_the_fly import with_transform
from audiopipe.hf.padding import to_tf_dataset
from audiopipe.hf.spawning import spawned
from audiopipe.hf.to_sets import to_feature_set
from audiopipe.hf.types import feature_type

__all__ = [
    "feature_type",
    "from_feature_set",
    "map",
    "spawned",
    "to_feature_set",
    "to_tf_dataset",
    "with_transform",
]
