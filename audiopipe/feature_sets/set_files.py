"""Files of a feature set: where they are, their sizes and their checksums."""

import hashlib
import os
from collections.abc import Iterable
from typing import Any

from audiopipe.errors import CorruptFeatureSetError
from audiopipe.feature_sets.file_names import DATASET_FILE
from audiopipe.storage import files

BLOCK_BYTES = 1 << 20


def sha256(path: str) -> str:
    """Returns the SHA-256 of a file in hexadecimal."""
    digest = hashlib.sha256()
    with files.open_binary(path) as file:
        while block := file.read(BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()


def facts(folder: str, name: str) -> dict[str, Any]:
    """Returns the `name`, the size in `bytes` and the `sha256` of a file, as `dataset.json` has them.

    Args:
        folder: Folder of the feature set.
        name: Name of the file.
    """
    return facts_of(name, files.join(folder, name))


def facts_of(name: str, path: str) -> dict[str, Any]:
    """Returns the facts about a file that is still elsewhere, under the name that it will have."""
    return {"name": name, "bytes": files.size(path), "sha256": sha256(path)}


def check_links(folder: str, names: Iterable[str]) -> None:
    """Raises an error if a file of a local folder is a symbolic link that leads out of the folder.

    Nothing is opened. Remote storage has no links.

    Args:
        folder: Folder of the feature set.
        names: Names of files, some of which may be missing.

    Raises:
        CorruptFeatureSetError: If a link leaves the folder. The message names it.
    """
    if files.is_remote(folder):
        return
    for name in names:
        path = os.path.join(folder, name)
        if os.path.islink(path) and os.path.dirname(os.path.realpath(path)) != os.path.realpath(folder):
            raise CorruptFeatureSetError(
                f"{path!r} is a link to {os.path.realpath(path)!r}, outside the feature set, so it is not opened. Copy "
                "the file itself into the folder."
            )


def check(folder: str, facts: dict[str, Any], what: str, checksum: bool = False) -> None:
    """Raises an error unless a file exists and is what `dataset.json` says.

    Args:
        folder: Folder of the feature set.
        facts: `name`, `bytes` and `sha256` of the file. Format 1 did not record all of them.
        what: What an error message calls the file.
        checksum: Whether to compare the checksum as well.

    Raises:
        CorruptFeatureSetError: If the file is missing or differs. The message names it.
    """
    path = files.join(folder, facts["name"])
    if not files.exists(path):
        raise corrupt(what, path, "is missing")
    if not files.is_remote(path) and not os.path.isfile(path):
        raise corrupt(what, path, "is not a file")  # a pipe could be waited for forever
    if "bytes" in facts and (size := files.size(path)) != facts["bytes"]:
        raise corrupt(what, path, f"must have {facts['bytes']} bytes. Received: {size}")
    if checksum and "sha256" in facts and sha256(path) != facts["sha256"]:
        raise corrupt(what, path, f"does not have the checksum in {DATASET_FILE}")


def corrupt(what: str, path: str, fault: str) -> CorruptFeatureSetError:
    """Returns the error for a file with a fault."""
    return CorruptFeatureSetError(f"The {what} {path!r} {fault}. Copy it again, or recompute the feature set.")
