"""Program that runs a command and ends it together with the process that asked for it.

`python supervisor.py COMMAND...` ends the command as soon as its standard input closes, which happens even if the other
process is killed. It exits with the command's code. It imports nothing of audiopipe, so that it starts fast.
"""

import contextlib
import signal
import subprocess
import sys
import threading

END_SECONDS = 5


def main(command: list[str]) -> int:
    """Runs a command and returns its exit code."""
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    threading.Thread(target=_end_with_input, args=(process,), daemon=True).start()
    return process.wait()


def _end_with_input(process: subprocess.Popen) -> None:
    sys.stdin.buffer.read()
    process.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(END_SECONDS)
    process.kill()


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the process that asked for the command decides when it ends
    sys.exit(main(sys.argv[1:]))
