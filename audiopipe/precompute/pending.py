"""Progress of a feature set that is not finished, for those who only look. Nothing is written or removed."""

from dataclasses import dataclass

from audiopipe.precompute import plan
from audiopipe.precompute.finished_shards import Finished
from audiopipe.precompute.plan import Plan
from audiopipe.precompute.progress import Done

LOOKS = 5  # in case files vanish between two steps of a look


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
    for look in range(LOOKS):
        try:
            return None if not plan.exists(output) or plan.is_former(output) else _look(output)
        except FileNotFoundError:  # a running job merged sidecars, or has just finished
            if look == LOOKS - 1:
                raise
    return None


def _look(output: str) -> Pending:
    work = plan.read(output)
    finished = Finished(work)
    finished.find()
    return Pending(work=work, done=finished.done, errors=finished.frequent_errors())
