"""`merge`: feature sets of one feature as one new feature set, without computing or decoding anything."""

import dataclasses
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from audiopipe import checks
from audiopipe.errors import ArgumentError, CorruptFeatureSetError, FeatureSetError, InputChangedError
from audiopipe.feature_sets import joined_fill_values, publication, valid_frames
from audiopipe.feature_sets.description import Description
from audiopipe.feature_sets.feature_set import FeatureSet
from audiopipe.precompute import merge_plan, output_folder, plan, shard_files
from audiopipe.precompute.finished_shards import Finished
from audiopipe.precompute.holdings import SHARD_FACTS, SUMS
from audiopipe.precompute.merge_plan import MergePlan, Started
from audiopipe.precompute.merged_shards import ShardCopier
from audiopipe.precompute.output_folder import OutputFolder
from audiopipe.precompute.progress import AGAIN, Reporter, Silent
from audiopipe.storage import files

Path = str | os.PathLike[str]


def merge(
    sets: Sequence[Path],
    output: Path,
    prefix: Sequence[str] | Mapping[str, str] | None = None,
    *,
    overwrite: bool = False,
    reporter: Reporter | None = None,
) -> FeatureSet:
    """Joins feature sets of one feature into a new one. Records are copied as they are stored.

    The clips of the first set come first. A metadata column that a set lacks is missing in its clips. Classes of the
    first set keep their positions, and new classes of the others are appended. Failures, remarks, notes and the
    descriptions of machines are kept, and counts are added up. Small shards are joined. Whenever the merge is
    interrupted, the same call resumes it; a complete merge is left alone. Readers of a set that is overwritten are not
    disturbed, as with `audiopipe precompute --overwrite`.

    Args:
        sets: Folders of the feature sets, local or remote, of any format. They must have one fingerprint, one dtype,
            the same segments, and different ids.
        output: Folder of the new feature set. It must be new or empty, or hold this merge, finished or not.
        prefix: Text to put before the ids of each set: a text for each set, or a dict by path. None means none. The ids
            of the input clips get it as well, so an update of the new set needs an input that has these ids.
        overwrite: Whether to replace a feature set in the folder.
        reporter: Shows the progress.

    Returns:
        The new feature set.

    Raises:
        ConfigMismatchError: If the sets have different fingerprints. The message lists the differences.
        FeatureSetError: If the sets have different dtypes, segments or types of a column, or equal ids, or the output
            cannot be used.
        InputChangedError: If the output holds the beginning of another merge.
        CorruptFeatureSetError: If a set is damaged. The message names the file.
        OutputError: If a file cannot be written.
        ArgumentError: If there are no sets, or `prefix` does not have a text for each of them.

    Example:
        >>> import tempfile
        >>> from audiopipe import FeatureSet, merge
        >>> old = "tests/data/v0.1/features"
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     merged = merge([old, old], folder, prefix=["a/", "b/"])
        ...     merged.ids
        ['a/mono', 'a/stereo', 'a/resampled', 'b/mono', 'b/stereo', 'b/resampled']
    """
    if isinstance(sets, (str, os.PathLike)):
        raise checks.fail("sets", "a list of folders", sets)
    target = files.absolute(os.fspath(output))
    _check_output(sets, target)
    checks.boolean("overwrite", overwrite)
    _Merge(FeatureSet(sets, prefix), target, overwrite, reporter or Silent()).run()
    return FeatureSet(target)


