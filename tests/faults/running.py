"""Runs of the command line in a process of their own, which tests can disturb and which leave no process behind."""

import contextlib
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import process_groups

from audiopipe import load

MARK = "AUDIOPIPE_TEST_RUN"  # environment variable that identifies all processes of a run
# Root ignores permissions unless it drops these capabilities.
AS_ANYBODY = ("setpriv", "--bounding-set=-dac_override,-dac_read_search") if os.geteuid() == 0 else ()
PERMISSIONS_HOLD = not AS_ANYBODY or shutil.which("setpriv") is not None


class Command:
    """A running command of `audiopipe`, with a process group of its own.

    Args:
        output: OUTPUT.
        words: The command and its arguments.
        prefix: Command that runs the command, such as `setpriv` with its options.
        file_size: Maximum size of a file in bytes, as set by `ulimit -f`. None sets no limit.
        log: Folder for the log of the run. None uses the parent folder of the output.
        hold: Point at which its processes stop, see `Hold`. None lets them run.
    """

    def __init__(self, output, *words, prefix=(), file_size=None, log=None, hold=None):
        self.mark = f"{MARK}={output}-{time.monotonic_ns()}"
        log = Path(log or output.parent) / f"{time.monotonic_ns()}.log"
        self._log = log.open("wb")
        command = [sys.executable, "-m", "audiopipe", *words]
        limit = None if file_size is None else lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (file_size,) * 2)
        self.process = process_groups.start(
            [*prefix, *command],
            {MARK: self.mark.partition("=")[2], **({} if hold is None else hold.environment())},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=self._log,
            preexec_fn=limit,
        )

    def __enter__(self) -> "Command":
        return self

    def __exit__(self, *_) -> None:
        self.kill()
        for pid in self.processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._log.close()

    def signal(self, number: int, everyone: bool = False) -> None:
        """Sends a signal to the process or, with `everyone`, to its group, as a terminal does."""
        if everyone:
            process_groups.send(self.process, number)
            return
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.process.pid, number)

    def kill(self) -> None:
        """Kills all processes of the group at once, as when the machine crashes."""
        process_groups.kill(self.process)

    def wait(self, seconds: float = 120) -> int:
        """Waits until the process ends and returns its exit code. Fails if it does not end in time."""
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"It did not end within {seconds} seconds:\n{self.printed}") from None

    @property
    def printed(self) -> str:
        """Output on standard error so far."""
        return Path(self._log.name).read_text(errors="replace")

    def until(self, condition: Callable[[], object], seconds: float = 90) -> bool:
        """Waits until a condition holds. Returns False if the process ends before that."""
        end = time.monotonic() + seconds
        while not condition():
            if self.process.poll() is not None:
                return False
            assert time.monotonic() < end, f"The condition did not hold within {seconds} seconds:\n{self.printed}"
            time.sleep(0.01)
        return True

    def processes(self, module: str = "") -> list[int]:
        """Returns the ids of all living processes of this run, or of those that run a Python module."""
        found = []
        for folder in Path("/proc").iterdir():
            with contextlib.suppress(OSError):
                if (
                    folder.name.isdigit()
                    and self.mark.encode() in (folder / "environ").read_bytes().split(b"\0")
                    and module.encode() in (folder / "cmdline").read_bytes()
                ):
                    found.append(int(folder.name))
        return found


class Run(Command):
    """A running `audiopipe precompute`.

    Args:
        source: INPUT.
        output: OUTPUT.
        config: Path of the config.
        options: Further options.
        how: As for `Command`.
    """

    def __init__(self, source, output, config, *options, **how):
        super().__init__(output, "precompute", source, output, "--config", config, *options, **how)


def finished(output: Path) -> int:
    """Returns the number of shards with a sidecar."""
    return len(list((output / "plan").glob("shard-*.json")))


def temporaries(output: Path) -> list[Path]:
    """Returns all temporary files in an output."""
    return list(output.rglob("*.tmp"))


def contents(output: Path) -> dict[str, bytes]:
    """Returns the bytes of the shards, `failures.jsonl` and `dataset.json`. None of these files contains times."""
    return {path.name: path.read_bytes() for path in output.iterdir() if path.is_file()}


def check_same(output: Path, clean: Path) -> None:
    """Checks that a feature set equals one of an undisturbed run, and has no temporary files or duplicate clips."""
    found, expected = contents(output), contents(clean)
    assert found.keys() == expected.keys()
    assert [name for name in expected if found[name] != expected[name]] == []
    assert temporaries(output) == []
    ids = [clip["id"] for clip in load(output).as_numpy_iterator()]
    failed = failed_ids(output)
    assert len(set(ids)) == len(ids)
    assert len(set(failed)) == len(failed)
    assert not set(failed) & {id.decode() for id in ids}


def failed_ids(output: Path) -> list[str]:
    """Returns the ids in `failures.jsonl`, in the order of the file."""
    return [json.loads(line)["id"] for line in (output / "failures.jsonl").read_text().splitlines()]
