"""Local and remote files: listing, reading, and publishing of finished files.

Apart from `locks`, `prefixes` and `ranges`, other modules reach remote storage only through this one. A remote path has
a scheme, as in `gs://bucket/clips`. All other paths are local.
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
from audiopipe.storage import prefixes

# Keys of fsspec's file information whose value changes when a file is rewritten, the most reliable first.
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
    """Returns whether a path has a scheme."""
    return "://" in path


@functools.lru_cache(maxsize=1024)  # paths of shards are needed for every clip
def join(folder: str, *parts: str) -> str:
    """Joins a local or remote folder and the names below it."""
    return "/".join([folder.rstrip("/"), *parts]) if is_remote(folder) else os.path.join(folder, *parts)


def absolute(path: str) -> str:
    """Returns the path from the root, so that it does not depend on the working folder."""
    return path if is_remote(path) else os.path.abspath(path)


def filesystem(path: str) -> tuple[Any, str]:
    """Returns the fsspec filesystem of a remote path, and the path in it."""
    return _remote(path)


def exists(path: str) -> bool:
    """Returns whether a file or folder exists."""
    if not is_remote(path):
        return os.path.exists(path)
    filesystem, inner = _remote(path)
    return filesystem.exists(inner)


def size(path: str) -> int:
    """Returns the size of a file in bytes."""
    if not is_remote(path):
        return os.path.getsize(path)
    filesystem, inner = _remote(path)
    return filesystem.size(inner)


def identity(path: str) -> tuple[int | None, str]:
    """Returns the size of a file in bytes, and a text that changes when the file is rewritten.

    Returns:
        The size, or None if remote storage does not report it. The text is the modification time in nanoseconds for a
        local file, and an entity tag or a similar property for a remote file.

    Raises:
        FileNotFoundError: If there is no such file.
        OSError: If the path is a folder or a device, or the file cannot be accessed.
        ValueError: If no file can have such a path.
        InputError: If the storage cannot be reached.
    """
    return asked(path)()


def asked(path: str) -> Callable[[], tuple[int | None, str]]:
    """Returns a function that returns `identity(path)` and may be called in another thread.

    The fsspec filesystem is created in the calling thread. fsspec creates separate filesystems in every thread, and
    those of other threads would request the listings again that this one has cached.
    """
    if not is_remote(path):
        return functools.partial(_local_identity, path)
    return functools.partial(_remote_identity, path, *_remote(path))


def version(path: str) -> str:
    """Returns a single text that changes when a file is rewritten."""
    return "-".join(map(str, identity(path)))


def is_folder(path: str) -> bool:
    """Returns whether a folder exists."""
    if not is_remote(path):
        return os.path.isdir(path)
    filesystem, inner = _remote(path)
    return filesystem.isdir(inner)


def make_folder(path: str) -> None:
    """Creates a folder and its parents. Object stores have no folders and need none."""
    if is_remote(path):
        filesystem, inner = _remote(path)
        filesystem.makedirs(inner, exist_ok=True)
    else:
        os.makedirs(path, exist_ok=True)


def walk(folder: str) -> Iterator[str]:
    """Yields all files below a folder as sorted relative paths with forward slashes.

    Links to folders are followed, but not back into a folder that is being walked. A folder that cannot be listed
    raises an error. For a local folder, memory holds only the names in the current folder and its parents. The
    subfolders of a remote folder are listed in parallel, see `audiopipe.storage.prefixes`.
    """
    if is_remote(folder):
        yield from prefixes.walk(*_remote(folder))
        return
    yield from _walk_local(folder)


def sizes(folder: str) -> dict[str, int]:
    """Returns the size in bytes of each file directly in a folder, by name."""
    if is_remote(folder):
        filesystem, inner = _remote(folder)
        listed = filesystem.ls(inner, detail=True)
        return {item["name"].rpartition("/")[2]: item["size"] for item in listed if item["type"] == "file"}
    with os.scandir(folder) as entries:
        return {entry.name: entry.stat().st_size for entry in entries if entry.is_file()}


def folders(folder: str) -> list[str]:
    """Returns the sorted names of the folders directly in a folder. There are none if it does not exist."""
    if not is_folder(folder):
        return []
    if is_remote(folder):
        filesystem, inner = _remote(folder)
        filesystem.invalidate_cache(inner)  # `ls` may return what another process has changed since
        listed = filesystem.ls(inner, detail=True)
        return sorted(item["name"].rstrip("/").rpartition("/")[2] for item in listed if item["type"] == "directory")
    with os.scandir(folder) as entries:
        return sorted(entry.name for entry in entries if entry.is_dir())


def forget_listing(folder: str) -> None:
    """Forgets what this process knows of a remote folder, because other processes may have written to it.

    fsspec remembers listings, and takes a file that is not in them for missing.
    """
    if is_remote(folder):
        filesystem, inner = _remote(folder)
        filesystem.invalidate_cache(inner)


def glob(pattern: str) -> list[str]:
    """Returns the sorted files that match a pattern with `*`, `?`, `[...]` and `**`."""
    if is_remote(pattern):
        filesystem, inner = _remote(pattern)
        scheme_and_host = pattern.removesuffix(inner)
        return [scheme_and_host + found for found in prefixes.glob(filesystem, inner)]
    found = fsspec.filesystem("file").glob(os.path.abspath(pattern))
    return sorted(path for path in found if os.path.isfile(path))


def open_binary(path: str) -> BinaryIO:
    """Opens a file for reading. A pipe or a device raises an error, because reading it may never end."""
    if not is_remote(path):
        return open(path, "rb", opener=_open_file)
    filesystem, inner = _remote(path)
    return filesystem.open(inner, "rb")


def open_descriptor(path: str) -> int:
    """Opens a local file for reading and returns its descriptor, which is faster than `open_binary`.

    A pipe or a device raises an error, because reading it may never end.
    """
    return _open_file(path, os.O_RDONLY | os.O_CLOEXEC)


def read_bytes(path: str) -> bytes:
    """Returns the content of a file."""
    with open_binary(path) as file:
        return file.read()


def write_bytes(path: str, content: bytes) -> None:
    """Writes a file atomically: the path never has partial content."""
    with temporary_file(path) as temporary:
        Path(temporary).write_bytes(content)


@contextlib.contextmanager
def temporary_file(path: str) -> Iterator[str]:
    """Yields a local path to write to, and publishes the file there as a whole at `path`.

    A local file is renamed within its folder. Remote storage has no atomic rename, so the file is uploaded with one
    `put` to its final name. If the block raises, nothing is published.
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


