"""What Apache Beam logs about a job, without what the job reports itself.

Beam logs every error of a function with its stacks, several times, and its threads print tracebacks when an engine
closes their connections. The job raises an error of its own, in one sentence. After Ctrl-C, the errors come from the
end of the job.
"""

import logging
import threading
from typing import Any

import grpc
from apache_beam.runners.worker import sdk_worker

from audiopipe.errors import AudiopipeError

_BEAM = "apache_beam"
_OF_AUDIOPIPE = "audiopipe.errors."  # in a traceback that is part of a message


class BeamLogs:
    """Filters of Beam's log and of its threads' tracebacks, for one job in this process."""

    def __init__(self) -> None:
        self._is_stopped = False
        self._filters = {
            logging.getLogger("apache_beam.runners.common"): _is_unexpected,
            logging.getLogger("apache_beam.runners.worker.sdk_worker"): _is_unexpected,
            logging.getLogger("apache_beam.runners.worker.data_plane"): _is_not_of_the_end,
            logging.getLogger(): _is_not_of_the_job,
        }
        self._handlers: list[logging.Handler] = []
        self._is_installed = False
        self._previous = threading.excepthook

    def install(self) -> None:
        """Installs the filters."""
        for log, is_kept in self._filters.items():
            log.addFilter(is_kept)
        self._previous, threading.excepthook = threading.excepthook, self._on_exception
        # It prints each error of a function, and then logs it.
        # https://github.com/apache/beam/blob/v2.77.0/sdks/python/apache_beam/runners/worker/sdk_worker.py#L313
        vars(sdk_worker)["print"] = _nothing
        self._is_installed = True

    def stop(self) -> None:
        """Drops all that Beam logs from now on, because the job is being stopped."""
        self._is_stopped = True
        self._handlers = [*logging.getLogger().handlers, *filter(None, [logging.lastResort])]
        for handler in self._handlers:
            handler.addFilter(_is_not_of_beam)

    def release(self) -> None:
        """Removes the filters."""
        if not self._is_installed:
            return
        self._is_installed = False
        for log, is_kept in self._filters.items():
            log.removeFilter(is_kept)
        for handler in self._handlers:
            handler.removeFilter(_is_not_of_beam)
        vars(sdk_worker).pop("print", None)
        if threading.excepthook == self._on_exception:
            threading.excepthook = self._previous

    def _on_exception(self, arguments: threading.ExceptHookArgs) -> None:
        """Prints the traceback of a thread, unless it lost its connection. If that is an error, the job says so."""
        is_lost = isinstance(arguments.exc_value, grpc.RpcError)
        if not is_lost and not (self._is_stopped and isinstance(arguments.exc_value, AudiopipeError)):
            self._previous(arguments)


def _nothing(*_: Any, **__: Any) -> None:
    """Prints nothing."""


def _is_unexpected(record: logging.LogRecord) -> bool:
    """Returns whether to keep a record of Beam's log.

    An error of audiopipe is dropped: the job raises it itself, or it comes from stopping the job.
    """
    if record.exc_info is not None:
        return not isinstance(record.exc_info[1], AudiopipeError)
    return record.levelno < logging.ERROR or _OF_AUDIOPIPE not in record.getMessage()


def _is_not_of_the_end(record: logging.LogRecord) -> bool:
    """Returns whether to keep a record. An engine that ends may close the connections of its workers first."""
    return record.exc_info is None or not isinstance(record.exc_info[1], grpc.RpcError)


def _is_not_of_the_job(record: logging.LogRecord) -> bool:
    """Returns whether to keep a record. Beam logs all errors of a job with their stacks, and raises the last one."""
    return record.module != "portable_runner" or record.levelno < logging.ERROR


def _is_not_of_beam(record: logging.LogRecord) -> bool:
    """Returns whether to keep a record. Beam logs some under its modules' names, and some under none."""
    return not record.name.startswith(_BEAM) and f"/{_BEAM}/" not in record.pathname.replace("\\", "/")
