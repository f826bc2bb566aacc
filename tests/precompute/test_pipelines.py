"""Tests of the Beam job, the launch scripts and the examples, as people run them."""

import os
import re
import runpy
import subprocess
import sys
from pathlib import Path

import matplotlib.image
import numpy as np
import pytest

from audiopipe import load
from audiopipe.precompute import runners
from audiopipe.runtime import machine_facts

ROOT = Path(__file__).parents[2]

# Required variables of each launch script for a remote runner, and the Apache Beam options that it passes.
LAUNCHES = {
    "dataflow.sh": (
        {"PROJECT": "project", "REGION": "europe-west4", "IMAGE": "reg/image:1", "TEMP_LOCATION": "gs://bucket/temp"},
        [
            "--runner=DataflowRunner",
            "--project=project",
            "--region=europe-west4",
            "--temp_location=gs://bucket/temp",
            "--sdk_container_image=reg/image:1",
            "--worker_machine_type=n2-standard-4",
            "--max_num_workers=16",
            "--autoscaling_algorithm=THROUGHPUT_BASED",
        ],
    ),
    "flink.sh": (
        {"FLINK_MASTER": "cluster:8081", "FLINK_VERSION": "1.20", "IMAGE": "reg/image:1", "PARALLELISM": "8"},
        [
            "--runner=FlinkRunner",
            "--flink_master=cluster:8081",
            "--flink_version=1.20",
            "--parallelism=8",
            "--environment_type=DOCKER",
            "--environment_config=reg/image:1",
        ],
    ),
    "spark.sh": (
        {"SPARK_MASTER": "spark://cluster:7077", "IMAGE": "reg/image:1"},
        [
            "--runner=SparkRunner",
            "--spark_master_url=spark://cluster:7077",
            "--environment_type=DOCKER",
            "--environment_config=reg/image:1",
        ],
    ),
}
OPTIONAL = {"JOB_ENDPOINT", "MACHINE_TYPE", "MAX_WORKERS", "WORKERS", "OMP_NUM_THREADS", "OMP_THREAD_LIMIT"}
ARGUMENTS = ["gs://bucket/my clips", "gs://bucket/features", "--config", "speech-mel-80"]


@pytest.mark.faults
def test_the_beam_job_takes_the_arguments_of_precompute(clips, tmp_path, config, shared_feature_set):
    (tmp_path / "stft.json").write_text(config.to_json())
    command = ["-m", "pipelines.precompute", clips / "manifest.jsonl", tmp_path / "out"]
    options = ["--config", tmp_path / "stft.json", "--num-shards", "2", "--direct_num_workers=1"]
    subprocess.run([sys.executable, *command, *options], cwd=ROOT, check=True, capture_output=True)
    for shard in shared_feature_set.glob("*.tfrecord"):
        assert (tmp_path / "out" / shard.name).read_bytes() == shard.read_bytes()


def test_the_demo_computes_verifies_and_plots_the_example_clips_in_any_folder(tmp_path, monkeypatch, capsys):
    (tmp_path / "mine").write_text("the demo must not remove this")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["demo.py", "."])
    demo = runpy.run_path(str(ROOT / "examples" / "demo.py"))
    demo["main"]()
    printed = capsys.readouterr().out
    assert "$ audiopipe precompute " in printed
    assert "Every bit agrees." in printed
    assert (tmp_path / "mine").exists()
    assert matplotlib.image.imread(tmp_path / "feature.png").shape == (480, 1080, 4)
    elements = {element["id"].decode(): element for element in load("features").as_numpy_iterator()}
    audio = ROOT / "examples" / "audio"
    assert sorted(elements) == sorted(str(path.relative_to(audio)) for path in audio.rglob("*.*"))
    loudest = elements["chirp.wav"]["feature"][:, :, 0].argmax(axis=1)
    assert (np.diff(loudest) >= 0).all()
    assert loudest[-1] > loudest[0] + 60


@pytest.mark.faults
def test_the_hugging_face_example_maps_caches_trains_and_converts(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["huggingface.py", str(tmp_path)])
    example = runpy.run_path(str(ROOT / "examples" / "huggingface.py"))
    example["main"]()
    printed = capsys.readouterr().out
    assert "180 rows of" in printed
    assert "fingerprint b81f7bc25c84" in printed
    computed, cached = (float(re.search(rf"{what}: ([\d.]+) s", printed)[1]) for what in ("computed", "cache"))
    assert cached < computed / 3
    losses = [float(value) for value in re.search(r"Keras: loss (.*)", printed)[1].split()]
    assert losses[-1] < 0.6 * losses[0]
    assert float(re.search(r"Keras: accuracy ([\d.]+)", printed)[1]) > 0.6
    assert "Every bit agrees." in printed


@pytest.fixture
def launch(tmp_path):
    """Returns a function that runs a launch script. Its `python` is a stub that only prints its arguments."""
    stub = tmp_path / "python"
    stub.write_text("#!/bin/sh\nprintf '%s\\0' \"$@\"\n")
    stub.chmod(0o755)

    def run(script, variables, arguments=ARGUMENTS):
        known = {name for required, _ in LAUNCHES.values() for name in required} | OPTIONAL
        inherited = {name: value for name, value in os.environ.items() if name not in known}
        environment = {**inherited, **variables, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
        command = [ROOT / "pipelines" / script, *arguments]
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=20)

    return run


@pytest.mark.parametrize("script", LAUNCHES)
def test_a_launch_script_passes_options_that_audiopipe_accepts(launch, script):
    variables, options = LAUNCHES[script]
    ran = launch(script, variables)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.split("\0")[:-1] == ["-m", "audiopipe", "precompute", *ARGUMENTS, *options]
    runners.parse_options(options)


def test_spark_takes_a_job_server_that_runs_already(launch):
    ran = launch("spark.sh", {"JOB_ENDPOINT": "cluster:8099", "IMAGE": "reg/image:1"})
    assert ran.stdout.split("\0")[-5:-1] == [
        "--runner=PortableRunner",
        "--job_endpoint=cluster:8099",
        "--environment_type=DOCKER",
        "--environment_config=reg/image:1",
    ]


@pytest.mark.parametrize(("script", "missing"), [(script, name) for script in LAUNCHES for name in LAUNCHES[script][0]])
@pytest.mark.parametrize("value", [None, ""])
def test_a_launch_script_names_a_missing_variable(launch, script, missing, value):
    variables = {name: given for name, given in LAUNCHES[script][0].items() if name != missing}
    ran = launch(script, variables if value is None else {**variables, missing: value})
    assert ran.returncode != 0
    assert f"{missing}: must be " in ran.stderr
    assert not ran.stdout


@pytest.mark.parametrize("arguments", [["clips", "gs://bucket/features"], ["gs://bucket/clips", "/data/features"]])
def test_dataflow_refuses_local_paths(launch, arguments):
    ran = launch("dataflow.sh", LAUNCHES["dataflow.sh"][0], arguments)
    assert ran.returncode == 2
    assert "workers can only read and write paths in Cloud Storage" in ran.stderr
    assert not ran.stdout


@pytest.mark.parametrize(
    ("variables", "workers"), [({}, None), ({"OMP_NUM_THREADS": "1"}, None), ({"WORKERS": "3"}, "3")]
)
def test_the_local_script_starts_one_process_per_processor_unless_workers_is_set(launch, variables, workers):
    ran = launch("local.sh", variables, ["clips", "features"])
    expected = ["-m", "audiopipe", "precompute", "clips", "features", "--workers"]
    assert ran.stdout.split("\0")[:-1] == [*expected, workers or str(machine_facts.processors())]
