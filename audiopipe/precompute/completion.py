"""Completion of a feature set from its finished shards."""

import contextlib
import itertools
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from audiopipe.errors import CorruptFeatureSetError, FeatureSetError
from audiopipe.feature_sets import file_names, index, publication, retention, valid_frames
from audiopipe.feature_sets.description import Description
from audiopipe.feature_sets.stored_statistics import ShardSums
from audiopipe.precompute import output_folder, plan, probed_machines, row_files
from audiopipe.precompute.collected_sidecars import Collected
from audiopipe.precompute.finished_shards import Finished
from audiopipe.precompute.holdings import SHARD_FACTS, SUMS
from audiopipe.precompute.plan import Plan
from audiopipe.precompute.source_changes import Refreshed
from audiopipe.storage import files
from audiopipe.wording import count_of

LOST_STATISTICS = (
    "The stored statistics of clips that were kept were missing or damaged. Statistics are computed when they are "
    "asked for, and 'audiopipe merge' stores them again."
)


def finish(
    work: Plan, *, keep_old_seconds: float = retention.KEEP_OLD_SECONDS, may_be_empty: bool = False
) -> Description:
    """Publishes the feature set that a plan leads to, and removes the plan.

    Args:
        work: The plan.
        keep_old_seconds: How long the files of replaced generations are kept.
        may_be_empty: Whether the feature set may have no clips, because it is a part of one that has some.

    Returns:
        The complete feature set.

    Raises:
        FeatureSetError: If a shard is not finished, or there is no clip with a feature.
    """
    finished = Finished(work)
    finished.refresh()
    missing = finished.missing()
    if missing:
        raise FeatureSetError(
            f"The runner did not write {len(missing):,} of {count_of(work.n_shards, 'shard')}. The first is "
            f"{file_names.shard_name(missing[0])}. Find the cause in the runner's log, then run the same command again."
        )
    found = Collected(work, finished)
    notes, sidecars = list(work.notes), found.sidecars
    previous = output_folder.replaceable(work.output)
    kept = work.kept()
    sums = _sums(kept, previous, found)
    if previous is not None and kept and _has_damaged_statistics(previous):
        notes.append(LOST_STATISTICS)
    shards = [{name: facts[name] for name in SHARD_FACTS} for facts in (*kept, *sidecars) if facts["records"]]
    if not shards and not may_be_empty:
        if previous is not None:
            raise FeatureSetError(f"{_nothing(work, found)} The old feature set in {work.output!r} stays.")
        _write_lists(work.output, found)
        raise FeatureSetError(_nothing(work, found))
    rows = _Rows(work, previous, shards)
    totals = rows.totals()
    counts = {
        "clips": sum(shard["records"] for shard in shards),
        "failures": len(found.failures),
        "remarks": found.n_remarks,
        "left_out": work.left_out,
        **({} if work.segments is None else {"short_recordings": found.n_short}),
        "frames": totals["frames"],
        "hours": totals["samples"] / work.config.sample_rate / 3600,
        **found.ends,
        **({valid_frames.COUNT_OF_UNKNOWN: totals["unknown"]} if totals["unknown"] else {}),
    }
    description = Description(
        path=work.output,
        config=work.config,
        kernel_version=work.config.kernel_version,
        counts=counts,
        schema=work.schema,
        classes=work.classes,
        fill_values=work.fill_values,
        segments=work.segments,
        shards=shards,
        machines=probed_machines.of_sidecars(work, sidecars, work.machines),
        dtype=work.dtype,
        options=work.options,
        accept_truncated=work.accept_truncated,
        notes=notes,
        max_error=max((shard["max_error"] for shard in shards), default=0.0),
        generation=work.generation,
        next_shard=work.next_shard,
    )
    if previous is not None and _is_same(work, previous, description, found):
        plan.remove(work.output)
        retention.sweep(previous, keep_old_seconds=keep_old_seconds)
        return previous
    complete = publication.publish(
        description,
        rows.tables(),
        found.failures,
        found.remarks(),
        sums,
        previous=previous,
        keep_old_seconds=keep_old_seconds,
    )
    plan.remove(work.output)
    return complete


def _is_same(work: Plan, previous: Description, description: Description, found: Collected) -> bool:
    """Returns whether a plan led to the feature set that the folder has: the clips that it tried again failed again."""
    if files.exists(work.file(plan.SOURCES)):  # the index changes
        return False
    names = ("generation", "next_shard", "index", "failures_file", "remarks_file", "statistics_file", "obsolete")
    now = replace(description, **{name: getattr(previous, name) for name in names})
    same = now == previous and found.failures == previous.failures()
    return same and all(one == two for one, two in itertools.zip_longest(found.remarks(), previous.remarks()))


def _has_damaged_statistics(previous: Description) -> bool:
    try:
        with ShardSums.opened(previous):
            return False
    except CorruptFeatureSetError:
        return True