def copy(source: str, target: str) -> None:
    """Copies a file to another path of the same storage. The target never has partial content."""
    if is_remote(target):
        filesystem, inner = _remote(target)
        filesystem.copy(_remote(source)[1], inner)
    else:
        with temporary_file(target) as temporary:
            shutil.copyfile(source, temporary)


def remove(path: str) -> None:
    """Removes a file, or a folder with its content. Does nothing if the path does not exist."""
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
    """Yields a local path to a file: its own path, or that of a copy that is removed at the end."""
    if not is_remote(path):
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="audiopipe-") as folder:
        yield fetch(path, folder)


def fetch(path: str, folder: str) -> str:
    """Copies a remote file into a local folder, unless it exists there, and returns the local path."""
    filesystem, inner = _remote(path)
    local = os.path.join(folder, os.path.basename(inner))
    if not os.path.exists(local):
        with temporary_file(local) as temporary:
            filesystem.get_file(inner, temporary)
    return local


def _walk_local(folder: str) -> Iterator[str]:
    # A stack, because folders may be nested deeper than Python's recursion limit.
    levels = [("", _inode(folder), iter(_names(folder)))]
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
    descriptor = os.open(path, flags | os.O_NONBLOCK)  # opening a pipe would wait for a writer
    mode = os.fstat(descriptor).st_mode
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):  # `open` itself raises IsADirectoryError
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
    """Returns the sorted names in a folder. Names of folders end in a slash, so the order is that of whole paths."""
    with os.scandir(folder) as entries:
        return sorted(f"{entry.name}/" if _leads_to_folder(entry) else entry.name for entry in entries)


def _leads_to_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        if entry.is_symlink():  # a link to itself or through an unreadable folder is like a missing file
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
    """Returns the fsspec filesystem of a remote path, and the path in it."""
    scheme = path.partition("://")[0]
    try:
        return fsspec.core.url_to_fs(path)
    except ImportError as error:
        extra = EXTRAS.get(scheme)
        how = f'pip install "audiopipe[{extra}]"' if extra else f"install fsspec's package for {scheme}"
        raise MissingDependencyError(f"Reading {path!r} needs a package that is not installed: {how}.") from error
    except (OSError, ValueError) as error:
        raise InputError(f"The storage of {path!r} cannot be reached: {error}.") from error