@dataclass(frozen=True, eq=False)
class _Merge:
    """A merge.

    Args:
        sets: The feature sets.
        output: Folder of the new feature set.
        overwrite: Whether to replace a feature set in it.
        reporter: Shows the progress.
    """

    sets: FeatureSet
    output: str
    overwrite: bool
    reporter: Reporter

    def run(self) -> None:
        """Merges the feature sets, or resumes the merge, or does nothing if it is complete."""
        _check_segments(self.sets.descriptions)
        OutputFolder.look(self.output, overwrite=self.overwrite, for_merge=True)
        with output_folder.locked(self.output) as lock:
            folder = OutputFolder.look(self.output, overwrite=self.overwrite, for_merge=True)
            work = self._prepare(folder)
            if work is None:
                return
            finished = Finished(work)
            finished.check_shards()
            self._planned(work, finished.done.clips)
            try:
                missing = set(finished.missing())
                with ShardCopier(work) as copier:
                    for shard in work.shards():
                        if shard.number in missing:
                            copier.write(shard)
                            finished.refresh()
                            self.reporter.update(finished.done, len(self.sets))
                        if lock.lost:
                            lock.check()
                lock.check()
                self._finish(work, finished)
            except BaseException as error:
                self.reporter.stopped(str(error) or f"It was interrupted. {AGAIN}")
                raise

    def _prepare(self, folder: OutputFolder) -> MergePlan | None:
        """Returns the plan to work on, or None if the merge is complete."""
        output_folder.remove_temporaries(self.output)
        columns = joined_fill_values.with_fill_values(self.sets.columns, self.sets.descriptions)
        work = MergePlan(
            output=self.output,
            descriptions=self.sets.descriptions,
            prefixes=self.sets.prefixes,
            columns=columns,
            generation=folder.generation + 1,
            first_shard=folder.next_shard,
        )
        started = self._started()
        current = output_folder.replaceable(self.output)
        if started is not None and started.digest != work.digest:
            if not self.overwrite:
                raise InputChangedError(
                    f"{self.output!r} contains an unfinished merge of other feature sets, or of these sets before they "
                    "changed. Pass --overwrite to start from scratch, or choose another folder."
                )
            started = None
        if current is not None and _ids(current) == [shard.id for shard in work.shards()]:
            is_published = started is not None and started.generation <= current.generation
            if is_published or not self.overwrite:
                if is_published:  # the last run was interrupted after it had replaced `dataset.json`
                    publication.settle(current)
                plan.remove(self.output)
                self._planned(work, len(self.sets))
                return None
        if folder.description is not None or folder.pending is not None:
            raise FeatureSetError(
                "OUTPUT must be a new or empty folder, or hold a merge of the same feature sets. Received: "
                f"{self.output!r}, which contains another feature set. Choose another folder, or pass --overwrite."
            )
        used = 0 if current is None else current.next_shard or 0
        if started is not None and started.generation == work.generation and started.first_shard >= used:
            return dataclasses.replace(work, first_shard=started.first_shard)
        work.write()
        return work

    def _started(self) -> Started | None:
        """Returns what the folder says about an unfinished merge into it."""
        try:
            return merge_plan.started(self.output)
        except CorruptFeatureSetError:
            if self.overwrite:
                return None
            raise

    def _planned(self, work: MergePlan, done: int) -> None:
        self.reporter.planned(
            clips=len(self.sets),
            hours=self.sets.counts["hours"],
            bytes=sum(shard.n_bytes for shard in work.shards()),
            shards=len(work.shards()),
            exact=True,
            done_before=done,
        )

    def _finish(self, work: MergePlan, finished: Finished) -> None:
        """Publishes the new feature set and removes the plan."""
        shards = [{name: sidecar[name] for name in SHARD_FACTS} for sidecar in finished.sidecars()]
        description = Description(
            path=self.output,
            config=self.sets.config,
            kernel_version=self.sets.kernel_version,
            counts={"remarks": 0, **self.sets.counts, **self._unknown()},
            schema=work.columns.types,
            classes=work.columns.classes,
            fill_values=work.columns.fill_values,
            segments=self.sets.segments,
            shards=shards,
            machines=self.sets.machines,
            dtype=self.sets.dtype,
            options=work.options,
            accept_truncated=self.sets.accept_truncated,
            notes=list(dict.fromkeys(self.sets.notes)),
            max_error=max((shard["max_error"] for shard in shards), default=0.0),
            generation=work.generation,
            next_shard=work.first_shard + len(shards),
        )
        publication.publish(
            description,
            shard_files.rows(work),
            self.sets.failures(),
            self.sets.remarks(),
            (sidecar.get(SUMS) for sidecar in finished.sidecars()),
            previous=output_folder.replaceable(self.output),
        )
        plan.remove(self.output)

    def _unknown(self) -> dict[str, int]:
        """Returns the count of clips whose valid frames are not known, which sets of format 1 do not have."""
        old = [item for item in self.sets.descriptions if item.format_version == 1 and valid_frames.are_padded(item)]
        count = self.sets.counts.get(valid_frames.COUNT_OF_UNKNOWN, 0) + sum(item.counts["clips"] for item in old)
        return {valid_frames.COUNT_OF_UNKNOWN: count} if count else {}


def _ids(description: Description) -> list[str]:
    return [shard["id"] for shard in description.shards]


def _check_segments(descriptions: Sequence[Description]) -> None:
    first = descriptions[0]
    for other in descriptions[1:]:
        if other.segments != first.segments:
            raise FeatureSetError(
                "Feature sets must have been cut into segments in the same way to be merged. Received: "
                f"{_segments(first)} in {first.path!r} and {_segments(other)} in {other.path!r}. Compute one of them "
                "again with the segments of the other."
            )


def _segments(description: Description) -> str:
    return "whole recordings" if description.segments is None else repr(description.segments)


def _check_output(sets: Sequence[Path], output: str) -> None:
    for path in sets:
        if _place(os.fspath(path)) == _place(output):
            raise ArgumentError(
                f"output must not be one of the sets. Received: output={output!r}. Choose another folder."
            )


def _place(path: str) -> str:
    return path.rstrip("/") if files.is_remote(path) else os.path.realpath(path)
