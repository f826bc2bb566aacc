"""Files of replaced generations: how long they stay, and which of them are removed.

A training job can finish reading a generation although the next one is published, because the files of a generation
stay for some days after it was replaced.
"""

import math
import time
from typing import Any

from audiopipe.feature_sets import file_names
from audiopipe.feature_sets.description import Description
from audiopipe.storage import files

KEEP_OLD_SECONDS = 7 * 86400.0


def obsolete(
    previous: Description | None, description: Description, now: float, keep_old_seconds: float
) -> list[dict[str, Any]]:
    """Returns the entry `obsolete` of `dataset.json`: files of replaced generations, and since when they are obsolete.

    Args:
        previous: The generation that is replaced.
        description: The generation that replaces it.
        now: Seconds since 1970.
        keep_old_seconds: Files that are obsolete for longer are left out.
    """
    if previous is None:
        return []
    current = set(description.file_names)
    gone = set(previous.file_names) - current | {file_names.description_name(previous.generation)}
    entries = [*previous.obsolete, {"replaced": int(now), "files": sorted(gone - set(file_names.COPIES))}]
    return [entry for entry in entries if now - entry["replaced"] < keep_old_seconds]


def sweep(description: Description, *, keep_old_seconds: float) -> None:
    """Removes files of generations that were replaced some time ago, and files that belong to no generation.

    Args:
        description: The current generation.
        keep_old_seconds: How long files are kept after their generation was replaced.
    """
    kept = wanted(description, keep_old_seconds)
    for name in files.sizes(description.path):
        if file_names.is_numbered(name) and name not in kept:
            files.remove(files.join(description.path, name))


def wanted(description: Description, keep_old_seconds: float = math.inf) -> set[str]:
    """Returns the names of the files that a folder needs: of the current generation, and of those replaced lately."""
    now = time.time()
    names = set(description.file_names)
    for entry in description.obsolete:
        if now - entry["replaced"] < keep_old_seconds:
            names.update(entry["files"])
    return names
