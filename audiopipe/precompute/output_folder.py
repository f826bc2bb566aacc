"""The output folder of a job: what may be in it, and what is in it."""

import contextlib
import posixpath
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from audiopipe.errors import CorruptFeatureSetError, FeatureSetError
from audiopipe.feature_sets import file_names, retention
from audiopipe.feature_sets.description import Description
from audiopipe.feature_sets.file_names import DATASET_FILE
from audiopipe.precompute import plan
from audiopipe.precompute.plan import Plan
from audiopipe.storage import files, locks


@dataclass(frozen=True, kw_only=True)
class OutputFolder:
    """What an output folder contains.

    Args:
        description: The complete feature set in it. None if there is none, or it is to be overwritten.
        pending: The plan whose work is not finished. None likewise.
        published: The feature set, if its publication was interrupted after `dataset.json` was replaced.
        generation: Generation of the feature set, 0 if there is none.
        next_shard: First number that no shard in it has or ever had.
        revision: First revision that no plan in it has.
    """

    description: Description | None = None
    pending: Plan | None = None
    published: Description | None = None
    generation: int = 0
    next_shard: int = 0
    revision: int = 0

    @classmethod
    def look(
        cls, output: str, *, overwrite: bool = False, for_merge: bool = False, is_part: bool = False
    ) -> "OutputFolder":
        """Looks into a folder, which need not exist.

        Args:
            output: The folder.
            overwrite: Whether the feature set in it is to be replaced.
            for_merge: Whether feature sets are merged into it.
            is_part: Whether it is a part of a feature set, and the job is about the whole.

        Raises:
            FeatureSetError: If the folder contains anything else, or its feature set or plan is damaged, or a merge
                into it is not finished.
        """
        if not is_part and file_names.is_part_name(posixpath.basename(output.rstrip("/"))):
            raise FeatureSetError(
                f"OUTPUT must not be a part of a feature set. Received: {output!r}. Pass the folder that contains all "
                "parts, or choose another name."
            )
        if files.exists(output) and not files.is_folder(output):
            raise FeatureSetError(f"OUTPUT must be a folder. Received: the file {output!r}. Choose another path.")
        present = list(files.walk(output)) if files.exists(output) else []
        foreign = sorted(name for name in present if not is_ours(name))
        planned, merging = plan.exists(output), f"{plan.FOLDER}/{plan.MERGE}" in present
        of_plan = all(name.startswith(f"{plan.FOLDER}/") for name in present)
        if foreign or (present and DATASET_FILE not in present and not (planned or merging or of_plan)):
            if is_part:
                raise _unusable_part(output, foreign)
            raise FeatureSetError(
                f"OUTPUT must be a new or empty folder, or contain a feature set. Received: {output!r}, which "
                f"contains {(foreign or present)[0]!r}. Choose another folder."
            )
        if merging and not (for_merge or overwrite):
            raise FeatureSetError(
                f"A merge into {output!r} is not finished. Run the same 'audiopipe merge' again, choose another "
                "folder, or pass --overwrite to start from scratch."
            )
        is_kept = DATASET_FILE in present and not overwrite
        description = Description.open(output) if is_kept else replaceable(output)
        pending = _pending(output, planned, overwrite)
        numbers = [file_names.shard_number(name) + 1 for name in present if file_names.is_new_shard_name(name)]
        published = pending is not None and description is not None and pending.generation <= description.generation
        return cls(
            description=None if overwrite else description,
            pending=None if overwrite or published else pending,
            published=description if published and not overwrite else None,
            generation=description.generation if description else 0,
            next_shard=max([0, *numbers, *(known.next_shard or 0 for known in (description, pending) if known)]),
            revision=pending.revision + 1 if pending else 0,
        )

    @property
    def known_types(self) -> Mapping[str, str]:
        """Types of the metadata columns so far."""
        known = self.pending or self.description
        return known.schema if known else {}


