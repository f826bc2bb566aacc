"""Progress of a feature set that is not finished, for those who only look. Nothing is written or removed."""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from audiopipe.precompute import plan
from audiopipe.precompute.finished_shards import Finished
from audiopipe.precompute.plan import Plan
from audiopipe.precompute.progress import Done

LOOKS = 5
Found = TypeVar("Found")


@dataclass(frozen=True, kw_only=True)
class Pending:
    """Work on a feature set that is not finished. A job may be running, or the same command resumes it.

    Args:
        work: The plan.
        done: What is done.
        errors: The most frequent errors and their counts. Paths and numbers are left out of the errors.
    """

    work: Plan
    done: Done
    errors: list[tuple[str, int]]


def progress_of(output: str) -> Pending | None:
    """Returns the progress of the work on a feature set, or None if there is none.

    Args:
        output: Folder of the feature set.

    Raises:
        CorruptFeatureSetError: If the plan is damaged, or was written by another version of audiopipe.
    """
    return undisturbed(lambda: _look(output))


def undisturbed(look: Callable[[], Found]) -> Found:
    """Returns what a function finds in a folder. It is called again if a running job removed a file meanwhile.

    A job removes files when it merges sidecars and when it ends.
    """
    for _ in range(LOOKS - 1):
        with contextlib.suppress(FileNotFoundError):
            return look()
    return look()


def _look(output: str) -> Pending | None:
    if not plan.exists(output) or plan.is_former(output):
        return None
    work = plan.read(output)
    finished = Finished(work)
    finished.find()
    return Pending(work=work, done=finished.done, errors=finished.frequent_errors())
