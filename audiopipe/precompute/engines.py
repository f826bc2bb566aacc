"""What runs the pipeline: in this process, on several processes of this machine, or a runner of Apache Beam."""

import importlib.util
import logging
import threading
from typing import Any, Protocol

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions, StandardOptions
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.runners.runner import PipelineRunner, create_runner

from audiopipe.errors import ArgumentError, AudiopipeError, FeatureSetError, MissingDependencyError
from audiopipe.precompute.pipeline import Precompute
from audiopipe.precompute.plan import Plan
from audiopipe.precompute.processes import Processes, cause_of
from audiopipe.runtime import machine_facts, startup, stopping

LARGE_SECONDS = 8 * 3600  # of audio; what is less is done before several processes have started
STOP_SECONDS = 10
# Apache Beam knows all its runners by their short names but this one.
DASK_RUNNER = "apache_beam.runners.dask.dask_runner.DaskRunner"


class Engine(Protocol):
    """Runs the pipeline of a plan."""

    def start(self, plan: Plan) -> None:
        """Begin."""

    def wait(self, seconds: float) -> bool:
        """Wait for the end, at most some seconds; say whether it came. Raise a FeatureSetError if the job failed."""

    def stop(self) -> None:
        """End it; what was being written is lost, finished shards stay."""


class PipelineThread:
    """Runs the pipeline in a thread of this process, which for a runner elsewhere only waits for it.

    Args:
        runner: The runner.
        options: Its options.
    """

    def __init__(self, runner: PipelineRunner, options: PipelineOptions):
        self._runner = runner
        self._options = options
        self._ended = threading.Event()
        self._error: Exception | None = None
        self._result: Any = None
        self._output = ""

    def start(self, plan: Plan) -> None:
        """Begin to write the shards of a plan that are not finished."""
        self._output = plan.output
        stopping.allow(plan.output)
        if isinstance(self._runner, FnApiRunner):
            with startup.quiet():
                from audiopipe.precompute import shard_writer  # noqa: F401  (here, and not in the middle of the work)
        threading.Thread(target=self._run, daemon=True).start()

    def wait(self, seconds: float) -> bool:
        """Wait for the end, at most some seconds; say whether it came.

        Raises:
            FeatureSetError: If the job failed.
        """
        ended = self._ended.wait(seconds)
        if ended and self._error is not None:
            raise FeatureSetError(cause_of(self._error)) from self._error
        return ended

    def stop(self) -> None:
        """Let shards that this process writes end after their current clip, and cancel a job elsewhere."""
        if self._ended.is_set():
            return
        stopping.stop(self._output)
        if self._result is not None:
            try:
                self._result.cancel()
            except Exception as error:  # not every runner can, and some raise what is none of their documented errors
                raise FeatureSetError(f"the runner did not cancel its job ({error}); cancel it by hand.") from error
        if self._ended.wait(STOP_SECONDS):
            stopping.allow(self._output)

    def _run(self) -> None:
        log = logging.getLogger("apache_beam.runners.common")
        log.addFilter(_is_unexpected)
        try:
            pipeline = beam.Pipeline(runner=self._runner, options=self._options)
            pipeline | "Precompute" >> Precompute(self._output)
            self._result = pipeline.run()
            self._result.wait_until_finish()
        except Exception as error:
            self._error = error
        finally:
            log.removeFilter(_is_unexpected)
            self._ended.set()


def choose(plan: Plan, seconds: float, workers: int | None, options: PipelineOptions, flags: list[str]) -> Engine:
    """The engine for a plan.

    Args:
        plan: The plan.
        seconds: Seconds of audio that are left to do.
        workers: Number of processes; None decides by `seconds`.
        options: Parsed `flags`.
        flags: Options of Apache Beam.
    """
    if options.view_as(StandardOptions).runner is not None or _names_processes(flags):
        return PipelineThread(_runner(options), options)
    if workers is None:
        workers = machine_facts.processors() if seconds >= LARGE_SECONDS else 1
    workers = min(workers, plan.n_shards)
    return Processes(workers, flags) if workers > 1 else PipelineThread(FnApiRunner(), options)


