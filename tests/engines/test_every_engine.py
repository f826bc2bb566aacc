"""Tests that every engine available here writes the same bytes for the same job."""

import time

import building_blocks
import distributed
import pytest
from launching import started, wait_for
from process_groups import ROOT

DASK_RUNNER = "--runner=DaskRunner"


@pytest.mark.faults
def test_worker_processes_write_the_same_bytes_without_messages_of_beam(matrix):
    printed = matrix.writes_the_same_bytes("--workers", "2")
    for noise in ("apache_beam", "sdk_worker", "absl", "oneDNN", "Traceback"):
        assert noise not in printed


@pytest.mark.faults
@pytest.mark.parametrize("mode", ["multi_threading", "multi_processing"])
def test_parallel_modes_of_the_beam_runner_write_the_same_bytes(matrix, mode):
    matrix.writes_the_same_bytes("--runner=FnApiRunner", f"--direct_running_mode={mode}", "--direct_num_workers=2")


@pytest.fixture
def job_service(tmp_path):
    """Address and log file of a running Apache Beam job service."""
    port, log = tmp_path / "port", tmp_path / "service.log"
    command = ["-m", "apache_beam.runners.portability.local_job_service_main", "-p", "0", "--port_file", port]
    with started(command, log) as process:
        yield f"localhost:{wait_for(port, process, log)}", log


@pytest.mark.faults
def test_a_job_service_writes_the_same_bytes(matrix, job_service):
    address, log = job_service
    matrix.writes_the_same_bytes("--runner=PortableRunner", f"--job_endpoint={address}", "--environment_type=LOOPBACK")
    assert "with state DONE" in log.read_text()


@pytest.mark.faults
def test_a_job_that_fails_on_a_job_service_reports_the_cause_and_another_engine_resumes_it(matrix, job_service):
    matrix.reports_a_shard_that_cannot_be_written(
        "--runner=PortableRunner", f"--job_endpoint={job_service[0]}", "--environment_type=LOOPBACK"
    )


@pytest.mark.faults
def test_a_job_may_take_longer_than_the_timeout_of_its_job_service(matrix, job_service):
    matrix.takes_longer_than(
        5, "--runner=PortableRunner", f"--job_endpoint={job_service[0]}", "--environment_type=LOOPBACK"
    )


@pytest.mark.faults
def test_a_job_service_that_does_not_answer_is_named(matrix):
    printed = matrix.fails("--runner=PortableRunner", "--job_endpoint=127.0.0.1:1", "--job_server_timeout=1")
    assert "The job stopped: No job server answered at 127.0.0.1:1 within 1 s. Check --job_endpoint" in printed


@pytest.fixture
def dask_cluster(tmp_path):
    """Address of a running Dask cluster with two worker processes."""
    address, log = tmp_path / "address", tmp_path / "cluster.log"
    with started([ROOT / "tests/engines/dask_cluster.py", address], log) as process:
        yield wait_for(address, process, log)
        process.stdin.close()
        process.wait(60)


@pytest.mark.faults
def test_both_processes_of_a_dask_cluster_work_and_write_the_same_bytes(matrix, dask_cluster):
    matrix.writes_the_same_bytes(DASK_RUNNER, f"--dask_client_address={dask_cluster}", "--dask_partition_size=1")
    with distributed.Client(dask_cluster) as client:
        # A worker imports this module when it writes its first shard.
        worked = client.run(eval, "'audiopipe.precompute.shard_writer' in __import__('sys').modules")
    assert list(worked.values()) == [True, True]


@pytest.mark.faults
def test_a_job_that_fails_on_dask_reports_the_cause_and_another_engine_resumes_it(matrix, dask_cluster):
    def until_idle():
        # The job has ended, but the other process may still be writing a shard.
        with distributed.Client(dask_cluster) as client:
            end = time.monotonic() + 60
            while any(client.processing().values()) and time.monotonic() < end:
                time.sleep(0.1)

    matrix.reports_a_shard_that_cannot_be_written(
        DASK_RUNNER, f"--dask_client_address={dask_cluster}", before_resume=until_idle
    )


@pytest.mark.faults
@pytest.mark.parametrize("mode", ["in_memory", "multi_processing"])
def test_a_pipeline_of_building_blocks_writes_the_bits_of_precompute(engine_work, tmp_path, mode):
    options = [f"--direct_running_mode={mode}", "--direct_num_workers=2"]
    building_blocks.same_bits(engine_work, tmp_path, "--runner=FnApiRunner", *options)


@pytest.mark.faults
def test_a_pipeline_of_building_blocks_on_a_job_service_writes_the_bits_of_precompute(
    engine_work, tmp_path, job_service
):
    options = [f"--job_endpoint={job_service[0]}", "--environment_type=LOOPBACK"]
    building_blocks.same_bits(engine_work, tmp_path, "--runner=PortableRunner", *options)