def _sums(
    kept: Sequence[dict[str, Any]], previous: Description | None, found: Collected
) -> Iterator[dict[str, Any] | None]:
    """Yields the sums of each shard that is kept, and of each that was computed. None if they are not known."""
    with contextlib.ExitStack() as stack:
        known: ShardSums | None = None
        positions: dict[str, int] = {}
        if previous is not None and kept:
            # Features can be used without their statistics, so an update goes on without those that are damaged.
            with contextlib.suppress(CorruptFeatureSetError):
                known = stack.enter_context(ShardSums.opened(previous))
            positions = {shard["name"]: position for position, shard in enumerate(previous.shards)}
        for facts in kept:
            if SUMS in facts or known is None:
                yield facts.get(SUMS)
            else:
                yield known.of_shard(positions[facts["name"]]).to_dict() if facts["name"] in positions else None
    yield from found.sums()


def _write_lists(output: str, found: Collected) -> None:
    """Writes failures and remarks for people, without a feature set."""
    for name, facts in ((file_names.FAILURES_FILE, found.failures), (file_names.REMARKS_FILE, found.remarks())):
        files.write_bytes(files.join(output, name), b"".join(map(plan.to_line, facts)))


def _nothing(work: Plan, found: Collected) -> str:
    """Returns why a plan leads to no record."""
    return all_failed(work.n_clips, found.failures[0]) if found.failures else all_too_short(found.n_short)


def all_failed(count: int, first: dict[str, Any]) -> str:
    """Returns the message that no clip has a feature.

    Args:
        count: Number of clips.
        first: The first failure.
    """
    what = "The only clip failed" if count == 1 else f"All {count:,} clips failed"
    return (
        f"{what}, so there is no feature set. First failure: {first['path']!r}, {first['stage']}: {first['error']} "
        "Fix the cause, and run the same command with --retry-failures."
    )


def all_too_short(count: int) -> str:
    """Returns the message that no recording is long enough.

    Args:
        count: Number of recordings.
    """
    what = "The only recording is" if count == 1 else f"All {count:,} recordings are"
    return f"{what} too short for a segment, so there is no feature set. Use shorter segments, or --segment-last pad."


class _Rows:
    """Rows of the index of a feature set, shard by shard.

    Args:
        work: The plan.
        previous: The generation that is replaced.
        shards: Shards of the feature set.
    """

    def __init__(self, work: Plan, previous: Description | None, shards: list[dict[str, Any]]):
        self._work = work
        self._layout = index.Layout(work.columns)
        self._shards = shards
        self._before: dict[str, tuple[int, int]] = {}
        self._previous: pa.Table | None = None
        if previous is not None and previous.format_version > 1:
            ends = np.cumsum([shard["records"] for shard in previous.shards]).tolist()
            names = [shard["name"] for shard in previous.shards]
            self._before = {name: place for name, place in zip(names, zip([0, *ends], ends, strict=False), strict=True)}
            if any(shard["name"] in self._before for shard in shards):
                self._previous = pa.concat_tables(index.opened(previous).tables())

    def tables(self) -> Iterator[pa.Table]:
        """Yields the rows of each shard."""
        refreshed = Refreshed(self._work.file(plan.SOURCES), self._layout)
        for position, shard in enumerate(self._shards):
            rows = self._of(shard["name"], self._layout.schema.names)
            # The schema of an older index lacks the classes that were appended since.
            rows = refreshed.rows(shard["name"], rows.cast(self._layout.schema))
            yield numbered(rows, self._layout, position)

    def totals(self) -> Counter[str]:
        """Returns the number of `frames`, of `samples`, and of clips whose valid frames are `unknown`."""
        totals: Counter[str] = Counter()
        rate = self._work.config.sample_rate
        names = [self._layout.own[name] for name in ("n_frames", "valid_frames", "seconds")]
        for shard in self._shards:
            n_frames, valid, seconds = self._of(shard["name"], names).columns
            totals["frames"] += pc.sum(n_frames).as_py()
            totals["unknown"] += valid.null_count
            totals["samples"] += int(np.rint(seconds.to_numpy() * rate).astype(np.int64).sum())
        return totals

    def _of(self, name: str, columns: list[str]) -> pa.Table:
        """Returns some columns of the rows of a shard."""
        if name in self._before:
            assert self._previous is not None
            start, stop = self._before[name]
            return self._previous.slice(start, stop - start).select(columns)
        return row_files.read(self._work.rows_file(file_names.shard_number(name)), columns).select(columns)


def numbered(rows: pa.Table, layout: index.Layout, position: int) -> pa.Table:
    """Returns the rows of a shard with the position that it has in `dataset.json`."""
    name = layout.own["record"]
    record = rows.column(name).combine_chunks()
    children = [
        pa.array(np.full(len(rows), position, np.int32))
        if child.name == "shard"
        else pc.struct_field(record, child.name)
        for child in record.type
    ]
    numbered = pa.StructArray.from_arrays(children, fields=list(record.type))
    return rows.set_column(rows.schema.get_field_index(name), rows.schema.field(name), numbered)
