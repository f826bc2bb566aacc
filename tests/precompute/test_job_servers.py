"""Tests of job servers that a job starts and ends, with other programs in the place of Java."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time

import pytest
from planning import written

from audiopipe import beam
from audiopipe.errors import ArgumentError, FeatureSetError, MissingDependencyError
from audiopipe.inputs import Source
from audiopipe.precompute import runners
from audiopipe.runtime import supervisor

FLINK = ["--runner=FlinkRunner", "--flink_version=1.19", "--environment_type=LOOPBACK"]
ANSWER_SOON = "--job_server_timeout=1"
# Beam's job service in Python, with the arguments of the job server for Flink.
SERVER = f"""#!/bin/sh
while [ "$1" != --job-port ]; do shift; done
exec {sys.executable} -m apache_beam.runners.portability.local_job_service_main -p "$2"
"""


@pytest.fixture
def java(tmp_path):
    """Returns a function that writes a program which takes the place of Java, and returns the options that name it."""
    (tmp_path / "server.jar").touch()

    def write(text):
        program = tmp_path / "java"
        program.write_text(text)
        program.chmod(0o755)
        return [
            *FLINK,
            f"--job_server_java_launcher={program}",
            f"--flink_job_server_jar={tmp_path / 'server.jar'}",
        ]

    return write


@pytest.fixture
def work(tmp_path, config):
    return written(str(tmp_path / "planned"), config, [Source("a", str(tmp_path / "a.wav"))], 1)


def failed(options, work):
    """Returns the error of an engine that runs a plan."""
    engines = runners.BeamEngines(options, None)
    try:
        engine = engines.choose(work, 1)
        engine.start(work)
        with pytest.raises(FeatureSetError) as error:
            engine.wait(60)
        return str(error.value)
    finally:
        engines.close()


def test_a_missing_java_is_named_with_what_to_do():
    engines = runners.BeamEngines([*FLINK, "--job_server_java_launcher=/no/java"], None)
    with pytest.raises(MissingDependencyError, match=r"FlinkRunner .* '/no/java' was not found\. Install Java"):
        engines.prepare()


def test_a_missing_jar_is_named(java):
    engines = runners.BeamEngines([*java(""), "--flink_job_server_jar=/no/server.jar"], None)
    with pytest.raises(ArgumentError, match=r"FlinkRunner cannot start its job server: .*/no/server\.jar"):
        engines.prepare()


def test_a_missing_prism_is_named_with_the_command_that_builds_it():
    engines = runners.BeamEngines(["--runner=PrismRunner", "--prism_location=/no/prism"], None)
    with pytest.raises(ArgumentError, match=r"PrismRunner cannot .*/no/prism.* go install .*/prism@v\d+\.\d+\.\d+"):
        engines.prepare()


def test_a_portable_runner_without_a_job_server_is_refused():
    engines = runners.BeamEngines(["--runner=PortableRunner"], None)
    with pytest.raises(ArgumentError, match=r"PortableRunner needs the address .* --job_endpoint=HOST:PORT"):
        engines.prepare()


def test_a_job_server_that_does_not_start_ends_the_job_with_what_it_printed(java, work):
    text = failed(java("#!/bin/sh\necho no memory for the heap\nexit 7\n"), work)
    assert text == "The job server ended with exit code 7: \nno memory for the heap"


def test_spark_on_java_17_may_use_what_it_reports_failed_tasks_with(java, work, tmp_path):
    """Without it, a job that has lost a worker hangs."""
    options = java("#!/bin/sh\necho $*\nexit 7\n")[-2:]
    options = [options[0], options[1].replace("flink", "spark"), "--runner=SparkRunner", "--environment_type=LOOPBACK"]
    assert "--add-opens=java.base/sun.security.action=ALL-UNNAMED" in failed(options, work)


def test_no_file_of_a_job_server_stays(java, tmp_path, monkeypatch):
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    engines = runners.BeamEngines(java("#!/bin/sh\nexec sleep 60\n"), None)
    engines.prepare()
    assert len(list(folder.iterdir())) == 1
    engines.close()
    assert list(folder.iterdir()) == []


def test_a_job_server_in_java_chooses_its_port_and_starts_no_expansion_service(java, work):
    text = failed(java("#!/bin/sh\necho $*\nexit 7\n"), work)
    assert "--job-port 0 --artifact-port 0 --expansion-port -1" in text


def test_the_address_of_a_job_server_is_read_from_its_log(java, work):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{closed.getsockname()[1]}"
        text = failed([*java(f"#!/bin/sh\necho JobService started on {address}\nexec sleep 9"), ANSWER_SOON], work)
    assert text.startswith("The job server did not answer within 1 s.")
    assert text.endswith(address)


@pytest.mark.faults
def test_a_runner_that_starts_a_server_works_in_any_thread_and_takes_the_options_of_its_server(java, clips, tmp_path):
    """Signal handlers, as Beam's own servers need them, can only be set in the main thread."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = [*java(SERVER), f"--job_port={port}"]
    handler = signal.getsignal(signal.SIGINT)
    made = []

    def run(name, *more):
        try:
            made.append(beam.precompute(clips, tmp_path / name, "speech-mel-80", beam_options=[*options, *more]))
        except ArgumentError as error:
            made.append(str(error))

    for arguments in (("one",), ("two", "--no_such_option=3")):
        thread = threading.Thread(target=run, args=arguments)
        thread.start()
        thread.join(300)
    feature_set, error = made
    assert feature_set.counts["clips"] == 4
    assert "has the option --no_such_option=3." in error
    assert not (tmp_path / "two").exists()
    assert signal.getsignal(signal.SIGINT) == handler


@pytest.fixture
def supervised(tmp_path):
    """A supervised program, and a function that waits until it is gone."""
    file = tmp_path / "process"
    command = ["/bin/sh", "-c", f"echo $$ > {file}.tmp; mv {file}.tmp {file}; exec sleep 60"]
    with subprocess.Popen([sys.executable, supervisor.__file__, *command], stdin=subprocess.PIPE) as process:
        wait(file.exists)
        yield process, int(file.read_text())
        process.kill()


def wait(condition):
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def exists(process):
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_supervised_program_ends_when_its_input_closes(supervised):
    process, number = supervised
    process.stdin.close()
    assert process.wait(60) == -signal.SIGTERM % 256
    assert not exists(number)


def test_a_supervised_program_survives_ctrl_c(supervised):
    process, number = supervised
    os.kill(process.pid, signal.SIGINT)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.3)
    assert exists(number)
