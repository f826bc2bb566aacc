"""Errors of workers on a cluster, recorded beside the plan.

When a worker fails, an engine may report only that it lost the connection to it. The job then names the recorded error.
"""

import contextlib
import json
import re
import time
import uuid

from audiopipe.precompute.plan import FOLDER
from audiopipe.storage import files

_NAME = re.compile(r"error-[0-9a-f]{32}\.json")


def record(folder: str, error: Exception) -> None:
    """Records the error of a shard that could not be written.

    It does nothing if the storage refuses the file, because the engine reports the error as well.

    Args:
        folder: Folder of the plan.
        error: The error.
    """
    content = {"time": time.time(), "cause": str(error)}
    with contextlib.suppress(Exception):
        files.write_bytes(files.join(folder, f"error-{uuid.uuid4().hex}.json"), json.dumps(content).encode())


def first(output: str) -> str | None:
    """Returns the message of the first recorded error, or None if there is none.

    Args:
        output: Folder of the feature set.
    """
    found = [_parse(path) for path in _paths(output)]
    return min((entry for entry in found if entry is not None), default=(0.0, None))[1]


def forget(output: str) -> None:
    """Removes the errors that an earlier run recorded.

    Args:
        output: Folder of the feature set.
    """
    for path in _paths(output):
        files.remove(path)


def _paths(output: str) -> list[str]:
    folder = files.join(output, FOLDER)
    return [files.join(folder, name) for name in files.walk(folder) if _NAME.fullmatch(name)]


def _parse(path: str) -> tuple[float, str] | None:
    try:
        entry = json.loads(files.read_bytes(path))
        return float(entry["time"]), str(entry["cause"])
    except (OSError, ValueError, KeyError, TypeError):  # another run has removed it, or it is damaged
        return None
