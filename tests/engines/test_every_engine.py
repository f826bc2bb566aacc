"""Tests that every engine available here writes the same bytes for the same job."""

import json
import time

import distributed
import numpy as np
import pytest
import soundfile
from launching import precompute, started, wait_for
from process_groups import ROOT

from audiopipe import beam

DASK_RUNNER = "--runner=DaskRunner"


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """24 clips with two formats, sample rates and numbers of channels, and a damaged one."""
    folder = tmp_path_factory.mktemp("clips")
    noise = np.random.default_rng(5)
    for number in range(24):
        rate, suffix = (8000, "wav") if number % 2 else (16000, "flac")
        samples = 0.1 * noise.standard_normal((2000 + 300 * number, 1 + number % 3 // 2))
        soundfile.write(folder / f"{number:02}.{suffix}", samples, rate)
    (folder / "broken.wav").write_text("no audio")
    return folder


@pytest.fixture(scope="module")
def config_file(tmp_path_factory, config):
    path = tmp_path_factory.mktemp("config") / "stft.json"
    path.write_text(config.to_json())
    return path


@pytest.fixture(scope="module")
def expected(tmp_path_factory, source, config):
    """Bytes of the files that the runner in this process writes."""
    output = tmp_path_factory.mktemp("expected") / "features"
    feature_set = beam.precompute(source, output, config, num_shards=6, workers=1)
    assert (feature_set.counts["clips"], feature_set.counts["failures"]) == (24, 1)
    written = published(output)
    assert sum(name.endswith(".tfrecord") for name in written) == 6
    return written


def published(output):
    """Returns the bytes of the shards, `failures.jsonl` and `dataset.json`. None of these files contains times."""
    return {path.name: path.read_bytes() for path in output.iterdir() if path.is_file()}


@pytest.fixture
def same_on(source, config_file, expected, tmp_path):
    """Returns a function that runs the job with some options and compares the bytes that it writes."""

    def run(*options):
        output = tmp_path / "features"
        printed = precompute(source, output, config_file, *options)
        found = published(output)
        assert found.keys() == expected.keys()
        for name, content in expected.items():
            assert found[name] == content, name
        assert json.loads(found["failures.jsonl"])["id"] == "broken.wav"
        return printed

    return run


@pytest.fixture
def stops_on(source, config, config_file, expected, tmp_path):
    """Returns a function that runs the job while one shard cannot be written, and then resumes it in this process."""

    def run(*options, before_resume=lambda: None):
        output = tmp_path / "features"
        blocked = output / "features-00000003.tfrecord"
        blocked.mkdir(parents=True)
        printed = precompute(source, output, config_file, *options, code=1)
        assert f"The job stopped: Could not write '{blocked}': Is a directory. Run the same command again" in printed
        before_resume()
        blocked.rmdir()
        beam.precompute(source, output, config, num_shards=6, workers=1)
        assert published(output) == expected

    return run


@pytest.mark.faults
def test_worker_processes_write_the_same_bytes_without_messages_of_beam(same_on):
    printed = same_on("--workers", "2")
    for noise in ("apache_beam", "sdk_worker", "absl", "oneDNN", "Traceback"):
        assert noise not in printed


@pytest.mark.faults
@pytest.mark.parametrize("mode", ["multi_threading", "multi_processing"])
def test_parallel_modes_of_the_beam_runner_write_the_same_bytes(same_on, mode):
    same_on("--runner=FnApiRunner", f"--direct_running_mode={mode}", "--direct_num_workers=2")


@pytest.fixture
def job_service(tmp_path):
    """Address and log file of a running Apache Beam job service."""
    port, log = tmp_path / "port", tmp_path / "service.log"
    command = ["-m", "apache_beam.runners.portability.local_job_service_main", "-p", "0", "--port_file", port]
    with started(command, log) as process:
        yield f"localhost:{wait_for(port, process, log)}", log


@pytest.mark.faults
def test_a_job_service_writes_the_same_bytes(same_on, job_service):
    address, log = job_service
    same_on("--runner=PortableRunner", f"--job_endpoint={address}", "--environment_type=LOOPBACK")
    assert "with state DONE" in log.read_text()


@pytest.mark.faults
def test_a_job_that_fails_on_a_job_service_reports_the_cause_and_another_engine_resumes_it(stops_on, job_service):
    stops_on("--runner=PortableRunner", f"--job_endpoint={job_service[0]}", "--environment_type=LOOPBACK")


@pytest.fixture
def dask_cluster(tmp_path):
    """Address of a running Dask cluster with two worker processes."""
    address, log = tmp_path / "address", tmp_path / "cluster.log"
    with started([ROOT / "tests/engines/dask_cluster.py", address], log) as process:
        yield wait_for(address, process, log)
        process.stdin.close()
        process.wait(60)


@pytest.mark.faults
def test_both_processes_of_a_dask_cluster_work_and_write_the_same_bytes(same_on, dask_cluster):
    same_on(DASK_RUNNER, f"--dask_client_address={dask_cluster}", "--dask_partition_size=1")
    with distributed.Client(dask_cluster) as client:
        # A worker imports this module when it writes its first shard.
        worked = client.run(eval, "'audiopipe.precompute.shard_writer' in __import__('sys').modules")
    assert list(worked.values()) == [True, True]


@pytest.mark.faults
def test_a_job_that_fails_on_dask_reports_the_cause_and_another_engine_resumes_it(stops_on, dask_cluster):
    def until_idle():
        # The job has ended, but the other process may still be writing a shard.
        with distributed.Client(dask_cluster) as client:
            end = time.monotonic() + 60
            while any(client.processing().values()) and time.monotonic() < end:
                time.sleep(0.1)

    stops_on(DASK_RUNNER, f"--dask_client_address={dask_cluster}", before_resume=until_idle)