def parse_options(flags: list[str], workers: int | None = None) -> tuple[PipelineOptions, list[str]]:
    """Options of Apache Beam, as on a command line.

    Returns:
        The options, and the flags in Beam's spelling.

    Raises:
        ArgumentError: If there is no such option, no such runner, or `workers` says something else.
    """
    # Ours have dashes and Beam's have underscores; Beam would take a dash without complaint and ignore the option.
    received, flags = flags, [_with_underscores(flag) for flag in flags]
    if workers is not None and workers < 1:
        raise ArgumentError(f"workers must be at least 1. Received: workers={workers}.")
    if workers is not None and (_names_processes(flags) or _given(flags, "--runner")):
        raise ArgumentError(
            f"--workers is for processes of this machine, and these options ask Apache Beam for something else: "
            f"{' '.join(received)}. Leave out one of them."
        )
    if not _given(flags, "--default_sdk_harness_log_level"):
        flags = [*flags, "--default_sdk_harness_log_level=WARNING"]
    runner = PipelineOptions(flags).view_as(StandardOptions).runner
    partitioned = _given(flags, "--dask_partition_size") or _given(flags, "--dask_npartitions")
    if runner in ("DaskRunner", DASK_RUNNER) and not partitioned:
        flags = [*flags, "--dask_partition_size=1"]  # Dask would guess one that gives all shards to one worker
    _runner(PipelineOptions(flags))  # first, because the module of a runner may bring options of its own
    try:
        options = PipelineOptions(flags)
        options.get_all_options()
    except SystemExit:
        raise ArgumentError(
            f"Apache Beam does not take these options: {' '.join(received)}. Its message stands above."
        ) from None
    unknown = options.get_all_options(retain_unknown_options=True).keys() - PipelineOptions([]).get_all_options().keys()
    typed = [flag for flag in received if flag.lstrip("-").partition("=")[0].replace("-", "_") in unknown]
    # A word that no option before it can take as its value: Beam only logs these.
    stray = [
        flag
        for before, flag in zip(["", *flags], flags, strict=False)
        if not flag.startswith("-") and not (before.startswith("-") and "=" not in before)
    ]
    if unknown or stray:
        raise ArgumentError(
            f"Neither audiopipe nor Apache Beam has the option {', '.join(typed or stray or sorted(unknown))}. "
            "See 'audiopipe precompute --help' and Beam's documentation of pipeline options."
        )
    return options, flags


def _runner(options: PipelineOptions) -> PipelineRunner:
    name = options.view_as(StandardOptions).runner
    if name is None:
        return FnApiRunner()
    if name in ("DaskRunner", DASK_RUNNER) and importlib.util.find_spec("distributed") is None:
        raise MissingDependencyError(
            'DaskRunner needs the package distributed, which is not installed: pip install "audiopipe[dask]".'
        )
    try:
        return create_runner(DASK_RUNNER if name == "DaskRunner" else name)
    except (ImportError, AttributeError, ValueError) as error:
        raise ArgumentError(f"--runner must name a runner of Apache Beam. Received: {name!r} ({error}).") from error


def _is_unexpected(record: logging.LogRecord) -> bool:
    """Whether what Beam logs is news: an error of ours is what the job ends with, or comes of stopping it."""
    return record.exc_info is None or not isinstance(record.exc_info[1], AudiopipeError)


def _names_processes(flags: list[str]) -> bool:
    return _given(flags, "--direct_running_mode") or _given(flags, "--direct_num_workers")


def _given(flags: list[str], name: str) -> bool:
    return any(flag.partition("=")[0] == name for flag in flags)


def _with_underscores(flag: str) -> str:
    name, equals, value = flag.partition("=")
    return name[:2] + name[2:].replace("-", "_") + equals + value if name.startswith("--") else flag
