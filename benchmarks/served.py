"""A loop of `benchmarks.loops` in a process of its own: `python -m benchmarks.served NAME`.

So neither its start nor what other loops left in memory is measured, and a loop that waits costs nothing.
"""

import json
import os
import subprocess
import sys
from typing import Any

ONE_THREAD = {"TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1"}


class Served:
    """A loop in a process of its own.

    Args:
        name: Its name in `benchmarks.loops.LOOPS`.
        environment: Environment variables of the process.
    """

    def __init__(self, name: str, environment: dict[str, str] | None = None):
        self.name = name
        command = [sys.executable, "-m", "benchmarks.served", name]
        # What libraries print to standard error while they start is only of interest where they fail.
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", **(environment or {})},
        )

    def run(self, paths: list[str], output: str) -> None:
        """Let it work on some clips, and wait until it has done."""
        self._tell({"paths": paths, "output": output})
        answer = self._answer()
        if answer is None:
            raise RuntimeError(f"The process of the loop {self.name!r} ended with {self._process.wait()}.")
        if answer:
            raise RuntimeError(f"The loop {self.name!r} failed: {answer}")

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()

    def _tell(self, request: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()

    def _answer(self) -> str | None:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        return json.loads(line) if line else None


def main(name: str) -> None:
    """Answer requests: an empty string for what is done, else what went wrong."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever a library prints is no answer
    from benchmarks import loops

    loop = loops.LOOPS[name]()
    for line in sys.stdin:
        request = json.loads(line)
        try:
            loop(request["paths"], request["output"])
            answer = ""
        except Exception as error:
            answer = f"{type(error).__name__}: {error}"
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
