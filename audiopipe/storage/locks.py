"""One run at a time on one output: a lock of the operating system locally, a lease on remote storage.

A lock ends with the process that holds it, even if that process is killed. A lease is an object that its owner renews.
A lease that is no longer renewed is taken over. Object stores have no locks, so a race remains: a run finds a stale
lease, pauses for longer than the settling time, and takes the lease over after another run has done so. Both runs then
work until the next renewal, when one of them finds out. Shards are published as a whole, so neither run damages those
of the other.
"""

import contextlib
import datetime
import json
import os
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from typing import Any, Protocol

import filelock
import fsspec

from audiopipe.errors import FeatureSetError, FeatureSetLockedError
from audiopipe.storage import files
from audiopipe.storage.turns import NO_LOCKS

FOLDER = "plan"
LOCK_FILE = "lock"
LEASE_FILE = "lease.json"
LEASE_SECONDS = 60.0
SETTLE_SECONDS = 2.0
RENEWALS = 3  # per duration of a lease, so that it survives a failed renewal


class Held(Protocol):
    """Output that this run holds."""

    @property
    def lost(self) -> bool:
        """True if this run is known to have lost the output to another run, or its lock was removed."""

    def check(self) -> None:
        """Raises an error unless this run still holds the output.

        Raises:
            FeatureSetLockedError: If this run does not hold the output any more.
        """

    def release(self) -> None:
        """Releases the output, unless another run holds it now."""


@contextlib.contextmanager
def held(
    output: str, *, lease_seconds: float = LEASE_SECONDS, settle_seconds: float = SETTLE_SECONDS
) -> Iterator[Held]:
    """Holds an output, so that a second run on it is refused.

    The folder of the plan is created if it does not exist. The file of a local lock stays there, and is empty while
    nobody holds the lock. A lease is removed at the end.

    Args:
        output: Local or remote folder of the feature set.
        lease_seconds: Duration of a lease in seconds. A lease is used on remote storage, and on file systems without
            locks. It is renewed three times per duration.
        settle_seconds: Seconds to wait after taking a lease, before checking that no other run has taken it as well.

    Yields:
        The held output. It reports whether this run still holds it.

    Raises:
        FeatureSetLockedError: If another run holds the output. The message describes that run and what to do.
        FeatureSetError: If the lock cannot be written.

    Example:
        >>> with held("memory://features", settle_seconds=0) as run:
        ...     run.lost
        False
    """
    output = files.absolute(output)
    holder: Held | None = None
    try:
        files.make_folder(files.join(output, FOLDER))
        if not files.is_remote(output):
            holder = _Lock.take(output)
        if holder is None:
            holder = _Lease.take(output, lease_seconds, settle_seconds)
    except OSError as error:
        raise FeatureSetError(
            f"OUTPUT must be a writable folder. Received: {output!r}, where the lock of this run could not be created: "
            f"{error}. Fix the cause, or choose another folder."
        ) from error
    try:
        yield holder
    finally:
        holder.release()


class _Lock:
    """Lock of the operating system. It locks a file and not a path, so several links to a folder share one lock."""

    def __init__(self, output: str, lock: filelock.BaseFileLock, identity: tuple[int, int]):
        self._output = output
        self._lock = lock
        self._identity = identity

    @classmethod
    def take(cls, output: str) -> "_Lock | None":
        """Takes the lock. Returns None if the file system has no locks."""
        path = files.join(output, FOLDER, LOCK_FILE)
        lock = filelock.FileLock(path, thread_local=False, fallback_to_soft=False)
        try:
            lock.acquire(blocking=False)
        except filelock.Timeout:
            owner = _read_facts(files.read_bytes(path))
            raise FeatureSetLockedError(
                f"Another run writes to {output!r}: {_described(owner)}. Wait until it is done, stop it, or choose "
                "another folder."
            ) from None
        except OSError as error:
            if error.errno in NO_LOCKS:
                return None
            raise
        try:
            with open(path, "wb") as file:  # in place, because a new file would not be locked
                file.write(json.dumps(_facts(), sort_keys=True).encode())
            return cls(output, lock, _identity(path))
        except BaseException:
            lock.release()
            raise

    @property
    def lost(self) -> bool:
        try:
            return _identity(self._lock.lock_file) != self._identity
        except (FileNotFoundError, NotADirectoryError):
            return True
        except OSError:
            return False  # a network mount that is briefly unreachable still has the lock

    def check(self) -> None:
        if self.lost:
            raise FeatureSetLockedError(
                f"The lock of this run, {self._lock.lock_file!r}, was removed or replaced during the run, so another "
                f"run may write to {self._output!r} as well. Stop any other run there, then run the same command again."
            )

    def release(self) -> None:
        with contextlib.suppress(OSError):
            if not self.lost:
                os.truncate(self._lock.lock_file, 0)
        self._lock.release()


