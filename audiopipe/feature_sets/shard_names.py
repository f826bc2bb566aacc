"""File names of the shards of a feature set."""

import re

PATTERN = r"features-\d{5,}-of-\d{5,}\.tfrecord"


def shard_name(shard: int, n_shards: int) -> str:
    """Returns the file name of one of `n_shards` shards.

    Example:
        >>> shard_name(3, 64)
        'features-00003-of-00064.tfrecord'
    """
    return f"features-{shard:05d}-of-{n_shards:05d}.tfrecord"


def is_shard_name(name: str) -> bool:
    """Returns whether a name is one of `shard_name`, so that it names a file in the folder of the feature set.

    Example:
        >>> is_shard_name("../other/features-00000-of-00001.tfrecord")
        False
    """
    return re.fullmatch(PATTERN, name) is not None
