"""Processes with a process group of their own, so that tests can signal and kill all processes that they start."""

import contextlib
import os
import signal
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[1]


def start(command, variables=None, **options) -> subprocess.Popen:
    """Starts a command in the project's folder, with additional environment variables and `Popen` arguments.

    The command receives Ctrl-C even if the tests ignore it, as they do when a shell starts them in the background.
    """
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:  # a child process inherits this, but not a handler
        signal.signal(signal.SIGINT, signal.default_int_handler)
    return subprocess.Popen(
        list(map(str, command)),
        cwd=ROOT,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", **(variables or {})},
        start_new_session=True,
        **options,
    )


def send(process: subprocess.Popen, number: int) -> None:
    """Sends a signal to all processes of the group, as a terminal does."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, number)  # the process leads its group


def marked(variable: str) -> list[int]:
    """Returns the ids of all living processes that have an environment variable, `NAME=VALUE`, in any group."""
    found = []
    for folder in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if folder.name.isdigit() and variable.encode() in (folder / "environ").read_bytes().split(b"\0"):
                found.append(int(folder.name))
    return found


def kill(process: subprocess.Popen) -> None:
    """Kills all processes of the group at once, as when the machine crashes."""
    send(process, signal.SIGKILL)
    process.wait()
