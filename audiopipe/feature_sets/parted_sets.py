"""Feature sets in parts: a folder whose `dataset.json` names its parts.

Each part is a complete feature set in a folder of its own below that folder. The `dataset.json` of the whole names the
generation of each part, so it alone decides what belongs to the set: while a job brings the parts up to date one by
one, readers of the whole see the old generations of all of them.
"""

import contextlib
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from audiopipe.errors import CorruptFeatureSetError, IncompleteFeatureSetError
from audiopipe.feature_sets import dataset_json, file_names, set_files
from audiopipe.feature_sets.description import Description
from audiopipe.feature_sets.file_names import DATASET_FILE
from audiopipe.feature_sets.generations import Generation, identity_of
from audiopipe.storage import files
from audiopipe.wording import count_of


@dataclass(frozen=True, kw_only=True)
class PartedSet:
    """What the `dataset.json` of a feature set in parts says.

    Args:
        path: Folder of the feature set.
        fingerprint: Fingerprint of the features of all parts.
        parts: Name, generation and identity of each part. The name is that of its folder.
        generation: Number of this state of the whole, from 1.
        written: When this state was published, in seconds since 1970.
        obsolete: Folders of parts that were replaced: the `parts`, and when they were `replaced`.
        machines: Versions of the libraries that computed the parts, for releases that cannot read them.
    """

    path: str
    fingerprint: str
    parts: Sequence[Generation]
    generation: int = 1
    written: float = 0.0
    obsolete: list[dict[str, Any]] = field(default_factory=list)
    machines: list[dict[str, Any]] = field(default_factory=list)

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> "PartedSet | None":
        """Reads the `dataset.json` of a folder.

        Returns:
            What it says. None if there is none, or if it is that of a feature set without parts.

        Raises:
            CorruptFeatureSetError: If it is invalid or was edited, or if it or a folder that it names is a link that
                leaves the folder.
        """
        path = os.fspath(path)
        name = files.join(path, DATASET_FILE)
        if not files.exists(name):
            return None
        set_files.check_links(path, [DATASET_FILE])
        content = dataset_json.parse_parts(dataset_json.read(name), name)
        if content is None:
            return None
        parts = [Generation(part["name"], part["generation"], part["identity"]) for part in content["parts"]]
        set_files.check_links(path, [part.path for part in parts])
        fields = ("fingerprint", "generation", "written", "obsolete", "machines")
        return cls(path=path, parts=parts, **{name: content[name] for name in fields})

    @property
    def names(self) -> list[str]:
        """Names of the folders of the parts."""
        return [part.path for part in self.parts]

    def folders(self) -> list[str]:
        """Returns the path of each part."""
        return [files.join(self.path, name) for name in self.names]

    def descriptions(self) -> list[Description]:
        """Opens the parts.

        Returns:
            Their descriptions, in the generations that this file names. Each has the whole as `whole`.

        Raises:
            IncompleteFeatureSetError: If a part or its generation is gone.
            CorruptFeatureSetError: If a part is damaged, or is not the one that the whole was made of.
        """
        return [self._description(folder, part) for folder, part in zip(self.folders(), self.parts, strict=True)]

    def _description(self, folder: str, part: Generation) -> Description:
        with damage_explained(folder):
            if not files.exists(files.join(folder, DATASET_FILE)):
                raise IncompleteFeatureSetError(
                    f"The part {folder!r} is missing or has no {DATASET_FILE}. Copy it again, or run the 'audiopipe "
                    f"precompute' command for {self.path!r} again, which computes only what is missing."
                )
            description = Description.open(folder, part.number)
        if identity_of(description) != part.identity or description.fingerprint != self.fingerprint:
            raise CorruptFeatureSetError(
                f"The part {folder!r} was replaced by another feature set, so {self.path!r} is not whole. Copy the "
                "part again, or run the job with the whole folder as OUTPUT and --overwrite."
            )
        return replace(description, whole=self.path)

    def write(self) -> None:
        """Writes `dataset.json` atomically, which completes the feature set."""
        content = {
            "format_version": dataset_json.PARTS_VERSION,
            "fingerprint": self.fingerprint,
            "parts": [{"name": part.path, "generation": part.number, "identity": part.identity} for part in self.parts],
            "generation": self.generation,
            "written": self.written,
            "obsolete": self.obsolete,
            "machines": self.machines,
        }
        files.write_bytes(files.join(self.path, DATASET_FILE), dataset_json.dump(content))


