"""Job servers of Apache Beam: programs in Java or Go that take a pipeline and run it on an engine such as Flink."""

import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import apache_beam as beam
import grpc
from apache_beam.options.pipeline_options import JobServerOptions, PipelineOptions, PortableOptions
from apache_beam.portability.api import beam_job_api_pb2, beam_job_api_pb2_grpc
from apache_beam.runners.portability.job_server import JavaJarJobServer, SubprocessJobServer
from apache_beam.runners.portability.portable_runner import PortableRunner
from apache_beam.runners.portability.spark_runner import SparkJarJobServer
from apache_beam.runners.runner import PipelineRunner

from audiopipe.errors import ArgumentError, FeatureSetError, MissingDependencyError
from audiopipe.runtime import supervisor

END_SECONDS = 10
LOOK_SECONDS = 0.1
_LAST_LINES = 5
# What Spark adds in its own scripts (JavaModuleOptions). Beam adds only some of it. On Java 17, Spark then cannot
# report the failure of a task, and a job that has lost a worker hangs.
_OPENED_FOR_SPARK = [
    f"--add-opens=java.base/{package}=ALL-UNNAMED"
    for package in (
        "java.io",
        "java.lang",
        "java.lang.reflect",
        "java.net",
        "java.util.concurrent",
        "java.util.concurrent.atomic",
        "sun.nio.cs",
        "sun.security.action",
        "sun.util.calendar",
    )
]
# JobServerDriver of Beam's Java SDK prints it.
_ADDRESS = re.compile(r"JobService started on (\S+:\d+)")
_DOWNLOAD = "Download the server of the same version as Apache Beam and pass its path"
_HOW_TO_GET = {
    "PrismRunner": "Build Prism with Go and pass its path with --prism_location: "
    f"go install github.com/apache/beam/sdks/v2/go/cmd/prism@v{beam.__version__}",
}


