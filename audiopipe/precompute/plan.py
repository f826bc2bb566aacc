"""Plan of a feature set: the settings, and which clip goes into which shard.

The folder `plan` contains `plan.json` (the settings), `shards.jsonl` (one line per shard) and the clips files
`clips-00000.jsonl` and so on. The first line of a clips file says which of its lines belong to which shard. Each
further line describes one clip, in the order of the input.
"""

import contextlib
import dataclasses
import functools
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from audiopipe import configs
from audiopipe.configs.base import Config
from audiopipe.errors import ConfigError, CorruptFeatureSetError
from audiopipe.feature_sets import file_names
from audiopipe.inputs import InputOptions
from audiopipe.inputs.columns import Columns
from audiopipe.inputs.listings import Listed
from audiopipe.storage import files
from audiopipe.transform.segments import Segments

FOLDER = "plan"
HEADER = "plan.json"
TABLE = "shards.jsonl"
FORMAT_VERSION = 4

# Files of a plan, relative to the output folder.
FILES = re.compile(
    r"plan/(plan\.json|shards\.jsonl|lock|lease\.json|clips-\d{5,}\.jsonl|finished-[0-9a-f]+\.jsonl|"
    r"(shard|retry)-\d{5,}\.json)"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Shard:
    """Plan of one shard.

    Args:
        number: Number of the shard, starting at 0.
        file: Number of the clips file that contains its clips.
        clips: Number of its clips.
        seconds: Estimated length of its clips in seconds.
        n_bytes: Estimated size in bytes.
        digest: SHA-256 over its clips and all settings that determine its bytes.
        id: Id that each of its records contains, 16 hexadecimal digits.
    """

    number: int
    id: str
    file: int
    clips: int
    seconds: float
    n_bytes: int
    digest: str


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Plan of a feature set.

    Args:
        output: Folder of the feature set.
        config: Config of the feature.
        n_clips: Number of clips of the input.
        n_shards: Number of shards of the output.
        schema: Type of each metadata column, see `audiopipe.inputs.metadata_types`.
        input_digest: SHA-256 over the clips of the input, as they were listed.
        exact: Whether the length of every clip was known.
        headers: Number of audio file headers that the estimate is based on.
        seconds: Length of all clips in seconds, estimated unless `exact`.
        n_bytes: Estimated size of all shards in bytes.
        segments: How recordings are cut into segments, which become the clips of the feature set. None keeps them
            whole.
        dtype: Dtype in which features are stored.
        options: Options that decided what was read from the input.
        accept_truncated: Whether truncated recordings are read as far as they go.
        left_out: Number of files of the input that look like audio or video and were not taken.
        notes: Sentences about the input, such as how many files were left out.
        classes: Names of the classes of metadata columns, see `audiopipe.inputs.columns.Columns`.
        fill_values: Values that stand for missing integers in metadata columns, likewise.
    """

    output: str
    config: Config
    n_clips: int
    n_shards: int
    schema: dict[str, str]
    input_digest: str
    exact: bool
    headers: int
    seconds: float
    n_bytes: int
    segments: Segments | None = None
    dtype: str = "float32"
    options: InputOptions = field(default_factory=InputOptions)
    accept_truncated: bool = False
    left_out: int = 0
    notes: list[str] = field(default_factory=list)
    classes: dict[str, list[str]] = field(default_factory=dict)
    fill_values: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _ = self.columns  # raises the errors of wrong types, classes and fill values

    @functools.cached_property
    def columns(self) -> Columns:
        """Types, classes and fill values of the metadata columns."""
        return Columns(types=self.schema, classes=self.classes, fill_values=self.fill_values)

    def shard_name(self, shard: int) -> str:
        """Returns the file name of a shard."""
        return file_names.shard_name(shard)

    def path(self, *parts: str) -> str:
        """Returns the path of a file of the plan."""
        return files.join(self.output, FOLDER, *parts)

    def clips_file(self, file: int) -> str:
        """Returns the path of a clips file."""
        return self.path(f"clips-{file:05d}.jsonl")

    def shards(self) -> list[Shard]:
        """Reads the plan of each shard, in the order of the shards.

        Raises:
            CorruptFeatureSetError: If the file is damaged.
        """
        lines = files.read_bytes(self.path(TABLE)).splitlines()
        with _undamaged(self.path(TABLE)):
            return [Shard(number=number, **json.loads(line)) for number, line in enumerate(lines)]

    def header(self) -> dict[str, Any]:
        """Returns the content of `plan.json`."""
        facts = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        del facts["output"]
        return {
            **facts,
            "format_version": FORMAT_VERSION,
            "config": self.config.to_dict(),
            "fingerprint": self.config.fingerprint,
            "segments": self.segments.to_dict() if self.segments else None,
            "options": self.options.to_dict(),
        }

    def settings(self) -> bytes:
        """Returns all settings that determine the bytes of a shard, besides its clips, as a line of JSON.

        `accept_truncated` is left out: a shard without failures has the same bytes with and without it.
        """
        facts = self.header()
        columns = ("schema", "classes", "fill_values")
        names = ("format_version", "fingerprint", *columns, "segments", "dtype")
        return to_line({name: facts[name] for name in names})


@dataclass(frozen=True, kw_only=True)
class Part:
    """Clips of one shard, as a worker reads them.

    Args:
        plan: The plan.
        shard: Number of the shard.
        digest: As in `Shard`.
        shard_id: Id of the shard, as in `Shard`.
        clips: The clips.
    """

    plan: Plan
    shard: int
    digest: str
    shard_id: str
    clips: list[Listed]


def exists(output: str) -> bool:
    """Returns whether a folder contains a plan."""
    return files.exists(files.join(output, FOLDER, HEADER))


def read(output: str) -> Plan:
    """Reads the plan of a feature set.

    Raises:
        CorruptFeatureSetError: If the plan is damaged, or was written by another version of audiopipe.
    """
    name = files.join(output, FOLDER, HEADER)
    with _undamaged(name):
        return _parse(output, files.read_bytes(name))


@functools.lru_cache(maxsize=4)
def _parse(output: str, content: bytes) -> Plan:
    header = json.loads(content)
    config = configs.from_dict(header["config"]) if header["format_version"] == FORMAT_VERSION else None
    fields = {field.name for field in dataclasses.fields(Plan)} - {"output"} | {"format_version", "fingerprint"}
    if config is None or config.fingerprint != header["fingerprint"] or header.keys() != fields:
        raise CorruptFeatureSetError(
            f"The plan in {output!r} was written by another version of audiopipe. Choose another folder, or pass "
            "--overwrite to start from scratch."
        )
    facts = {name: value for name, value in header.items() if name not in ("format_version", "fingerprint")}
    segments = Segments(**header["segments"]) if header["segments"] else None
    options = InputOptions.from_dict(header["options"])
    return Plan(**{**facts, "output": output, "config": config, "segments": segments, "options": options})


@contextlib.contextmanager
def _undamaged(name: str) -> Iterator[None]:
    """Raises an error if the content of a file of the plan turns out to be invalid."""
    try:
        yield
    except ConfigError:
        raise
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise CorruptFeatureSetError(
            f"{name!r} is damaged: {type(error).__name__}: {error}. Choose another folder, or pass --overwrite to "
            "start from scratch."
        ) from error


def read_part(clips_file: str, shard: int) -> Part:
    """Reads the clips of one shard.

    Args:
        clips_file: Path of the clips file that contains them.
        shard: Number of the shard.

    Raises:
        CorruptFeatureSetError: If the plan or the file is damaged.
    """
    plan = read(clips_file[: clips_file.rindex(FOLDER) - 1])
    lines = files.read_bytes(clips_file).splitlines()
    with _undamaged(clips_file):
        first, count, digest, shard_id = json.loads(lines[0])[str(shard)]
        clips = [Listed.from_json(line) for line in lines[1 + first : 1 + first + count]]
    return Part(plan=plan, shard=shard, digest=digest, shard_id=shard_id, clips=clips)


def read_clips(plan: Plan) -> Iterator[bytes]:
    """Yields the clips of a plan as lines of JSON, in the order of the input."""
    last = max(shard.file for shard in plan.shards())
    for file in range(last + 1):
        yield from files.read_bytes(plan.clips_file(file)).splitlines(keepends=True)[1:]


def to_line(value: Any) -> bytes:
    """Returns a value as a line of JSON."""
    return json.dumps(value, sort_keys=True).encode() + b"\n"
