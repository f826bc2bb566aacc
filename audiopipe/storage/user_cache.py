"""Results that took time to compute and can be computed again, in a folder of the user.

Only speed depends on the cache. An entry that is missing, damaged or foreign counts as none, and a folder that cannot
be written to keeps nothing.
"""

import contextlib
import hashlib
import os
import re

from audiopipe.errors import ArgumentError
from audiopipe.storage import files

VARIABLE = "AUDIOPIPE_CACHE"
MOST_ENTRIES = 1000  # of a kind
_NAME = re.compile(r"(\.)?[0-9a-f]{64}(?(1)\..*\.tmp)")  # an entry, or one that another process was writing


def folder() -> str | None:
    """Returns the folder of the cache, which may not exist yet.

    It is the environment variable `AUDIOPIPE_CACHE`, or the folder `audiopipe` in the user's folder of caches:
    `XDG_CACHE_HOME`, or `~/.cache`.

    Returns:
        A path from the root, or None if the user has no home folder.

    Raises:
        ArgumentError: If `AUDIOPIPE_CACHE` is a remote folder.
    """
    chosen = os.environ.get(VARIABLE)
    if chosen:
        if files.is_remote(chosen):
            raise ArgumentError(
                f"The environment variable {VARIABLE} must be a local folder. Received: {VARIABLE}={chosen!r}."
            )
        return os.path.abspath(os.path.expanduser(chosen))  # no shell has expanded ~ in a file of settings
    caches = os.environ.get("XDG_CACHE_HOME", "")
    if not os.path.isabs(caches):  # the standard says that relative paths are ignored
        caches = os.path.join(os.path.expanduser("~"), ".cache")
    return os.path.join(caches, "audiopipe") if os.path.isabs(caches) else None


def read(kind: str, key: str) -> bytes | None:
    """Returns the content of an entry, or None if there is no undamaged one.

    Args:
        kind: What the entry is, the name of its folder.
        key: SHA-256 in hexadecimal of everything that the content depends on.

    Raises:
        ArgumentError: If `AUDIOPIPE_CACHE` is a remote folder.
    """
    root = folder()
    if root is None:
        return None
    path = os.path.join(root, kind, key)
    try:
        checksum, _, content = files.read_bytes(path).partition(b"\n")
    except OSError:
        return None
    if checksum != hashlib.sha256(content).hexdigest().encode():
        return None
    with contextlib.suppress(OSError):
        os.utime(path)  # entries that are used are kept longest
    return content


def write(kind: str, key: str, content: bytes) -> None:
    """Keeps the content of an entry. Does nothing if the folder cannot be written to.

    At most `MOST_ENTRIES` of a kind are kept. Those that were not used for the longest time are removed.

    Args:
        kind: What the entry is, the name of its folder.
        key: SHA-256 in hexadecimal of everything that the content depends on.
        content: The content.

    Raises:
        ArgumentError: If `AUDIOPIPE_CACHE` is a remote folder.
    """
    root = folder()
    if root is None:
        return
    path = os.path.join(root, kind, key)
    with contextlib.suppress(OSError):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        files.write_bytes(path, hashlib.sha256(content).hexdigest().encode() + b"\n" + content)
        _remove_oldest(os.path.dirname(path))


def _remove_oldest(path: str) -> None:
    with os.scandir(path) as entries:
        found = [entry for entry in entries if _NAME.fullmatch(entry.name)]
    if len(found) > MOST_ENTRIES:
        used = {entry.path: _last_use(entry) for entry in found}
        for oldest in sorted(used, key=used.__getitem__)[: len(found) - MOST_ENTRIES]:
            files.remove(oldest)


def _last_use(entry: "os.DirEntry[str]") -> float:
    try:
        return entry.stat(follow_symlinks=False).st_mtime
    except OSError:  # another process has removed it
        return 0.0
