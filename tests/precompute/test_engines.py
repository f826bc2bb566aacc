"""Tests of the engines and how a job chooses one."""

import os
import subprocess
import sys

import pytest
from planning import written

from audiopipe import beam, configs
from audiopipe.errors import ArgumentError, FeatureSetError
from audiopipe.inputs import Source
from audiopipe.precompute import engines, runners
from audiopipe.precompute.processes import Processes
from audiopipe.precompute.this_process import ThisProcess
from audiopipe.precompute.worker import cause_of
from audiopipe.runtime import machine_facts

CONFIG = configs.MelSpectrogram(sample_rate=16000, n_mels=40, input_data_format="channels_last")
HOUR = 3600


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    return written(str(tmp_path_factory.mktemp("out")), CONFIG, [Source(str(name), str(name)) for name in range(9)], 9)


@pytest.fixture
def unloaded(monkeypatch):
    """Makes this process look as if it had not loaded TensorFlow."""
    monkeypatch.delitem(sys.modules, "tensorflow", raising=False)


def chosen(work, seconds, workers=None):
    return engines.LocalEngines(workers).choose(work, seconds)


def test_a_job_takes_a_process_per_hour_of_audio_up_to_the_number_of_processors(work, unloaded, monkeypatch):
    monkeypatch.setattr(machine_facts, "processors", lambda: 4)
    found = [chosen(work, hours * HOUR) for hours in (0.1, 1.9, 2, 3.5, 1000)]
    assert [(type(engine), engine.workers) for engine in found] == [(Processes, count) for count in (1, 1, 2, 3, 4)]


def test_a_process_that_has_loaded_tensorflow_computes_small_jobs_itself(work, monkeypatch):
    monkeypatch.setattr(machine_facts, "processors", lambda: 4)
    assert isinstance(chosen(work, 7 * HOUR), ThisProcess)
    large = chosen(work, 8 * HOUR)
    assert (type(large), large.workers) == (Processes, 4)


def test_workers_sets_the_number_of_processes_up_to_the_number_of_shards(work):
    assert chosen(work, 1, workers=3).workers == 3
    assert chosen(work, 1, workers=100).workers == 9
    assert isinstance(chosen(work, 100 * HOUR, workers=1), ThisProcess)


@pytest.mark.faults
def test_a_job_of_worker_processes_needs_neither_tensorflow_nor_beam_in_this_one(recordings, tmp_path, config):
    (tmp_path / "config.json").write_text(config.to_json())
    script = (
        "import sys\n"
        "from audiopipe import beam\n"
        "sys.modules['apache_beam'] = None\n"
        "made = beam.precompute(*sys.argv[1:], num_shards=3)\n"
        "print('HEAVY', len(made), {'tensorflow', 'keras'} & sys.modules.keys())"
    )
    command = [sys.executable, "-c", script, recordings, tmp_path / "out", tmp_path / "config.json"]
    environment = {name: value for name, value in os.environ.items() if name != "TF_CPP_MIN_LOG_LEVEL"}
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, check=True, env=environment)
    assert done.stdout.split("\n")[-2:] == ["HEAVY 10 set()", ""]
    assert done.stderr == ""


@pytest.mark.faults
def test_an_unforeseen_error_of_a_worker_names_itself_and_brings_its_traceback(recordings, tmp_path, monkeypatch):
    (tmp_path / "breaking.py").write_text(
        "import os\n"
        "from audiopipe import configs\n"
        "if os.environ['IMPORTS'] != str(os.getpid()):\n"
        "    raise ZeroDivisionError('of a module')\n"
        "class Breaking(configs.MelSpectrogram):\n"
        "    pass\n"
    )
    monkeypatch.setenv("IMPORTS", str(os.getpid()))
    monkeypatch.syspath_prepend(tmp_path)
    config = __import__("breaking").Breaking(sample_rate=8000)
    with pytest.raises(FeatureSetError, match=r"The job stopped: ZeroDivisionError: of a module\. Run") as error:
        beam.precompute(recordings, tmp_path / "out", config, num_shards=3, workers=2)
    [note] = error.value.__cause__.__notes__
    assert "breaking.py" in note


@pytest.mark.parametrize("flag", ["--runner=FnApiRunner", "--direct_num_workers=2", "--job-name=features"])
def test_options_of_beam_choose_a_runner_and_exclude_workers(work, flag):
    assert isinstance(runners.BeamEngines([flag], None).choose(work, 100 * HOUR), runners.PipelineThread)
    with pytest.raises(ArgumentError, match=rf"--workers cannot be combined.*Received: {flag}\. Leave out one"):
        runners.BeamEngines([flag], 2)


