"""Draft of a plan: which clips are computed, which are copied, and into which shards they go.

Nothing in the output folder changes before `Draft.write`.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from audiopipe.feature_sets import dtypes
from audiopipe.feature_sets.description import Description
from audiopipe.inputs import column_changes
from audiopipe.inputs.column_changes import Translation
from audiopipe.inputs.columns import Columns
from audiopipe.inputs.listings import Listed
from audiopipe.precompute import estimate, plan
from audiopipe.precompute.differences import NOWHERE, Differences
from audiopipe.precompute.holdings import NOTHING, Holdings, input_clip
from audiopipe.precompute.listing import Listing, PartedListing
from audiopipe.precompute.plan import Changes, Plan, Shard, to_line
from audiopipe.precompute.planned_clips import Planned, Stored
from audiopipe.precompute.settings import Settings
from audiopipe.precompute.sharding import MIN_SHARD, Neighbours
from audiopipe.precompute.source_changes import SourceChanges
from audiopipe.storage import files
from audiopipe.transform import ends
from audiopipe.transform.segments import Segments
from audiopipe.wording import count_of

CLIPS_PER_FILE = 8192
SMALL_SHARD = MIN_SHARD // 2  # bytes; smaller shards are merged with new clips, so that nightly updates leave few


@dataclass(frozen=True, eq=False)
class Draft:
    """A plan that is not written yet.

    Args:
        plan: The plan.
        listing: The clips of the input.
        held: What the folder holds already.
        differences: What has to be done for each clip of the input. None means that all are computed.
        columns: Metadata columns of the clips, without the start of segments.
        shards: Numbers of the clips of the input in each shard to write, in order.
        seconds: Length in seconds of each clip to compute or to copy, 0 for the others.
        sizes: Size of its records in bytes.
        kept: Numbers of the shards in `Holdings.shards` that are kept.
    """

    plan: Plan
    listing: Listing
    held: Holdings
    differences: Differences | None
    columns: Columns
    shards: list[np.ndarray]
    seconds: np.ndarray
    sizes: np.ndarray
    kept: np.ndarray

    def changes_nothing(self, description: Description) -> bool:
        """Returns whether the plan leads to the feature set that the folder already has."""
        work, kept = self.plan, [self.held.shards[shard].facts["name"] for shard in self.kept]
        if self.shards or kept != [shard["name"] for shard in description.shards] or description.format_version < 2:
            return False
        if self.differences is not None and self.differences.moved.any():
            return False
        now = (work.columns, work.options, work.accept_truncated, work.left_out, 0)
        before = (description.columns, description.options, description.accept_truncated)
        # A feature set also has notes about the computation of its clips.
        is_noted = set(work.notes) <= set(description.notes)
        counts = tuple(description.counts.get(name) for name in ("left_out", "failures"))
        return now == (*before, *counts) and is_noted and self._remarks() == description.remarks()

    def write(self) -> Plan:
        """Writes the plan to its folder and returns it. `plan.json` is written when everything else is there."""
        work = self.plan
        files.make_folder(work.path())
        files.write_bytes(work.file(plan.KEPT), b"".join(to_line(self.held.shards[shard].facts) for shard in self.kept))
        files.write_bytes(work.file(plan.REMARKS), b"".join(map(to_line, self._remarks())))
        self._write_sources()
        table: list[Shard] = []
        settings = work.settings()  # long if there are many classes
        for file, shards in enumerate(self._files()):
            self._write_clips(file, shards, settings, table)
        lines = b"".join(to_line({name: getattr(shard, name) for name in Shard.__slots__}) for shard in table)
        files.write_bytes(work.file(plan.TABLE), lines)
        files.write_bytes(work.path(plan.HEADER), to_line(work.header()))
        files.remove(work.path(plan.MERGE))  # a merge that is overwritten
        plan.remove_former_revisions(work)
        return work

    def _files(self) -> Iterator[list[tuple[int, list[bytes]]]]:
        """Yields the shards of each clips file, with the lines of their clips."""
        translation = Translation(self.listing.columns, self.columns)
        held: list[tuple[int, list[bytes]]] = []
        size = 0
        for position, numbers in enumerate(self.shards):
            held.append((position, [self._line(number, translation) for number in numbers.tolist()]))
            size += len(numbers)
            if size >= CLIPS_PER_FILE:
                yield held
                held, size = [], 0
        if held:
            yield held

    def _line(self, number: int, translation: Translation) -> bytes:
        line, stored = self.listing.line(number), self._stored(number)
        if stored is None and not translation:
            return line
        listed = Listed.from_json(line)
        source = replace(listed.source, metadata=translation.of(listed.source.metadata))
        return Planned(replace(listed, source=source), stored).to_json()

    def _stored(self, number: int) -> Stored | None:
        """Returns the records of a clip, if they are copied."""
        if self.differences is None or self.differences.compute[number]:
            return None
        holder = self.held.clips[self.differences.holder[number]]
        clip = int(self.differences.clip[number])
        shard = self.held.shards[holder.shards[clip]].facts
        digest = holder.digest(clip)
        return Stored(shard["name"], holder.stored(clip), shard["max_error"], digest.hex() if digest else None)

    def _write_clips(
        self, file: int, shards: list[tuple[int, list[bytes]]], settings: bytes, table: list[Shard]
    ) -> None:
        places: dict[str, tuple[int, int, str, str]] = {}
        content: list[bytes] = []
        for position, lines in shards:
            number, clips = self.plan.next_shard - len(self.shards) + position, self.shards[position]
            head = settings + to_line(number)
            digest = hashlib.sha256(b"".join([head, *lines])).hexdigest()
            identity = hashlib.sha256(head + self.listing.names[clips].tobytes()).hexdigest()[:16]
            places[str(number)] = (len(content), len(lines), identity, digest)
            table.append(
                Shard(
                    number=number,
                    file=file,
                    clips=len(lines),
                    seconds=float(self.seconds[clips].sum()),
                    n_bytes=int(self.sizes[clips].sum()),
                    id=identity,
                    digest=digest,
                )
            )
            content += lines
        files.write_bytes(self.plan.clips_file(file), to_line(places) + b"".join(content))

    def _remarks(self) -> list[dict[str, Any]]:
        """Returns the remarks about clips that are not computed again."""
        if not self.held.remarks:
            return []
        assert self.differences is not None
        about = {input_clip(remark) for remark in self.held.remarks}
        kept = self.listing.chosen(np.flatnonzero(~self.differences.compute))
        now = {clip.source.id: clip.location() for clip in kept if clip.source.id in about}
        names = ("id", "recording", "stage", "remark", *ends.FACTS)
        return [
            {**{name: remark[name] for name in names if name in remark}, **now[input_clip(remark)]}
            for remark in self.held.remarks
            if input_clip(remark) in now
        ]

    def _write_sources(self) -> None:
        """Writes where the audio of kept clips is now, as far as it was moved or touched."""
        files.remove(self.plan.file(plan.SOURCES))  # of a plan whose writing was interrupted
        if self.differences is None or not self.differences.moved.any():
            return
        moved = np.flatnonzero(self.differences.moved & (self.differences.holder >= 0))
        changes = SourceChanges()
        for number, listed in zip(moved, self.listing.chosen(moved), strict=True):
            holder = self.held.clips[self.differences.holder[number]]
            clip = self.differences.clip[number]
            shard = self.held.shards[holder.shards[clip]].facts["name"]
            changes.add(shard, int(holder.first[clip]), int(holder.counts[clip]), listed)
        changes.write(self.plan.file(plan.SOURCES))


def draft(
    settings: Settings,
    listing: Listing,
    held: Holdings = NOTHING,
    differences: Differences | None = None,
    *,
    generation: int = 1,
    first_shard: int = 0,
    revision: int = 0,
) -> Draft:
    """Decides which shards are kept, and assigns the clips to compute and to copy to new ones.

    Args:
        settings: Settings of the job.
        listing: The clips of the input.
        held: What the folder holds already.
        differences: Differences between the two. None if the folder holds nothing.
        generation: Generation of the feature set that the plan leads to.
        first_shard: Number of the first shard to write.
        revision: Revision of the plan.
    """
    columns, all_columns = columns_of(listing, held, settings.segments)
    compute = np.ones(listing.n_clips, bool) if differences is None else differences.compute
    shards_to_keep, copied, pooled = _decide(held, differences, compute)
    seconds, sizes = np.zeros(listing.n_clips), np.zeros(listing.n_clips)
    to_compute = np.flatnonzero(compute)
    known = listing.seconds[to_compute]
    lengths = estimate.Lengths.of(known, lambda numbers: listing.chosen(to_compute[numbers]))
    itemsize = dtypes.DTYPES[settings.dtype].itemsize
    seconds[to_compute] = known
    unknown = to_compute[np.isnan(known)]
    for number, clip in zip(unknown, listing.chosen(unknown), strict=True):
        seconds[number] = lengths.seconds(clip)
    sizes[to_compute] = estimate.sizes_of_records(seconds[to_compute], settings.config, settings.segments, itemsize)
    for number in np.flatnonzero(pooled & ~compute).tolist() + [
        number for group in copied for number in group.tolist()
    ]:
        assert differences is not None
        records = held.clips[differences.holder[number]].stored(int(differences.clip[number]))
        seconds[number], sizes[number] = sum(record[2] for record in records), sum(record[1] for record in records)
    pool = np.flatnonzero(pooled)
    clips_of_pool = (clip.source for clip in listing.chosen(pool))
    neighbours = Neighbours.of(clips_of_pool) if listing.has_stretches else Neighbours.of_whole_recordings(len(pool))
    counts = neighbours.clips_of_shards(sizes[pool], settings.num_shards) if len(pool) else np.zeros(0, int)
    shards = [*copied, *np.split(pool, np.cumsum(counts)[:-1])] if len(pool) else copied
    notes = [*listing.notes, *all_columns.notes]
    if neighbours.scattered and len(counts) > 1:
        notes.append(
            f"The stretches of {count_of(neighbours.n_cut, 'recording')} are scattered over the input, so every shard "
            "decodes them again. Sort the rows by recording to save time."
        )
    work = Plan(
        output=settings.output,
        config=settings.config,
        generation=generation,
        next_shard=first_shard + len(shards),
        n_clips=sum(map(len, shards)),
        n_copied=sum(map(len, shards)) - len(to_compute),
        n_shards=len(shards),
        n_input=listing.n_clips,
        num_shards=settings.num_shards,
        schema=all_columns.types,
        classes=all_columns.classes,
        fill_values=all_columns.fill_values,
        input_digest=listing.digest,
        exact=lengths.exact,
        headers=lengths.headers,
        seconds=float(seconds.sum()),
        n_bytes=int(sizes.sum()),
        segments=settings.segments,
        dtype=settings.dtype,
        options=settings.options,
        accept_truncated=settings.accept_truncated,
        left_out=listing.left_out,
        notes=notes,
        changes=None if differences is None else differences.changes,
        machines=held.machines,
        revision=revision,
    )
    return Draft(
        plan=work,
        listing=listing,
        held=held,
        differences=differences,
        columns=columns,
        shards=shards,
        seconds=seconds,
        sizes=sizes,
        kept=shards_to_keep,
    )


def nothing_to_do(settings: Settings, listing: Listing) -> Plan:
    """Returns a plan for a feature set that is up to date: all clips are done, and no shard is to be written."""
    return Plan(
        output=settings.output,
        config=settings.config,
        generation=0,
        next_shard=0,
        n_clips=listing.n_clips,
        n_shards=0,
        n_input=listing.n_clips,
        num_shards=settings.num_shards,
        schema=listing.columns.types,
        input_digest=listing.digest,
        exact=True,
        headers=0,
        seconds=0.0,
        n_bytes=0,
        changes=Changes(kept=listing.n_clips),
    )


def total(settings: Settings, works: Sequence[Plan], *, is_new: bool) -> Plan:
    """Returns what the plans of the parts of a feature set add up to.

    Args:
        settings: Settings of the whole.
        works: The plan of each part, or what `nothing_to_do` returns for it.
        is_new: Whether the whole is new, so that complete parts are work that is done.
    """
    active = [work for work in works if work.n_shards or is_new]
    counted, first = active or works, works[0]
    changes = plan.total_changes(work.changes for work in works if work.n_shards or not is_new)
    return replace(
        first,
        output=settings.output,
        n_clips=sum(work.n_clips for work in counted),
        n_copied=sum(work.n_copied for work in counted),
        n_shards=sum(work.n_shards for work in works),
        n_input=sum(work.n_input for work in works),
        input_digest=hashlib.sha256("".join(work.input_digest for work in works).encode()).hexdigest(),
        exact=all(work.exact for work in works),
        headers=sum(work.headers for work in works),
        seconds=sum(work.seconds for work in works),
        n_bytes=sum(work.n_bytes for work in works),
        left_out=sum(work.left_out for work in works),
        notes=list(dict.fromkeys(note for work in works for note in work.notes)),
        changes=changes,
    )


def columns_of(listing: Listing | PartedListing, held: Holdings, segments: Segments | None) -> tuple[Columns, Columns]:
    """Returns the metadata columns of the clips of the input, and those of the records.

    They differ by the start of segments.

    Raises:
        InputError: If the type of a column differs from that in the folder.
    """
    now, before = listing.columns, held.columns
    if segments is not None:
        now = segments.columns(now, stretches=listing.has_stretches)
        before = before if held is NOTHING else segments.columns(before, stretches=True)
    columns = column_changes.updated(before, now)
    return (columns if segments is None else segments.columns_of_recordings(columns)), columns


def _decide(
    held: Holdings, differences: Differences | None, compute: np.ndarray
) -> tuple[np.ndarray, list[np.ndarray], np.ndarray]:
    """Decides what becomes of the shards that the folder holds.

    A shard is kept if all its clips are kept with their metadata. Clips of other shards are copied into a shard of
    their own, or together with the clips to compute if the shard is small.

    Returns:
        Numbers of the shards to keep; numbers of the clips in each shard to copy; whether each clip goes into a new
        shard with the clips to compute.
    """
    pooled = compute.copy()
    if differences is None or not held.shards:
        return np.zeros(0, int), [], pooled
    shard = np.full(len(compute), NOWHERE)
    order = np.zeros(len(compute), np.int64)
    n_clips = np.zeros(len(held.shards), np.int64)
    for number, holder in enumerate(held.clips):
        here = differences.holder == number
        shard[here] = holder.shards[differences.clip[here]]
        order[here] = holder.first[differences.clip[here]]
        n_clips += np.bincount(holder.shards, minlength=len(held.shards))
    present = shard != NOWHERE
    unchanged = np.bincount(shard[present & ~differences.relabelled], minlength=len(held.shards))
    intact = (unchanged == n_clips) & (n_clips > 0) & np.array([item.current for item in held.shards], bool)
    small = np.array([item.facts["bytes"] < SMALL_SHARD for item in held.shards], bool)
    if differences.changes.added or differences.changes.changed:
        intact &= ~small
    if compute.any():
        pooled |= present & (small & ~intact)[shard]
    alone = np.flatnonzero(present & ~pooled & ~intact[shard])
    alone = alone[np.lexsort((order[alone], shard[alone]))]
    bounds = np.flatnonzero(np.diff(shard[alone])) + 1
    return np.flatnonzero(intact), np.split(alone, bounds) if len(alone) else [], pooled
