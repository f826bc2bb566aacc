"""Which shards are finished, by their sidecars.

A worker publishes a shard and then its sidecar, `plan/shard-00000.json`; a shard counts only with a sidecar whose
digest is that of the plan. Thousands of small files are slow to list and to read, so the job, and only the job, now and
then puts many of them together into a batch, `plan/finished-1f3a9c82.jsonl`. A batch never changes, and its name is
never used again.
"""

import functools
import json
import re
import uuid
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from typing import Any

from audiopipe.precompute.plan import FOLDER, Plan, to_line
from audiopipe.precompute.progress import Done
from audiopipe.storage import files
from audiopipe.transform.segments import SEPARATOR

SIDECARS_PER_BATCH = 1000
_SINGLE = re.compile(r"shard-(\d+)\.json")
_BATCH = re.compile(r"finished-[0-9a-f]+\.jsonl")
_NAMES = re.compile(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"|\d+(?:\.\d+)?")  # quoted paths and numbers in an error


def publish(plan: Plan, sidecar: dict[str, Any]) -> None:
    """Write the sidecar that makes a shard count."""
    files.write_bytes(_single(plan, sidecar["shard"]), to_line(sidecar))


def find(plan: Plan, shard: int, digest: str) -> dict[str, Any] | None:
    """The sidecar of a shard, None if the shard is not finished."""
    path = _single(plan, shard)
    if files.exists(path):
        sidecar = _parse(files.read_bytes(path))
        if sidecar is not None and (sidecar["shard"], sidecar["digest"]) == (shard, digest):
            return sidecar
    for name in files.walk(files.join(plan.output, FOLDER)):
        if _BATCH.fullmatch(name) and _digests(plan.path(name)).get(shard) == digest:
            return _whole_batch(plan.path(name))[shard]
    return None


def previous(plan: Plan, shard: int) -> dict[str, Any] | None:
    """The sidecar that a shard had before its failures were to be tried again, None if it had none."""
    path = _retry(plan, shard)
    return _parse(files.read_bytes(path)) if files.exists(path) else None


def forget_previous(plan: Plan, shard: int) -> None:
    """Remove what `previous` finds."""
    files.remove(_retry(plan, shard))


