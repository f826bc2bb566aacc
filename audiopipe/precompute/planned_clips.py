"""Clips of a plan, as they are in its clips files."""

import dataclasses
import json
from collections.abc import Iterator
from dataclasses import dataclass

from audiopipe.inputs.listings import Listed
from audiopipe.precompute import plan
from audiopipe.precompute.plan import Plan
from audiopipe.storage import files


@dataclass(frozen=True, slots=True)
class Stored:
    """Records of a clip in an older shard, from which they are copied.

    Args:
        shard: File name of the shard.
        records: Offset, size in bytes, and seconds of audio of each record.
        max_error: Largest difference between a stored and a computed value in that shard.
        digest: Digest of the audio in hexadecimal, None if it is not known.
    """

    shard: str
    records: list[tuple[int, int, float]]
    max_error: float = 0.0
    digest: str | None = None


@dataclass(frozen=True, slots=True)
class Planned:
    """Clip of a shard.

    Args:
        listed: The clip.
        stored: Its records, if they are copied. None if they are computed.
    """

    listed: Listed
    stored: Stored | None = None

    def to_json(self) -> bytes:
        """Returns a line of JSON."""
        line = self.listed.to_json()
        if self.stored is None:
            return line
        copied = json.dumps(dataclasses.asdict(self.stored), sort_keys=True, separators=(",", ":"))
        return line[:-2] + b',"stored":' + copied.encode() + b"}\n"

    @classmethod
    def from_json(cls, line: bytes) -> "Planned":
        """Creates a clip from a line that `to_json` returned."""
        stored = json.loads(line).get("stored") if b'"stored"' in line else None
        return cls(Listed.from_json(line), Stored(**stored) if stored else None)


@dataclass(frozen=True, kw_only=True)
class Part:
    """Clips of one shard, as a worker reads them.

    Args:
        plan: The plan.
        shard: Number of the shard.
        id: As in `audiopipe.precompute.plan.Shard`.
        digest: As in `audiopipe.precompute.plan.Shard`.
        clips: The clips.
    """

    plan: Plan
    shard: int
    id: str
    digest: str
    clips: list[Planned]


def of_shard(clips_file: str, shard: int) -> Part:
    """Reads the clips of one shard.

    Args:
        clips_file: Path of the clips file that contains them.
        shard: Number of the shard.

    Raises:
        CorruptFeatureSetError: If the plan or the file is damaged.
    """
    work = plan_of(clips_file)
    lines = files.read_bytes(clips_file).splitlines()
    with plan.undamaged(clips_file):
        first, count, shard_id, digest = json.loads(lines[0])[str(shard)]
        clips = [Planned.from_json(line) for line in lines[1 + first : 1 + first + count]]
    return Part(plan=work, shard=shard, id=shard_id, digest=digest, clips=clips)


def plan_of(clips_file: str) -> Plan:
    """Reads the plan to which a clips file belongs."""
    return plan.read(clips_file[: clips_file.rindex(plan.FOLDER) - 1])


def of_plan(work: Plan) -> Iterator[tuple[int, Planned]]:
    """Yields the clips of all shards, each with the number of its shard."""
    for file in sorted({shard.file for shard in work.shards()}):
        lines = files.read_bytes(work.clips_file(file)).splitlines()
        with plan.undamaged(work.clips_file(file)):
            for shard, (first, count, *_) in json.loads(lines[0]).items():
                for line in lines[1 + first : 1 + first + count]:
                    yield int(shard), Planned.from_json(line)
