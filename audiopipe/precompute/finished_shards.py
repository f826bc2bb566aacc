"""Finished shards of a plan, found by their sidecars.

A worker publishes a shard, then its rows of the index, and then its sidecar, `plan/shard-00000.json`. A shard counts
only if the digest in its sidecar equals the digest in the plan. Thousands of small files are slow to list and read, so
the job merges many sidecars into one batch file, `plan/finished-1f3a9c82.jsonl`. Workers never write batches. A batch
never changes, and its name is never reused.
"""

import contextlib
import functools
import json
import os
import re
import uuid
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, BinaryIO, Protocol

from audiopipe.feature_sets.message_kinds import kind
from audiopipe.precompute.plan import FOLDER, Plan, to_line
from audiopipe.precompute.progress import Done
from audiopipe.storage import files

SIDECARS_PER_BATCH = 1000
_SINGLE = re.compile(r"shard-(\d+)\.json")
_BATCH = re.compile(r"finished-[0-9a-f]+\.jsonl")
_NEEDED = {"shard", "digest", "failures", "remarks"}


class Planned(Protocol):
    """Shard of a plan."""

    @property
    def number(self) -> int:
        """Number of the shard."""

    @property
    def clips(self) -> int:
        """Number of its clips."""

    @property
    def digest(self) -> str:
        """SHA-256 over everything that determines its bytes."""


class Work(Protocol):
    """Plan whose shards have sidecars: the plan of a job or of a merge."""

    @property
    def output(self) -> str:
        """Folder of the feature set."""

    def path(self, *parts: str) -> str:
        """Returns the path of a file of the plan."""

    def rows_file(self, shard: int) -> str:
        """Returns the path of the rows that a shard gets in the index."""

    def shards(self) -> Sequence[Planned]:
        """Returns the shards to write."""


def publish(plan: Work, sidecar: dict[str, Any]) -> None:
    """Writes the sidecar of a shard. From then on the shard counts as finished."""
    files.write_bytes(_single(plan, sidecar["shard"]), to_line(sidecar))


def find(plan: Work, shard: int, digest: str) -> dict[str, Any] | None:
    """Returns the sidecar of a shard if it has this digest, or None if the shard is not finished."""
    path = _single(plan, shard)
    if files.exists(path):
        sidecar = _parse(files.read_bytes(path))
        if sidecar is not None and (sidecar["shard"], sidecar["digest"]) == (shard, digest):
            return sidecar
    for name in files.walk(files.join(plan.output, FOLDER)):
        if _BATCH.fullmatch(name) and _digests(plan.path(name)).get(shard) == digest:
            return _whole_batch(plan.path(name))[shard]
    return None


def unfinished(plan: Plan) -> list[tuple[str, int]]:
    """Returns the clips file and the number of each unfinished shard, as `shard_writer.write_shard` takes them.

    The largest shards come first, so that workers finish at about the same time.
    """
    finished = Finished(plan)
    finished.refresh()
    missing = set(finished.missing())
    todo = sorted((shard for shard in plan.shards() if shard.number in missing), key=lambda shard: -shard.n_bytes)
    return [(plan.clips_file(shard.file), shard.number) for shard in todo]


