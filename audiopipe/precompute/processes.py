"""Engine that runs a job on several processes of this machine, with one TensorFlow thread each.

Beam's runner hangs forever when one of its worker processes dies, and it has no way to be stopped. It therefore runs in
a process of its own, `python -m audiopipe.precompute.processes`, which can be killed at any time. Its workers end with
it, and it ends with the job.

The job sends that process its module search path and the pickled config. A config class is therefore found wherever the
program that started the job found it, and workers know the class before they read its name in the plan.
"""

import contextlib
import os
import pickle
import re
import shlex
import signal
import struct
import subprocess
import sys
import tempfile
import threading
import time
from typing import IO, Any

from audiopipe.errors import FeatureSetError
from audiopipe.precompute import worker
from audiopipe.precompute.plan import Plan

STOP_SECONDS = 10
CAUSE = "audiopipe: "  # prefix of the line on standard error that says why the process ended
_ONE_THREAD = {"TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1", "TF_CPP_MIN_LOG_LEVEL": "2"}


class Processes:
    """Engine that runs the pipeline on worker processes.

    Args:
        workers: Number of worker processes.
        flags: Command-line flags of Apache Beam.
    """

    def __init__(self, workers: int, flags: list[str]):
        self.workers = workers
        self._flags = flags
        self._process: subprocess.Popen[bytes] | None = None
        self._log: IO[bytes] | None = None

    def start(self, plan: Plan) -> None:
        """Starts to write the unfinished shards of a plan."""
        self._log = tempfile.TemporaryFile(prefix="audiopipe-")  # noqa: SIM115 (open for as long as the process)
        self._process = subprocess.Popen(
            # -P: modules in the working directory must not shadow installed ones.
            [
                sys.executable,
                "-P",
                "-m",
                "audiopipe.precompute.processes",
                plan.output,
                str(self.workers),
                *self._flags,
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=self._log,
            env={**_ONE_THREAD, **os.environ},
        )
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # the process has already ended, and `wait` reports why
            _send(self._process.stdin, [_search_path(), pickle.dumps(plan.config)])

    def wait(self, seconds: float) -> bool:
        """Waits until the job ends, at most `seconds`. Returns whether it has ended.

        Raises:
            FeatureSetError: If the job failed.
        """
        assert self._process is not None
        try:
            code = self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        if code:
            raise FeatureSetError(self._cause(code))
        return True

    def stop(self) -> None:
        """Ends the processes. Finished shards are kept, unfinished ones are lost."""
        if self._process is None or self._process.stdin is None:
            return
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        time.sleep(2 * worker.POLL_SECONDS)  # until the workers have noticed and ended

    def _cause(self, code: int) -> str:
        assert self._log is not None
        self._log.seek(0)
        lines = self._log.read().decode(errors="replace").strip().splitlines()
        causes = [line.removeprefix(CAUSE) for line in lines if line.startswith(CAUSE)]
        if causes:
            return causes[-1]
        if code < 0:
            return _killed("the process that runs the pipeline", -code)
        return f"its process ended with exit code {code}: {lines[-1] if lines else 'it printed nothing'}."


def main(output: str, workers: str, *flags: str) -> None:
    """Runs the pipeline, in the process that `Processes` started."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    search_path, config = _receive(sys.stdin.buffer)
    sys.path[:] = search_path
    os.environ["PYTHONPATH"] = os.pathsep.join(search_path)  # for the workers
    threading.Thread(target=_end_with_job, daemon=True).start()
    threading.excepthook = _end_with_worker
    pickle.loads(config)  # imports the config's class before the plan is read
    import apache_beam as beam
    from apache_beam.options.pipeline_options import PipelineOptions
    from apache_beam.runners.portability.fn_api_runner import FnApiRunner
    from apache_beam.transforms.environments import SubprocessSDKEnvironment

    from audiopipe.precompute.pipeline import Precompute

    command = f"exec {shlex.quote(sys.executable)} -P -m audiopipe.precompute.worker"
    runner = FnApiRunner(default_environment=SubprocessSDKEnvironment.from_command_string(command))
    pipeline = beam.Pipeline(runner=runner, options=PipelineOptions([*flags, f"--direct_num_workers={workers}"]))
    pipeline | "Precompute" >> Precompute(output)
    try:
        pipeline.run().wait_until_finish()
    except Exception as error:
        _end(1, cause_of(error))
    _end(0)


def cause_of(error: Exception) -> str:
    """Returns the message of a worker's error, extracted from the error that Apache Beam raises instead."""
    lines = str(error).strip().splitlines()
    last = re.sub(r" \[while running .*\]$", "", lines[-1]) if lines else type(error).__name__
    return re.sub(r"^(audiopipe\.errors\.\w+|RuntimeError): ", "", last)


def _search_path() -> list[str]:
    """Returns the module search path as absolute paths, which mean the same in another process."""
    return [os.path.abspath(folder) for folder in sys.path]


def _send(pipe: IO[bytes], content: Any) -> None:
    message = pickle.dumps(content)
    pipe.write(struct.pack("<Q", len(message)) + message)
    pipe.flush()


def _receive(pipe: IO[bytes]) -> Any:
    size = pipe.read(8)
    if len(size) < 8:
        os._exit(1)  # the job has ended
    return pickle.loads(pipe.read(struct.unpack("<Q", size)[0]))


def _end_with_job() -> None:
    sys.stdin.buffer.read()  # returns when the job closes the pipe or ends, because nothing more is sent
    os._exit(1)


def _end_with_worker(arguments: threading.ExceptHookArgs) -> None:
    """Ends this process after a worker has died, because the runner would wait for that worker forever."""
    code = re.search(r"Worker subprocess exited with return code (-?\d+)", str(arguments.exc_value))
    if code is None:
        threading.__excepthook__(arguments)
    elif int(code[1]) < 0:
        _end(1, _killed("a worker process", -int(code[1])))
    else:
        _end(1, f"a worker process ended with exit code {code[1]}.")


def _killed(what: str, number: int) -> str:
    name = signal.Signals(number).name
    return f"{what} was killed by {name}. If nobody killed it on purpose, the machine may have run out of memory."


def _end(code: int, cause: str = "") -> None:
    if cause:
        print(f"\n{CAUSE}{cause}", file=sys.stderr, flush=True)
    os._exit(code)  # at once: Beam's servers take seconds to shut down


if __name__ == "__main__":
    main(*sys.argv[1:])
