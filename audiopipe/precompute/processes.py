"""A job on several processes of this machine, with one TensorFlow thread each.

Beam's runner hangs for ever when one of its worker processes dies, and it cannot be told to stop. So it runs in a
process of its own, `python -m audiopipe.precompute.processes`, which can be ended at any time: its workers end with it,
and it ends with the job.

The job sends that process its module search path and the pickled config. So a config class is found wherever the
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
CAUSE = "audiopipe: "  # begins the line of standard error that says why the process ended
_ONE_THREAD = {"TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1", "TF_CPP_MIN_LOG_LEVEL": "2"}


class Processes:
    """Runs the pipeline on worker processes.

    Args:
        workers: Their number.
        flags: Options of Apache Beam.
    """

    def __init__(self, workers: int, flags: list[str]):
        self.workers = workers
        self._flags = flags
        self._process: subprocess.Popen[bytes] | None = None
        self._log: IO[bytes] | None = None

    def start(self, plan: Plan) -> None:
        """Begin to write the shards of a plan that are not finished."""
        self._log = tempfile.TemporaryFile(prefix="audiopipe-")  # noqa: SIM115 (open for as long as the process)
        self._process = subprocess.Popen(
            # -P: a module that lies in the working directory must not run because of its name.
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
        with contextlib.suppress(BrokenPipeError):  # the process is gone already: `wait` says why
            _send(self._process.stdin, [_search_path(), pickle.dumps(plan.config)])

    def wait(self, seconds: float) -> bool:
        """Wait for the end, at most some seconds; say whether it came.

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
        """End the processes; what they were writing is lost."""
        if self._process is None or self._process.stdin is None:
            return
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        time.sleep(2 * worker.POLL_SECONDS)  # until the workers have noticed

    def _cause(self, code: int) -> str:
        assert self._log is not None
        self._log.seek(0)
        lines = self._log.read().decode(errors="replace").strip().splitlines()
        causes = [line.removeprefix(CAUSE) for line in lines if line.startswith(CAUSE)]
        if causes:
            return causes[-1]
        if code < 0:
            return _killed("the process that runs the pipeline", -code)
        return f"its process ended with code {code}: {lines[-1] if lines else 'it printed nothing'}."


def main(output: str, workers: str, *flags: str) -> None:
    """Run the pipeline, in the process that `Processes` started."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    search_path, config = _receive(sys.stdin.buffer)
    sys.path[:] = search_path
    os.environ["PYTHONPATH"] = os.pathsep.join(search_path)  # of the workers
    threading.Thread(target=_end_with_job, daemon=True).start()
    threading.excepthook = _end_with_worker
    pickle.loads(config)  # makes its class known before the plan is read
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
    """What a worker raised, out of the error that Apache Beam makes of it."""
    lines = str(error).strip().splitlines()
    last = re.sub(r" \[while running .*\]$", "", lines[-1]) if lines else type(error).__name__
    return re.sub(r"^(audiopipe\.errors\.\w+|RuntimeError): ", "", last)


def _search_path() -> list[str]:
    """The folders that this program imports modules from, as paths that mean the same in another process."""
    return [os.path.abspath(folder) for folder in sys.path]


def _send(pipe: IO[bytes], content: Any) -> None:
    message = pickle.dumps(content)
    pipe.write(struct.pack("<Q", len(message)) + message)
    pipe.flush()


def _receive(pipe: IO[bytes]) -> Any:
    size = pipe.read(8)
    if len(size) < 8:
        os._exit(1)  # the job is gone
    return pickle.loads(pipe.read(struct.unpack("<Q", size)[0]))


def _end_with_job() -> None:
    sys.stdin.buffer.read()  # nothing more is sent: it returns when the job closes the pipe, or is gone
    os._exit(1)


def _end_with_worker(arguments: threading.ExceptHookArgs) -> None:
    """The runner waits for ever for a worker that has died."""
    code = re.search(r"Worker subprocess exited with return code (-?\d+)", str(arguments.exc_value))
    if code is None:
        threading.__excepthook__(arguments)
    elif int(code[1]) < 0:
        _end(1, _killed("a worker process", -int(code[1])))
    else:
        _end(1, f"a worker process ended with code {code[1]}.")


def _killed(what: str, number: int) -> str:
    name = signal.Signals(number).name
    return f"{what} was killed by {name}; if nobody did that, the machine may be short of memory."


def _end(code: int, cause: str = "") -> None:
    if cause:
        print(f"\n{CAUSE}{cause}", file=sys.stderr, flush=True)
    os._exit(code)  # at once: Beam's servers take seconds to shut down


if __name__ == "__main__":
    main(*sys.argv[1:])
