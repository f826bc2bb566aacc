"""Which clip goes into which shard, and what is done already.

A feature set in the making holds a folder `plan` with `plan.json` (what is to be made), `clips-00000.jsonl` and so on
(a line a clip, in the order of the input), and for each finished shard a sidecar `shard-00000.json`. A shard counts as
finished when its sidecar is there; the sidecar is written after the shard.
"""

import dataclasses
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from audiopipe import configs, files, schema
from audiopipe.config import Config
from audiopipe.errors import CorruptFeatureSetError, InputError
from audiopipe.inputs import Source
from audiopipe.segments import Segments

FOLDER = "plan"
HEADER = "plan.json"
FORMAT_VERSION = 1
CLIPS_PER_SHARD = 256
SHARDS_PER_FILE = 256

# The files of a feature set in the making, relative to its folder.
FILES = re.compile(r"features-\d{5,}-of-\d{5,}\.tfrecord|plan/(plan\.json|clips-\d{5,}\.jsonl|shard-\d{5,}\.json)")


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What is to be made.

    Args:
        output: Folder of the feature set.
        config: The feature.
        n_clips: Clips of the input.
        n_shards: Shards of the output.
        schema: Type of each metadata column, see `audiopipe.schema`.
        segments: How clips are cut into segments, which become the clips of the feature set; None leaves them whole.
    """

    output: str
    config: Config
    n_clips: int
    n_shards: int
    schema: dict[str, str]
    segments: Segments | None = None

    def clips_of(self, shard: int) -> range:
        """Numbers of the clips of a shard: neighbours in the input, and as many as in any other shard, or one fewer."""
        return range(self.n_clips * shard // self.n_shards, self.n_clips * (shard + 1) // self.n_shards)

    def shard_name(self, shard: int) -> str:
        """File name of a shard."""
        return f"features-{shard:05d}-of-{self.n_shards:05d}.tfrecord"

    def sources(self, shard: int) -> Iterator[Source]:
        """The clips of a shard."""
        clips = self.clips_of(shard)
        start = self.clips_of(shard - shard % SHARDS_PER_FILE).start
        lines = files.read_bytes(_path(self.output, f"clips-{shard // SHARDS_PER_FILE:05d}.jsonl")).splitlines()
        for line in lines[clips.start - start : clips.stop - start]:
            yield Source(**json.loads(line))

    def write(self, sources: list[Source]) -> None:
        """Write the plan to the output folder, which is made if it is not there."""
        files.make_folder(_path(self.output))
        for number, first in enumerate(range(0, self.n_shards, SHARDS_PER_FILE)):
            last = min(first + SHARDS_PER_FILE, self.n_shards) - 1
            clips = sources[self.clips_of(first).start : self.clips_of(last).stop]
            lines = b"".join(_json(dataclasses.asdict(clip)) for clip in clips)
            files.write_bytes(_path(self.output, f"clips-{number:05d}.jsonl"), lines)
        header = {
            "format_version": FORMAT_VERSION,
            "config": self.config.to_dict(),
            "fingerprint": self.config.fingerprint,
            "n_clips": self.n_clips,
            "n_shards": self.n_shards,
            "schema": self.schema,
            "segments": self.segments.to_dict() if self.segments else None,
        }
        files.write_bytes(_path(self.output, HEADER), _json(header))

    def finish_shard(self, shard: int, sidecar: dict[str, Any]) -> None:
        """Write the sidecar that makes a shard count."""
        files.write_bytes(_path(self.output, _sidecar_name(shard)), _json(sidecar))

    def finished_numbers(self) -> list[int]:
        """Numbers of the finished shards."""
        names = set(files.walk(_path(self.output)))
        return [shard for shard in range(self.n_shards) if _sidecar_name(shard) in names]

    def finished(self) -> dict[int, dict[str, Any]]:
        """The sidecars of the finished shards, by number."""
        return {
            shard: json.loads(files.read_bytes(_path(self.output, _sidecar_name(shard))))
            for shard in self.finished_numbers()
        }


def make(
    output: str,
    config: Config,
    sources: Iterable[Source],
    num_shards: int | None = None,
    segments: Segments | None = None,
) -> tuple[Plan, list[Source]]:
    """List the input and decide what goes where; nothing is written.

    Args:
        output: Folder of the feature set.
        config: The feature.
        sources: The clips.
        num_shards: Shards of the output, at most one a clip. None means one for each 256 clips.
        segments: How clips are cut into segments; None leaves them whole.

    Returns:
        The plan, and the clips that `Plan.write` takes.

    Raises:
        InputError: If the input has no clips, or a metadata column has no single type.
        ArgumentError: If segments are shorter than one frame.
    """
    sources = list(sources)
    if not sources:
        raise InputError("There are no clips to plan for.")
    n_shards = min(len(sources), num_shards or -(-len(sources) // CLIPS_PER_SHARD))
    types = schema.infer(source.metadata for source in sources)
    if segments is not None:
        segments.sizes(config)
        types = segments.schema(types)
    work = Plan(output=output, config=config, n_clips=len(sources), n_shards=n_shards, schema=types, segments=segments)
    return work, sources


def exists(output: str) -> bool:
    """Whether a folder holds a plan."""
    return files.exists(_path(output, HEADER))


def read(output: str) -> Plan:
    """Read the plan of a feature set.

    Raises:
        CorruptFeatureSetError: If the plan was written by another version of audiopipe.
    """
    header = json.loads(files.read_bytes(_path(output, HEADER)))
    config = configs.from_dict(header["config"]) if header["format_version"] == FORMAT_VERSION else None
    if config is None or config.fingerprint != header["fingerprint"]:
        raise CorruptFeatureSetError(
            f"The plan in {output!r} was written by another version of audiopipe. Start anew in another folder."
        )
    return Plan(
        output=output,
        config=config,
        n_clips=header["n_clips"],
        n_shards=header["n_shards"],
        schema=header["schema"],
        segments=Segments(**header["segments"]) if header.get("segments") else None,
    )


def _sidecar_name(shard: int) -> str:
    return f"shard-{shard:05d}.json"


def _path(output: str, *parts: str) -> str:
    return files.join(output, FOLDER, *parts)


def _json(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True).encode() + b"\n"
