"""Turns of processes that change the same small file, so that none of them loses what another one wrote."""

import contextlib
import errno
from collections.abc import Iterator

import filelock

from audiopipe.storage import files

WAIT_SECONDS = 30.0

# Errors of file systems without locks, such as some network mounts.
NO_LOCKS = (errno.ENOSYS, errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP)


@contextlib.contextmanager
def turn(path: str, seconds: float = WAIT_SECONDS) -> Iterator[None]:
    """Waits until no other process changes a file, and holds a lock of the operating system meanwhile.

    The lock is that of the file `<path>.lock`, which stays there. It ends with the process that holds it. Remote
    storage and some network mounts have no locks, so nothing waits there.

    Args:
        path: Path of the file to read, change and write. Its folder must exist.
        seconds: Longest time to wait.

    Raises:
        TimeoutError: If another process holds the lock for longer.
        OSError: If the file of the lock cannot be written.

    Example:
        >>> with turn("memory://team/registry.json"):
        ...     pass
    """
    with contextlib.ExitStack() as stack:
        if not files.is_remote(path):
            # Everybody who may write to the folder may change the file, so everybody may lock it.
            lock = filelock.FileLock(f"{path}.lock", seconds, mode=0o666, thread_local=False, fallback_to_soft=False)
            try:
                stack.enter_context(lock)
            except OSError as error:
                if error.errno not in NO_LOCKS:
                    raise
        yield
