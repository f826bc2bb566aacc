"""Tests of jobs on Prism, Apache Beam's runner in Go, which the job starts itself."""

import signal

import artifacts
import building_blocks
import pytest
from launching import external

pytestmark = pytest.mark.engines


@pytest.fixture(scope="module")
def prism():
    """Options of every job on Prism. Its workers are in the process of the job."""
    return ["--runner=PrismRunner", f"--prism_location={artifacts.prism()}"]


def test_prism_writes_the_same_bytes(matrix, prism):
    printed = matrix.writes_the_same_bytes(*prism)
    for noise in ("apache_beam", "PrismRunner", "WARNING", "Traceback"):
        assert noise not in printed


def test_a_shard_that_cannot_be_written_is_reported_and_another_engine_resumes(matrix, prism):
    matrix.reports_a_shard_that_cannot_be_written(*prism)


def test_prism_resumes_what_another_engine_began(matrix, prism):
    matrix.resumes_a_job_of_another_engine(*prism)


def test_a_killed_worker_ends_the_job_and_the_same_command_completes_it(matrix, prism):
    code, printed = matrix.loses_a_worker(lambda address: [*prism, *external(address)])
    assert code == 1
    assert "The job stopped: The engine lost a worker" in printed


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_job_with_its_server_and_the_same_command_completes_it(matrix, prism, number):
    matrix.is_stopped_by_ctrl_c(*prism, number=number)


def test_a_job_may_take_longer_than_the_timeout_of_requests(matrix, prism):
    matrix.takes_longer_than(20, *prism)


def test_a_pipeline_of_building_blocks_writes_the_bits_of_precompute(engine_work, tmp_path, prism):
    building_blocks.same_bits(engine_work, tmp_path, *prism)