def opened(path: str | os.PathLike[str]) -> list[Description]:
    """Opens a feature set, which may be in parts.

    Args:
        path: Folder of the feature set, local or remote.

    Returns:
        The description of each part, or of the set itself if it has no parts.

    Raises:
        IncompleteFeatureSetError: If there is no `dataset.json`, or a part is gone.
        CorruptFeatureSetError: If `dataset.json` or a part is damaged.
        FeatureSetError: If a config cannot be read.

    Example:
        >>> [description.counts["clips"] for description in opened("tests/data/v0.1/features")]
        [3]
    """
    try:
        return [Description.open(path)]
    except dataset_json.InPartsError:
        found = PartedSet.read(path)
    except IncompleteFeatureSetError as error:
        check_finished(path, cause=error)
        raise
    if found is None:  # it was replaced by a set without parts just now
        return [Description.open(path)]
    return found.descriptions()


def check_finished(path: str | os.PathLike[str], *, cause: Exception | None = None) -> None:
    """Raises an error if a folder without `dataset.json` has parts, because their job has not finished.

    Args:
        path: Path of the folder.
        cause: Error that says that there is no `dataset.json`.
    """
    present: list[str] = []
    with contextlib.suppress(OSError):  # not all storage can be listed
        present = part_names(os.fspath(path))
    if present:
        raise IncompleteFeatureSetError(
            f"There is no {DATASET_FILE} in {os.fspath(path)!r}, which has {count_of(len(present), 'part')}. The job "
            "has not finished. Run the same 'audiopipe precompute' command again."
        ) from cause


@contextlib.contextmanager
def damage_explained(part: str) -> Iterator[None]:
    """Adds to an error about a damaged part how to compute that part again without the others.

    Args:
        part: Folder of the part.
    """
    try:
        yield
    except CorruptFeatureSetError as error:
        whole, _, name = part.rpartition("/")
        raise CorruptFeatureSetError(
            f"{error} To compute only this part again, remove the folder {name!r}, and run the 'audiopipe precompute' "
            f"command for {whole!r} again."
        ) from error


def part_names(path: str) -> list[str]:
    """Returns the sorted names of the folders of parts in a folder, which need not exist."""
    return [name for name in files.folders(path) if file_names.is_part_name(name)]


def whole_of(descriptions: Sequence[Description]) -> str | None:
    """Returns the folder of the feature set whose parts these are, each once. None if they are something else."""
    whole = descriptions[0].whole
    if not whole or any(description.whole != whole for description in descriptions):
        return None
    paths = {description.path for description in descriptions}
    known = {file_names.parts_in(os.path.basename(path)) for path in paths}
    return whole if len(paths) == len(descriptions) and known == {len(paths)} else None


def begins_set(description: Description) -> bool:
    """Returns whether a feature set is the first part of one in parts, or has no parts."""
    name = os.path.basename(description.path)
    return not description.whole or name == file_names.part_name(0, file_names.parts_in(name) or 1)


def shards_of(descriptions: Sequence[Description]) -> list[dict[str, Any]]:
    """Returns the facts about the shards of all parts. Each name begins with the folder of the part."""
    return [
        {**shard, "name": f"{os.path.basename(description.path)}/{shard['name']}"}
        for description in descriptions
        for shard in description.shards
    ]


def sweep(whole: PartedSet, *, keep_old_seconds: float) -> None:
    """Removes the folders of parts that were replaced some time ago, and of those that belong to no state of the set.

    Args:
        whole: The current state.
        keep_old_seconds: How long folders are kept after they were replaced.
    """
    kept, now = set(whole.names), time.time()
    for entry in whole.obsolete:
        if now - entry["replaced"] < keep_old_seconds:
            kept.update(entry["parts"])
    for name in part_names(whole.path):
        if name not in kept:
            files.remove(files.join(whole.path, name))
