"""Tests of jobs on Spark: inside Apache Beam's job server, and on a cluster of a master and two workers."""

import artifacts
import building_blocks
import pytest
from launching import LOOPBACK, external
from spark_cluster import DRIVER, N_WORKERS, executors, spark_cluster

pytestmark = pytest.mark.engines
RUNNER = "--runner=SparkRunner"


@pytest.fixture(scope="module")
def options():
    """Options of every job on Spark."""
    jar = artifacts.jar("beam-spark-job-server")
    return [RUNNER, f"--spark_job_server_jar={jar}", *(f"--job_server_jvm_property={name}" for name in DRIVER)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Folder of the cluster."""
    return tmp_path_factory.mktemp("spark")


@pytest.fixture(scope="module")
def cluster(folder):
    with spark_cluster(folder) as address:
        yield address


@pytest.fixture(params=["embedded", "cluster"])
def spark(request, options):
    """Options of a job on one of both kinds of Spark, without those of its workers."""
    master = "local[2]" if request.param == "embedded" else request.getfixturevalue("cluster")
    return [*options, f"--spark_master_url={master}"]


def test_spark_writes_the_same_bytes(matrix, spark):
    printed = matrix.writes_the_same_bytes(*spark, LOOPBACK)
    for noise in ("apache_beam", "org.apache", "WARNING", "Traceback"):
        assert noise not in printed


def test_both_workers_of_a_cluster_start_an_executor(matrix, options, cluster, folder):
    before = executors(folder)
    matrix.writes_the_same_bytes(*options, f"--spark_master_url={cluster}", LOOPBACK)
    assert len({path.parents[1] for path in set(executors(folder)) - set(before)}) == N_WORKERS


def test_a_shard_that_cannot_be_written_is_reported_and_another_engine_resumes(matrix, spark):
    printed = matrix.reports_a_shard_that_cannot_be_written(*spark, LOOPBACK)
    assert "\tat org.apache" not in printed


def test_spark_resumes_what_another_engine_began(matrix, spark):
    matrix.resumes_a_job_of_another_engine(*spark, LOOPBACK)


def test_a_killed_worker_ends_the_job_and_the_same_command_completes_it(matrix, spark):
    _, printed = matrix.loses_a_worker(lambda address: [*spark, *external(address)])
    assert "\tat org.apache" not in printed


def test_a_pipeline_of_building_blocks_writes_the_bits_of_precompute(engine_work, tmp_path, spark):
    building_blocks.same_bits(engine_work, tmp_path, *spark, LOOPBACK)
