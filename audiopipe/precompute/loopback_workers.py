"""Workers in threads of this process, which several task managers of a cluster share (Beam's environment LOOPBACK)."""

import contextlib
import threading
from collections.abc import Iterator
from typing import Any

from apache_beam.portability.api import beam_fn_api_pb2
from apache_beam.runners.worker.worker_pool_main import BeamFnExternalWorkerPoolServicer as WorkerPool

_lock = threading.Lock()
_users = 0
_stop_worker = WorkerPool.StopWorker


@contextlib.contextmanager
def shared() -> Iterator[None]:
    """Context in which a task manager cannot stop the workers of another one.

    Beam finds the worker to stop by an id that is unique in one task manager only:
    https://github.com/apache/beam/blob/v2.77.0/sdks/python/apache_beam/runners/worker/worker_pool_main.py#L182
    A job then ended with 'SDK harness closed connection'. A worker in a thread needs no stop. It ends when its task
    manager closes the connection.
    """
    global _users
    with _lock:
        _users += 1
        setattr(WorkerPool, "StopWorker", _stop_processes_only)  # noqa: B010 (mypy)
    try:
        yield
    finally:
        with _lock:
            _users -= 1
            if not _users:
                setattr(WorkerPool, "StopWorker", _stop_worker)  # noqa: B010 (mypy)


def _stop_processes_only(pool: WorkerPool, request: beam_fn_api_pb2.StopWorkerRequest, context: Any) -> Any:
    if pool._use_process:
        return _stop_worker(pool, request, context)
    return beam_fn_api_pb2.StopWorkerResponse()
