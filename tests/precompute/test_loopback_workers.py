"""Tests of workers in threads that several task managers share."""

import queue
from types import SimpleNamespace

import pytest
from apache_beam.portability.api import beam_fn_api_pb2
from apache_beam.runners.worker.worker_pool_main import BeamFnExternalWorkerPoolServicer

from audiopipe.precompute import loopback_workers

pytestmark = pytest.mark.skipif(
    not hasattr(BeamFnExternalWorkerPoolServicer(), "_worker_threads"), reason="this version stops only processes"
)
REQUEST = beam_fn_api_pb2.StopWorkerRequest(worker_id="1-1")


def pool_with_a_worker():
    """Returns a pool, and the queue by which it ends the worker that two task managers call `1-1`."""
    pool = BeamFnExternalWorkerPoolServicer(use_process=False)
    responses = queue.Queue()
    pool._worker_threads["1-1"] = SimpleNamespace(_responses=responses)
    return pool, responses


def test_a_task_manager_does_not_stop_the_worker_of_another_one():
    pool, responses = pool_with_a_worker()
    with loopback_workers.shared():
        assert pool.StopWorker(REQUEST, None).error == ""
    assert responses.empty()


def test_beam_stops_workers_again_after_the_last_job():
    pool, responses = pool_with_a_worker()
    with loopback_workers.shared():
        with loopback_workers.shared():
            pass
        pool.StopWorker(REQUEST, None)
        assert responses.empty()
    pool.StopWorker(REQUEST, None)
    assert responses.qsize() == 1
