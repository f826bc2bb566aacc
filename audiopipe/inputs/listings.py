"""What a clip's audio was when it was listed, so that a later run can tell whether it is still the same."""

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
from audiopipe.storage import files

THREADS = 32  # they wait for storage, not for a processor
BATCH = 16
BATCHES_AHEAD = 4 * THREADS


@dataclass(frozen=True, slots=True)
class Listed:
    r"""A clip with what its audio was when it was listed.

    Args:
        source: The clip.
        size: Bytes of the audio file, None in a table, where storage does not tell, and if the file was gone.
        version: What else changes when the file, or the table that holds the clip, is written anew; None if it was
            gone.

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

    def to_json(self) -> bytes:
        """A line of JSON, with equal bytes for equal clips."""
        facts = {
            "id": self.source.id,
            "path": self.source.path,
            "row": self.source.row,
            "metadata": self.source.metadata or None,
            "size": self.size,
            "version": self.version,
        }
        present = {name: value for name, value in facts.items() if value is not None}
        return json.dumps(present, sort_keys=True, separators=(",", ":")).encode() + b"\n"

    @classmethod
    def from_json(cls, line: bytes | str) -> "Listed":
        """Make a clip from what `to_json` returns."""
        facts: dict[str, Any] = json.loads(line)
        source = Source(facts["id"], facts["path"], facts.get("row"), facts.get("metadata", {}))
        return cls(source, facts.get("size"), facts.get("version"))


def identify(sources: Iterable[Source]) -> Iterator[Listed]:
    """Look up what the audio of many clips is now, many at once.

    A table is looked up once for all its rows. What a listing of remote storage told is not asked for again, where the
    storage keeps its listings.

    Args:
        sources: The clips.

    Yields:
        Each with its identity, in the order given. A file that is gone stays, without size and version: it becomes a
        failure when it is read.

    Raises:
        InputError: If remote storage cannot be reached, or gives no answer.
        MissingDependencyError: If a package for it is not installed.
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
    """How the audio of a clip differs from what it was when it was listed, to be read after "the file".

    Only what is local is looked at.

    Returns:
        Words such as `"had 32044 bytes and has 100 now"`, None if nothing has changed.
    """
    source = listed.source
    if files.is_remote(source.path):
        return None
    if source.row is not None:
        return None if _table_version(source.path) == listed.version else "stands in a table that was written anew"
    now = _answer(source, files.asked(source.path))
    if now == listed:
        return None
    if now.size is None:
        return f"had {listed.size} bytes and is gone now"
    if listed.size is None:
        return f"was not there and has {now.size} bytes now"
    if now.size != listed.size:
        return f"had {listed.size} bytes and has {now.size} now"
    return f"was written anew, with {now.size} bytes as before"


def _answer(source: Source, ask: Callable[[], tuple[int | None, str]]) -> Listed:
    try:
        size, version = ask()
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError, PermissionError, UnicodeError):
        return Listed(source, None, None)
    except (OSError, ValueError) as error:
        if files.is_remote(source.path):  # no answer does not mean that there is no file
            reason = f"{type(error).__name__}: {error}"
            raise InputError(f"Could not look up {source.path!r}: {reason}. Try again.") from error
        return Listed(source, None, None)  # a name or a link that the system does not follow
    return Listed(source, size, version)


def _table_version(path: str) -> str | None:
    try:
        return tables.version(path)
    except (OSError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        return None
