"""Engine that runs a job on worker processes of this machine.

It starts a process that loads TensorFlow, before the plan is made. When the plan is there, that process forks the
workers, see `audiopipe.precompute.worker`. Each free worker gets the next shard.
"""

import contextlib
import multiprocessing
import os
import pickle
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import deque
from dataclasses import dataclass
from multiprocessing import connection, reduction
from multiprocessing.connection import Connection
from typing import Any, cast

from audiopipe.errors import FeatureSetError
from audiopipe.precompute import finished_shards
from audiopipe.precompute.plan import Plan
from audiopipe.precompute.worker import Failure, Settings

STOP_SECONDS = 10
AHEAD = 2  # shards that a worker has at once, so that it never waits for the next
AHEAD_ALONE = 16  # likewise if it is the only worker, which reads clips of the next shards while it writes one
_ENVIRONMENT = {"TF_CPP_MIN_LOG_LEVEL": "2"}


@dataclass(eq=False)
class _Worker:
    """A worker process.

    Args:
        number: Its number.
        job: Connection to it.
        shards: Number of shards that it has and has not written yet.
    """

    number: int
    job: Connection
    shards: int = 0


class Processes:
    """Engine that writes shards in worker processes.

    Several workers have one TensorFlow thread each. A single one uses all processors.

    Args:
        workers: Number of workers. It may be set until `start`.
    """

    def __init__(self, workers: int):
        self.workers = workers
        self._parent: subprocess.Popen[bytes] | None = None
        self._connection: Connection | None = None  # to the parent of the workers
        self._log = tempfile.TemporaryFile(prefix="audiopipe-")  # noqa: SIM115 (open for as long as the processes)
        self._pids: list[int] = []
        self._workers: list[_Worker] = []
        self._todo: deque[tuple[str, int]] = deque()
        self._thread: threading.Thread | None = None
        self._ended = threading.Event()
        self._error: Exception | None = None

    def launch(self) -> None:
        """Starts the process that loads TensorFlow and then forks the workers."""
        self._connection, theirs = multiprocessing.Pipe()
        with theirs:
            self._parent = subprocess.Popen(
                # -P: modules in the working directory must not shadow installed ones.
                [sys.executable, "-P", "-m", "audiopipe.precompute.worker", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=self._log,
                env={**_ENVIRONMENT, **os.environ},
            )
        _send(self._connection, _search_path())

    def start(self, plan: Plan) -> None:
        """Starts to write the unfinished shards of a plan."""
        if self._connection is None:
            self.launch()
        _send(self._connection, Settings(self.workers, pickle.dumps(plan.config), plan.accept_truncated))
        self._todo.extend(finished_shards.unfinished(plan))
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def wait(self, seconds: float) -> bool:
        """Waits until the job ends, at most `seconds`. Returns whether it has ended.

        Raises:
            FeatureSetError: If the job failed.
        """
        ended = self._ended.wait(seconds)
        if ended and self._error is not None:
            raise self._error
        return ended

    def stop(self) -> None:
        """Ends the processes. Finished shards are kept, unfinished ones are lost."""
        if self._parent is None or self._connection is None:
            return
        for pid in self._pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._parent.kill()
        end = time.monotonic() + STOP_SECONDS  # a process that hangs while it reads a file does not end before
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._parent.wait(STOP_SECONDS)
        if self._thread is not None:
            self._thread.join(max(0, end - time.monotonic()))
        for worker in self._workers:
            with contextlib.suppress(EOFError, OSError):  # it has ended
                while worker.job.poll(max(0, end - time.monotonic())):
                    worker.job.recv()
            worker.job.close()
        self._connection.close()
        self._parent = self._connection = None

    def _run(self) -> None:
        try:
            self._connect()
            self._dispatch()
        except Exception as error:
            self._error = error
        finally:
            self._ended.set()

    def _connect(self) -> None:
        """Waits until TensorFlow is loaded, and gets the connections to the workers."""
        assert self._connection is not None
        self._pids = self._received(self._connection)
        for number in range(self.workers):
            handle = reduction.recv_handle(self._connection)
            self._workers.append(_Worker(number, Connection(handle)))

    def _dispatch(self) -> None:
        """Gives shards to the workers until all are written."""
        assert self._connection is not None
        workers = {worker.job: worker for worker in self._workers}
        for free in self._workers:
            self._give(free)
        while any(worker.shards for worker in self._workers):
            for ready in connection.wait([self._connection, *workers]):
                job = cast(Connection, ready)
                worker = workers.get(job)
                self._received(job, worker)
                assert worker is not None  # the parent sends nothing of its own accord, so it can only have ended
                worker.shards -= 1
                self._give(worker)

    def _give(self, worker: _Worker) -> None:
        """Gives shards to a worker until it has enough. The last ones are left for those that are free first."""
        alone = self.workers == 1
        while self._todo and worker.shards < (AHEAD_ALONE if alone else AHEAD):
            if worker.shards and not alone and len(self._todo) < self.workers:
                return
            worker.shards += 1
            _send(worker.job, self._todo.popleft())

    def _received(self, job: Connection, worker: _Worker | None = None) -> Any:
        """Returns the next message of a worker, or of the parent of the workers.

        Raises:
            FeatureSetError: If the process failed, or has ended.
        """
        try:
            message = job.recv()
        except (EOFError, OSError):
            raise FeatureSetError(self._cause(worker)) from None
        if isinstance(message, Failure):
            error = FeatureSetError(message.cause)
            if message.details:
                error.add_note(f"In a worker process:\n{message.details}")
            raise error
        return message

    def _cause(self, worker: _Worker | None) -> str:
        """Returns why a worker, or the parent of the workers, ended."""
        code = None if worker is None else self._exit_code(worker)
        if code is None:
            assert self._parent is not None
            code = self._parent.wait(STOP_SECONDS)
        if code < 0:
            return (
                f"a worker process was killed by {signal.Signals(-code).name}. If nobody killed it on purpose, the "
                "machine may have run out of memory."
            )
        self._log.seek(0)
        lines = self._log.read().decode(errors="replace").strip().splitlines()
        return f"a worker process ended with exit code {code}: {lines[-1] if lines else 'it printed nothing'}."

    def _exit_code(self, worker: _Worker) -> int | None:
        """Returns the exit code of a worker, or None if its parent has ended, too."""
        assert self._connection is not None
        _send(self._connection, worker.number)
        try:
            return self._connection.recv()
        except (EOFError, OSError):
            return None


def _send(job: Connection | None, content: object) -> None:
    assert job is not None
    with contextlib.suppress(OSError):  # the process has ended, and what is received next says why
        job.send(content)


def _search_path() -> list[str]:
    """Returns the module search path as absolute paths, which mean the same in another process."""
    return [os.path.abspath(folder) for folder in sys.path]
