"""Listing of the input of a job: its clips, in temporary files, and what is known about all of them."""

import binascii
import contextlib
import errno
import hashlib
import json
import math
import struct
import tempfile
from array import array
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import IO

import numpy as np
import xxhash

from audiopipe import checks
from audiopipe.errors import InputError
from audiopipe.inputs import InputOptions, ScanReport, Source, column_inference, listings
from audiopipe.inputs.columns import Columns
from audiopipe.inputs.listings import Listed
from audiopipe.inputs.metadata_types import plain
from audiopipe.precompute import estimate, parts

_DIGITS = 16  # of each of the two numbers that a line in a temporary file begins with
_START = 2 * _DIGITS
_ENCODER = json.JSONEncoder(sort_keys=True, default=plain)  # `json.dumps` makes one for each clip


@dataclass(frozen=True)
class Listing:
    """Clips of an input as they are now, or those of one part.

    Args:
        lines: File with one line per clip: the hash of its name, its length and its JSON.
        offsets: Where each line begins.
        names: Hash of what identifies each clip wherever the input is stored. Copies of an input give equal hashes.
        seconds: Length of each clip in seconds as far as its stretch and its metadata tell, or NaN.
        digest: SHA-256 over the JSON of the clips.
        columns: Columns of the metadata.
        has_stretches: Whether a clip is a stretch of a recording.
        left_out: Number of files that look like audio or video and were not taken.
        notes: Sentences about the input.
    """

    lines: IO[bytes]
    offsets: np.ndarray
    names: np.ndarray
    seconds: np.ndarray
    digest: str
    columns: Columns
    has_stretches: bool
    left_out: int
    notes: list[str]

    @property
    def n_clips(self) -> int:
        """Number of clips."""
        return len(self.offsets)

    def clips(self) -> Iterator[Listed]:
        """Yields the clips. Only one iteration at a time may be running."""
        self.lines.seek(0)
        for line in self.lines:
            yield Listed.from_json(line[_START:])

    def line(self, number: int) -> bytes:
        """Returns the JSON of a clip."""
        self.lines.seek(self.offsets[number] + _START)
        return self.lines.readline()

    def chosen(self, numbers: np.ndarray) -> Iterator[Listed]:
        """Yields the clips with these numbers."""
        if len(numbers) == self.n_clips and (np.diff(numbers) == 1).all():
            yield from self.clips()
            return
        for number in numbers.tolist():
            yield Listed.from_json(self.line(number))


class PartedListing:
    """Clips of an input as they are now, in parts. Memory holds nothing for each clip before a part is read.

    Args:
        files: Lines of each part.
        columns: Columns of the metadata of all clips.
        has_stretches: Whether a clip is a stretch of a recording.
        left_out: As in `Listing`. The first part has it.
        notes: Likewise.
    """

    def __init__(self, files: "list[_Lines]", columns: Columns, has_stretches: bool, left_out: int, notes: list[str]):
        self.columns = columns
        self.has_stretches = has_stretches
        self._files = files
        self._left_out = left_out
        self._notes = notes

    @property
    def n_clips(self) -> int:
        """Number of clips of all parts."""
        return sum(lines.count for lines in self._files)

    def part(self, number: int) -> Listing:
        """Returns the clips of a part, in the order of the input."""
        lines = self._files[number]
        offsets, names, seconds = lines.read()
        return Listing(
            lines=lines.file,
            offsets=offsets,
            names=names,
            seconds=seconds,
            digest=lines.digest.hexdigest(),
            columns=self.columns,
            has_stretches=self.has_stretches,
            left_out=0 if number else self._left_out,
            notes=[] if number else self._notes,
        )


class _Lines:
    """Lines of the clips of a part, in a temporary file."""

    def __init__(self, n_parts: int):
        try:
            self.file: IO[bytes] = tempfile.TemporaryFile(prefix="audiopipe-")  # noqa: SIM115 (`listed_in_parts` closes it)
        except OSError as error:
            if error.errno != errno.EMFILE:
                raise
            advice = "Use fewer parts, or let the process open more files: 'ulimit -n 4096'."
            raise checks.fail("parts", "smaller than the number of open files allowed", n_parts, advice) from error
        self.digest = hashlib.sha256()
        self.count = 0

    def add(self, clip: Listed) -> None:
        line = clip.to_json()
        self.digest.update(line)
        seconds = estimate.known_seconds(clip.source)
        facts = struct.pack(">Qd", _name(clip), math.nan if seconds is None else seconds)
        self.file.write(facts.hex().encode() + line)
        self.count += 1

    def read(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Returns where each line begins, and the hash and the length that it begins with."""
        offsets, facts = array("q"), bytearray(_DIGITS * self.count)  # half as many bytes as digits, for two numbers
        end = 0
        self.file.seek(0)
        for number, line in enumerate(self.file):
            offsets.append(end)
            facts[number * _DIGITS : (number + 1) * _DIGITS] = binascii.unhexlify(line[:_START])
            end += len(line)
        pairs = np.frombuffer(facts, [("name", ">u8"), ("seconds", ">f8")])
        starts = np.frombuffer(offsets, np.int64) if offsets else np.zeros(0, np.int64)
        return starts, pairs["name"].astype(np.uint64), pairs["seconds"].astype(np.float64)


@contextlib.contextmanager
def listed(
    sources: Iterable[Source],
    options: InputOptions,
    report: ScanReport | None = None,
    known_types: Mapping[str, str] = MappingProxyType({}),
) -> Iterator[Listing]:
    """Lists the clips of an input.

    Args:
        sources: The clips.
        options: Options that decided what `sources` has.
        report: What the scan of the input noticed. It is complete once `sources` has ended.
        known_types: Types of metadata columns in the feature set that is brought up to date.

    Yields:
        The listing. Its temporary file is deleted when the context ends.

    Raises:
        InputError: If the input has no clips, a metadata column has no single type, or a class column is unknown or has
            no text.
    """
    with listed_in_parts(sources, options, report, known_types) as listing:
        yield listing.part(0)


@contextlib.contextmanager
def listed_in_parts(
    sources: Iterable[Source],
    options: InputOptions,
    report: ScanReport | None = None,
    known_types: Mapping[str, str] = MappingProxyType({}),
    n_parts: int = 1,
) -> Iterator[PartedListing]:
    """Lists the clips of an input, and assigns them to the parts of a feature set.

    The arguments and errors are those of `listed`, with the number of parts. A part may have no clips.

    Yields:
        The listing. Its temporary files are deleted when the context ends.
    """
    has_stretches = False
    with contextlib.ExitStack() as stack:
        files = []
        for _ in range(n_parts):
            files.append(_Lines(n_parts))
            stack.enter_context(files[-1].file)

        def written() -> Iterator[Source]:
            nonlocal has_stretches
            for clip in listings.identify(sources):
                source = clip.source
                files[parts.part_of(source, n_parts) if n_parts > 1 else 0].add(clip)
                has_stretches = has_stretches or source.is_stretch
                yield source

        columns = column_inference.of_sources(written(), options.class_columns, known_types)
        if not any(lines.count for lines in files):
            raise InputError("The input must contain at least one clip. Received: no clips.")
        left_out, notes = (report.left_out.total(), report.lines()) if report else (0, [])
        yield PartedListing(files, columns, has_stretches, left_out, notes)


def _name(clip: Listed) -> int:
    source = clip.source
    tail = source.path.split("/")[-2:]
    facts = [source.id, tail, source.row, source.start, source.end, clip.size, source.metadata]
    return xxhash.xxh3_64_intdigest(_ENCODER.encode(facts).encode())
