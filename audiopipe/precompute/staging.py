"""Staging of features that a pipeline writes as a feature set: the files of its steps, and who may write them.

Features arrive in bundles, in any order and on any machine, so each bundle becomes a file of its own in the folder
`plan` of the output. Later steps sort the clips and write the shards from these files. While a pipeline works, the
folder contains, with a random number for `1f3a`:

- `write.json`: which run writes to the output.
- `staged-1f3a.tfrecord` and `staged-1f3a.parquet`: records of one bundle, and a row for each.
- `staged-1f3a.jsonl`: failures of one bundle.
- `sorted-1f3a.json` and `sorted-1f3a-00000.parquet`: the plan of the shards, and the clips of each shard.
- The rows and sidecars of finished shards, as in a job, see `audiopipe.precompute.finished_shards`.

Files of bundles that were repeated or lost stay until the feature set is complete, and belong to no shard.
`dataset.json` is written last. Other jobs refuse a folder with such files.
"""

import contextlib
import json
import re
import uuid
from dataclasses import dataclass
from typing import Any

from audiopipe.configs.base import Config
from audiopipe.errors import CorruptFeatureSetError, FeatureSetError, FeatureSetLockedError
from audiopipe.feature_sets import dtypes
from audiopipe.precompute import output_folder, plan
from audiopipe.precompute.output_folder import OutputFolder
from audiopipe.precompute.writing import writing
from audiopipe.storage import files

CLAIM = "write.json"
_FILES = re.compile(
    rf"{plan.FOLDER}/(write\.json|staged-[0-9a-f]{{32}}\.(?:tfrecord|parquet|jsonl)|"
    rf"sorted-[0-9a-f]{{32}}(?:\.json|-\d{{5,}}\.parquet))"
)


@dataclass(frozen=True, kw_only=True)
class Claim:
    """What a run writes.

    Args:
        run: Id of the run.
        generation: Generation of the feature set.
        first_shard: Number of its first shard.
    """

    run: str
    generation: int
    first_shard: int


@dataclass(frozen=True, kw_only=True)
class Staging:
    """A run of a pipeline that writes a feature set.

    Args:
        output: Folder of the feature set.
        config: Config of the features.
        run: Id of the run, which differs from those of all others.
        feature: Key of the feature in each element.
        dtype: Dtype in which features are stored.
        num_shards: Number of shards, at most one per clip. None chooses it as `audiopipe precompute` does.
        class_columns: Text columns that are stored as classes.
        overwrite: Whether to replace a feature set, or the unfinished work of another run.
    """

    output: str
    config: Config
    run: str
    feature: str = "feature"
    dtype: str = "float32"
    num_shards: int | None = None
    class_columns: tuple[str, ...] = ()
    overwrite: bool = False

    def __post_init__(self) -> None:
        dtypes.check(self.dtype)

    def path(self, *parts: str) -> str:
        """Returns the path of a file of the run."""
        return files.join(self.output, plan.FOLDER, *parts)

    def check_output(self) -> None:
        """Raises an error unless the output may be written. Writes nothing.

        Raises:
            FeatureSetError: If the output holds a feature set or the work of another run, and `overwrite` is not set,
                or anything else.
        """
        there = files.exists(self.path(CLAIM))
        if there and not self.overwrite:
            raise FeatureSetError(
                f"Another pipeline has begun to write a feature set to {self.output!r} and has not completed it. If it "
                "is still running, wait for it. If it failed, pass overwrite=True, which removes what it wrote. Or "
                "choose another folder."
            )
        output_folder.check_new(self.output, self.overwrite, is_staged, argument="output")

    def claim(self) -> Claim:
        """Claims the output for this run. Removes what other runs left, but keeps a complete feature set.

        Raises:
            FeatureSetError: As in `check_output`.
            FeatureSetLockedError: If a job is writing to the output.
            OutputError: If the claim cannot be written.
        """
        with output_folder.locked(self.output):
            found = self._claimed()
            if found is not None and found.run == self.run:  # the step is repeated
                return found
            self.check_output()
            output_folder.remove_temporaries(self.output)
            plan.remove(self.output)
            output_folder.remove_unpublished(self.output)
            folder = OutputFolder.look(self.output, overwrite=True)
            claim = Claim(run=self.run, generation=folder.generation + 1, first_shard=folder.next_shard)
            with writing(self.path(CLAIM)):
                files.write_bytes(self.path(CLAIM), plan.to_line(vars(claim)))
            return claim

    def check_claim(self) -> Claim:
        """Returns the claim of this run. What other processes have written is found from then on.

        Raises:
            FeatureSetLockedError: If another run has claimed the output, or this one is over.
        """
        files.forget_listing(self.output)
        files.forget_listing(self.path())
        found = self._claimed()
        if found is None or found.run != self.run:
            raise FeatureSetLockedError(
                f"{self.output!r} is not claimed by this pipeline, or no longer: another pipeline with overwrite=True "
                f"took over, somebody removed the files in the folder {plan.FOLDER!r}, or this worker does not reach "
                "the folder of the others. Let one pipeline write to a folder that all workers share, or to remote "
                "storage."
            )
        return found

    def _claimed(self) -> Claim | None:
        """Returns who claims the output, or None."""
        with contextlib.suppress(OSError, ValueError, TypeError):
            return Claim(**json.loads(files.read_bytes(self.path(CLAIM))))
        return None

    # Files of bundles.

    def records_file(self, name: str) -> str:
        """Returns the path of the records of a bundle."""
        return self.path(records_name(name))

    def clips_file(self, name: str) -> str:
        """Returns the path of the rows about the records of a bundle."""
        return self.path(f"staged-{name}.parquet")

    def failures_file(self, name: str) -> str:
        """Returns the path of the failures of a bundle."""
        return self.path(f"staged-{name}.jsonl")

    # Files of the plan of the shards.

    def plan_file(self, name: str) -> str:
        """Returns the path of a plan of the shards."""
        return self.path(f"sorted-{name}.json")

    def part_file(self, name: str, shard: int) -> str:
        """Returns the path of the clips of a shard."""
        return self.path(f"sorted-{name}-{shard:05d}.parquet")


def missing(path: str) -> CorruptFeatureSetError:
    """Returns the error for a staged file that is gone."""
    return CorruptFeatureSetError(
        f"{path!r} is missing. Files of a pipeline must stay until it is complete, in a folder that all workers share "
        "or on remote storage. Run the pipeline again."
    )


def records_name(name: str) -> str:
    """Returns the name of the file with the records of a bundle."""
    return f"staged-{name}.tfrecord"


def new_name() -> str:
    """Returns a random name for the files of a bundle or a plan."""
    return uuid.uuid4().hex


def is_staged(name: Any) -> bool:
    """Returns whether a file of an output is one that this module describes.

    Example:
        >>> is_staged("plan/write.json"), is_staged("plan/plan.json")
        (True, False)
    """
    return _FILES.fullmatch(name) is not None
