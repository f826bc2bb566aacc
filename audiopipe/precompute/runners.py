"""Engine that runs a job as a pipeline of Apache Beam, on one of its runners."""

import importlib.util
import logging
import re
import threading
from typing import Any

import apache_beam as beam
import grpc
from apache_beam.options.pipeline_options import (
    FlinkRunnerOptions,
    PipelineOptions,
    PortableOptions,
    StandardOptions,
)
from apache_beam.runners.direct.direct_runner import BundleBasedDirectRunner, SwitchingDirectRunner
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.runners.portability.portable_runner import PortableRunner
from apache_beam.runners.runner import PipelineRunner, create_runner
from apache_beam.transforms.environments import PythonLoopbackEnvironment

from audiopipe.errors import ArgumentError, AudiopipeError, FeatureSetError, MissingDependencyError
from audiopipe.precompute import job_servers, worker_errors
from audiopipe.precompute.beam_logs import BeamLogs
from audiopipe.precompute.job_servers import JobServer
from audiopipe.precompute.pipeline import Precompute
from audiopipe.precompute.plan import Plan
from audiopipe.runtime import startup, stopping
from audiopipe.wording import did_you_mean

STOP_SECONDS = 10
_OF_A_STACK = re.compile(r"\s+at \S+\(|\s+\.\.\. \d+ more$|Driver stacktrace:$|\s*$")  # lines of Java's stacks
_LOST_WORKER = "The engine lost a worker"
CACHE_MILLISECONDS = 600_000  # for which an engine keeps a worker that has nothing to do
JOB_SECONDS = 365 * 24 * 3600  # longer than any job
EMBEDDED = "embed"  # Beam's name for a job service in this process
# The only runner that Apache Beam does not find by its short name.
DASK_RUNNER = "apache_beam.runners.dask.dask_runner.DaskRunner"
PRELOADED = "audiopipe.precompute.dask_worker"


class PipelineThread:
    """Engine that runs the pipeline in a thread of this process.

    If the runner works elsewhere, the thread only waits for it.

    Args:
        runner: The Apache Beam runner.
        options: Options of the runner.
        server: The job server that was started for the runner. None if there is none.
    """

    def __init__(self, runner: PipelineRunner, options: PipelineOptions, server: JobServer | None = None):
        self._runner = runner
        self._options = options
        self._server = server
        self._ended = threading.Event()
        self._error: Exception | None = None
        self._result: Any = None
        self._output = ""
        self._logs = BeamLogs()

    def start(self, plan: Plan) -> None:
        """Starts to write the unfinished shards of a plan."""
        self._output = plan.output
        stopping.allow(plan.output)
        worker_errors.forget(plan.output)
        self._logs.install()
        if self._computes_here():
            startup.tensorflow()  # before the work starts
        threading.Thread(target=self._run, daemon=True).start()

    def wait(self, seconds: float) -> bool:
        """Waits until the job ends, at most `seconds`. Returns whether it has ended.

        Raises:
            FeatureSetError: If the job failed.
        """
        ended = self._ended.wait(seconds)
        if ended and self._error is not None:
            raise FeatureSetError(self._cause()) from self._error
        return ended

    def stop(self) -> None:
        """Stops the shards of this process after their current clip, and cancels a job that runs elsewhere.

        Raises:
            FeatureSetError: If the runner does not cancel its job.
        """
        if self._ended.is_set():
            return
        self._logs.stop()
        stopping.stop(self._output)
        if self._result is not None:
            try:
                self._result.cancel()
            except Exception as error:  # not every runner can cancel, and some raise undocumented errors
                raise FeatureSetError(f"The runner did not cancel its job ({error}). Cancel it by hand.") from error
        # A job that was cancelled ends before its workers in this process do.
        if self._ended.wait(STOP_SECONDS) and stopping.wait_until_idle(STOP_SECONDS):
            stopping.allow(self._output)

    def close(self) -> None:
        """Lets Beam log again, also what comes from the end of the job."""
        self._logs.release()

    def _cause(self) -> str:
        if isinstance(self._error, AudiopipeError):
            return str(self._error)
        if isinstance(self._error, grpc.RpcError) and not self._error.details() and self._server is not None:
            return f"The job server failed: {self._server.cause()}"
        cause = cause_of(self._error or Exception())
        return worker_errors.first(self._output) or cause if cause.startswith(_LOST_WORKER) else cause

    def _computes_here(self) -> bool:
        """Returns whether functions run in this process."""
        if isinstance(self._runner, PortableRunner):
            return isinstance(self._runner.default_environment(self._options), PythonLoopbackEnvironment)
        is_direct = isinstance(self._runner, (FnApiRunner, SwitchingDirectRunner))
        return is_direct or type(self._runner) is BundleBasedDirectRunner  # DaskRunner is a subclass

    def _connect(self) -> None:
        """Waits for the job server. Its timeout is only for that: it would also end jobs on Prism."""
        portable = self._options.view_as(PortableOptions)
        if self._server is not None:
            portable.job_endpoint = self._server.wait(portable.job_server_timeout)
        elif portable.job_endpoint not in (None, EMBEDDED):
            job_servers.wait_for(portable.job_endpoint, portable.job_server_timeout)
        # Beam opens the streams of a job's states and messages with this timeout (apache/beam#35867).
        portable.job_server_timeout = JOB_SECONDS

    def _run(self) -> None:
        try:
            if isinstance(self._runner, PortableRunner):
                self._connect()
            pipeline = beam.Pipeline(runner=self._runner, options=self._options)
            pipeline | "Precompute" >> Precompute(self._output)
            self._result = pipeline.run()
            self._result.wait_until_finish()
        except Exception as error:
            self._error = error
        finally:
            self._ended.set()