class JobServer:
    """A job server that this process has started, with its log in a file. It ends with this process.

    Apache Beam starts job servers as well, but only in the main thread, and they end by the Ctrl-C that should cancel
    their job.

    Args:
        command: The command that starts it.
        endpoint: Its address, `HOST:PORT`. None finds it in the log.
        folder: Folder for its log and its files. It is removed at the end.
    """

    def __init__(self, command: list[str], endpoint: str | None, folder: Path):
        self._endpoint = endpoint
        self._folder = folder
        self._log = folder / "job-server.log"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-I", supervisor.__file__, *command],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def wait(self, seconds: float) -> str:
        """Waits until the server answers, at most `seconds`, and returns its address.

        Raises:
            FeatureSetError: If it ends before that, or takes too long.
        """
        end = time.monotonic() + seconds
        while not self._answers():
            code = self._process.poll()
            if code is not None:
                raise FeatureSetError(f"The job server ended with exit code {code}: {self._last_lines()}")
            if time.monotonic() > end:
                raise FeatureSetError(
                    f"The job server did not answer within {seconds:g} s. Increase --job_server_timeout, or read "
                    f"what it printed last: {self._last_lines()}"
                )
        assert self._endpoint is not None
        return self._endpoint

    def _answers(self) -> bool:
        if self._endpoint is None:
            found = _ADDRESS.search(self._log.read_text(errors="replace"))
            if found is None:
                time.sleep(LOOK_SECONDS)
                return False
            self._endpoint = found[1]
        with grpc.insecure_channel(self._endpoint) as channel:
            try:
                grpc.channel_ready_future(channel).result(timeout=10 * LOOK_SECONDS)
            except grpc.FutureTimeoutError:
                return False
        return True

    def end(self) -> None:
        """Ends the server and removes its files."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)

    def cause(self) -> str:
        """Returns the last cause of an error in its log."""
        lines = self._log.read_text(errors="replace").splitlines()
        causes = [line.removeprefix("Caused by: ") for line in lines if line.startswith("Caused by: ")]
        return causes[-1] if causes else self._last_lines()

    def _last_lines(self) -> str:
        lines = self._log.read_text(errors="replace").splitlines()
        return "\n".join(["", *lines[-_LAST_LINES:]])


def start(runner: PipelineRunner, options: PipelineOptions) -> JobServer | None:
    """Starts the job server that a runner needs.

    A server in Java chooses its port itself, as a port that was free a moment ago may be taken. It starts no expansion
    service, which no pipeline of audiopipe needs.

    Args:
        runner: The runner.
        options: Its options.

    Returns:
        The server. None if the runner needs none, or its options name one that runs already.

    Raises:
        ArgumentError: If the options do not say what to start.
        MissingDependencyError: If the server needs Java, which is not installed.
    """
    portable = options.view_as(PortableOptions)
    if not isinstance(runner, PortableRunner) or portable.job_endpoint:
        return None
    folder = Path(tempfile.mkdtemp(prefix="audiopipe-job-server-"))
    started = None
    try:
        of_server = options.view_as(JobServerOptions)
        of_server.artifacts_dir = of_server.artifacts_dir or str(folder / "artifacts")
        of_server.expansion_port = of_server.expansion_port or -1  # a negative number disables it
        found = _command(runner, options)
        if found is not None:
            started = JobServer(*found, folder)
        return started
    finally:
        if started is None:
            shutil.rmtree(folder)


def _command(runner: PortableRunner, options: PipelineOptions) -> tuple[list[str], str | None] | None:
    """Returns the command that starts a runner's job server, and the address of the server if it is known."""
    name = type(runner).__name__
    try:
        server = runner.default_job_server(options)
    except NotImplementedError:
        raise ArgumentError(
            f"{name} needs the address of a job server that runs already: --job_endpoint=HOST:PORT. FlinkRunner and "
            "SparkRunner start one."
        ) from None
    server = getattr(server, "_job_server", server)  # what Beam would end by signals
    if not isinstance(server, SubprocessJobServer):
        return None
    java = options.view_as(JobServerOptions).job_server_java_launcher
    if isinstance(server, JavaJarJobServer) and shutil.which(java) is None:
        raise MissingDependencyError(
            f"{name} starts a job server that needs Java, but the program {java!r} was not found. Install Java 11 or "
            "17, name it with --job_server_java_launcher, or pass --job_endpoint of a job server that runs already."
        )
    try:
        command, endpoint = server.subprocess_cmd_and_endpoint()
    except (ValueError, RuntimeError, OSError) as error:
        raise ArgumentError(
            f"{name} cannot start its job server: {error} {_HOW_TO_GET.get(name, _DOWNLOAD)}, or pass "
            "--job_endpoint of one that runs already."
        ) from error
    command = [str(word) for word in command]
    if isinstance(server, JavaJarJobServer) and not options.view_as(JobServerOptions).job_port:
        command[command.index("--job-port") + 1] = "0"
        # Log4j, which Spark's server has, would hide the line with the address.
        command.insert(1, "-Dlog4j2.level=INFO")
        endpoint = None
    if isinstance(server, SparkJarJobServer):
        command[1:1] = _OPENED_FOR_SPARK
    return command, endpoint


def wait_for(endpoint: str, seconds: float) -> None:
    """Waits until a job server answers that somebody else has started.

    Args:
        endpoint: Its address.
        seconds: How long to wait.

    Raises:
        FeatureSetError: If it does not answer in time.
    """
    with grpc.insecure_channel(endpoint) as channel:
        try:
            grpc.channel_ready_future(channel).result(timeout=seconds)
        except grpc.FutureTimeoutError as error:
            raise FeatureSetError(
                f"No job server answered at {endpoint} within {seconds:g} s. Check --job_endpoint, or increase "
                "--job_server_timeout."
            ) from error


def options_of(endpoint: str, seconds: float) -> set[str]:
    """Returns the names of the options that a running job server has.

    Args:
        endpoint: Its address.
        seconds: How long to wait for an answer.

    Raises:
        FeatureSetError: If it does not answer.
    """
    with grpc.insecure_channel(endpoint) as channel:
        stub = beam_job_api_pb2_grpc.JobServiceStub(channel)
        request = beam_job_api_pb2.DescribePipelineOptionsRequest()
        try:
            described = stub.DescribePipelineOptions(request, timeout=seconds, wait_for_ready=True)
        except grpc.RpcError as error:
            raise FeatureSetError(f"The job server at {endpoint} does not answer: {error.details()}.") from error
    return {option.name for option in described.options}
