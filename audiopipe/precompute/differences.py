"""Differences between the clips that an output folder holds and those of the input."""

import math
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from audiopipe.inputs import changes
from audiopipe.inputs.changes import StoredAudio
from audiopipe.inputs.column_changes import Translation
from audiopipe.inputs.columns import Columns
from audiopipe.inputs.listings import Listed
from audiopipe.precompute.holdings import Holdings
from audiopipe.precompute.listing import Listing
from audiopipe.precompute.plan import Changes
from audiopipe.precompute.stored_clips import Clips, Waiting, as_bytes, text
from audiopipe.wording import count_of

AT_ONCE = 8192  # clips whose facts are in memory
NOWHERE = -1


@dataclass(frozen=True, kw_only=True, eq=False)
class Differences:
    """What has to be done for each clip of the input, and why.

    Args:
        compute: Whether each clip has to be computed.
        holder: Number in `Holdings.clips` of the clips that have the records of each clip, -1 if none do.
        clip: Number of the clip there.
        relabelled: Whether each clip has other metadata than its records.
        moved: Whether the audio of each clip is elsewhere, or has another time, than the index says.
        changes: Number of clips by what happened to them.
        first: Describes the first difference, for an error. None if there is none.
        first_not_failed: The same, of the differences that repairing failed clips does not explain.
    """

    compute: np.ndarray
    holder: np.ndarray
    clip: np.ndarray
    relabelled: np.ndarray
    moved: np.ndarray
    changes: Changes
    first: str | None
    first_not_failed: str | None


def find(held: Holdings, listing: Listing, columns: Columns) -> Differences:
    """Compares the clips of the input with those that the folder holds.

    The audio of a clip is read only if it has another time or place than it had, but the same size.

    Args:
        held: What the folder holds.
        listing: The clips of the input.
        columns: Metadata columns of the feature set to make.
    """
    return _Comparison(held, listing, columns).differences()