class Finished:
    """Finished shards of a plan, as the job sees them.

    Args:
        plan: The plan.
    """

    def __init__(self, plan: Work):
        self._plan = plan
        table = plan.shards()
        self._digests = {shard.number: shard.digest for shard in table}
        self._clips = {shard.number: shard.clips for shard in table}
        self._sidecars: dict[int, dict[str, Any]] = {}
        self._singles: set[int] = set()
        self._batches: set[str] = set()

    def refresh(self) -> None:
        """Finds shards that were finished since the last call, and merges their sidecars if there are many."""
        self.find()
        if len(self._singles) >= SIDECARS_PER_BATCH:
            self._merge_singles()

    def find(self) -> None:
        """Finds shards that were finished since the last call. Writes nothing."""
        names = list(files.walk(files.join(self._plan.output, FOLDER)))
        for name in sorted(set(filter(_BATCH.fullmatch, names)) - self._batches):
            self._batches.add(name)
            for line in files.read_bytes(self._plan.path(name)).splitlines():
                self._add(line)
        for match in filter(None, map(_SINGLE.fullmatch, names)):
            number = int(match[1])
            if number not in self._singles and self._add(files.read_bytes(_single(self._plan, number))):
                self._singles.add(number)

    def check_shards(self) -> None:
        """Marks shards as unfinished if a file of theirs is missing or has another size than in the sidecar.

        No worker may be running.
        """
        self.refresh()
        self.reset(self.incomplete())
        for name in list(files.walk(files.join(self._plan.output, FOLDER))):
            match = _SINGLE.fullmatch(name)
            if match and int(match[1]) not in self._sidecars:  # belongs to another plan, or is damaged
                files.remove(self._plan.path(name))

    def incomplete(self) -> set[int]:
        """Returns the shards of which a file is missing or has another size than in the sidecar."""
        sizes = files.sizes(self._plan.output)
        names = set(files.walk(files.join(self._plan.output, FOLDER)))
        return {
            number
            for number, sidecar in self._sidecars.items()
            if os.path.basename(self._plan.rows_file(number)) not in names
            or sizes.get(sidecar["name"]) != sidecar["bytes"]
        }

    def reset(self, numbers: Iterable[int]) -> None:
        """Marks shards as unfinished."""
        shards = set(numbers)
        for name in list(self._batches):
            batch = _whole_batch(self._plan.path(name))
            kept = [sidecar for number, sidecar in batch.items() if number not in shards]
            if len(kept) < len(batch):
                self._write_batch(kept)
                files.remove(self._plan.path(name))
                self._batches.discard(name)
        for number in shards:
            files.remove(_single(self._plan, number))
            self._singles.discard(number)
            self._sidecars.pop(number, None)

    @property
    def done(self) -> Done:
        """Progress so far."""
        return Done(
            clips=sum(self._clips[number] for number in self._sidecars),
            failures=sum(sidecar["failures"] for sidecar in self._sidecars.values()),
            seconds=sum(sidecar["seconds"] for sidecar in self._sidecars.values()),
            shards=len(self._sidecars),
        )

    def missing(self) -> list[int]:
        """Returns the numbers of the shards that are not finished."""
        return [number for number in self._digests if number not in self._sidecars]

    def frequent_errors(self, count: int = 5) -> list[tuple[str, int]]:
        """Returns the most frequent errors and their counts. Paths and numbers are left out of the errors."""
        errors: Counter[str] = Counter()
        for sidecar in self._sidecars.values():
            errors.update(sidecar["errors"])
        return errors.most_common(count)

    def sidecars(self) -> Iterator[dict[str, Any]]:
        """Yields the sidecars of the finished shards, in the order of the shards. Memory holds one at a time."""
        with contextlib.ExitStack() as opened:
            places: dict[int, tuple[BinaryIO, int]] = {}
            for name in self._batches:
                path = opened.enter_context(files.local_copy(self._plan.path(name)))
                file: BinaryIO = opened.enter_context(open(path, "rb"))
                start = 0
                for line in file:
                    sidecar = _parse(line)
                    if sidecar is not None:
                        places[sidecar["shard"]] = file, start
                    start += len(line)
            for number in sorted(self._sidecars):
                if number in self._singles:
                    yield json.loads(files.read_bytes(_single(self._plan, number)))
                elif number in places:
                    file, start = places[number]
                    file.seek(start)
                    yield json.loads(file.readline())

    def _add(self, line: bytes) -> bool:
        """Adds a sidecar unless it is damaged or belongs to another plan. Returns whether it was added."""
        sidecar = _parse(line)
        if sidecar is None or sidecar["digest"] != self._digests.get(sidecar["shard"]):
            return False
        # There may be very many failures, so only their counts are kept in memory.
        errors = Counter(f"{failure['stage']}: {kind(failure['error'])}" for failure in sidecar["failures"])
        self._sidecars[sidecar["shard"]] = {
            "name": sidecar["name"],
            "bytes": sidecar["bytes"],
            "seconds": sidecar["seconds"],
            "failures": len(sidecar["failures"]),
            "errors": errors,
        }
        return True

    def _merge_singles(self) -> None:
        singles = sorted(self._singles)
        self._write_batch(json.loads(files.read_bytes(_single(self._plan, number))) for number in singles)
        for number in singles:
            files.remove(_single(self._plan, number))
        self._singles.clear()

    def _write_batch(self, sidecars: Iterable[dict[str, Any]]) -> None:
        name = f"finished-{uuid.uuid4().hex[:12]}.jsonl"
        files.write_bytes(self._plan.path(name), b"".join(map(to_line, sidecars)))
        self._batches.add(name)


@functools.lru_cache(maxsize=1024)
def _digests(path: str) -> dict[int, str]:
    """Returns the digest of each shard in a batch."""
    return {number: sidecar["digest"] for number, sidecar in _whole_batch(path).items()}


def _whole_batch(path: str) -> dict[int, dict[str, Any]]:
    """Reads the sidecars of a batch, by number of their shard."""
    sidecars = filter(None, map(_parse, files.read_bytes(path).splitlines()))
    return {sidecar["shard"]: sidecar for sidecar in sidecars}


def _parse(line: bytes) -> dict[str, Any] | None:
    """Returns a sidecar, or None if it is damaged."""
    try:
        sidecar = json.loads(line)
        return sidecar if isinstance(sidecar, dict) and sidecar.keys() >= _NEEDED else None
    except ValueError:
        return None


def _single(plan: Work, shard: int) -> str:
    return plan.path(f"shard-{shard:05d}.json")