class _Lease:
    """Object that says who holds the output. A thread of this process renews it."""

    def __init__(self, output: str, seconds: float, settle_seconds: float):
        self._output = output
        self._path = files.join(output, FOLDER, LEASE_FILE)
        self._filesystem, self._inner = _storage(self._path)
        self._seconds = seconds
        self._settle_seconds = settle_seconds
        self._facts = {**_facts(), "token": uuid.uuid4().hex, "seconds": seconds}
        self._lost = threading.Event()
        self._stop = threading.Event()
        self._renewing = threading.Thread(target=self._renew, name="audiopipe-lease", daemon=True)

    @classmethod
    def take(cls, output: str, seconds: float, settle_seconds: float) -> "_Lease":
        """Takes the lease."""
        lease = cls(output, seconds, settle_seconds)
        try:
            lease._take()
        except BaseException:
            lease.release()
            raise
        return lease

    @property
    def lost(self) -> bool:
        return self._lost.is_set()

    def check(self) -> None:
        found = self._read()
        if not self._is_mine(found):
            self._lost.set()
            state = "was removed" if found is None else f"is now held by {_described(_read_facts(found))}"
            raise FeatureSetLockedError(
                f"This run no longer holds {self._output!r}: the lease {self._path!r} {state}. Let any other run "
                "finish, or stop it, then run the same command again."
            )

    def release(self) -> None:
        self._stop.set()
        if self._renewing.ident is not None:
            self._renewing.join(self._seconds)
        # A lease that cannot be removed expires. An error of the storage must not hide how the run ended.
        with contextlib.suppress(Exception):
            if self._is_mine(self._read()):
                self._filesystem.rm_file(self._inner)

    def _take(self) -> None:
        found = self._read()
        if found is not None:
            self._wait_out(found)
            with contextlib.suppress(FileNotFoundError):
                self._filesystem.rm_file(self._inner)
        try:
            # Storage that supports it refuses this if another run was faster.
            self._filesystem.pipe_file(self._inner, self._content(), mode="create")
        except FileExistsError:
            raise self._refusal(self._read()) from None
        time.sleep(self._settle_seconds)
        found = self._read()
        if not self._is_mine(found):
            raise self._refusal(found)
        self._renewing.start()

    def _wait_out(self, found: bytes) -> None:
        """Raises an error if another run still renews its lease."""
        facts = _read_facts(found)
        seconds = self._seconds
        if facts is not None and "renewed" in facts:
            seconds = facts["seconds"]
            if _age(facts) < seconds:
                raise self._refusal(found)
        # The lease has expired by the clock of this machine, but clocks differ. So wait for a renewal: one interval,
        # and half of one more in case the renewal is slow.
        time.sleep(1.5 * seconds / RENEWALS)
        now = self._read()
        if now not in (None, found):
            raise self._refusal(now)

    def _renew(self) -> None:
        while not self._stop.wait(self._seconds / RENEWALS):
            try:
                if not self._is_mine(self._read()):
                    self._lost.set()
                    return
                self._write()
            except Exception:  # storage raises errors of any class; the next renewal tries again
                continue

    def _write(self) -> None:
        if files.is_remote(self._path):
            self._filesystem.pipe_file(self._inner, self._content())
        else:
            files.write_bytes(self._path, self._content())  # a file that is written in place is empty for a moment

    def _content(self) -> bytes:
        return json.dumps({**self._facts, "renewed": _now().isoformat()}, sort_keys=True).encode()

    def _read(self) -> bytes | None:
        """Returns the current content of the lease. Listing or opening it would use the cache of some filesystems."""
        try:
            return self._filesystem.cat_file(self._inner)
        except FileNotFoundError:
            return None

    def _is_mine(self, found: bytes | None) -> bool:
        facts = _read_facts(found or b"")
        return facts is not None and facts.get("token") == self._facts["token"]

    def _refusal(self, found: bytes | None) -> FeatureSetLockedError:
        facts = _read_facts(found or b"")
        renewed = ""
        if facts is not None and "renewed" in facts:
            renewed = (
                f" Its lease was renewed at {facts['renewed']} and expires {facts['seconds']:g} s after the last "
                "renewal. If that run is dead, run the same command again after that time."
            )
        return FeatureSetLockedError(
            f"Another run writes to {self._output!r}: {_described(facts)}.{renewed} If it is alive, wait until it is "
            f"done, stop it, or choose another folder. Remove {self._path!r} only if you are sure that no run holds it."
        )


def _storage(path: str) -> tuple[Any, str]:
    """Returns the fsspec filesystem of a path, and the path in it."""
    # fsspec would take a local path with "::" for a chain of URLs.
    return fsspec.core.url_to_fs(path) if files.is_remote(path) else (fsspec.filesystem("file"), path)


def _facts() -> dict[str, Any]:
    """Returns the host, process and start time that identify this run."""
    return {"host": socket.gethostname(), "pid": os.getpid(), "since": _now().isoformat(timespec="seconds")}


def _read_facts(content: bytes) -> dict[str, Any] | None:
    """Returns the run that wrote a lock or a lease. None if it cannot be read, for example while it is written."""
    try:
        facts = json.loads(content)
        known: dict[str, Any] = {"host": str(facts["host"]), "pid": int(facts["pid"]), "since": str(facts["since"])}
        if "renewed" in facts:
            known.update(token=str(facts["token"]), renewed=str(facts["renewed"]), seconds=float(facts["seconds"]))
            _age(known)
            if not 0 < known["seconds"] < float("inf"):
                return None
    except (ValueError, KeyError, TypeError):
        return None
    return known


def _described(facts: dict[str, Any] | None) -> str:
    if facts is None:
        return "a run that does not identify itself"
    return f"process {facts['pid']} on host {facts['host']!r}, started {facts['since']}"


def _age(facts: dict[str, Any]) -> float:
    """Returns the seconds since a lease was renewed, by the clock of this machine."""
    return (_now() - datetime.datetime.fromisoformat(facts["renewed"])).total_seconds()


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


def _identity(path: str) -> tuple[int, int]:
    status = os.stat(path)
    return status.st_dev, status.st_ino
