"""Listing of remote folders, in parallel by prefix.

Remote storage lists the files below a prefix a page after another, so a single list of a large folder takes long. The
subfolders are prefixes that several threads list at the same time.
"""

import re
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import Any

from fsspec.asyn import AsyncFileSystem
from fsspec.spec import AbstractFileSystem
from fsspec.utils import glob_translate

THREADS = 32  # they wait for storage
LEVELS = 3  # of folders that are searched for enough prefixes


def walk(filesystem: Any, folder: str) -> Iterator[str]:
    """Yields all files below a folder as sorted relative paths.

    Memory holds the names below as many prefixes as there are threads, and all names above the prefixes.

    Args:
        filesystem: The fsspec filesystem.
        folder: Path of the folder in it.

    Raises:
        OSError: If a folder cannot be listed.
    """
    root = folder.rstrip("/")
    with ThreadPoolExecutor(THREADS, "audiopipe-list") as threads:
        items = _expanded(threads, filesystem, root)
        waiting: deque[tuple[str, Future[list[str]] | None]] = deque()
        ahead = iter(items)

        def submit(count: int) -> None:
            for name, is_folder in islice(ahead, count):
                waiting.append((name, threads.submit(_found, filesystem, root, name) if is_folder else None))

        try:
            submit(2 * THREADS)
            while waiting:
                name, listed = waiting.popleft()
                if listed is None:
                    yield name
                else:
                    yield from listed.result()
                submit(1)
        finally:
            for _, listed in waiting:
                if listed is not None:
                    listed.cancel()


def glob(filesystem: Any, pattern: str) -> list[str]:
    """Returns the sorted files that match a pattern with `*`, `?`, `[...]` and `**`, as paths in the filesystem."""
    first = min((pattern.index(character) for character in "*?[" if character in pattern), default=0)
    root = pattern[: first + 1].rpartition("/")[0]
    if not root or pattern.endswith("/") or not _has_usual_patterns(filesystem):
        found = filesystem.glob(pattern, detail=True)
        return sorted(path for path, facts in found.items() if facts["type"] == "file")
    matches = re.compile(glob_translate(pattern)).match
    if "**" in pattern:
        names: Iterator[str] = walk(filesystem, root)
    else:
        with ThreadPoolExecutor(THREADS, "audiopipe-list") as threads:
            depth = pattern[len(root) + 1 :].count("/") + 1
            items = _expanded(threads, filesystem, root, levels=depth, folders=None)
        names = (name for name, is_folder in items if not is_folder)
    return sorted(path for path in (f"{root}/{name}" for name in names) if matches(path))


def _expanded(
    threads: ThreadPoolExecutor, filesystem: Any, root: str, levels: int = LEVELS, folders: int | None = THREADS
) -> list[tuple[str, bool]]:
    """Returns the files and folders at the top of a folder, in the order of the whole paths.

    Args:
        threads: Threads that list folders.
        filesystem: The filesystem.
        root: Path of the folder.
        levels: Number of levels to list.
        folders: So many folders are enough, and the levels below are not listed. None means that all levels are.

    Returns:
        Relative path of each, and whether it is a folder.
    """
    items = [("", True)]
    for _ in range(levels):
        inner = [name for name, is_folder in items if is_folder]
        if not inner or (folders is not None and len(inner) >= folders):
            break
        listed = dict(zip(inner, threads.map(lambda name: _entries(filesystem, root, name), inner), strict=True))
        items = [entry for item in items for entry in (listed[item[0]] if item[1] else [item])]
    return items


def _entries(filesystem: Any, root: str, name: str) -> list[tuple[str, bool]]:
    """Returns the sorted files and folders directly in a folder, as relative paths from the root."""
    path = f"{root}/{name}" if name else root
    filesystem.invalidate_cache(path)  # `ls` may return what another process has changed since, unlike `find`
    try:
        listed = filesystem.ls(path, detail=True)
    except FileNotFoundError:
        return []
    entries = set()
    for facts in listed:
        found, is_folder = facts["name"].rstrip("/"), facts["type"] == "directory"
        if found != path:
            entries.add((found.removeprefix(f"{root}/"), is_folder))
        elif not (is_folder or name):
            entries.add((found, False))  # the root is a file
    return sorted(entries, key=lambda entry: f"{entry[0]}/" if entry[1] else entry[0])


def _found(filesystem: Any, root: str, name: str) -> list[str]:
    """Returns the sorted files below a folder, as relative paths from the root."""
    path = f"{root}/{name}"
    return sorted(found.removeprefix(f"{root}/") for found in filesystem.find(path) if found != path)


def _has_usual_patterns(filesystem: Any) -> bool:
    """Returns whether a filesystem matches patterns as fsspec does. In a URL, for example, a `?` has a meaning."""
    if isinstance(filesystem, AsyncFileSystem):
        return type(filesystem)._glob is AsyncFileSystem._glob
    return type(filesystem).glob is AbstractFileSystem.glob
