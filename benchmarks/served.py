"""Loop of `benchmarks.loops` in a separate process: `python -m benchmarks.served NAME`.

Measurements then include neither the start of the loop nor effects of other loops on memory. A waiting loop costs
nothing.
"""

import json
import os
import subprocess
import sys
from typing import Any

ONE_THREAD = {"TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1"}


class Served:
    """Loop in a separate process.

    Args:
        name: Name of the loop in `benchmarks.loops.LOOPS`.
        environment: Additional environment variables of the process.
    """

    def __init__(self, name: str, environment: dict[str, str] | None = None):
        self.name = name
        command = [sys.executable, "-m", "benchmarks.served", name]
        # Libraries print to standard error while they start, which matters only if they fail.
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", **(environment or {})},
        )

    def run(self, paths: list[str], output: str) -> None:
        """Runs the loop on clips and waits for it.

        Raises:
            RuntimeError: If the loop fails or its process ends.
        """
        self._send({"paths": paths, "output": output})
        answer = self._receive()
        if answer is None:
            raise RuntimeError(f"The process of the loop {self.name!r} ended with {self._process.wait()}.")
        if answer:
            raise RuntimeError(f"The loop {self.name!r} failed: {answer}")

    def close(self) -> None:
        """Ends the process."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()

    def _send(self, request: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()

    def _receive(self) -> str | None:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        return json.loads(line) if line else None


def main(name: str) -> None:
    """Answers requests, with an empty string after success and with the error otherwise."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # keeps the output of libraries apart from the answers
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
