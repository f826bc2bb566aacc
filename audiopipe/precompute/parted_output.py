"""The output folder of a job that computes a feature set in parts: what may be in it, and what is in it."""

import time
from dataclasses import dataclass

from audiopipe import checks
from audiopipe.errors import CorruptFeatureSetError, FeatureSetError, InputChangedError
from audiopipe.feature_sets import file_names, parted_sets
from audiopipe.feature_sets.file_names import DATASET_FILE
from audiopipe.feature_sets.parted_sets import PartedSet
from audiopipe.precompute import output_folder, plan
from audiopipe.storage import files


@dataclass(frozen=True, kw_only=True)
class PartedOutput:
    """What an output folder with a feature set in parts contains.

    Args:
        output: The folder.
        n_parts: Number of parts of the job.
        whole: The complete feature set in it, whose parts may be others. None if there is none.
    """

    output: str
    n_parts: int
    whole: PartedSet | None = None

    @classmethod
    def look(cls, output: str, n_parts: int | None, *, overwrite: bool = False) -> "PartedOutput | None":
        """Looks into a folder, which need not exist.

        Args:
            output: The folder. Empty text means a new one.
            n_parts: Number of parts that the job asked for. None takes that of the folder.
            overwrite: Whether the feature set in it is to be replaced.

        Returns:
            What it contains. None if the job is about a feature set without parts.

        Raises:
            ArgumentError: If there are too few or too many parts.
            InputChangedError: If the folder was started with another number of parts.
            FeatureSetError: If the folder contains anything else, or its `dataset.json` is damaged.
        """
        if n_parts is not None:
            checks.integer("parts", n_parts, minimum=1, maximum=file_names.MAX_PARTS)
        whole = _whole(output, overwrite) if output else None
        started = {file_names.parts_in(name) for name in parted_sets.part_names(output)} if output else set()
        if whole is None and not started:
            if n_parts is None:
                return None
            if output and files.exists(output):
                _check_is_new(output)
            return cls(output=output, n_parts=n_parts)
        _check_content(output)
        unfinished, known = _counts(whole, started)
        if n_parts is None and len(unfinished or known) != 1:
            raise InputChangedError(f"{output!r} has jobs of {_listed(known)} parts. Pass the number: --parts.")
        if n_parts is not None and n_parts not in known and not overwrite:
            raise InputChangedError(
                f"{output!r} was started with other settings: parts was {_listed(known)} and is {n_parts} now. Choose "
                "another folder, or pass --overwrite to start from scratch."
            )
        return cls(output=output, n_parts=n_parts or (unfinished or known)[0], whole=whole)

    @property
    def folders(self) -> list[str]:
        """Path of the folder of each part of the job."""
        names = [file_names.part_name(number, self.n_parts) for number in range(self.n_parts)]
        return [files.join(self.output, name) for name in names]

    def seconds_to_keep(self, keep_old_seconds: float) -> float:
        """Returns how long the parts keep the files of replaced generations while the job runs.

        The complete feature set names generations that the job replaces part by part. So their files are kept until the
        whole is replaced.
        """
        return keep_old_seconds if self.whole is None else max(keep_old_seconds, time.time() - self.whole.written + 1)


def _whole(output: str, overwrite: bool) -> PartedSet | None:
    try:
        return PartedSet.read(output)
    except CorruptFeatureSetError:
        if overwrite:
            return None
        raise


def _counts(whole: PartedSet | None, started: set[int | None]) -> tuple[list[int], list[int]]:
    """Returns the numbers of parts of unfinished jobs, and all that a job without `overwrite` may have."""
    replaced = {file_names.parts_in(name) for entry in whole.obsolete for name in entry["parts"]} if whole else set()
    of_whole = {len(whole.parts)} if whole else set()
    unfinished = {count for count in started if count is not None} - replaced - of_whole
    return sorted(unfinished), sorted(unfinished | of_whole)


def _check_is_new(output: str) -> None:
    """Raises an error unless a folder is empty, but for the lock of a run."""
    if not files.is_folder(output):
        raise FeatureSetError(f"OUTPUT must be a folder. Received: the file {output!r}. Choose another path.")
    there = [name for name in files.walk(output) if not output_folder.is_lock(name)]
    if DATASET_FILE in there or plan.exists(output):
        raise FeatureSetError(
            f"{output!r} has a feature set without parts, which cannot get parts. Choose another folder for --parts."
        )
    if there:
        raise _foreign(output, there[0])


def _check_content(output: str) -> None:
    """Raises an error if a folder with parts contains anything else."""
    for name in files.sizes(output):
        if output_folder.final_name(name) != DATASET_FILE:
            raise _foreign(output, name)
    for name in files.folders(output):
        if name != plan.FOLDER and not file_names.is_part_name(name):
            raise _foreign(output, name)


def _foreign(output: str, name: str) -> FeatureSetError:
    return FeatureSetError(
        f"OUTPUT must be a new or empty folder, or contain a feature set in parts. Received: {output!r}, which "
        f"contains {name!r}. Choose another folder."
    )


def _listed(counts: list[int]) -> str:
    return " and ".join(map(str, counts))
