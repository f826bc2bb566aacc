"""Tests of jobs on Flink: inside Apache Beam's job server, and on a cluster of three processes."""

import artifacts
import building_blocks
import pytest
from flink_cluster import flink_cluster
from launching import LOOPBACK, external

pytestmark = pytest.mark.engines
RUNNER = "--runner=FlinkRunner"


@pytest.fixture(scope="module")
def options():
    """Options of every job on Flink."""
    jar = artifacts.jar("beam-flink-job-server")
    version = artifacts.version("flink").rpartition(".")[0]
    return [RUNNER, f"--flink_version={version}", f"--flink_job_server_jar={jar}", "--parallelism=2"]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    with flink_cluster(tmp_path_factory.mktemp("flink")) as cluster:
        yield cluster


@pytest.fixture(params=["embedded", "cluster"])
def flink(request, options):
    """Options of a job on one of both kinds of Flink, without those of its workers."""
    if request.param == "embedded":
        return [*options, "--flink_master=[local]"]
    return [*options, f"--flink_master={request.getfixturevalue('cluster').address}"]


def test_flink_writes_the_same_bytes(matrix, flink):
    printed = matrix.writes_the_same_bytes(*flink, LOOPBACK)
    for noise in ("apache_beam", "org.apache", "WARNING", "Traceback"):
        assert noise not in printed


def test_a_shard_that_cannot_be_written_is_reported_and_another_engine_resumes(matrix, flink):
    printed = matrix.reports_a_shard_that_cannot_be_written(*flink, LOOPBACK)
    assert "\tat org.apache" not in printed


def test_flink_resumes_what_another_engine_began(matrix, flink):
    matrix.resumes_a_job_of_another_engine(*flink, LOOPBACK)


def test_a_killed_worker_ends_the_job_and_the_same_command_completes_it(matrix, flink):
    code, printed = matrix.loses_a_worker(lambda address: [*flink, *external(address)])
    assert code == 1
    assert "\tat org.apache" not in printed


def test_a_pipeline_of_building_blocks_writes_the_bits_of_precompute(engine_work, flink, tmp_path):
    building_blocks.same_bits(engine_work, tmp_path, *flink, LOOPBACK, "--environment_cache_millis=600000")
