"""Worker processes of a job on this machine: `python -P -m audiopipe.precompute.worker`.

That process loads TensorFlow as soon as it has started, while the job is still being planned, and then forks the
workers that the job asks for. TensorFlow is therefore loaded once, and its memory is shared. Each worker writes the
shards that the job sends it. All these processes end at once if the job has ended for any reason.
"""

import contextlib
import gc
import multiprocessing
import os
import pickle
import signal
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing import reduction
from multiprocessing.connection import Connection
from typing import Any

from audiopipe.errors import AudiopipeError

POLL_SECONDS = 0.2


@dataclass(frozen=True)
class Settings:
    """What workers have to know before they write shards.

    Args:
        workers: Number of workers.
        config: The pickled config. Its class is found wherever the program that started the job found it, and is known
            before the workers read its name in the plan.
    """

    workers: int
    config: bytes


@dataclass(frozen=True)
class Failure:
    """Why a process cannot continue.

    Args:
        cause: A sentence for people.
        details: The traceback, or nothing if audiopipe foresees the error.
    """

    cause: str
    details: str


def cause_of(error: BaseException) -> str:
    """Returns what an error of a worker says, with its type unless that says nothing."""
    message = str(error)
    if isinstance(error, MemoryError):
        return f"a worker ran out of memory ({message or 'MemoryError'})"
    if not message:
        return f"a worker raised {type(error).__name__} without a message"
    return message if isinstance(error, (AudiopipeError, RuntimeError)) else f"{type(error).__name__}: {message}"


def main(descriptor: str) -> None:
    """Loads TensorFlow, and forks the workers.

    It receives the module search path and the `Settings`. It sends the process ids of the workers, or a `Failure`, and
    then a connection to each worker. From then on it answers the number of a worker with its exit code.

    Args:
        descriptor: File descriptor of the connection to the job.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group, but the job decides when to end
    job = Connection(int(descriptor))
    _end_with_parent()
    with _reported(job):
        sys.path[:] = job.recv()
        from audiopipe.precompute import row_files, shard_writer  # noqa: F401  (loads TensorFlow, but does not run it)

        row_files.prepare()
        settings: Settings = job.recv()
        gc.freeze()  # collections of garbage would copy the memory that the workers share
        pairs = [multiprocessing.Pipe() for _ in range(settings.workers)]
        workers = [_forked(number, pairs, job, settings) for number in range(settings.workers)]
        job.send(workers)
        for of_job, of_worker in pairs:
            reduction.send_handle(job, of_job.fileno(), os.getppid())
            of_job.close()
            of_worker.close()
        for number in _received(job):
            job.send(os.waitstatus_to_exitcode(os.waitpid(workers[number], 0)[1]))
    os._exit(0)


def _forked(number: int, pairs: list[Any], job: Connection, settings: Settings) -> int:
    """Forks a worker and returns its process id."""
    process = os.fork()
    if process == 0:
        _end_with_parent()
        own = pairs[number][1]
        for connection in (job, *(end for pair in pairs for end in pair)):
            if connection is not own:
                connection.close()  # each end is open in one process, so all others notice when that has ended
        with _reported(own):
            _work(own, settings)
        os._exit(0)  # at once: TensorFlow takes a while to shut down
    return process


def _work(job: Connection, settings: Settings) -> None:
    """Writes the shards that the job sends, lists of a clips file and a number each. Sends the number of each shard."""
    from audiopipe.precompute import shard_writer

    if settings.workers > 1:
        _use_one_thread()  # first, because the module of a config class may run TensorFlow
    pickle.loads(settings.config)  # imports the class of the config
    for elements in _received(job):
        for sidecar in shard_writer.write_shards(elements):
            job.send(sidecar["shard"])


def _use_one_thread() -> None:
    """Limits TensorFlow to one thread, unless the environment sets a number."""
    import tensorflow as tf

    if "TF_NUM_INTRAOP_THREADS" not in os.environ:
        tf.config.threading.set_intra_op_parallelism_threads(1)
    if "TF_NUM_INTEROP_THREADS" not in os.environ:
        tf.config.threading.set_inter_op_parallelism_threads(1)


@contextlib.contextmanager
def _reported(job: Connection) -> Iterator[None]:
    """Reports an error to the job."""
    try:
        yield
    except Exception as error:
        details = "" if isinstance(error, AudiopipeError) else traceback.format_exc()
        with contextlib.suppress(OSError):  # the job has ended
            job.send(Failure(cause_of(error), details))
            for _ in _received(job):  # until the job has read why
                pass


def _received(job: Connection) -> Iterator[Any]:
    with contextlib.suppress(EOFError, OSError):  # the job has closed the connection
        while True:
            yield job.recv()


def _end_with_parent() -> None:
    """Ends this process as soon as the one that started it has ended."""
    parent = os.getppid()

    def follow() -> None:
        while os.getppid() == parent:
            time.sleep(POLL_SECONDS)
        os._exit(1)

    threading.Thread(target=follow, daemon=True).start()


if __name__ == "__main__":
    # The job imports the classes of messages from the module, so they must not be those of `__main__`.
    from audiopipe.precompute import worker

    worker.main(sys.argv[1])
