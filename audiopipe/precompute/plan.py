"""Plan of the work on a feature set: the settings, and which clip goes into which shard.

The folder `plan` exists only while there is work to do. It contains `plan.json` with the settings, and, with the
revision of the plan before each name:

- `00000-shards.jsonl`: one line per shard to write.
- `00000-clips-00000.jsonl` and so on: the clips of these shards. The first line says which of the lines belong to which
  shard. Each further line describes one clip. It is computed, or its records are copied from an older shard.
- `00000-kept.jsonl`: the shards of the feature set that stay as they are.
- `00000-remarks.jsonl`: the remarks about clips that are kept or copied.
- `00000-sources.parquet`: where the audio of kept clips is now, if it was moved or touched.

If the input changes before the work is done, a plan of the next revision replaces the first one. If the job is killed
before it replaces `plan.json`, the files of both do not mix.
"""

import contextlib
import dataclasses
import functools
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from audiopipe import configs
from audiopipe.configs.base import Config
from audiopipe.errors import ConfigError, CorruptFeatureSetError
from audiopipe.feature_sets import file_names
from audiopipe.inputs import InputOptions
from audiopipe.inputs.columns import Columns
from audiopipe.storage import files, locks
from audiopipe.transform.segments import Segments

FOLDER = "plan"
HEADER = "plan.json"
TABLE = "shards.jsonl"
KEPT = "kept.jsonl"
REMARKS = "remarks.jsonl"
SOURCES = "sources.parquet"
MERGE = "merge.json"  # of a merge, whose plan follows from the feature sets that it joins
FORMAT_VERSION = 4

