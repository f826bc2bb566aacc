"""Names of the files of a feature set, and checks of names that a file contains.

A name that passes a check has no folder in it, so it names a file in the folder of the feature set.
"""

import re

DATASET_FILE = "dataset.json"
FAILURES_FILE = "failures.jsonl"
REMARKS_FILE = "remarks.jsonl"
CLIPS_FILE = "clips.parquet"
COPIES = (CLIPS_FILE, FAILURES_FILE, REMARKS_FILE)
"""Copies of the files of the current generation under names that stay, for people and their tools."""

MAX_PARTS = 500  # a job has an open file for each

_NUMBER = "[0-9]{8,19}"
_SHARD = rf"features-({_NUMBER})\.tfrecord"
_OLD_SHARD = r"features-[0-9]{5,19}-of-[0-9]{5,19}\.tfrecord"  # of format 1
_INDEX = rf"index-{_NUMBER}\.parquet"
_FAILURES = rf"failures-{_NUMBER}\.jsonl"
_REMARKS = rf"remarks-{_NUMBER}\.jsonl"
_STATISTICS = rf"statistics-{_NUMBER}\.jsonl"
_DESCRIPTION = rf"dataset-{_NUMBER}\.json"
_PART = "part-([0-9]{5})-of-([0-9]{5})"


def shard_name(number: int) -> str:
    """Returns the file name of a shard.

    Example:
        >>> shard_name(12)
        'features-00000012.tfrecord'
    """
    return f"features-{number:08d}.tfrecord"


def index_name(generation: int) -> str:
    """Returns the file name of the index of a generation."""
    return f"index-{generation:08d}.parquet"


def failures_name(generation: int) -> str:
    """Returns the file name of the failures of a generation."""
    return f"failures-{generation:08d}.jsonl"


def remarks_name(generation: int) -> str:
    """Returns the file name of the remarks of a generation."""
    return f"remarks-{generation:08d}.jsonl"


def statistics_name(generation: int) -> str:
    """Returns the file name of the statistics of a generation."""
    return f"statistics-{generation:08d}.jsonl"


def description_name(generation: int) -> str:
    """Returns the file name under which the `dataset.json` of an earlier generation is kept."""
    return f"dataset-{generation:08d}.json"


def is_shard_name(name: object) -> bool:
    """Returns whether a value is the file name of a shard, of this format or of format 1.

    Example:
        >>> is_shard_name("features-00000012.tfrecord"), is_shard_name("features-00003-of-00064.tfrecord")
        (True, True)
        >>> is_shard_name("../other/features-00000012.tfrecord")
        False
    """
    return is_new_shard_name(name) or is_old_shard_name(name)


def is_new_shard_name(name: object) -> bool:
    """Returns whether a value is a name from `shard_name`."""
    return _is(_SHARD, name)


def is_old_shard_name(name: object) -> bool:
    """Returns whether a value is the file name of a shard of format 1."""
    return _is(_OLD_SHARD, name)


def shard_number(name: str) -> int:
    """Returns the number in a name from `shard_name`.

    Example:
        >>> shard_number("features-00000012.tfrecord")
        12
    """
    return int(name.removeprefix("features-").removesuffix(".tfrecord"))


def is_index_name(name: object) -> bool:
    """Returns whether a value is a name from `index_name`."""
    return _is(_INDEX, name)


def is_failures_name(name: object) -> bool:
    """Returns whether a value is a name from `failures_name`."""
    return _is(_FAILURES, name)


def is_remarks_name(name: object) -> bool:
    """Returns whether a value is a name from `remarks_name`."""
    return _is(_REMARKS, name)


def is_statistics_name(name: object) -> bool:
    """Returns whether a value is a name from `statistics_name`."""
    return _is(_STATISTICS, name)


def is_description_name(name: object) -> bool:
    """Returns whether a value is a name from `description_name`."""
    return _is(_DESCRIPTION, name)


def part_name(number: int, count: int) -> str:
    """Returns the name of the folder of a part of a feature set.

    Args:
        number: Number of the part, from 0.
        count: Number of all parts, at most `MAX_PARTS`.

    Example:
        >>> part_name(0, 3)
        'part-00000-of-00003'
    """
    return f"part-{number:05d}-of-{count:05d}"


def is_part_name(name: object) -> bool:
    """Returns whether a value is a name from `part_name`."""
    return parts_in(name) is not None


def parts_in(name: object) -> int | None:
    """Returns the number of all parts in a name from `part_name`. None if the value is no such name.

    Example:
        >>> parts_in("part-00000-of-00003"), parts_in("../part-00000-of-00003"), parts_in("part-00003-of-00003")
        (3, None, None)
    """
    match = re.fullmatch(_PART, name) if isinstance(name, str) else None
    return int(match[2]) if match and int(match[1]) < int(match[2]) <= MAX_PARTS else None


def is_numbered(name: object) -> bool:
    """Returns whether a value is the name of a file that belongs to some generation, which an update may remove.

    Example:
        >>> is_numbered("index-00000003.parquet"), is_numbered("clips.parquet"), is_numbered("notes.txt")
        (True, False, False)
    """
    return _is("|".join([_SHARD, _OLD_SHARD, _INDEX, _FAILURES, _REMARKS, _STATISTICS, _DESCRIPTION]), name)


def is_of_set(name: object) -> bool:
    """Returns whether a value is the name of any file that a complete feature set can have.

    Example:
        >>> is_of_set("dataset.json"), is_of_set("plan/plan.json")
        (True, False)
    """
    return name in (DATASET_FILE, *COPIES) or is_numbered(name)


def _is(pattern: str, name: object) -> bool:
    return isinstance(name, str) and re.fullmatch(pattern, name) is not None
