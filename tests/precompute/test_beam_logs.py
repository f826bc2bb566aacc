"""What Beam logs about a job: errors that the job reports itself, and the end of a stopped job, are left out."""

import io
import logging
import threading

import grpc
import pytest
from apache_beam.runners.worker import sdk_worker

from audiopipe.errors import OutputError, StoppedError
from audiopipe.precompute.beam_logs import BeamLogs

SDK = "apache_beam.runners.worker.sdk_worker"
COMMON = "apache_beam.runners.common"
DATA = "apache_beam.runners.worker.data_plane"


@pytest.fixture
def logs():
    made = BeamLogs()
    made.install()
    yield made
    made.release()


@pytest.fixture
def printed():
    """Returns what the handler of the root logger prints, as `logging.basicConfig` installs it."""
    handler = logging.StreamHandler(io.StringIO())
    logging.getLogger().addHandler(handler)
    yield lambda: handler.stream.getvalue()
    logging.getLogger().removeHandler(handler)


def log(name, message, error=None):
    logging.getLogger(name).error(message, exc_info=None if error is None else (type(error), error, None))


def test_errors_that_the_job_raises_are_left_out_and_others_are_kept(logs, printed):
    log(SDK, "Traceback ... audiopipe.errors.OutputError: Could not write.")
    log(COMMON, "left out", OutputError("Could not write."))
    log(DATA, "left out", grpc.RpcError())
    assert printed() == ""
    log(SDK, "Traceback ... KeyError: 'inst006'")
    log(COMMON, "a bug", KeyError("x"))
    log("mine", "an error of the user")
    assert [line for line in printed().splitlines() if line and "KeyError" not in line] == [
        "a bug",
        "an error of the user",
    ]


def test_nothing_of_beam_is_logged_once_the_job_is_being_stopped(logs, printed):
    logs.stop()
    log(SDK, "Traceback ... KeyError: 'inst006'")
    log("apache_beam.utils.subprocess_server", "the server has gone")
    assert printed() == ""
    log("mine", "an error of the user")
    assert printed() == "an error of the user\n"
    logs.release()
    log(SDK, "of the next job")
    assert printed().endswith("of the next job\n")


def test_threads_that_lose_an_engine_print_no_traceback(logs, monkeypatch):
    caught = []
    other = BeamLogs()
    monkeypatch.setattr(threading, "excepthook", lambda arguments: caught.append(arguments.exc_type))
    other.install()

    def end_by(error):
        def fail():
            raise error

        thread = threading.Thread(target=fail)
        thread.start()
        thread.join()

    end_by(grpc.RpcError())
    end_by(StoppedError("The job was stopped."))
    assert caught == [StoppedError]
    other.stop()
    end_by(StoppedError("The job was stopped."))
    end_by(KeyError("x"))
    assert caught == [StoppedError, KeyError]
    other.release()
    end_by(grpc.RpcError())
    assert caught == [StoppedError, KeyError, grpc.RpcError]


def test_all_is_as_before_after_a_job():
    before = threading.excepthook, logging.getLogger(SDK).filters[:], vars(sdk_worker).get("print")
    made = BeamLogs()
    made.install()
    assert vars(sdk_worker)["print"]("a traceback", file=None) is None
    made.stop()
    made.release()
    made.release()
    assert (threading.excepthook, logging.getLogger(SDK).filters, vars(sdk_worker).get("print")) == before
    assert not any(handler.filters for handler in logging.getLogger().handlers)
