"""Run the command line as a process of its own, disturb it, and leave nothing of it behind."""

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

MARK = "AUDIOPIPE_TEST_RUN"  # in the environment of a run and of all that it starts, whatever their command lines are
# For root, permissions mean nothing unless these are given up.
AS_ANYBODY = ("setpriv", "--bounding-set=-dac_override,-dac_read_search") if os.geteuid() == 0 else ()
PERMISSIONS_HOLD = not AS_ANYBODY or shutil.which("setpriv") is not None


class Run:
    """A running `audiopipe precompute`, with a process group of its own.

    Args:
        source: INPUT.
        output: OUTPUT.
        config: Path of the config.
        options: Further options.
        prefix: A command that runs the command.
        file_size: Bytes that a file may have, as by `ulimit -f`; None sets no limit.
        log: Folder for what the run prints; None takes that of the output.
    """

    def __init__(self, source, output, config, *options, prefix=(), file_size=None, log=None):
        self.mark = f"{MARK}={output}-{time.monotonic_ns()}"
        log = Path(log or output.parent) / f"{time.monotonic_ns()}.log"
        self._log = log.open("wb")
        command = [sys.executable, "-m", "audiopipe", "precompute", source, output, "--config", config, *options]
        limit = None if file_size is None else lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (file_size,) * 2)
        self.process = process_groups.start(
            [*prefix, *command],
            {MARK: self.mark.partition("=")[2]},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=self._log,
            preexec_fn=limit,
        )

    def __enter__(self) -> "Run":
        return self

    def __exit__(self, *_) -> None:
        self.kill()
        for pid in self.processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._log.close()

    def signal(self, number: int, everyone: bool = False) -> None:
        """Send a signal to the process, or to its group, as a terminal does."""
        if everyone:
            process_groups.send(self.process, number)
            return
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.process.pid, number)

    def kill(self) -> None:
        """End all processes of the group at once, as when the machine dies."""
        process_groups.kill(self.process)

    def wait(self, seconds: float = 120) -> int:
        """The exit code; it is an error if the process does not end in time."""
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"It did not end within {seconds} seconds:\n{self.printed}") from None

    @property
    def printed(self) -> str:
        """What stands on standard error so far."""
        return Path(self._log.name).read_text(errors="replace")

    def until(self, condition: Callable[[], object], seconds: float = 90) -> bool:
        """Wait until a condition holds; False if the process ends before that."""
        end = time.monotonic() + seconds
        while not condition():
            if self.process.poll() is not None:
                return False
            assert time.monotonic() < end, f"It did not come that far in {seconds} seconds:\n{self.printed}"
            time.sleep(0.01)
        return True

    def processes(self, module: str = "") -> list[int]:
        """Processes of this run that are alive, of a Python module of audiopipe or of all."""
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


def finished(output: Path) -> int:
    """Shards that count, if their sidecars are those of the plan."""
    return len(list((output / "plan").glob("shard-*.json")))


def temporaries(output: Path) -> list[Path]:
    """Temporary files anywhere in an output."""
    return list(output.rglob("*.tmp"))


def contents(output: Path) -> dict[str, bytes]:
    """The feature set's files with every byte: shards, failures and `dataset.json`, which holds no times."""
    return {path.name: path.read_bytes() for path in output.iterdir() if path.is_file()}


def check_same(output: Path, clean: Path) -> None:
    """Compare a feature set with one that was made without any disturbance, and look for what may be left over."""
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
    """Ids in `failures.jsonl`, in its order."""
    return [json.loads(line)["id"] for line in (output / "failures.jsonl").read_text().splitlines()]
