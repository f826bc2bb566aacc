"""Which clip goes into which shard: the plan of a feature set in the making, as it stands in its folder.

The folder `plan` holds `plan.json` (what is to be made), `shards.jsonl` (a line a shard) and `clips-00000.jsonl` and so
on: first a line that says where the clips of which shard stand, then a line a clip, in the order of the input.
"""

import dataclasses
import functools
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from audiopipe import configs
from audiopipe.configs.base import Config
from audiopipe.errors import CorruptFeatureSetError
from audiopipe.inputs.listings import Listed
from audiopipe.storage import files
from audiopipe.transform.segments import Segments

FOLDER = "plan"
HEADER = "plan.json"
TABLE = "shards.jsonl"
FORMAT_VERSION = 2

# The files of a feature set in the making, relative to its folder.
FILES = re.compile(
    r"features-\d{5,}-of-\d{5,}\.tfrecord|"
    r"plan/(plan\.json|shards\.jsonl|lock|lease\.json|clips-\d{5,}\.jsonl|finished-[0-9a-f]+\.jsonl|"
    r"(shard|retry)-\d{5,}\.json)"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Shard:
    """What is planned for one shard.

    Args:
        number: Its number, from 0.
        file: Number of the file that holds its clips.
        clips: Clips of the input that go into it.
        seconds: Their audio, in seconds, estimated.
        n_bytes: Its size, estimated.
        digest: SHA-256 over its clips and all else that decides its bytes.
    """

    number: int
    file: int
    clips: int
    seconds: float
    n_bytes: int
    digest: str


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What is to be made.

    Args:
        output: Folder of the feature set.
        config: The feature.
        n_clips: Clips of the input.
        n_shards: Shards of the output.
        schema: Type of each metadata column, see `audiopipe.inputs.metadata_types`.
        set_id: What the records of the feature set have in common, 16 hexadecimal digits.
        input_digest: SHA-256 over the clips of the input, as they were when they were listed.
        exact: Whether the length of every clip was known, so that `seconds` is no estimate.
        headers: Headers of audio files that the estimate was made from.
        seconds: Audio in the input, in seconds, estimated.
        n_bytes: Size of all shards, estimated.
        segments: How clips are cut into segments, which become the clips of the feature set; None leaves them whole.
        dtype: What features are stored as.
    """

    output: str
    config: Config
    n_clips: int
    n_shards: int
    schema: dict[str, str]
    set_id: str
    input_digest: str
    exact: bool
    headers: int
    seconds: float
    n_bytes: int
    segments: Segments | None = None
    dtype: str = "float32"

    def shard_name(self, shard: int) -> str:
        """File name of a shard."""
        return shard_name(shard, self.n_shards)

    def path(self, *parts: str) -> str:
        """Path of a file of the plan."""
        return files.join(self.output, FOLDER, *parts)

    def clips_file(self, file: int) -> str:
        """Path of a file that holds the clips of some shards."""
        return self.path(f"clips-{file:05d}.jsonl")

    def shards(self) -> list[Shard]:
        """What is planned for each shard, by number."""
        lines = files.read_bytes(self.path(TABLE)).splitlines()
        return [Shard(number=number, **json.loads(line)) for number, line in enumerate(lines)]

    def header(self) -> dict[str, Any]:
        """What stands in `plan.json`."""
        facts = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        del facts["output"]
        return {
            **facts,
            "format_version": FORMAT_VERSION,
            "config": self.config.to_dict(),
            "fingerprint": self.config.fingerprint,
            "segments": self.segments.to_dict() if self.segments else None,
        }

    def settings(self) -> bytes:
        """What decides the bytes of a shard beside its clips."""
        facts = self.header()
        names = ("format_version", "fingerprint", "n_shards", "schema", "segments", "dtype", "set_id")
        return to_line({name: facts[name] for name in names})


@dataclass(frozen=True, kw_only=True)
class Part:
    """The clips of one shard, as a worker reads them.

    Args:
        plan: The plan.
        shard: Number of the shard.
        digest: As in `Shard`.
        clips: The clips.
    """

    plan: Plan
    shard: int
    digest: str
    clips: list[Listed]


def shard_name(shard: int, n_shards: int) -> str:
    """File name of one of so many shards."""
    return f"features-{shard:05d}-of-{n_shards:05d}.tfrecord"


def exists(output: str) -> bool:
    """Whether a folder holds a plan."""
    return files.exists(files.join(output, FOLDER, HEADER))


def read(output: str) -> Plan:
    """Read the plan of a feature set.

    Raises:
        CorruptFeatureSetError: If the plan was written by another version of audiopipe.
    """
    return _parse(output, files.read_bytes(files.join(output, FOLDER, HEADER)))


@functools.lru_cache(maxsize=4)
def _parse(output: str, content: bytes) -> Plan:
    header = json.loads(content)
    config = configs.from_dict(header["config"]) if header["format_version"] == FORMAT_VERSION else None
    fields = {field.name for field in dataclasses.fields(Plan)} - {"output"} | {"format_version", "fingerprint"}
    if config is None or config.fingerprint != header["fingerprint"] or header.keys() != fields:
        raise CorruptFeatureSetError(
            f"The plan in {output!r} was written by another version of audiopipe. Start anew in another folder, or "
            "with --overwrite."
        )
    facts = {name: value for name, value in header.items() if name not in ("format_version", "fingerprint")}
    segments = Segments(**header["segments"]) if header["segments"] else None
    return Plan(**{**facts, "output": output, "config": config, "segments": segments})


def read_part(clips_file: str, shard: int) -> Part:
    """Read the clips of one shard.

    Args:
        clips_file: Path of the file of the plan that holds them.
        shard: Number of the shard.
    """
    plan = read(clips_file[: clips_file.rindex(FOLDER) - 1])
    lines = files.read_bytes(clips_file).splitlines()
    first, count, digest = json.loads(lines[0])[str(shard)]
    clips = [Listed.from_json(line) for line in lines[1 + first : 1 + first + count]]
    return Part(plan=plan, shard=shard, digest=digest, clips=clips)


def read_clips(plan: Plan) -> Iterator[bytes]:
    """All clips of a plan, as the lines that stand for them, in the order of the input."""
    last = max(shard.file for shard in plan.shards())
    for file in range(last + 1):
        yield from files.read_bytes(plan.clips_file(file)).splitlines(keepends=True)[1:]


def to_line(value: Any) -> bytes:
    """A value as a line of JSON."""
    return json.dumps(value, sort_keys=True).encode() + b"\n"