@contextlib.contextmanager
def locked(output: str) -> Iterator[Any]:
    """Creates a folder if needed, and locks it against other jobs.

    Raises:
        FeatureSetError: If the folder cannot be created.
        FeatureSetLockedError: If another job is writing to it.
    """
    try:
        files.make_folder(output)
    except OSError as error:
        raise FeatureSetError(f"Could not create the folder {output!r}: {error.strerror or error}.") from error
    with locks.held(output) as lock:
        yield lock


def check_new(
    path: str, overwrite: bool, is_known: Callable[[str], bool] = lambda name: False, *, argument: str = "path"
) -> None:
    """Raises an error unless a folder is new or empty, or holds a feature set that may be replaced.

    Args:
        path: Path of the folder, as the caller named it.
        overwrite: Whether a feature set may be replaced.
        is_known: Returns whether a file belongs to the work of the caller.
        argument: Argument of the caller that names the folder, for the error message.

    Raises:
        FeatureSetError: If the path is a file, or the folder holds anything else.
    """
    if not files.exists(path):
        return
    if not files.is_folder(path):
        raise FeatureSetError(f"{argument} must be a folder. Received: the file {path!r}. Choose another path.")
    there = [name for name in files.walk(path) if not is_lock(name)]
    foreign = [name for name in there if not is_ours(name) and not is_known(final_name(name))]
    if foreign or (there and not overwrite):
        advice = "Choose another folder." if foreign else "Choose another folder, or pass overwrite=True."
        raise FeatureSetError(
            f"{argument} must be a new or empty folder. Received: {path!r}, which contains {(foreign or there)[0]!r}. "
            f"{advice}"
        )


def is_ours(name: str) -> bool:
    """Returns whether a file is one that a job writes, or a temporary file of one."""
    final = final_name(name)
    return file_names.is_of_set(final) or bool(plan.FILES.fullmatch(final))


def is_lock(name: str) -> bool:
    """Returns whether a file is the lock of a run: a local lock, or a lease on remote storage."""
    return name in (f"{locks.FOLDER}/{locks.LOCK_FILE}", f"{locks.FOLDER}/{locks.LEASE_FILE}")


def remove_temporaries(output: str) -> None:
    """Removes the temporary files that killed workers left."""
    for name in files.walk(output):
        if final_name(name) != name:
            files.remove(files.join(output, name))


def remove_unpublished(output: str) -> None:
    """Removes what an interrupted run wrote for a feature set that was not published. No plan may be pending."""
    current = replaceable(output)
    kept = set() if current is None else retention.wanted(current)
    for name in files.sizes(output):
        if file_names.is_numbered(name) and name not in kept:
            files.remove(files.join(output, name))


def replaceable(output: str) -> Description | None:
    """Returns the feature set in a folder, or None if there is none, or it is damaged and can only be overwritten."""
    if not files.exists(files.join(output, DATASET_FILE)):
        return None
    with contextlib.suppress(FeatureSetError):
        return Description.open(output)
    return None


def _pending(output: str, planned: bool, overwrite: bool) -> Plan | None:
    try:
        return plan.read(output) if planned and not plan.is_former(output) else None
    except CorruptFeatureSetError:
        if overwrite:
            return None
        raise


def _unusable_part(output: str, foreign: list[str]) -> FeatureSetError:
    if foreign:
        return FeatureSetError(
            f"The part {output!r} must contain only files of a feature set. Received: {foreign[0]!r}. Move the file "
            "out of the folder, and run the same command again."
        )
    return FeatureSetError(
        f"The part {output!r} must have a {DATASET_FILE}, or a plan of an unfinished job. Received: neither. Copy the "
        "part again, or remove its folder and run the same command again, which computes only this part again."
    )


def final_name(name: str) -> str:
    """Returns the name under which a temporary file would be published, see `files.temporary_file`."""
    return re.sub(r"(^|/)\.([^/]+)\.[^./]+\.tmp$", r"\1\2", name)