class BeamEngines:
    """Gives a job the engine that its flags for Apache Beam choose.

    Args:
        flags: The flags, with dashes or underscores.
        workers: Number of processes on this machine, which flags for Apache Beam exclude. None if it was not given.

    Raises:
        ArgumentError: If an option or the runner is unknown, or `workers` is given as well.
        MissingDependencyError: If the runner needs a package that is not installed.
    """

    def __init__(self, flags: list[str], workers: int | None):
        self._options = parse_options(flags)
        self._flags = flags
        self._server: JobServer | None = None
        self._chosen: list[PipelineThread] = []
        if workers is not None:
            raise ArgumentError(
                f"--workers cannot be combined with options of Apache Beam. Received: {' '.join(flags)}. Leave out one "
                "of them."
            )

    def prepare(self) -> None:
        """Starts the job server of the runner, if it needs one and none was named.

        Raises:
            ArgumentError: If the options do not say what to start, or the server does not have one of them.
            FeatureSetError: If the server does not start.
            MissingDependencyError: If the server needs Java, which is not installed.
        """
        self._server = job_servers.start(_runner(self._options), self._options)
        unknown = _unknown(self._options)
        if unknown:  # by this process, but job servers have options of their own
            portable = self._options.view_as(PortableOptions)
            seconds = portable.job_server_timeout
            endpoint = portable.job_endpoint if self._server is None else self._server.wait(seconds)
            _refuse(self._flags, unknown - job_servers.options_of(endpoint, seconds))

    def choose(self, plan: Plan, seconds: float) -> PipelineThread:
        """Returns the engine for any plan."""
        if self._server is None:
            self.prepare()
        self._chosen.append(PipelineThread(_runner(self._options), self._options, self._server))
        return self._chosen[-1]

    def close(self) -> None:
        """Ends the job server, and what works for it in this process."""
        if self._server is not None:
            self._server.end()
            for thread in threading.enumerate():  # workers in this process, which lose their engine
                if thread.name.startswith("run_worker_"):  # the name that Beam gives them
                    thread.join(1)
        for engine in self._chosen:
            engine.close()


def parse_options(flags: list[str]) -> PipelineOptions:
    """Parses command-line flags of Apache Beam.

    Args:
        flags: The flags, with dashes or underscores.

    Raises:
        ArgumentError: If an option or the runner is unknown.
        MissingDependencyError: If the runner needs a package that is not installed.
    """
    # Our options have dashes and Beam's have underscores. Beam silently ignores an option with dashes.
    received, flags = flags, [_with_underscores(flag) for flag in flags]
    if not _given(flags, "--default_sdk_harness_log_level"):
        flags = [*flags, "--default_sdk_harness_log_level=WARN"]  # Java has no WARNING
    runner = PipelineOptions(flags).view_as(StandardOptions).runner
    partitioned = _given(flags, "--dask_partition_size") or _given(flags, "--dask_npartitions")
    if runner in ("DaskRunner", DASK_RUNNER) and not partitioned:
        flags = [*flags, "--dask_partition_size=1"]  # Dask's own choice gives all shards to one worker
    logging.getLogger(PipelineOptions.__module__).addFilter(_is_not_of_unknown_options)
    used = _runner(PipelineOptions(flags))  # first, because importing a runner's module may add options
    if isinstance(used, PortableRunner):
        flags = [
            *flags,
            "--experiments=disable_logging_submission_environment",
        ]  # it takes seconds, and nobody reads it
        if not _given(flags, "--environment_cache_millis"):
            # Without it, clusters of Flink close workers between stages, sometimes while others need them.
            flags = [*flags, f"--environment_cache_millis={CACHE_MILLISECONDS}"]
    try:
        options = PipelineOptions(flags)
        options.get_all_options()
    except SystemExit:
        raise ArgumentError(
            f"Apache Beam rejected these options: {' '.join(received)}. Its own message is printed above."
        ) from None
    if not (isinstance(used, PortableRunner) and not options.view_as(FlinkRunnerOptions).flink_submit_uber_jar):
        _refuse(received, _unknown(options))
    # Words that are not the value of the option before them. Beam only logs these.
    stray = {
        flag
        for before, flag in zip(["", *flags], flags, strict=False)
        if not flag.startswith("-") and not (before.startswith("-") and "=" not in before)
    }
    _refuse(received, stray)
    return options


