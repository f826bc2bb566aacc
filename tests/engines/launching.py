"""Start jobs, servers and clusters as processes of their own, with a time limit, and leave none of them behind."""

import contextlib
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import process_groups


@contextlib.contextmanager
def started(command: list, log: Path) -> Iterator[subprocess.Popen]:
    """A process that runs a Python module or script, and ends with the block together with all that it started."""
    with log.open("wb") as output:  # a pipe would stay open for as long as any process that inherited it
        process = process_groups.start(
            [sys.executable, *command], stdin=subprocess.PIPE, stdout=output, stderr=subprocess.STDOUT
        )
    try:
        yield process
    finally:
        process_groups.kill(process)
        process.stdin.close()


def precompute(source: Path, output: Path, config: Path, *options: str, code: int = 0, seconds: float = 150) -> str:
    """Run `audiopipe precompute`, and return what it printed. It must end with an exit code within some seconds."""
    log = output.with_suffix(".log")
    command = ["-m", "audiopipe", "precompute", source, output, "--config", config, "--num-shards", "6", *options]
    with started(command, log) as process:
        try:
            found = process.wait(seconds)
        except subprocess.TimeoutExpired:
            found = f"none after {seconds} seconds"
    printed = log.read_text(errors="replace")
    assert found == code, f"exit code {found}:\n{printed}"
    return printed


def wait_for(path: Path, process: subprocess.Popen, log: Path, seconds: float = 60) -> str:
    """The content of a file that a process is to write."""
    end = time.monotonic() + seconds
    while time.monotonic() < end and process.poll() is None:
        if path.exists():
            return path.read_text()
        time.sleep(0.05)
    raise AssertionError(f"It did not start:\n{log.read_text(errors='replace')}")
