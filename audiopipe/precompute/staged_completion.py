"""Completion of a feature set whose shards a pipeline has written."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from audiopipe.errors import CorruptFeatureSetError, FeatureSetLockedError
from audiopipe.feature_sets import file_names, publication
from audiopipe.feature_sets.description import Description
from audiopipe.precompute import output_folder, plan, shard_files, staged_bundles, staged_plan
from audiopipe.precompute.finished_shards import Finished
from audiopipe.precompute.holdings import SHARD_FACTS, SUMS
from audiopipe.precompute.staging import Staging
from audiopipe.precompute.writing import writing
from audiopipe.transform import ends
from audiopipe.wording import count_of

UNKNOWN_FAILURES = (
    "The pipeline that wrote this feature set did not pass its failures on, so their number is not known."
)


def complete(run: Staging, name: str, shard_ids: Sequence[str], failures: Iterable[str] | None) -> Description:
    """Publishes the feature set and removes the staged files. It can be repeated.

    Args:
        run: The run of the pipeline.
        name: Name of the plan.
        shard_ids: Ids of the shards, in their order.
        failures: Names of the files with failures. None if the pipeline has no collection of failures.

    Returns:
        The feature set.

    Raises:
        CorruptFeatureSetError: If a shard or a staged file is missing or damaged.
        FeatureSetLockedError: If another run has taken over, or a job is writing to the output.
        OutputError: If a file cannot be written.
    """
    with output_folder.locked(run.output) as lock:
        previous = output_folder.replaceable(run.output)
        try:
            claim = run.check_claim()
        except FeatureSetLockedError:
            if previous is not None and [shard["id"] for shard in previous.shards] == list(shard_ids):
                return previous  # an earlier attempt did everything
            raise
        if previous is not None and previous.generation >= claim.generation:
            publication.settle(previous)  # an earlier attempt was interrupted after the publication
            plan.remove(run.output)
            return previous
        output_folder.remove_temporaries(run.output)
        work = staged_plan.read(run, name)
        finished = Finished(work)
        finished.check_shards()
        if missing := finished.missing():
            raise CorruptFeatureSetError(
                f"Every shard of {run.output!r} must be as the pipeline wrote it. Received: "
                f"{count_of(len(missing), 'shard')} missing or of another size. The first is "
                f"{file_names.shard_name(missing[0])}. Nothing else may write to the folder while the pipeline runs. "
                "Run it again with overwrite=True."
            )
        shards = [{fact: sidecar[fact] for fact in SHARD_FACTS} for sidecar in finished.sidecars()]
        lines = [] if failures is None else staged_bundles.read_failures(run, sorted(set(failures)))
        n_remarks = sum(1 for _ in _remarks(finished))
        at_ends = ends.totals(_remarks(finished))
        description = Description(
            path=run.output,
            config=run.config,
            kernel_version=run.config.kernel_version,
            counts={**work.counts, "failures": len(lines), "remarks": n_remarks, **at_ends},
            schema=work.columns.types,
            classes=work.columns.classes,
            fill_values=work.columns.fill_values,
            shards=shards,
            machines=work.machines,
            dtype=run.dtype,
            notes=[*work.notes, *([UNKNOWN_FAILURES] if failures is None else [])],
            max_error=max(shard["max_error"] for shard in shards),
            generation=work.generation,
            next_shard=work.table[-1].number + 1,
        )
        lock.check()
        with writing(run.output):
            published = publication.publish(
                description,
                shard_files.rows(work),
                lines,
                _remarks(finished),
                (sidecar[SUMS] for sidecar in finished.sidecars()),
                previous=previous,
            )
            plan.remove(run.output)
        return published


def _remarks(finished: Finished) -> Iterator[dict[str, Any]]:
    """Yields the remarks about the clips of all shards."""
    for sidecar in finished.sidecars():
        yield from sidecar["remarks"]
