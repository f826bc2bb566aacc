"""Jobs, servers and clusters in processes of their own, with time limits. No process outlives its test."""

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import process_groups
from process_groups import ROOT

SECONDS = 900  # for a job, on a machine that has other work
# A worker pool starts the program `python`.
VARIABLES = {"PATH": os.pathsep.join([os.path.dirname(sys.executable), os.environ["PATH"]])}
LOOPBACK = "--environment_type=LOOPBACK"


def external(address: str) -> list[str]:
    """Returns the options for workers in a pool."""
    return ["--environment_type=EXTERNAL", f"--environment_config={address}"]


@contextlib.contextmanager
def started(command: list, log: Path, variables: dict[str, str] | None = None) -> Iterator[subprocess.Popen]:
    """Starts a Python module or script. When the context ends, the process and all that it started are killed."""
    with program([sys.executable, *command], log, variables) as process:
        yield process


@contextlib.contextmanager
def program(command: list, log: Path, variables: dict[str, str] | None = None) -> Iterator[subprocess.Popen]:
    """Starts a program. When the context ends, the process and all that it started are killed."""
    with log.open("wb") as output:  # a pipe would stay open as long as any process that inherited it
        process = process_groups.start(
            command,
            {**VARIABLES, **(variables or {})},
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        yield process
    finally:
        process_groups.kill(process)
        process.stdin.close()


class Job:
    """A running `audiopipe precompute` in 6 shards.

    Args:
        process: Its process.
        log: What it prints.
    """

    def __init__(self, process: subprocess.Popen, log: Path):
        self.process = process
        self._log = log

    @property
    def printed(self) -> str:
        """What it has printed so far."""
        return self._log.read_text(errors="replace")

    def wait(self, seconds: float = SECONDS) -> int:
        """Waits until it ends, and returns its exit code. Fails if that takes longer."""
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"The job did not end within {seconds} seconds:\n{self.printed}") from None

    def until(self, condition: Callable[[], object], seconds: float = SECONDS) -> None:
        """Waits until a condition holds. Fails if the job ends before that."""
        end = time.monotonic() + seconds
        while not condition():
            assert self.process.poll() is None, f"The job ended:\n{self.printed}"
            assert time.monotonic() < end, f"The condition did not hold within {seconds} seconds:\n{self.printed}"
            time.sleep(0.02)


@contextlib.contextmanager
def running(
    source: Path, output: Path, config: Path, *options: str, variables: dict[str, str] | None = None
) -> Iterator[Job]:
    """Runs `audiopipe precompute`, with additional environment variables.

    When the context ends, the command and all that it started are killed.
    """
    log = output.with_suffix(".log")
    command = ["-m", "audiopipe", "precompute", source, output, "--config", config, "--num-shards", "6", *options]
    with started(command, log, variables) as process:
        yield Job(process, log)


def precompute(source: Path, output: Path, config: Path, *options: str, code: int = 0, seconds: float = SECONDS) -> str:
    """Runs `audiopipe precompute` and returns its output. Fails unless it ends with `code` within `seconds`."""
    with running(source, output, config, *options) as job:
        found = job.wait(seconds)
        assert found == code, f"exit code {found}:\n{job.printed}"
        return job.printed


@contextlib.contextmanager
def worker_pool(folder: Path, variables: dict[str, str] | None = None) -> Iterator[str]:
    """Starts a pool of workers on this machine, and yields its address for `--environment_config`."""
    folder.mkdir(parents=True, exist_ok=True)
    address, log = folder / "address", folder / "workers.log"
    address.unlink(missing_ok=True)
    with started([ROOT / "tests/engines/worker_pool.py", address], log, variables) as process:
        yield wait_for(address, process, log)


def wait_for(path: Path, process: subprocess.Popen, log: Path, seconds: float = 200) -> str:
    """Waits until a process has written a file, and returns the content of the file."""
    end = time.monotonic() + seconds
    while time.monotonic() < end and process.poll() is None:
        if path.exists():
            return path.read_text()
        time.sleep(0.05)
    raise AssertionError(f"The process did not write {path}:\n{log.read_text(errors='replace')}")
