"""Tests of the pipeline that is sent to a cluster: its container image, and functions that a worker can unpickle."""

import json
import subprocess
import sys

import apache_beam
import pytest
from apache_beam.portability.api import beam_runner_api_pb2
from apache_beam.runners.portability.portable_runner import PortableRunner
from planning import written
from process_groups import ROOT

from audiopipe import beam, registry
from audiopipe.inputs import Source
from audiopipe.precompute import runners

IMAGE = "registry.example/audiopipe:1"
DOCKER = "beam:env:docker:v1"
FLINK = ["--runner=FlinkRunner", "--flink_master=cluster:8081", "--flink_version=1.20", "--parallelism=8"]
SPARK = ["--runner=PortableRunner", "--job_endpoint=cluster:8099"]
CONTAINER = ["--environment_type=DOCKER", f"--environment_config={IMAGE}"]


@pytest.fixture
def planned(tmp_path):
    """A folder with a plan and no finished shards."""
    sources = [Source(f"clip-{number}", f"/clips/{number}.wav") for number in range(4)]
    return written(str(tmp_path / "planned"), registry.get("speech-mel-80"), sources, 2).output


def pipeline_of(output, options):
    pipeline = apache_beam.Pipeline(runner=PortableRunner(), options=options)
    pipeline | "Precompute" >> beam.Precompute(output)
    return pipeline


def proto_of(output, *flags):
    """Returns the proto that is sent to a cluster with some flags of Apache Beam."""
    options = runners.parse_options(list(flags))
    return PortableRunner.get_proto_pipeline(pipeline_of(output, options), options)


def images(proto):
    """Returns the container images in which the functions of a pipeline run."""
    used = {transform.environment_id for transform in proto.components.transforms.values()} - {""}
    found = [proto.components.environments[name] for name in used]
    assert {environment.urn for environment in found} == {DOCKER}
    return {beam_runner_api_pb2.DockerPayload.FromString(environment.payload).container_image for environment in found}


@pytest.mark.parametrize("runner", [FLINK, SPARK])
def test_flink_and_spark_run_every_function_in_the_image(planned, runner):
    assert images(proto_of(planned, *runner, *CONTAINER)) == {IMAGE}


def test_other_runners_ignore_the_image_option_of_dataflow(planned):
    """Shows why `flink.sh` and `spark.sh` name the image with another option than `dataflow.sh`."""
    assert images(proto_of(planned, *SPARK, f"--sdk_container_image={IMAGE}")) != {IMAGE}


@pytest.mark.faults
def test_dataflow_runs_every_function_in_the_image(planned):
    """Needs the Google Cloud packages but no account, because a dry run sends nothing."""
    pytest.importorskip("apitools", reason='needs pip install "apache-beam[gcp]"')
    options = runners.parse_options(
        [
            "--runner=DataflowRunner",
            "--project=project",
            "--region=europe-west4",
            "--temp_location=gs://bucket/temp",
            f"--sdk_container_image={IMAGE}",
            "--worker_machine_type=n2-standard-4",
            "--max_num_workers=16",
            "--autoscaling_algorithm=THROUGHPUT_BASED",
            "--dry_run=True",
        ]
    )
    from apache_beam.runners.dataflow.dataflow_runner import DataflowRunner

    runner = DataflowRunner()
    runner.run_pipeline(pipeline_of(planned, options), options)
    assert images(runner.proto_pipeline) == {IMAGE}


def test_a_worker_with_only_audiopipe_installed_unpickles_every_function(planned, tmp_path):
    proto = tmp_path / "pipeline.pb"
    proto.write_bytes(proto_of(planned, *FLINK, *CONTAINER).SerializeToString())
    run = subprocess.run(
        [sys.executable, ROOT / "tests" / "engines" / "unpickle.py", proto],
        cwd=tmp_path,
        capture_output=True,
        check=True,
        text=True,
        timeout=120,
    )
    functions = [json.loads(line) for line in run.stdout.splitlines()]
    ours = [function for function in functions if function["class"].startswith("audiopipe.")]
    assert [function["class"] for function in ours] == ["audiopipe.precompute.pipeline._WriteShard"]
    assert all(function["class"].startswith(("audiopipe.", "apache_beam.")) for function in functions)
    # A worker imports every module that a pickle names, so there must be no `__main__`, test module or TensorFlow.
    for function in ours:
        assert {name.partition(".")[0] for name in function["modules"]} <= {"audiopipe", "apache_beam", "builtins"}
        assert function["bytes"] < 2000
