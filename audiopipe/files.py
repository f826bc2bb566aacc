"""Local and remote storage: list, read, and publish a finished file.

Nothing else in audiopipe knows about remote storage. A remote path has a scheme, as in `gs://bucket/clips`; everything
else is a local path.
"""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import fsspec

from audiopipe.errors import InputError, MissingDependencyError

EXTRAS = {"gs": "gcs", "gcs": "gcs", "s3": "s3", "s3a": "s3"}


def is_remote(path: str) -> bool:
    """Whether a path has a scheme."""
    return "://" in path


def join(folder: str, *parts: str) -> str:
    """Join a folder and what is below it, local or remote."""
    return "/".join([folder.rstrip("/"), *parts]) if is_remote(folder) else os.path.join(folder, *parts)


def absolute(path: str) -> str:
    """The path from the root, so that it means the same in every working folder."""
    return path if is_remote(path) else os.path.abspath(path)


def exists(path: str) -> bool:
    """Whether there is a file or folder."""
    if not is_remote(path):
        return os.path.exists(path)
    filesystem, inner = _remote(path)
    return filesystem.exists(inner)


def size(path: str) -> int:
    """Size of a file, in bytes."""
    if not is_remote(path):
        return os.path.getsize(path)
    filesystem, inner = _remote(path)
    return filesystem.size(inner)


def version(path: str) -> str:
    """What changes when a file is written anew: size and modification time, or what remote storage has for them."""
    if not is_remote(path):
        status = os.stat(path)
        return f"{status.st_size}-{status.st_mtime_ns}"
    filesystem, inner = _remote(path)
    return str(filesystem.ukey(inner))


def is_folder(path: str) -> bool:
    """Whether there is a folder."""
    if not is_remote(path):
        return os.path.isdir(path)
    filesystem, inner = _remote(path)
    return filesystem.isdir(inner)


def make_folder(path: str) -> None:
    """Make a folder and those above it; object stores have none and need none."""
    if is_remote(path):
        filesystem, inner = _remote(path)
        filesystem.makedirs(inner, exist_ok=True)
    else:
        os.makedirs(path, exist_ok=True)


def walk(folder: str) -> Iterator[str]:
    """All files below a folder, as sorted relative paths with forward slashes.

    Links to folders are followed, but not back into a folder that is being walked. A folder that cannot be listed is
    an error rather than silently empty.
    """
    if is_remote(folder):
        filesystem, inner = _remote(folder)
        prefix = inner.rstrip("/") + "/"
        yield from sorted(found.removeprefix(prefix) for found in filesystem.find(inner))
        return
    yield from sorted(_walk_local(folder, "", ()))


def glob(pattern: str) -> list[str]:
    """All files that match a pattern with `*`, `?`, `[...]` and `**`, sorted."""
    if is_remote(pattern):
        filesystem, inner = _remote(pattern)
        scheme_and_host = pattern.removesuffix(inner)
        return sorted(scheme_and_host + found for found in filesystem.glob(inner) if filesystem.isfile(found))
    found = fsspec.filesystem("file").glob(os.path.abspath(pattern))
    return sorted(path for path in found if os.path.isfile(path))


def open_binary(path: str) -> BinaryIO:
    """Open a file for reading."""
    if not is_remote(path):
        return open(path, "rb")
    filesystem, inner = _remote(path)
    return filesystem.open(inner, "rb")


def read_bytes(path: str) -> bytes:
    """The content of a file."""
    with open_binary(path) as file:
        return file.read()


def write_bytes(path: str, content: bytes) -> None:
    """Write a file whole: at no time does the path hold a part of it."""
    with temporary_file(path) as temporary:
        Path(temporary).write_bytes(content)


@contextlib.contextmanager
def temporary_file(path: str) -> Iterator[str]:
    """A local path to write to; what is there at the end is published whole at `path`.

    Locally the file is renamed within its folder. Remote storage has no atomic rename, so there the file is uploaded
    with one `put` to its final name. When the block raises, nothing is published.
    """
    folder = tempfile.gettempdir() if is_remote(path) else (os.path.dirname(path) or ".")
    handle, temporary = tempfile.mkstemp(prefix=f".{os.path.basename(path)}.", suffix=".tmp", dir=folder)
    os.close(handle)
    try:
        yield temporary
        if is_remote(path):
            filesystem, inner = _remote(path)
            filesystem.put_file(temporary, inner)
        else:
            os.chmod(temporary, 0o666 & ~_umask())
            os.replace(temporary, path)
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.remove(temporary)


def remove(path: str) -> None:
    """Remove a file, or a folder with all that is in it. What is not there is fine."""
    if is_remote(path):
        filesystem, inner = _remote(path)
        if filesystem.exists(inner):
            filesystem.rm(inner, recursive=True)
    elif os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path)
    else:
        with contextlib.suppress(FileNotFoundError):
            os.remove(path)


def fetch(path: str, folder: str) -> str:
    """Copy a remote file into a local folder, unless it is there, and return where it is."""
    filesystem, inner = _remote(path)
    local = os.path.join(folder, os.path.basename(inner))
    if not os.path.exists(local):
        with temporary_file(local) as temporary:
            filesystem.get_file(inner, temporary)
    return local


def _walk_local(folder: str, below: str, above: tuple[tuple[int, int], ...]) -> Iterator[str]:
    status = os.stat(folder)
    identity = (status.st_dev, status.st_ino)
    if identity in above:
        return
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir():
                yield from _walk_local(entry.path, f"{below}{entry.name}/", (*above, identity))
            else:
                yield f"{below}{entry.name}"


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _remote(path: str) -> tuple[Any, str]:
    """The fsspec filesystem of a remote path, and the path in it."""
    scheme = path.partition("://")[0]
    try:
        return fsspec.core.url_to_fs(path)
    except ImportError as error:
        extra = EXTRAS.get(scheme)
        how = f'pip install "audiopipe[{extra}]"' if extra else f"install fsspec's package for {scheme}"
        raise MissingDependencyError(f"Reading {path!r} needs a package that is not installed: {how}.") from error
    except (OSError, ValueError) as error:
        raise InputError(f"The storage of {path!r} cannot be reached: {error}.") from error