_OF_REVISION = re.compile(r"(\d{5,})-(?:(?:shards|kept|remarks|clips-\d{5,})\.jsonl|sources\.parquet)")
_FORMER = r"shards\.jsonl|clips-\d{5,}\.jsonl|retry-\d{5,}\.json"  # of release 0.1
FILES = re.compile(
    rf"{FOLDER}/(plan\.json|merge\.json|{_OF_REVISION.pattern}|lock|lease\.json|finished-[0-9a-f]+\.jsonl|"
    rf"shard-\d{{5,}}\.json|probe-[0-9a-f]{{16}}\.json|rows-\d{{5,}}\.parquet|error-[0-9a-f]{{32}}\.json|{_FORMER})"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Shard:
    """Plan of one shard.

    Args:
        number: Number of the shard, which no other shard of the folder has or ever had.
        file: Number of the clips file that contains its clips.
        clips: Number of its clips.
        seconds: Estimated length of its clips in seconds.
        n_bytes: Estimated size in bytes.
        id: Id that its records contain, 16 hexadecimal digits. Copies of an input give equal ids.
        digest: SHA-256 over its clips and all settings that determine its bytes.
    """

    number: int
    file: int
    clips: int
    seconds: float
    n_bytes: int
    id: str
    digest: str


@dataclass(frozen=True, kw_only=True)
class Changes:
    """Differences between a feature set and its input, in clips of the input.

    Args:
        kept: Clips whose features are kept, including those with other metadata.
        added: Clips that the feature set did not have.
        changed: Clips whose audio has changed.
        removed: Clips that the input does not have any more.
        relabelled: Clips of `kept` that have other metadata.
        retried: Clips that failed before.
        restored: Clips whose records are missing or damaged.
        without_digest: Clips of `kept` that were compared by size and time alone, because the feature set has no digest
            of their audio.
    """

    kept: int = 0
    added: int = 0
    changed: int = 0
    removed: int = 0
    relabelled: int = 0
    retried: int = 0
    restored: int = 0
    without_digest: int = 0


def total_changes(changes: Iterable[Changes | None]) -> Changes | None:
    """Returns the sum of the changes of several plans. None if all of them lead to new feature sets."""
    known = [item for item in changes if item is not None]
    if not known:
        return None
    names = [field.name for field in dataclasses.fields(Changes)]
    return Changes(**{name: sum(getattr(item, name) for item in known) for name in names})


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Plan of the work on a feature set.

    Args:
        output: Folder of the feature set.
        config: Config of the feature.
        generation: Generation of the feature set that the work leads to.
        next_shard: First number that no shard of the folder has or ever had, including those to write.
        n_clips: Number of clips to compute or to copy.
        n_copied: Number of these clips whose records are copied.
        n_shards: Number of shards to write.
        n_input: Number of clips of the input.
        num_shards: Number of shards that the job asked for. None if it did not.
        schema: Type of each metadata column, see `audiopipe.inputs.metadata_types`.
        input_digest: SHA-256 over the clips of the input, as they were listed.
        exact: Whether the length of every clip to compute is known.
        headers: Number of audio file headers that the estimate is based on.
        seconds: Length of the clips to compute and to copy in seconds, estimated unless `exact`.
        n_bytes: Estimated size of the shards to write in bytes.
        segments: How recordings are cut into segments, which become the clips of the feature set. None keeps them
            whole.
        dtype: Dtype in which features are stored.
        options: Options that decided what was read from the input.
        accept_truncated: Whether truncated recordings are read as far as they go.
        left_out: Number of files of the input that look like audio or video and were not taken.
        notes: Sentences about the input, such as how many files were left out.
        classes: Names of the classes of metadata columns, see `audiopipe.inputs.columns.Columns`.
        fill_values: Values that stand for missing integers in metadata columns, likewise.
        changes: What the work changes in an existing feature set. None for a new feature set.
        machines: Machines that computed the features that are kept.
        revision: Number of plans in this folder that this one replaces although their work was not done.
    """

    output: str
    config: Config
    generation: int
    next_shard: int
    n_clips: int
    n_copied: int = 0
    n_shards: int
    n_input: int
    num_shards: int | None
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
    changes: Changes | None = None
    machines: list[dict[str, Any]] = field(default_factory=list)
    revision: int = 0

    def __post_init__(self) -> None:
        _ = self.columns  # raises the errors of wrong types, classes and fill values

    @functools.cached_property
    def columns(self) -> Columns:
        """Types, classes and fill values of the metadata columns."""
        return Columns(types=self.schema, classes=self.classes, fill_values=self.fill_values)

    def path(self, *parts: str) -> str:
        """Returns the path of a file of the plan."""
        return files.join(self.output, FOLDER, *parts)

    def file(self, name: str) -> str:
        """Returns the path of a file of this revision of the plan."""
        return self.path(f"{self.revision:05d}-{name}")

    def shard_path(self, shard: int) -> str:
        """Returns the path of a shard."""
        return files.join(self.output, file_names.shard_name(shard))

    def clips_file(self, file: int) -> str:
        """Returns the path of a clips file."""
        return self.file(f"clips-{file:05d}.jsonl")

    def rows_file(self, shard: int) -> str:
        """Returns the path of the rows that a shard gets in the index."""
        return self.path(f"rows-{shard:05d}.parquet")

    def shards(self) -> list[Shard]:
        """Reads the plan of each shard to write, in the order of the shards.

        Raises:
            CorruptFeatureSetError: If the file is damaged.
        """
        with undamaged(self.file(TABLE)):
            return [Shard(**fact) for fact in self._lines(TABLE)]

    def kept(self) -> list[dict[str, Any]]:
        """Reads the facts about the shards that are kept, as in `dataset.json`."""
        with undamaged(self.file(KEPT)):
            return list(self._lines(KEPT))

    def remarks(self) -> list[dict[str, Any]]:
        """Reads the remarks about clips that are kept or copied."""
        with undamaged(self.file(REMARKS)):
            return list(self._lines(REMARKS))

    def _lines(self, name: str) -> Iterator[dict[str, Any]]:
        return map(json.loads, files.read_bytes(self.file(name)).splitlines())

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
            "changes": dataclasses.asdict(self.changes) if self.changes else None,
        }

    def settings(self) -> bytes:
        """Returns all settings that determine the bytes of a shard, besides its clips, as a line of JSON.

        `accept_truncated` is left out: a shard without failures has the same bytes with and without it.
        """
        facts = self.header()
        names = ("format_version", "fingerprint", "schema", "classes", "segments", "dtype")
        return to_line({name: facts[name] for name in names})


def is_former(output: str) -> bool:
    """Returns whether release 0.1 wrote the plan of a folder. It kept the plans of complete feature sets."""
    name = files.join(output, FOLDER, HEADER)
    with undamaged(name):
        return json.loads(files.read_bytes(name))["format_version"] < FORMAT_VERSION and files.exists(
            files.join(output, file_names.DATASET_FILE)
        )


def exists(output: str) -> bool:
    """Returns whether a folder contains a plan."""
    return files.exists(files.join(output, FOLDER, HEADER))


def read(output: str) -> Plan:
    """Reads the plan of a feature set.

    Raises:
        CorruptFeatureSetError: If the plan is damaged, or was written by another version of audiopipe.
    """
    name = files.join(output, FOLDER, HEADER)
    with undamaged(name):
        return _parse(output, files.read_bytes(name))


@functools.lru_cache(maxsize=4)
def _parse(output: str, content: bytes) -> Plan:
    header = {"n_copied": 0, **json.loads(content)}  # earlier versions did not count them
    config = configs.from_dict(header["config"]) if header["format_version"] == FORMAT_VERSION else None
    fields = {field.name for field in dataclasses.fields(Plan)} - {"output"} | {"format_version", "fingerprint"}
    if config is None or config.fingerprint != header["fingerprint"] or header.keys() != fields:
        raise CorruptFeatureSetError(
            f"The plan in {output!r} was written by another version of audiopipe, or the class of its config has "
            "changed since. Choose another folder, or pass --overwrite to start from scratch."
        )
    facts = {name: value for name, value in header.items() if name not in ("format_version", "fingerprint")}
    segments = Segments(**header["segments"]) if header["segments"] else None
    options = InputOptions.from_dict(header["options"])
    changes = Changes(**header["changes"]) if header["changes"] else None
    objects = {"output": output, "config": config, "segments": segments, "options": options, "changes": changes}
    return Plan(**{**facts, **objects})


@contextlib.contextmanager
def undamaged(name: str) -> Iterator[None]:
    """Raises an error if the content of a file of the plan turns out to be invalid.

    Args:
        name: Path of the file.

    Raises:
        CorruptFeatureSetError: If the block raises an error about a value.
    """
    try:
        yield
    except ConfigError:
        raise
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise CorruptFeatureSetError(
            f"{name!r} is damaged: {type(error).__name__}: {error}. Choose another folder, or pass --overwrite to "
            "start from scratch."
        ) from error


def remove(output: str) -> None:
    """Removes the plan of a folder, if there is one, with what workers wrote beside it."""
    files.remove(files.join(output, FOLDER, HEADER))  # without it, the rest is no plan any more
    for name in files.walk(files.join(output, FOLDER)):
        if name not in (locks.LOCK_FILE, locks.LEASE_FILE):
            files.remove(files.join(output, FOLDER, name))


def remove_former_revisions(work: Plan) -> None:
    """Removes the files of the plans that a plan has replaced. Shards that they finished are kept."""
    for name in files.walk(work.path()):
        match = _OF_REVISION.fullmatch(name)
        if match and int(match[1]) != work.revision:
            files.remove(work.path(name))


def to_line(value: Any) -> bytes:
    """Returns a value as a line of JSON."""
    return json.dumps(value, sort_keys=True).encode() + b"\n"