def test_zero_workers_are_refused():
    with pytest.raises(ArgumentError, match=r"workers must be an integer\. Received: workers=2\.5"):
        engines.LocalEngines(2.5)
    with pytest.raises(ArgumentError, match=r"workers must be at least 1\. Received: workers=0"):
        engines.LocalEngines(0)


def test_options_of_beam_may_be_written_with_dashes():
    options = runners.parse_options(["--direct-num-workers=2", "--direct-running-mode", "multi_threading"])
    assert options.get_all_options()["direct_num_workers"] == 2
    assert options.get_all_options()["direct_running_mode"] == "multi_threading"


def test_workers_get_a_log_level_that_java_knows():
    options = runners.parse_options(["--runner=FlinkRunner"]).get_all_options()
    assert options["default_sdk_harness_log_level"] == "WARN"  # Java's enum SdkHarnessOptions.LogLevel has no WARNING


def test_clusters_keep_workers_between_stages_unless_the_user_decides():
    def kept(*flags):
        return int(runners.parse_options(list(flags)).get_all_options()["environment_cache_millis"])

    assert kept("--runner=FlinkRunner") == 600_000
    assert kept("--runner=FlinkRunner", "--environment-cache-millis=0") == 0
    assert kept("--runner=FnApiRunner") == 0


@pytest.mark.parametrize(
    ("message", "cause"),
    [
        (
            "Traceback\n  File\naudiopipe.errors.OutputError: Could not write 'a'. [while running 'x/y']",
            "Could not write 'a'.",
        ),
        ("RuntimeError: boom [while running 'WriteShard-ptransform-6']", "boom"),
        (
            "Pipeline BeamApp-1 failed in state FAILED: java.lang.RuntimeException: Error received from SDK harness\n"
            "  File\naudiopipe.errors.OutputError: Could not write 'a'. [while running 'x/y']\n",
            "Could not write 'a'.",
        ),
        (
            "Pipeline BeamApp-1_f0 failed in state FAILED: org.apache.beam.vendor.grpc.v1p69p0.StatusRuntimeException: "
            "org.apache.beam.vendor.grpc.v1p69p0.StatusRuntimeException: CANCELLED: client cancelled",
            "The engine lost a worker, which was killed, ran out of memory or cannot be reached (CANCELLED: client "
            "cancelled)",
        ),
        (
            "Pipeline job-001 failed in state FAILED: bundle inst002 stage-002 failed:SDK worker disconnected: "
            "worker[job-001], 2 active instructions, error: context canceled",
            "The engine lost a worker, which was killed, ran out of memory or cannot be reached (bundle "
            "inst002 stage-002 failed:SDK worker disconnected: worker[job-001], 2 active instructions, error: context "
            "canceled)",
        ),
        (
            "org.apache.spark.SparkException: Job aborted due to stage failure: Task 1 in stage 1.0 failed 1 times\n"
            "\tat org.apache.beam.sdk.util.MoreFutures.get(MoreFutures.java:58)\n"
            "Caused by: org.apache.beam.StatusRuntimeException: CANCELLED: client cancelled\n\t... 3 more\n\n"
            "Driver stacktrace:",
            "The engine lost a worker, which was killed, ran out of memory or cannot be reached (CANCELLED: client "
            "cancelled)",
        ),
        ("", "the runner raised ValueError without a message"),
    ],
)
def test_the_cause_is_extracted_from_an_error_of_beam(message, cause):
    assert runners.cause_of(ValueError(message)) == cause


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (ArgumentError("hop_length must be at least 1."), "hop_length must be at least 1."),
        (RuntimeError("the machine is gone"), "the machine is gone"),
        (RuntimeError(), "a worker raised RuntimeError without a message"),
        (KeyError("id"), "KeyError: 'id'"),
        (MemoryError(), "a worker ran out of memory (MemoryError)"),
    ],
)
def test_an_error_of_a_worker_is_named_unless_its_type_says_nothing(error, cause):
    assert cause_of(error) == cause


def test_dask_logs_only_warnings_unless_somebody_chose_something_else():
    import dask

    from audiopipe.precompute import dask_worker

    with dask.config.set({"logging.distributed": None, "distributed.worker.preload": []}):
        runners._silence_dask()
        assert dask.config.get("logging.distributed") == "warning"
        assert dask.config.get("distributed.worker.preload") == [dask_worker.__name__]
    with dask.config.set({"logging.distributed": "debug", "distributed.worker.preload": []}):
        runners._silence_dask()
        assert dask.config.get("logging.distributed") == "debug"
        assert dask.config.get("distributed.worker.preload") == []
