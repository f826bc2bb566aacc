"""Local and remote storage: list, read, and publish a finished file.

Nothing else in audiopipe knows about remote storage. A remote path has a scheme, as in `gs://bucket/clips`; everything
else is a local path.
"""

import contextlib
import errno
import functools
import os
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import fsspec

from audiopipe.errors import InputError, MissingDependencyError

# What storage that fsspec knows calls that which changes when a file is written anew, the surest first.
CHANGING_FACTS = (
    "ETag",
    "etag",
    "generation",
    "mtime",
    "LastModified",
    "last_modified",
    "updated",
    "modified",
    "created",
)
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


def identity(path: str) -> tuple[int | None, str]:
    """Size of a file in bytes, and what else changes when it is written anew.

    Returns:
        The size, None where remote storage does not tell, and the modification time in nanoseconds, or the entity tag
        or whatever else remote storage has.

    Raises:
        FileNotFoundError: If there is no such file.
        OSError: If there is a folder or a device instead, or it may not be looked at.
        ValueError: If no file can have such a path.
        InputError: If the storage cannot be reached.
    """
    return asked(path)()


def asked(path: str) -> Callable[[], tuple[int | None, str]]:
    """A function that tells what `identity` does, for other threads.

    What the storage is, is settled here, for fsspec has other storage objects in every thread, and the listings that
    those of this thread keep would be asked for again.
    """
    if not is_remote(path):
        return functools.partial(_local_identity, path)
    return functools.partial(_remote_identity, path, *_remote(path))


def version(path: str) -> str:
    """What changes when a file is written anew, in one word."""
    return "-".join(map(str, identity(path)))


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
    an error rather than silently empty. Of a local folder no more is held than the names in one folder at a time, and
    in those above it.
    """
    if is_remote(folder):
        filesystem, inner = _remote(folder)
        prefix = inner.rstrip("/") + "/"
        yield from sorted(found.removeprefix(prefix) for found in filesystem.find(inner))
        return
    yield from _walk_local(folder)


def sizes(folder: str) -> dict[str, int]:
    """Bytes of each file that stands in a folder itself, by name."""
    if is_remote(folder):
        filesystem, inner = _remote(folder)
        listed = filesystem.ls(inner, detail=True)
        return {item["name"].rpartition("/")[2]: item["size"] for item in listed if item["type"] == "file"}
    with os.scandir(folder) as entries:
        return {entry.name: entry.stat().st_size for entry in entries if entry.is_file()}


def glob(pattern: str) -> list[str]:
    """All files that match a pattern with `*`, `?`, `[...]` and `**`, sorted."""
    if is_remote(pattern):
        filesystem, inner = _remote(pattern)
        scheme_and_host = pattern.removesuffix(inner)
        return sorted(scheme_and_host + found for found in filesystem.glob(inner) if filesystem.isfile(found))
    found = fsspec.filesystem("file").glob(os.path.abspath(pattern))
    return sorted(path for path in found if os.path.isfile(path))


def open_binary(path: str) -> BinaryIO:
    """Open a file for reading; a pipe or a device, which may have no end or never come to one, is an error."""
    if not is_remote(path):
        return open(path, "rb", opener=_open_file)
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


@contextlib.contextmanager
def local_copy(path: str) -> Iterator[str]:
    """A local path with the content of a file: its own, or that of a copy which is removed at the end."""
    if not is_remote(path):
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="audiopipe-") as folder:
        yield fetch(path, folder)


def fetch(path: str, folder: str) -> str:
    """Copy a remote file into a local folder, unless it is there, and return where it is."""
    filesystem, inner = _remote(path)
    local = os.path.join(folder, os.path.basename(inner))
    if not os.path.exists(local):
        with temporary_file(local) as temporary:
            filesystem.get_file(inner, temporary)
    return local


def _walk_local(folder: str) -> Iterator[str]:
    levels = [("", _inode(folder), iter(_names(folder)))]  # not recursive, for folders may lie deeper than calls may
    while levels:
        below, _, names = levels[-1]
        name = next(names, None)
        if name is None:
            levels.pop()
        elif not name.endswith("/"):
            yield below + name
        else:
            path = os.path.join(folder, below + name[:-1])
            inode = _inode(path)
            if inode not in [level[1] for level in levels]:
                levels.append((below + name, inode, iter(_names(path))))


def _open_file(path: str, flags: int) -> int:
    descriptor = os.open(path, flags | os.O_NONBLOCK)  # else opening a pipe waits until someone writes to it
    mode = os.fstat(descriptor).st_mode
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):  # of folders `open` says by itself what they are
        os.close(descriptor)
        raise OSError(errno.EINVAL, "Not a file", path)
    return descriptor


def _local_identity(path: str) -> tuple[int, str]:
    status = os.stat(path)
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EINVAL, "Not a file", path)
    return status.st_size, str(status.st_mtime_ns)


def _remote_identity(path: str, filesystem: Any, inner: str) -> tuple[int | None, str]:
    facts = filesystem.info(inner)
    if facts.get("type") == "directory":
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
    changing = next((facts[name] for name in CHANGING_FACTS if facts.get(name)), None)
    return facts.get("size"), str(filesystem.ukey(inner) if changing is None else changing)


def _names(folder: str) -> list[str]:
    """The names in a folder, those of folders with a slash, which is what gives sorted names the order of paths."""
    with os.scandir(folder) as entries:
        return sorted(f"{entry.name}/" if _leads_to_folder(entry) else entry.name for entry in entries)


def _leads_to_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        if entry.is_symlink():  # a link to itself, or through what may not be looked at: no more than a missing file
            return False
        raise


def _inode(folder: str) -> tuple[int, int]:
    status = os.stat(folder)
    return status.st_dev, status.st_ino


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
