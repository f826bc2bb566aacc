"""Processes that have a group of their own, so that all that they start can be reached, and nothing is left behind."""

import contextlib
import os
import signal
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[1]


def start(command, variables=None, **options) -> subprocess.Popen:
    """Start a command in the project's folder, with further environment variables and arguments of `Popen`.

    It hears of Ctrl-C even where the tests themselves were started to hear of none, as a shell starts what runs behind.
    """
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:  # which it would inherit, unlike a handler
        signal.signal(signal.SIGINT, signal.default_int_handler)
    return subprocess.Popen(
        list(map(str, command)),
        cwd=ROOT,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", **(variables or {})},
        start_new_session=True,
        **options,
    )


def send(process: subprocess.Popen, number: int) -> None:
    """Send a signal to all of a group, as a terminal does."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, number)  # the group is the process's own


def kill(process: subprocess.Popen) -> None:
    """End all processes of a group at once, as when the machine dies."""
    send(process, signal.SIGKILL)
    process.wait()
