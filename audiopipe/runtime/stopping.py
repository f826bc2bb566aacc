"""Requests to stop jobs of this process. The code that writes a shard checks them after each clip."""

import contextlib
import signal
from collections.abc import Iterator

_stopped: set[str] = set()


def stop(output: str) -> None:
    """Stops this process from writing shards to a folder after the current clip. The shards stay unfinished."""
    _stopped.add(output)


def allow(output: str) -> None:
    """Cancels `stop`."""
    _stopped.discard(output)


def is_stopped(output: str) -> bool:
    """Returns whether writing to a folder has to stop."""
    return output in _stopped


@contextlib.contextmanager
def interrupted_by_sigterm() -> Iterator[None]:
    """Context in which SIGTERM raises `KeyboardInterrupt` as Ctrl-C does.

    The handler is removed at the end, because processes that are forked inherit it: a `multiprocessing.Pool` ends its
    processes by SIGTERM, and waits forever for a process whose handler is called too early.
    """
    previous = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)