class _Comparison:
    def __init__(self, held: Holdings, listing: Listing, columns: Columns):
        self._held = held
        self._listing = listing
        self._columns = columns
        self._translation = Translation(listing.columns, columns)
        self._holders: list[Clips | Waiting] = [*held.clips, *([held.waiting] if held.waiting else [])]
        count = listing.n_clips
        self._compute = np.ones(count, bool)
        self._holder, self._clip = np.full(count, NOWHERE, np.int32), np.full(count, NOWHERE, np.int64)
        self._relabelled, self._moved = np.zeros(count, bool), np.zeros(count, bool)
        self._counts = dict.fromkeys(
            ("kept", "added", "changed", "relabelled", "retried", "restored", "without_digest"), 0
        )
        self._first: str | None = None
        self._first_not_failed: str | None = None
        self._repaired: set[tuple[str, int | None]] = set()

    def differences(self) -> Differences:
        ids = pa.array((as_bytes(clip.source.id) for clip in self._listing.clips()), pa.binary())
        for number, holder in reversed(list(enumerate(self._holders))):
            found = pc.index_in(ids, value_set=holder.ids)
            present = found.is_valid().to_numpy(zero_copy_only=False)
            self._holder[present] = number
            self._clip[present] = found.drop_null().to_numpy()
        self._repaired = self._recordings_of_failures()
        clips, start = self._listing.clips(), 0
        while batch := list(islice(clips, AT_ONCE)):
            self._compare(start, batch)
            start += len(batch)
        removed = self._removed(ids)
        is_waiting = self._holder == len(self._held.clips)  # their records do not exist yet
        self._holder[is_waiting | self._compute] = NOWHERE
        return Differences(
            compute=self._compute,
            holder=self._holder,
            clip=self._clip,
            relabelled=self._relabelled,
            moved=self._moved,
            changes=Changes(**self._counts, removed=removed),
            first=self._first,
            first_not_failed=self._first_not_failed,
        )

    def _recordings_of_failures(self) -> set[tuple[str, int | None]]:
        """Returns the recordings of clips that failed. Repairing one changes all clips of it."""
        if not self._held.failed:
            return set()
        clips = (clip.source for clip in self._listing.clips())
        return {source.recording() for source in clips if source.id in self._held.failed}

    def _compare(self, start: int, batch: list[Listed]) -> None:
        facts = self._facts(start, len(batch))
        unsure: list[tuple[StoredAudio, Listed]] = []
        places: list[int] = []
        for place, listed in enumerate(batch, start):
            name = listed.source.id
            stored, metadata = facts.get(place, (None, None))
            if name in self._held.failed:
                self._counts["retried"] += 1
                failed = self._held.failed[name]
                # A file that is missing, as it was before, is no change.
                if failed != StoredAudio.of(listed) and changes.compare(failed, listed) != "same":
                    self._note(listed, f"the clip {name!r}, which failed, was modified", of_audio=True)
                continue
            if stored is None:
                stored = self._held.short.get(name)
            if stored is None and name in self._held.lost:
                self._counts["restored"] += 1
                continue
            if stored is None:
                self._counts["added"] += 1
                self._note(listed, f"the clip {name!r} is new")
                continue
            if metadata is not None and self._differs(metadata, listed):
                self._relabelled[place] = True
            state = changes.compare(stored, listed)
            if state == "maybe":
                unsure.append((stored, listed))
                places.append(place)
            else:
                self._settle(place, listed, stored, state == "same")
        for place, (stored, listed), same in zip(places, unsure, changes.compare_digests(unsure), strict=True):
            self._settle(place, listed, stored, same)

    def _settle(self, place: int, listed: Listed, stored: StoredAudio, same: bool) -> None:
        """Records what becomes of a clip that was known before."""
        waiting = self._holder[place] == len(self._held.clips)
        if not same:
            self._relabelled[place] = False
            self._counts["added" if waiting else "changed"] += 1
            self._note(
                listed, f"the audio of the clip {listed.source.id!r} has {_change(stored, listed)}", of_audio=True
            )
            return
        if self._relabelled[place]:
            self._counts["relabelled"] += not waiting
            self._note(listed, f"the clip {listed.source.id!r} has other metadata now")
        if waiting:
            self._counts["added"] += 1
        else:
            self._moved[place] = StoredAudio.of(listed, stored.digest) != stored
            self._compute[place] = False
            self._counts["kept"] += 1
            self._counts["without_digest"] += changes.lacks_digest(stored, listed)

    def _facts(self, start: int, count: int) -> dict[int, tuple[StoredAudio, dict[str, Any]]]:
        """Returns what is known about a range of clips of the input, by their numbers."""
        facts: dict[int, tuple[StoredAudio, dict[str, Any]]] = {}
        for number, holder in enumerate(self._holders):
            places = start + np.flatnonzero(self._holder[start : start + count] == number)
            if len(places):
                facts.update(zip(places.tolist(), holder.facts(self._clip[places]), strict=True))
        return facts

    def _differs(self, metadata: dict[str, Any], listed: Listed) -> bool:
        now = self._columns.normalized(self._translation.of(listed.source.metadata))
        return now.keys() != metadata.keys() or not all(_equal(value, metadata[name]) for name, value in now.items())

    def _removed(self, ids: pa.Array) -> int:
        """Returns the number of clips that the input does not have any more."""
        gone: set[bytes] = set()
        known = [holder.ids for holder in self._holders]
        known.append(
            pa.array(map(as_bytes, self._held.failed.keys() | self._held.short.keys() | self._held.lost), pa.binary())
        )
        for names in known:
            absent = names.filter(pc.invert(pc.is_in(names, value_set=ids)))
            gone.update(absent.to_pylist())
        if gone and self._first_not_failed is None:
            name = text(min(gone))
            self._first = self._first_not_failed = f"the clip {name!r} is not in the input any more"
        return len(gone)

    def _note(self, listed: Listed, difference: str, *, of_audio: bool = False) -> None:
        self._first = self._first or difference
        if not (of_audio and self._repaired and listed.source.recording() in self._repaired):
            self._first_not_failed = self._first_not_failed or difference


def _change(stored: StoredAudio, listed: Listed) -> str:
    """Describes how the audio of a clip has changed."""
    if listed.size is None or stored.size in (None, listed.size):
        return "changed"
    return f"changed (it had {count_of(stored.size, 'byte')}, and has {listed.size:,} now)"


def _equal(one: Any, other: Any) -> bool:
    """Returns whether two values are equal, where NaN equals NaN."""
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_equal, one, other))
    both_nan = isinstance(one, float) and isinstance(other, float) and math.isnan(one) and math.isnan(other)
    return both_nan or (one == other and type(one) is type(other))