class Finished:
    """The finished shards of a plan, as the job sees them.

    Args:
        plan: The plan.
    """

    def __init__(self, plan: Plan):
        self._plan = plan
        table = plan.shards()
        self._digests = [shard.digest for shard in table]
        self._clips = [shard.clips for shard in table]
        self._sidecars: dict[int, dict[str, Any]] = {}
        self._singles: set[int] = set()
        self._batches: set[str] = set()

    def refresh(self) -> None:
        """Look for shards that were finished since the last time."""
        names = list(files.walk(files.join(self._plan.output, FOLDER)))
        for name in sorted(set(filter(_BATCH.fullmatch, names)) - self._batches):
            self._batches.add(name)
            for line in files.read_bytes(self._plan.path(name)).splitlines():
                self._add(line)
        for match in filter(None, map(_SINGLE.fullmatch, names)):
            number = int(match[1])
            if number not in self._singles and self._add(files.read_bytes(_single(self._plan, number))):
                self._singles.add(number)
        if len(self._singles) >= SIDECARS_PER_BATCH:
            self._fold()

    def check_shards(self) -> None:
        """Forget shards that are not there with the size that their sidecar says; nothing else may be running."""
        self.refresh()
        sizes = files.sizes(self._plan.output)
        wrong = {number for number, sidecar in self._sidecars.items() if sizes.get(sidecar["name"]) != sidecar["bytes"]}
        self.reset(wrong)
        for name in files.walk(files.join(self._plan.output, FOLDER)):
            match = _SINGLE.fullmatch(name)
            if match and int(match[1]) not in self._sidecars:  # of another plan, or damaged
                files.remove(self._plan.path(name))

    def reset(self, shards: Collection[int]) -> None:
        """Take shards for unfinished."""
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

    def failed(self) -> set[str]:
        """Ids of the clips that failed, and of the recordings whose segments did."""
        sidecars = [sidecar for _, sidecar in self._all()]
        unfinished = (previous(self._plan, number) for number in self.missing())
        sidecars += [sidecar for sidecar in unfinished if sidecar is not None]
        ids = {failure["id"] for sidecar in sidecars for failure in sidecar["failures"]}
        return ids | {name.rpartition(SEPARATOR)[0] for name in ids} if self._plan.segments else ids

    def begin_retry(self) -> None:
        """Take shards that have failures for unfinished, and keep their sidecars as `previous`."""
        failing = {number: sidecar for number, sidecar in self._all() if sidecar["failures"]}
        for number, sidecar in failing.items():
            files.write_bytes(_retry(self._plan, number), to_line(sidecar))
        self.reset(failing)

    @property
    def done(self) -> Done:
        """What is done so far."""
        return Done(
            clips=sum(self._clips[number] for number in self._sidecars),
            failures=sum(sidecar["failures"] for sidecar in self._sidecars.values()),
            seconds=sum(sidecar["seconds"] for sidecar in self._sidecars.values()),
            shards=len(self._sidecars),
        )

    def missing(self) -> list[int]:
        """Numbers of the shards that are not finished."""
        return [number for number in range(self._plan.n_shards) if number not in self._sidecars]

    def frequent_errors(self, count: int = 5) -> list[tuple[str, int]]:
        """The errors that came most often, without paths and numbers, and how often."""
        errors: Counter[str] = Counter()
        for sidecar in self._sidecars.values():
            errors.update(sidecar["errors"])
        return errors.most_common(count)

    def sidecars(self) -> Iterator[dict[str, Any]]:
        """The sidecars of the finished shards, by number."""
        for _, sidecar in sorted(self._all(), key=lambda item: item[0]):
            yield sidecar

    def _all(self) -> Iterable[tuple[int, dict[str, Any]]]:
        """Number and whole sidecar of each finished shard, in any order."""
        found: dict[int, dict[str, Any]] = {}
        for name in self._batches:
            found.update(_whole_batch(self._plan.path(name)))
        for number in self._singles:
            found[number] = json.loads(files.read_bytes(_single(self._plan, number)))
        return [(number, sidecar) for number, sidecar in found.items() if number in self._sidecars]

    def _add(self, line: bytes) -> bool:
        """Take note of a sidecar, unless it is damaged or of another plan."""
        sidecar = _parse(line)
        if sidecar is None or not 0 <= sidecar["shard"] < self._plan.n_shards:
            return False
        if sidecar["digest"] != self._digests[sidecar["shard"]]:
            return False
        # Failures may be many, and are counted only.
        errors = Counter(
            f"{failure['stage']}: {_NAMES.sub('...', failure['error'])}" for failure in sidecar["failures"]
        )
        self._sidecars[sidecar["shard"]] = {
            "name": sidecar["name"],
            "bytes": sidecar["bytes"],
            "seconds": sidecar["seconds"],
            "failures": len(sidecar["failures"]),
            "errors": errors,
        }
        return True

    def _fold(self) -> None:
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
    """The digest of each shard in a batch."""
    return {number: sidecar["digest"] for number, sidecar in _whole_batch(path).items()}


def _whole_batch(path: str) -> dict[int, dict[str, Any]]:
    """The sidecars of a batch, by number."""
    sidecars = filter(None, map(_parse, files.read_bytes(path).splitlines()))
    return {sidecar["shard"]: sidecar for sidecar in sidecars}


def _parse(line: bytes) -> dict[str, Any] | None:
    """A sidecar, None if it is damaged."""
    try:
        sidecar = json.loads(line)
        return sidecar if isinstance(sidecar, dict) and {"shard", "digest", "failures"} <= sidecar.keys() else None
    except ValueError:
        return None


def _single(plan: Plan, shard: int) -> str:
    return plan.path(f"shard-{shard:05d}.json")


def _retry(plan: Plan, shard: int) -> str:
    return plan.path(f"retry-{shard:05d}.json")
