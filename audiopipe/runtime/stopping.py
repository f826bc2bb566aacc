"""Requests to stop jobs of this process. The code that writes a shard checks them after each clip."""

import contextlib
import signal
import threading
from collections.abc import Iterator

_stopped: set[str] = set()
_changed = threading.Condition()
_n_at_work = 0


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
def at_work() -> Iterator[None]:
    """Context in which a thread writes shards, so that `wait_until_idle` waits for it."""
    global _n_at_work
    with _changed:
        _n_at_work += 1
    try:
        yield
    finally:
        with _changed:
            _n_at_work -= 1
            _changed.notify_all()


def wait_until_idle(seconds: float) -> bool:
    """Waits until no thread of this process writes shards, at most `seconds`. Returns whether there is none."""
    with _changed:
        return _changed.wait_for(lambda: _n_at_work == 0, seconds)


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
