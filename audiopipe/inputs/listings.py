"""Clips with the size and version of their audio, so that a later run can detect changes."""

import functools
import json
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import Any

from audiopipe.errors import InputError
from audiopipe.inputs import Source, tables
from audiopipe.inputs.metadata_types import plain
from audiopipe.storage import files
from audiopipe.wording import count_of

THREADS = 32  # more than processors, because they wait for storage
BATCH = 16
BATCHES_AHEAD = 4 * THREADS
_ENCODER = json.JSONEncoder(
    sort_keys=True, separators=(",", ":"), default=plain
)  # `json.dumps` makes one for each clip


@dataclass(frozen=True, slots=True)
class Listed:
    r"""Clip with the size and version that its audio had when it was listed.

    Args:
        source: The clip.
        size: Size of the audio file in bytes. None if a table contains the audio, if storage does not report the size,
            or if the file did not exist.
        version: Text that changes when the file, or the table that contains the audio, is rewritten. None if it did not
            exist.

    Example:
        >>> clip = Listed(Source(id="a", path="/clips/a.wav"), 32044, "1795176703")
        >>> clip.to_json()
        b'{"id":"a","path":"/clips/a.wav","size":32044,"version":"1795176703"}\n'
        >>> Listed.from_json(clip.to_json()) == clip
        True
    """

    source: Source
    size: int | None
    version: str | None

    @property
    def time_ns(self) -> int | None:
        """When a local audio file was last modified, in nanoseconds. None for all others, and if there is no file."""
        return int(self.version) if self._is_local_file and self.version is not None else None

    @property
    def tag(self) -> str | None:
        """Version of a remote file or a table. None for a local audio file."""
        return None if self._is_local_file else self.version

    @property
    def _is_local_file(self) -> bool:
        return self.source.row is None and not files.is_remote(self.source.path)

    def location(self) -> dict[str, Any]:
        """Returns where the audio is, as `Source.location`, and its `size` and `time` or `version`, if they are known.

        Example:
            >>> Listed(Source(id="a", path="/clips/a.wav"), 32044, "1795176703").location()
            {'path': '/clips/a.wav', 'size': 32044, 'time': 1795176703}
        """
        facts = {"size": self.size, "time": self.time_ns, "version": self.tag}
        return {**self.source.location(), **{name: value for name, value in facts.items() if value is not None}}

    def to_json(self) -> bytes:
        """Returns a line of JSON. Equal clips give equal bytes."""
        facts = {
            "id": self.source.id,
            "path": self.source.path,
            "row": self.source.row,
            "metadata": self.source.metadata or None,
            "start": self.source.start,
            "end": self.source.end,
            "column": self.source.column,
            "size": self.size,
            "version": self.version,
        }
        present = {name: value for name, value in facts.items() if value is not None}
        return _ENCODER.encode(present).encode() + b"\n"

    @classmethod
    def from_json(cls, line: bytes | str) -> "Listed":
        """Creates a clip from a line that `to_json` returned."""
        # JSON that is text already is parsed in half the time.
        facts: dict[str, Any] = json.loads(line.decode() if isinstance(line, bytes) else line)
        source = Source(
            facts["id"],
            facts["path"],
            facts.get("row"),
            facts.get("metadata", {}),
            facts.get("start"),
            facts.get("end"),
            facts.get("column"),
        )
        return cls(source, facts.get("size"), facts.get("version"))


def identify(sources: Iterable[Source]) -> Iterator[Listed]:
    """Looks up the current size and version of the audio of clips, many at a time.

    A table that contains audio is looked up once for all its rows. If a remote filesystem caches listings, files in
    them are not requested again.

    Args:
        sources: The clips.

    Yields:
        Each clip with its size and version, in the given order. A clip whose file does not exist has neither. It
        becomes a failure when it is read.

    Raises:
        InputError: If remote storage cannot be reached or does not respond.
        MissingDependencyError: If the package for the remote storage is not installed.
    """
    table_versions: dict[str, str | None] = {}

    def question(source: Source) -> Callable[[], Listed]:
        if source.row is None:
            return functools.partial(_answer, source, files.asked(source.path))
        if source.path not in table_versions:
            table_versions[source.path] = _table_version(source.path)
        return functools.partial(Listed, source, None, table_versions[source.path])

    waiting: deque[Future[list[Listed]]] = deque()
    with ThreadPoolExecutor(THREADS, "audiopipe-identify") as threads:
        try:
            questions = map(question, sources)
            while batch := list(islice(questions, BATCH)):
                waiting.append(threads.submit(lambda batch: [ask() for ask in batch], batch))
                if len(waiting) >= BATCHES_AHEAD:
                    yield from waiting.popleft().result()
            while waiting:
                yield from waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


def changed(listed: Listed) -> str | None:
    """Describes how the audio of a clip has changed since it was listed.

    Remote files are not checked.

    Returns:
        Words that follow "the file", such as `"had 32044 bytes and has 100 now"`. None if the audio has not changed.
    """
    source = listed.source
    if files.is_remote(source.path):
        return None
    if source.row is not None:
        return None if _table_version(source.path) == listed.version else "is in a table that was rewritten"
    now = _answer(source, files.asked(source.path))
    if now == listed:
        return None
    if now.size is None:
        return "is gone" if listed.size is None else f"had {count_of(listed.size, 'byte')} and is gone now"
    if listed.size is None:
        return f"did not exist and has {count_of(now.size, 'byte')} now"
    if now.size != listed.size:
        return f"had {count_of(listed.size, 'byte')} and has {now.size:,} now"
    return f"was rewritten, with {count_of(now.size, 'byte')} as before"


def _answer(source: Source, ask: Callable[[], tuple[int | None, str]]) -> Listed:
    try:
        size, version = ask()
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError, PermissionError, UnicodeError):
        return Listed(source, None, None)
    except (OSError, ValueError) as error:
        if files.is_remote(source.path):  # without a response, the file may exist
            reason = f"{type(error).__name__}: {error}"
            raise InputError(f"Could not look up {source.path!r}: {reason}. Try again.") from error
        return Listed(source, None, None)  # an invalid name, or a link that cannot be followed
    return Listed(source, size, version)


def _table_version(path: str) -> str | None:
    try:
        return tables.version(path)
    except (OSError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        return None
