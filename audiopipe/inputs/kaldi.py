"""Data folders of Kaldi: `wav.scp`, with `segments`, `text`, `utt2spk` and their like beside it."""

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from audiopipe.errors import InputError
from audiopipe.inputs import metadata_types, text_files
from audiopipe.inputs.locations import Locations
from audiopipe.inputs.scan_report import ScanReport
from audiopipe.inputs.source import Source
from audiopipe.inputs.stretches import Stretch, stretch_of
from audiopipe.storage import files

PATHS = "wav.scp"
SEGMENTS = "segments"
# Files with a value for each utterance, and the metadata column that each becomes.
COLUMNS = {"text": "text", "utt2spk": "speaker", "utt2lang": "language"}
GENDERS = "spk2gender"
_ARCHIVE = re.compile(r"\.ark:\d+$")


class _Utterance(NamedTuple):
    where: str
    id: str
    path: str
    metadata: dict[str, Any]
    stretch: Stretch | None


def scan_kaldi(path: str, report: ScanReport) -> Iterator[Source]:
    """Lists the utterances of a data folder of Kaldi.

    Memory holds the recordings if there are segments. The other files are read along with the utterances, which Kaldi
    sorts alike; values in another order are held until their utterance comes.

    Args:
        path: The file `wav.scp`.
        report: Gets what was left out.

    Yields:
        A `Source` for each line of `segments`, or for each line of `wav.scp` if there are no segments. Its id is the
        id of the utterance. Its metadata has `text`, `speaker`, `language` and `gender` where Kaldi's files have them,
        and for segments `recording`, `start`, `end` and, if given, `channel`.

    Raises:
        InputError: If a line is malformed, a recording is a command, or a segment has no recording.
    """
    folder = path[: path.rfind("/") + 1]

    def present(name: str) -> str | None:
        beside = files.join(folder, name) if path.endswith("/" + PATHS) else ""
        return beside if beside and files.exists(beside) else None

    columns = {column: _Column(file) for name, column in COLUMNS.items() if (file := present(name))}
    genders_file, segments = present(GENDERS), present(SEGMENTS)
    genders = {key: value for _, key, value in _pairs(genders_file)} if genders_file else {}
    recordings = _recordings(path, Locations(folder, report))
    for item in _segments(segments, path, recordings, report) if segments else recordings:
        metadata: dict[str, Any] = {column: values.of(item.id) for column, values in columns.items()}
        if genders_file:
            metadata["gender"] = genders.get(metadata.get("speaker") or item.id)
        metadata |= item.metadata
        metadata_types.check_text(item.id, item.where)
        metadata_types.check_text(item.path, item.where)
        metadata_types.check_columns(metadata, item.where)
        start, end = (item.stretch.start, item.stretch.end) if item.stretch else (None, None)
        yield Source(item.id, item.path, metadata=metadata, start=start, end=end)
    for column, values in columns.items():
        report.count("value", f"of {column!r} for no utterance", values.left())


def _recordings(path: str, locations: Locations) -> Iterator[_Utterance]:
    for where, name, audio in _pairs(path):
        if audio.endswith("|") or audio.startswith("|") or audio == "-":
            raise InputError(
                f"{where}: the recording {name!r} is a command, and audiopipe runs no commands. Received: {audio!r}. "
                "Write its output to a file, for example with Kaldi's wav-copy, and put the path of the file here."
            )
        if not audio or _ARCHIVE.search(audio):
            raise InputError(
                f"{where}: expected an id and the path of an audio file. Received: {name!r} with {audio!r}. Extract "
                "archives to files first, for example with Kaldi's wav-copy."
            )
        yield _Utterance(where, name, locations.of(audio), {}, None)


def _segments(path: str, scp: str, recordings: Iterator[_Utterance], report: ScanReport) -> Iterator[_Utterance]:
    paths: dict[str, str] = {}
    for item in recordings:
        if item.id in paths:
            raise InputError(f"{item.where}: each recording must have its own id. Received twice: {item.id!r}.")
        paths[item.id] = item.path
    used = set()
    for where, name, rest in _pairs(path):
        fields = rest.split()
        if len(fields) not in (3, 4):
            raise InputError(
                f"{where}: expected the ids of the utterance and of its recording, and the start and the end in "
                f"seconds. Received: {name + ' ' + rest!r}."
            )
        recording, start, end, *channel = fields
        if recording not in paths:
            raise InputError(f"{where}: {scp!r} has no recording {recording!r}. Add it, or remove the segment.")
        used.add(recording)
        stretch = stretch_of(start, end, where)
        facts: dict[str, Any] = {"recording": recording, "start": stretch.start, "end": stretch.end}
        if channel:
            facts["channel"] = channel[0]
        yield _Utterance(where, name, paths[recording], facts, stretch)
    report.count("recording", f"of {PATHS} without a segment, not read", len(paths) - len(used))


class _Column:
    """Values of utterances, read in the order of the file as far as it is that of the utterances."""

    def __init__(self, path: str):
        self._pairs = _pairs(path)
        self._held: dict[str, str] = {}

    def of(self, name: str) -> str | None:
        """Returns the value of an utterance, or None if it has none. Each value can be had once."""
        if name in self._held:
            return self._held.pop(name)
        for _, key, value in self._pairs:
            if key == name:
                return value
            self._held[key] = value
        return None

    def left(self) -> int:
        """Returns the number of values that no utterance had."""
        return len(self._held) + sum(1 for _ in self._pairs)


def _pairs(path: str) -> Iterator[tuple[str, str, str]]:
    """Yields the location, the first word and the rest of each line."""
    for number, line in enumerate(text_files.lines(path), start=1):
        words = line.split(maxsplit=1)
        if words:
            yield f"{path!r}, line {number}", words[0], words[1].strip() if len(words) > 1 else ""
