"""VOC files (Creative Voice): blocks of sound, each with its size, and some with a rate and an encoding.

libsndfile reads the first block of sound, and takes what follows for samples or refuses the file. FFmpeg writes many
blocks. Blocks of one format in a row become a part of their own, which libsndfile reads behind the header of a WAV
file.

The format: https://wiki.multimedia.cx/index.php/Creative_Voice
"""

import dataclasses
import struct

from audiopipe.audio import magic, sizes
from audiopipe.audio.opening import Opened
from audiopipe.audio.parts import Loss, Part

MAX_BLOCKS = 100_000  # a damaged file may consist of empty blocks only
SOUND, MORE, SILENCE, EXTENDED, NEW_SOUND = 1, 2, 3, 8, 9
OTHER_BLOCKS = {SILENCE: 3, 4: 2, 6: 2, 7: 0, EXTENDED: 4}  # sizes of blocks without samples; text has any size
HEADERS = {SOUND: 2, MORE: 0, NEW_SOUND: 12}  # bytes in front of the samples
# Format tags of WAV and bits per sample by encoding.
ENCODINGS = {0: (1, 8), 4: (1, 16), 6: (6, 8), 7: (7, 8)}
FORGOTTEN = 8  # SoX counts this many bytes too few in blocks of type 9, which come last


@dataclasses.dataclass(frozen=True, slots=True)
class _Format:
    rate: int
    channels: int
    encoding: int

    def header(self, size: int) -> bytes:
        """Returns the header of a WAV file with `size` bytes of samples. libsndfile must be able to read them."""
        tag, bits = ENCODINGS[self.encoding]
        width = self.channels * bits // 8
        form = struct.pack("<4sIHHIIHH", b"fmt ", 16, tag, self.channels, self.rate, self.rate * width, width, bits)
        return struct.pack("<4sI4s", b"RIFF", 36 + size, b"WAVE") + form + struct.pack("<4sI", b"data", size)


@dataclasses.dataclass
class _Run:
    """Blocks of one format in a row."""

    start: int
    form: _Format | None
    end: int = 0
    size: int = 0
    pieces: list[tuple[int, int]] = dataclasses.field(default_factory=list)
    losses: tuple[Loss, ...] = ()
    notes: tuple[str, ...] = ()


def parts(file: Opened, start: int) -> tuple[list[Part], int]:
    """Returns the parts of the VOC file from `start` on, and the position behind it."""
    position = start + int.from_bytes(file.at(start + 20, 2), "little")
    runs: list[_Run] = []
    extended: _Format | None = None
    silences, is_cut, is_open = 0, False, False
    for _ in range(MAX_BLOCKS):
        header = file.at(position, 4)
        if header[:1] in (b"", b"\0"):
            is_open = not header and not is_cut
            position = min(file.size, position + 1)
            break
        if len(header) < 4 or header[0] > NEW_SOUND:
            break
        kind, size, there = header[0], int.from_bytes(header[1:], "little"), file.size - position - 4
        if kind not in HEADERS and size != OTHER_BLOCKS.get(kind, size if size <= there else -1):
            break
        silences += kind == SILENCE
        if kind == EXTENDED:
            extended = _extended(file.at(position + 4, 4))
        elif kind in HEADERS:
            found = _format(kind, file.at(position + 4, HEADERS[kind]), extended)
            if kind == NEW_SOUND:
                size += _mistake(file, position + 4 + size, found)
            extended = None
            if not runs or not (kind == MORE or found == runs[-1].form):
                runs.append(_Run(start if not runs else position, found))
            _add(file, runs[-1], position, kind, size)
        is_cut = position + 4 + size > file.size
        position = min(file.size, position + 4 + size)
    if not runs:
        return [], start
    runs[-1].end = position
    if is_open:
        runs[-1].notes = ("the block that ends VOC files is missing, so the end of the clip may be missing",)
    if silences:
        runs[-1].losses += (Loss(f"the file has blocks of silence, and {silences} were not read"),)
    return [_part(run) for run in runs], position


def _extended(content: bytes) -> _Format | None:
    if len(content) < 4:
        return None
    constant, encoding, mode = struct.unpack("<HBB", content)
    channels = 2 if mode else 1
    return _Format(256_000_000 // (channels * (65536 - constant)), channels, encoding)


def _format(kind: int, header: bytes, extended: _Format | None) -> _Format | None:
    """Returns the format of a block, or None if its header is incomplete or absent."""
    if kind == SOUND and len(header) == HEADERS[SOUND]:
        return extended or _Format(1_000_000 // (256 - header[0]), 1, header[1])
    if kind == NEW_SOUND and len(header) == HEADERS[NEW_SOUND]:
        rate, bits, channels, encoding = struct.unpack("<IBBH", header[:8])
        return _Format(rate, channels, encoding) if bits == ENCODINGS.get(encoding, (0, 0))[1] else None
    return None


def _mistake(file: Opened, end: int, form: _Format | None) -> int:
    """Returns how many bytes the last block, which should end at `end`, has more than its size says."""
    follows = file.at(end + FORGOTTEN, 17)
    if follows == b"\0" or (follows[:1] == b"\0" and magic.is_container(follows[1:])):
        return FORGOTTEN
    # libsndfile counts the byte that ends the file for a sample of A-law or u-law.
    is_law = form is not None and form.encoding in (6, 7)
    return -1 if is_law and end == file.size and file.at(end - 1, 1) == b"\0" else 0


def _add(file: Opened, run: _Run, position: int, kind: int, size: int) -> None:
    begin, end = position + 4 + HEADERS[kind], position + 4 + size
    if end > file.size:
        result = sizes.of_samples(file, size, position + 4, position + 4, "block of sound")
        lost = size - result.size
        run.losses += (*result.losses, *(Loss(note, lost, result.size) for note in result.notes))
        end = file.size
    run.end = end
    if begin < end:
        run.pieces.append((begin, end))
        run.size += end - begin


def _part(run: _Run) -> Part:
    form = run.form
    if form is None or form.encoding not in ENCODINGS or form.channels == 0 or run.size >= sizes.WRAP - 100:
        return Part(
            run.start, run.end, None if run.start == 0 else ((run.start, run.end),), losses=run.losses, notes=run.notes
        )
    width = form.channels * ENCODINGS[form.encoding][1] // 8
    pieces: tuple[tuple[int, int] | bytes, ...] = (form.header(run.size), *run.pieces)
    return Part(run.start, run.end, pieces, run.size // width, losses=run.losses, notes=run.notes)
