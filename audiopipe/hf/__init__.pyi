from .digests import with_digests as with_digests
from .fork_server import spawned as spawned
from .from_feature_sets import from_feature_set as from_feature_set
from .mapping import map as map
from .on_the_fly import with_transform as with_transform
from .padding import to_tf_dataset as to_tf_dataset
from .to_feature_sets import to_feature_set as to_feature_set
from .types import feature_type as feature_type

__all__ = [
    "feature_type",
    "from_feature_set",
    "map",
    "spawned",
    "to_feature_set",
    "to_tf_dataset",
    "with_digests",
    "with_transform",
]
