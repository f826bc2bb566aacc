"""Engine that runs a job on worker processes of this machine.

It starts a process that loads TensorFlow, before the plan is made. When the plan is there, that process forks the
workers, see `audiopipe.precompute.worker`. Each free worker gets the next shard.
"""

import contextlib
import os
import pickle
import signal
import threading
import time
from collections import deque
from dataclasses import dataclass
from multiprocessing import connection, reduction
from multiprocessing.connection import Connection
from typing import Any, cast

from audiopipe.errors import FeatureSetError
from audiopipe.precompute import finished_shards, launching
from audiopipe.precompute.launching import Launched
from audiopipe.precompute.plan import Plan
from audiopipe.precompute.worker import Failure, Settings

STOP_SECONDS = 10
AHEAD = 2  # shards that a worker has at once, so that it never waits for the next


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
        self._parent: Launched | None = None  # of the workers
        self._pids: list[int] = []
        self._workers: list[_Worker] = []
        self._todo: deque[tuple[str, int]] = deque()
        self._thread: threading.Thread | None = None
        self._ended = threading.Event()
        self._error: Exception | None = None

    def launch(self) -> None:
        """Starts the process that loads TensorFlow and then forks the workers."""
        self._parent = launching.launched()

    def start(self, plan: Plan) -> None:
        """Starts to write the unfinished shards of a plan."""
        if self._parent is None:
            self.launch()
        assert self._parent is not None
        _send(self._parent.connection, Settings(self.workers, pickle.dumps(plan.config)))
        self._todo.extend(finished_shards.unfinished(plan))
        self._thread = threading.Thread(target=self._run, args=[self._parent], daemon=True)
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
        if self._parent is None:
            return
        for pid in self._pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._parent.process.kill()
        end = time.monotonic() + STOP_SECONDS  # a process that hangs while it reads a file does not end before
        if self._thread is not None:
            self._thread.join(STOP_SECONDS)
        for worker in self._workers:
            with contextlib.suppress(EOFError, OSError):  # it has ended
                while worker.job.poll(max(0, end - time.monotonic())):
                    worker.job.recv()
            worker.job.close()
        self._parent.end(max(0, end - time.monotonic()))
        self._parent = None

    def _run(self, parent: Launched) -> None:
        try:
            self._connect(parent)
            self._dispatch(parent)
        except Exception as error:
            self._error = error
        finally:
            self._ended.set()

    def _connect(self, parent: Launched) -> None:
        """Waits until TensorFlow is loaded, and gets the connections to the workers."""
        self._pids = _received(parent)
        for number in range(self.workers):
            self._workers.append(_Worker(number, Connection(reduction.recv_handle(parent.connection))))

    def _dispatch(self, parent: Launched) -> None:
        """Gives shards to the workers until all are written."""
        workers = {worker.job: worker for worker in self._workers}
        for free in self._workers:
            self._give(free)
        while any(worker.shards for worker in self._workers):
            for ready in connection.wait([parent.connection, *workers]):
                worker = workers.get(cast(Connection, ready))
                _received(parent, worker)
                assert worker is not None  # the parent sends nothing of its own accord, so it can only have ended
                worker.shards -= 1
                self._give(worker)

    def _give(self, worker: _Worker) -> None:
        """Gives shards to a worker until it has enough. The last ones are left for those that are free first."""
        while self._todo and worker.shards < (1 if len(self._todo) < self.workers else AHEAD):
            # A single worker gets all at once, because it may read clips of the next shards while it writes one.
            count = len(self._todo) if self.workers == 1 else 1
            worker.shards += count
            _send(worker.job, [self._todo.popleft() for _ in range(count)])


def _received(parent: Launched, worker: _Worker | None = None) -> Any:
    """Returns the next message of a worker, or of the parent of the workers.

    Raises:
        FeatureSetError: If the process failed, or has ended.
    """
    try:
        message = (parent.connection if worker is None else worker.job).recv()
    except (EOFError, OSError):
        raise FeatureSetError(_cause(parent, worker)) from None
    if isinstance(message, Failure):
        error = FeatureSetError(message.cause)
        if message.details:
            error.add_note(f"In a worker process:\n{message.details}")
        raise error
    return message


def _cause(parent: Launched, worker: _Worker | None) -> str:
    """Returns why a worker, or the parent of the workers, ended."""
    code = None if worker is None else _exit_code(parent, worker)
    if code is None:
        code = parent.process.wait(STOP_SECONDS)
    if code < 0:
        return (
            f"a worker process was killed by {signal.Signals(-code).name}. If nobody killed it on purpose, the machine "
            "may have run out of memory."
        )
    parent.log.seek(0)
    lines = parent.log.read().decode(errors="replace").strip().splitlines()
    return f"a worker process ended with exit code {code}: {lines[-1] if lines else 'it printed nothing'}."


def _exit_code(parent: Launched, worker: _Worker) -> int | None:
    """Returns the exit code of a worker, or None if its parent has ended, too."""
    _send(parent.connection, worker.number)
    try:
        return parent.connection.recv()
    except (EOFError, OSError):
        return None


def _send(job: Connection, content: object) -> None:
    with contextlib.suppress(OSError):  # the process has ended, and what is received next says why
        job.send(content)