def _unknown(options: PipelineOptions) -> set[str]:
    """Returns the names of given options that Apache Beam does not have in Python."""
    return options.get_all_options(retain_unknown_options=True).keys() - PipelineOptions([]).get_all_options().keys()


def _refuse(received: list[str], unknown: set[str]) -> None:
    """Raises an `ArgumentError` that shows unknown options as they were typed, if there are any."""
    if not unknown:
        return
    typed = [flag for flag in received if flag.lstrip("-").partition("=")[0].replace("-", "_") in unknown]
    known = [f"--{name}" for name in PipelineOptions([]).get_all_options()]
    suggestions = "".join(did_you_mean(_with_underscores(flag.partition("=")[0]), known) for flag in typed)
    raise ArgumentError(
        f"Neither audiopipe nor Apache Beam has the option {', '.join(typed or sorted(unknown))}.{suggestions} "
        "See 'audiopipe precompute --help' and Beam's documentation of pipeline options."
    )


def _runner(options: PipelineOptions) -> PipelineRunner:
    name = options.view_as(StandardOptions).runner
    if name is None:
        return FnApiRunner()
    if name in ("DaskRunner", DASK_RUNNER) and importlib.util.find_spec("distributed") is None:
        raise MissingDependencyError(
            'DaskRunner needs the package distributed, which is not installed: pip install "audiopipe[dask]".'
        )
    try:
        if name in ("DaskRunner", DASK_RUNNER):
            _silence_dask()
            name = DASK_RUNNER
        return create_runner(name)
    except (ImportError, AttributeError, ValueError) as error:
        suggestion = did_you_mean(name, [*StandardOptions.KNOWN_RUNNER_NAMES, "DaskRunner"])
        message = f"--runner must name a runner of Apache Beam. Received: {name!r} ({error}).{suggestion}"
        raise ArgumentError(message) from error


def _silence_dask() -> None:
    """Makes Dask log only warnings, unless the user has chosen something else. Workers on this machine inherit that."""
    import dask

    if dask.config.get("logging.distributed", None) is None:  # read when `distributed` is imported
        preload = dask.config.get("distributed.worker.preload", [])
        dask.config.set({"logging.distributed": "warning", "distributed.worker.preload": [*preload, PRELOADED]})
        logging.getLogger("distributed.nanny").addFilter(_is_not_of_dasks_end)


def _is_not_of_dasks_end(record: logging.LogRecord) -> bool:
    """Returns whether to keep a record. Dask kills its workers when the job has ended, and says so."""
    return "still alive after" not in str(record.msg)


def cause_of(error: Exception) -> str:
    """Returns the message of a worker's error, extracted from the error that Apache Beam raises instead."""
    text = error.details() or error.code().name if isinstance(error, grpc.RpcError) else str(error)
    lines = [line for line in text.strip().splitlines() if not _OF_A_STACK.match(line)]
    if not lines:
        return f"the runner raised {type(error).__name__} without a message"
    last = re.sub(r" \[while running .*\]$", "", lines[-1])
    last = last.removeprefix("Caused by: ")
    last = re.sub(r"^Pipeline \S+ failed in state \w+: ", "", last)
    last = re.sub(r"^(audiopipe\.errors\.\w+: |RuntimeError: |(\w+\.)+\w*Exception: )+", "", last)
    # A status of gRPC, by which workers and engines talk, or the words of Prism and of Java's engines.
    if re.match(r"(CANCELLED|UNAVAILABLE): |.*SDK worker disconnected: |SDK harness closed connection", last):
        return f"{_LOST_WORKER}, which was killed, ran out of memory or cannot be reached ({last})"
    return last


def _is_not_of_unknown_options(record: logging.LogRecord) -> bool:
    """Returns whether to keep a record. Unknown options are refused, unless a job server may have them."""
    return "unparseable args" not in str(record.msg)


def _given(flags: list[str], name: str) -> bool:
    return any(flag.partition("=")[0] == name for flag in flags)


def _with_underscores(flag: str) -> str:
    name, equals, value = flag.partition("=")
    return name[:2] + name[2:].replace("-", "_") + equals + value if name.startswith("--") else flag
