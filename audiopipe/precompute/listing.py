"""Listing of the input of a job: its clips, in a temporary file, and what is known about all of them."""

import contextlib
import hashlib
import json
import tempfile
from array import array
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import IO

import numpy as np
import xxhash

from audiopipe.errors import InputError
from audiopipe.inputs import InputOptions, ScanReport, Source, column_inference, listings
from audiopipe.inputs.columns import Columns
from audiopipe.inputs.listings import Listed
from audiopipe.inputs.metadata_types import plain


@dataclass(frozen=True)
class Listing:
    """Clips of an input as they are now.

    Args:
        lines: File with one line of JSON per clip.
        offsets: Where each line begins.
        names: Hash of what identifies each clip wherever the input is stored. Copies of an input give equal hashes.
        digest: SHA-256 over the lines.
        columns: Columns of the metadata.
        has_stretches: Whether a clip is a stretch of a recording.
        left_out: Number of files that look like audio or video and were not taken.
        notes: Sentences about the input.
    """

    lines: IO[bytes]
    offsets: np.ndarray
    names: np.ndarray
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
            yield Listed.from_json(line)

    def line(self, number: int) -> bytes:
        """Returns the line of a clip."""
        self.lines.seek(self.offsets[number])
        return self.lines.readline()

    def chosen(self, numbers: np.ndarray) -> Iterator[Listed]:
        """Yields the clips with these numbers."""
        for number in numbers.tolist():
            yield Listed.from_json(self.line(number))


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
    digest, offsets, names = hashlib.sha256(), array("q"), array("Q")
    has_stretches = False
    with tempfile.TemporaryFile(prefix="audiopipe-") as lines:

        def written() -> Iterator[Source]:
            nonlocal has_stretches
            end = 0
            for clip in listings.identify(sources):
                line = clip.to_json()
                digest.update(line)
                lines.write(line)
                offsets.append(end)
                names.append(_name(clip))
                end += len(line)
                has_stretches = has_stretches or clip.source.is_stretch
                yield clip.source

        columns = column_inference.of_sources(written(), options.class_columns, known_types)
        if not offsets:
            raise InputError("The input must contain at least one clip. Received: no clips.")
        yield Listing(
            lines=lines,
            offsets=np.array(offsets),
            names=np.array(names),
            digest=digest.hexdigest(),
            columns=columns,
            has_stretches=has_stretches,
            left_out=report.left_out.total() if report else 0,
            notes=report.lines() if report else [],
        )


def _name(clip: Listed) -> int:
    source = clip.source
    tail = source.path.split("/")[-2:]
    facts = [source.id, tail, source.row, source.start, source.end, clip.size, source.metadata]
    return xxhash.xxh3_64_intdigest(json.dumps(facts, sort_keys=True, default=plain).encode())
