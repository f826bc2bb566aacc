"""One run at a time on one output: a lock of the operating system locally, a lease on remote storage.

A lock ends with the process that holds it, however that dies. A lease is an object that its owner renews; one that is
no longer renewed is taken over. Object stores have no locks, so a window is left: a run that looked at a stale lease,
then paused for longer than the settling time, and only then took it over, works beside the run that took it before,
until the next renewal shows it to one of them. Shards are published whole, so neither damages the other's.
"""

import contextlib
import datetime
import errno
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

FOLDER = "plan"
LOCK_FILE = "lock"
LEASE_FILE = "lease.json"
LEASE_SECONDS = 60.0
SETTLE_SECONDS = 2.0
RENEWALS = 3  # in the time of a lease, so that it outlives one that fails

# What file systems answer that know no locks, as some network mounts.
_NO_LOCKS = (errno.ENOSYS, errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP)


class Held(Protocol):
    """An output that this run holds."""

    @property
    def lost(self) -> bool:
        """Whether it was found that another run holds the output by now, or that the lock was removed."""

    def check(self) -> None:
        """Look whether this run still holds the output.

        Raises:
            FeatureSetLockedError: If it does not.
        """

    def release(self) -> None:
        """Let the output go, unless another run holds it by now."""


@contextlib.contextmanager
def held(
    output: str, *, lease_seconds: float = LEASE_SECONDS, settle_seconds: float = SETTLE_SECONDS
) -> Iterator[Held]:
    """Hold an output, so that a second run on it is refused.

    The folder of the plan is made if it is not there. It keeps a local lock's file, which is empty when nobody holds
    it; a lease is removed at the end.

    Args:
        output: Folder of the feature set, local or remote.
        lease_seconds: How long a lease lasts, on remote storage and where the file system has no locks. It is renewed
            every third of this.
        settle_seconds: How long after it took a lease a run looks whether another one took it as well.

    Yields:
        What tells whether the output is still held.

    Raises:
        FeatureSetLockedError: If another run holds the output. The message says who, and what to do.
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
            f"OUTPUT must be a folder that can be written. Received: {output!r}, where the lock of this run could not "
            f"be made: {error}. Mend the cause, or choose another folder."
        ) from error
    try:
        yield holder
    finally:
        holder.release()


class _Lock:
    """A lock of the operating system. It guards a file and not a name, so links to a folder share it."""

    def __init__(self, output: str, lock: filelock.BaseFileLock, identity: tuple[int, int]):
        self._output = output
        self._lock = lock
        self._identity = identity

    @classmethod
    def take(cls, output: str) -> "_Lock | None":
        """Take the lock, or return None if the file system has none."""
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
            if error.errno in _NO_LOCKS:
                return None
            raise
        try:
            with open(path, "wb") as file:  # in place: a file that replaced it would not be locked
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
            return False  # a network mount that is away for a moment has not given the lock to another run

    def check(self) -> None:
        if self.lost:
            raise FeatureSetLockedError(
                f"The lock of this run, {self._lock.lock_file!r}, was removed or replaced while it worked, so that "
                f"another run may write to {self._output!r} as well. Let no other run go on there, and run the same "
                "command again."
            )

    def release(self) -> None:
        with contextlib.suppress(OSError):
            if not self.lost:
                os.truncate(self._lock.lock_file, 0)
        self._lock.release()


class _Lease:
    """An object that says who holds the output, and that is renewed as long as this process lives."""

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
        """Take the lease."""
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
            owner = "nobody: it was removed" if found is None else _described(_read_facts(found))
            raise FeatureSetLockedError(
                f"This run no longer holds {self._output!r}. By its lease {self._path!r} it is held by {owner}. Let "
                "that run go on, or stop it and run the same command again."
            )

    def release(self) -> None:
        self._stop.set()
        if self._renewing.ident is not None:
            self._renewing.join(self._seconds)
        # A lease that cannot be removed runs out, and whatever the storage raises must not hide how the run ended.
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
            # Where the storage can, this is refused if another run was faster.
            self._filesystem.pipe_file(self._inner, self._content(), mode="create")
        except FileExistsError:
            raise self._refusal(self._read()) from None
        time.sleep(self._settle_seconds)
        found = self._read()
        if not self._is_mine(found):
            raise self._refusal(found)
        self._renewing.start()

    def _wait_out(self, found: bytes) -> None:
        """Return if the lease of another run is no longer renewed, else refuse."""
        facts = _read_facts(found)
        seconds = self._seconds
        if facts is not None and "renewed" in facts:
            seconds = facts["seconds"]
            if _age(facts) < seconds:
                raise self._refusal(found)
        # By this machine's clock the lease ran out. Clocks differ, so see whether it is renewed: one interval of
        # renewal, and half of one for a slow renewal.
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
                self._filesystem.pipe_file(self._inner, self._content())
            except Exception:  # of whatever class the storage raises: the next renewal tries again
                continue

    def _content(self) -> bytes:
        return json.dumps({**self._facts, "renewed": _now().isoformat()}, sort_keys=True).encode()

    def _read(self) -> bytes | None:
        """The lease as it is now. Neither listed nor opened, which would ask a cache of some storages."""
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
                f" Its lease was renewed {facts['renewed']} and runs out {facts['seconds']:g} s after its last "
                "renewal: if that run is dead, run the same command again after that."
            )
        return FeatureSetLockedError(
            f"Another run writes to {self._output!r}: {_described(facts)}.{renewed} Else wait until it is done, stop "
            f"it, or choose another folder. Remove {self._path!r} only if you know that no run holds it."
        )


def _storage(path: str) -> tuple[Any, str]:
    """The fsspec filesystem of a path, and the path in it."""
    # A local path is no URL: it may hold "::", which chains those.
    return fsspec.core.url_to_fs(path) if files.is_remote(path) else (fsspec.filesystem("file"), path)


def _facts() -> dict[str, Any]:
    """Who this run is."""
    return {"host": socket.gethostname(), "pid": os.getpid(), "since": _now().isoformat(timespec="seconds")}


def _read_facts(content: bytes) -> dict[str, Any] | None:
    """Who a run is that wrote a lock or a lease; None if that cannot be read, as while it is being written."""
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
        return "a run that does not say who it is"
    return f"process {facts['pid']} on host {facts['host']!r}, started {facts['since']}"


def _age(facts: dict[str, Any]) -> float:
    """Seconds since a lease was renewed, by the clock of this machine."""
    return (_now() - datetime.datetime.fromisoformat(facts["renewed"])).total_seconds()


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


def _identity(path: str) -> tuple[int, int]:
    status = os.stat(path)
    return status.st_dev, status.st_ino
