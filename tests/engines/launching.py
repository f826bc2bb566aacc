"""Jobs, servers and clusters in processes of their own, with time limits. No process outlives its test."""

import contextlib
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import process_groups


@contextlib.contextmanager
def started(command: list, log: Path) -> Iterator[subprocess.Popen]:
    """Starts a Python module or script. When the context ends, the process and all that it started are killed."""
    with log.open("wb") as output:  # a pipe would stay open as long as any process that inherited it
        process = process_groups.start(
            [sys.executable, *command], stdin=subprocess.PIPE, stdout=output, stderr=subprocess.STDOUT
        )
    try:
        yield process
    finally:
        process_groups.kill(process)
        process.stdin.close()


def precompute(source: Path, output: Path, config: Path, *options: str, code: int = 0, seconds: float = 150) -> str:
    """Runs `audiopipe precompute` and returns its output. Fails unless it ends with `code` within `seconds`."""
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
    """Waits until a process has written a file, and returns the content of the file."""
    end = time.monotonic() + seconds
    while time.monotonic() < end and process.poll() is None:
        if path.exists():
            return path.read_text()
        time.sleep(0.05)
    raise AssertionError(f"The process did not write {path}:\n{log.read_text(errors='replace')}")
