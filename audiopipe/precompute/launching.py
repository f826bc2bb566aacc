"""Start of the process that loads TensorFlow and then forks workers, see `audiopipe.precompute.worker`.

This module imports little, so that the command line can start that process before it imports what a job needs.
"""

import contextlib
import multiprocessing
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import IO

from audiopipe.errors import FeatureSetError

_ENVIRONMENT = {"TF_CPP_MIN_LOG_LEVEL": "2"}
_ahead: "list[Launched]" = []


@dataclass(frozen=True, eq=False)
class Launched:
    """A process that loads TensorFlow.

    Args:
        process: The process.
        connection: Connection to it.
        log: What it and the workers print.
    """

    process: subprocess.Popen[bytes]
    connection: Connection
    log: IO[bytes]

    def end(self, seconds: float) -> None:
        """Kills the process, and waits for its end at most `seconds`."""
        self.process.kill()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(seconds)
        self.connection.close()
        self.log.close()


@contextlib.contextmanager
def ahead() -> Iterator[None]:
    """Context that starts the process before the job is planned. A process that no job uses ends with the context."""
    _ahead.append(_started())
    try:
        yield
    finally:
        while _ahead:
            _ahead.pop().end(0)


def launched() -> Launched:
    """Returns the process that was started ahead, or starts one."""
    return _ahead.pop() if _ahead else _started()


def _started() -> Launched:
    ours, theirs = multiprocessing.Pipe()
    log = tempfile.TemporaryFile(prefix="audiopipe-")  # noqa: SIM115 (open for as long as the process)
    # -P: modules in the working directory must not shadow installed ones.
    command = [sys.executable, "-P", "-m", "audiopipe.precompute.worker", str(theirs.fileno())]
    try:
        process = subprocess.Popen(
            command,
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=log,
            env={**_ENVIRONMENT, **os.environ},
        )
    except OSError as error:
        raise FeatureSetError(f"Could not start a worker process: {error.strerror or error}.") from error
    finally:
        theirs.close()
    with contextlib.suppress(OSError):  # the process has ended, and what is received from it says why
        ours.send([os.path.abspath(folder) for folder in sys.path])  # which means the same in another process
    return Launched(process, ours, log)
