"""What is sent to a cluster: the container image, and functions that a worker can unpickle."""

import json
import subprocess
import sys

import apache_beam
import pytest
from apache_beam.portability.api import beam_runner_api_pb2
from apache_beam.runners.portability.portable_runner import PortableRunner
from process_groups import ROOT

from audiopipe import beam
from audiopipe.precompute import engines

IMAGE = "registry.example/audiopipe:1"
DOCKER = "beam:env:docker:v1"
FLINK = ["--runner=FlinkRunner", "--flink_master=cluster:8081", "--flink_version=1.20", "--parallelism=8"]
SPARK = ["--runner=PortableRunner", "--job_endpoint=cluster:8099"]
CONTAINER = ["--environment_type=DOCKER", f"--environment_config={IMAGE}"]


@pytest.fixture
def planned(shared_feature_set, tmp_path):
    """A folder that holds a plan and no finished shard."""
    folder = tmp_path / "planned"
    (folder / "plan").mkdir(parents=True)
    for path in (shared_feature_set / "plan").iterdir():
        if path.name in ("plan.json", "shards.jsonl") or path.name.startswith("clips-"):
            (folder / "plan" / path.name).write_bytes(path.read_bytes())
    return str(folder)


def pipeline_of(output, options):
    pipeline = apache_beam.Pipeline(runner=PortableRunner(), options=options)
    pipeline | "Precompute" >> beam.Precompute(output)
    return pipeline


def proto_of(output, *flags):
    """The proto that is sent for a launch with some options of Apache Beam."""
    options, _ = engines.parse_options(list(flags))
    return PortableRunner.get_proto_pipeline(pipeline_of(output, options), options)


def images(proto):
    """Container images of the environments that the functions of a pipeline run in."""
    used = {transform.environment_id for transform in proto.components.transforms.values()} - {""}
    found = [proto.components.environments[name] for name in used]
    assert {environment.urn for environment in found} == {DOCKER}
    return {beam_runner_api_pb2.DockerPayload.FromString(environment.payload).container_image for environment in found}


@pytest.mark.parametrize("runner", [FLINK, SPARK])
def test_flink_and_spark_run_every_function_in_the_image(planned, runner):
    assert images(proto_of(planned, *runner, *CONTAINER)) == {IMAGE}


def test_the_image_of_dataflow_is_no_other_runners(planned):
    """Why `flink.sh` and `spark.sh` name the image by another option than `dataflow.sh`."""
    assert images(proto_of(planned, *SPARK, f"--sdk_container_image={IMAGE}")) != {IMAGE}


@pytest.mark.faults
def test_dataflow_runs_every_function_in_the_image(planned):
    """Needs the packages of Google Cloud, as a launch does, but no account: a dry run sends nothing."""
    pytest.importorskip("apitools", reason='needs pip install "apache-beam[gcp]"')
    options, _ = engines.parse_options(
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


def test_a_worker_that_has_audiopipe_alone_unpickles_every_function(planned, tmp_path):
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
    # No `__main__`, no module of a test, nothing of TensorFlow: a worker has to import what these name.
    for function in ours:
        assert {name.partition(".")[0] for name in function["modules"]} <= {"audiopipe", "apache_beam", "builtins"}
        assert function["bytes"] < 2000
