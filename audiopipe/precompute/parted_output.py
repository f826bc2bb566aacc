"""The output folder of a job that computes a feature set in parts: what may be in it, and what is in it."""

import os
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
        names = parted_sets.part_names(output) if output else []
        _check_links(output, names)
        whole = _whole(output, overwrite, names) if output else None
        started = {file_names.parts_in(name) for name in names}
        if whole is None and not started:
            if n_parts is None:
                return None
            if output and files.exists(output):
                _check_is_new(output)
            return cls(output=output, n_parts=n_parts)
        _check_content(output)
        known = _counts(whole, started)
        if n_parts is None and len(known) != 1:
            raise InputChangedError(
                f"{output!r} has folders of unfinished jobs with {_listed(known)} parts. Pass the number of parts that "
                "you want: --parts."
            )
        if n_parts is not None and n_parts not in known and not overwrite:
            raise InputChangedError(
                f"{output!r} was started with other settings: parts was {_listed(known)} and is {n_parts} now. Choose "
                "another folder, or pass --overwrite to start from scratch."
            )
        n_parts = n_parts or known[0]
        _check_others(output, names, n_parts)
        return cls(output=output, n_parts=n_parts, whole=whole)

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


def n_parts_of_job(output: str, n_parts: int | None, *, overwrite: bool = False) -> int | None:
    """Returns the number of parts that a job would compute. None stands for a feature set without parts.

    The arguments and errors are those of `PartedOutput.look`.
    """
    found = PartedOutput.look(files.absolute(output), n_parts, overwrite=overwrite)
    return None if found is None else found.n_parts


def _whole(output: str, overwrite: bool, part_names: list[str]) -> PartedSet | None:
    try:
        return PartedSet.read(output)
    except CorruptFeatureSetError as error:
        if overwrite:
            return None
        if not part_names:
            raise
        raise CorruptFeatureSetError(
            f"{error} If its parts are complete, it is enough to remove this {DATASET_FILE} and to run the same "
            "command again, which writes it from the parts."
        ) from error


def _counts(whole: PartedSet | None, started: set[int | None]) -> list[int]:
    """Returns the numbers of parts that a job without `overwrite` may have: those of the whole and unfinished ones."""
    replaced = {file_names.parts_in(name) for entry in whole.obsolete for name in entry["parts"]} if whole else set()
    of_whole = {len(whole.parts)} if whole else set()
    unfinished = {count for count in started if count is not None} - replaced - of_whole
    return sorted(unfinished | of_whole)


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


def _check_links(output: str, part_names: list[str]) -> None:
    """Raises an error if the folder of a part is a link, even to another part: the job writes to all parts."""
    for part in [] if files.is_remote(output) else part_names:
        path = files.join(output, part)
        if os.path.islink(path):
            raise FeatureSetError(
                f"The part {path!r} must be a folder of its own. Received: a link to {os.path.realpath(path)!r}. "
                "Replace it by the folder itself."
            )


def _check_others(output: str, part_names: list[str], n_parts: int) -> None:
    """Raises an error if the folder of a part of another job, which is to be removed, contains anything else."""
    for part in part_names:
        if file_names.parts_in(part) != n_parts:
            for name in files.walk(files.join(output, part)):
                if not output_folder.is_ours(name):
                    raise _foreign(output, f"{part}/{name}")


def _foreign(output: str, name: str) -> FeatureSetError:
    return FeatureSetError(
        f"OUTPUT must be a new or empty folder, or contain a feature set in parts. Received: {output!r}, which "
        f"contains {name!r}. Move it out of the folder, or choose another folder."
    )


def _listed(counts: list[int]) -> str:
    return " and ".join(map(str, counts))
