"""Decoding of the parts of a file with libsndfile."""

import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np
import soundfile

from audiopipe.audio import conversion, flac, formats
from audiopipe.audio.completeness import Report
from audiopipe.audio.opening import Opened
from audiopipe.audio.parts import Loss, Part
from audiopipe.errors import AudioError
from audiopipe.wording import noun_of

SYSTEM_ERROR = 2  # libsndfile's code for an error of the operating system
UNKNOWN_FRAMES = 2**63 - 1  # libsndfile's number of frames if a FLAC header gives none
SMALL_STEP = 64  # libsndfile throws a failed read away, so the last samples before damage are read in small steps
UNSUPPORTED = ("unsupported", "unimplemented")  # words of libsndfile about files that may be whole
COUNTED = ("MP3", "OGG")  # formats whose number of frames is an estimate, or is promised by `Part` more exactly


class SequentialSoundFile(soundfile.SoundFile):
    """Sound file that is only read forwards.

    After every partial read, python-soundfile seeks to the position that it expects. Seeking in MP3, Opus and Vorbis is
    not exact, so samples would be lost or repeated. python-soundfile does not seek in a file that is not seekable.
    """

    def seekable(self) -> bool:
        return False


class PartDecoder:
    """Decoder of one part, which counts what it yields.

    Attributes:
        received: Number of samples per channel so far.
        rate: Their sample rate in hertz, or 0.
        following: Position at which another file begins behind the part, if that only showed while it was decoded.
    """

    def __init__(self, file: Opened, part: Part, report: Report, *, number: int, count: int):
        """Creates the decoder of part `number`, counted from 1, of `count` parts."""
        self.file, self.part, self.report, self.several = file, part, report, count > 1
        self.where = f"part {number} of {count}: " if count > 1 else ""
        self.received = self.rate = 0
        self.promised: int | None = None  # by libsndfile
        self.form = ""
        self.following: int | None = None

    def blocks(self) -> Iterator[tuple[np.ndarray, int]]:
        """Yields the samples in blocks, float32 `[time, channels]`, each with the sample rate in hertz.

        What the part lacks goes to the report. For a damaged part, all blocks before the damage are yielded.

        Raises:
            AudioError: If the source cannot be read, or nothing can be decoded and the file has no other part.
        """
        error: Exception | None = None
        if self.part.pieces != ():
            try:
                with self._opened() as sound:
                    yield from self._until_the_end(sound)
            except (soundfile.SoundFileError, OSError, TypeError) as failure:
                error = failure
                self.file.check()
            if error is not None and self.rate:
                yield from self._remaining()
                if self.form == "FLAC" and self._is_stretch():
                    start = self.part.start
                    self.following = flac.following(self.file, start, start, self.part.end)[0]
            if error is not None and not self.received and not self.several:
                raise _refusal(self.file, self.part, error) from error
        self._report(error)

    def _opened(self) -> soundfile.SoundFile:
        return SequentialSoundFile(self.file.handle(self.part.pieces), closefd=False)

    def _until_the_end(self, sound: soundfile.SoundFile) -> Iterator[tuple[np.ndarray, int]]:
        """Yields blocks up to the end or an error.

        The number of frames in a header may be wrong and absurdly large, so it reads until no more come. The first
        read asks for one frame more than the header says: if it is right, no memory is wasted. Only libFLAC is asked
        for exactly the frames of the header, because it fails at bytes that follow.
        """
        frames, form = sound.frames, sound.format
        self.form = form
        if form in formats.REFUSED:
            raise AudioError(formats.refusal(self.file.name, form), stage="decode")
        block_frames = max(1, conversion.BLOCK_SAMPLES // sound.channels)
        self.rate = int(sound.samplerate)
        self.promised = frames if form not in COUNTED and frames < UNKNOWN_FRAMES else None
        exact = form == "FLAC" and 0 < frames < UNKNOWN_FRAMES
        asked = max(1, min(block_frames, frames if exact else frames + 1))
        while asked:
            block = _read(sound, asked)
            self.file.check()
            self.received += len(block)
            yield block, self.rate
            if len(block) < asked:
                break
            asked = min(block_frames, frames - self.received) if exact else block_frames
        if form == "FLAC":
            self._look_behind()

    def _look_behind(self) -> None:
        """Finds another file behind the frames of a FLAC file, which ended before the bytes of its part."""
        if self._is_stretch():
            position = self.part.start + self.file.tell()
            if position < self.part.end:
                start, end = self.part.start, self.part.end
                self.following, behind = flac.following(self.file, start, position, end)
                rest = end - position
                if self.following is None:
                    follow = noun_of(rest, "byte follows", "bytes follow")
                    self._lose(Loss(f"at least {rest} {follow} behind the last FLAC frame", rest, position))
                elif behind is not None and behind < self.following:
                    self._lose(flac.between(behind, self.following, start))

    def _is_stretch(self) -> bool:
        """Returns whether libsndfile reads bytes of the file in a row, so that its position tells where it is."""
        return self.part.pieces is None or len(self.part.pieces) == 1

    def _remaining(self) -> Iterator[tuple[np.ndarray, int]]:
        """Yields the samples between the last block and the damage."""
        skipped = 0
        try:
            with self._opened() as sound:
                step = max(1, conversion.BLOCK_SAMPLES // sound.channels)
                while skipped < self.received:
                    skipped += len(_read(sound, min(step, self.received - skipped)))
                    self.file.check()
                while len(block := _read(sound, SMALL_STEP)):
                    self.file.check()
                    self.received += len(block)
                    yield block, self.rate
        except (soundfile.SoundFileError, OSError, TypeError):
            self.file.check()

    def _note(self, text: str) -> None:
        self.report.note(self.where + text)

    def _lose(self, loss: Loss) -> None:
        seconds = self.received / self.rate if self.rate else 0.0
        self.report.lose(dataclasses.replace(loss, text=self.where + loss.text), seconds)

    def _report(self, error: Exception | None) -> None:
        part, promised = self.part, self.promised
        for note in part.notes:
            self._note(note)
        for loss in part.losses:
            self._lose(loss)
        if self.form == "MP3" and part.frames is None and self.received and not part.losses:
            self._lose(Loss("its MPEG frames do not follow one another, so it is unknown how many there are"))
        received: float = self.received
        if part.frames is not None:
            promised = part.frames
            if part.rate is not None and self.rate:
                received = received * part.rate / self.rate
        reason = "" if error is None else f": {_reason(error).rstrip('.')}"
        lost = None if promised is None else promised - received
        if lost is not None and lost > part.slack:
            text = f"{round(received)} of {promised} samples could be decoded{reason}"
            self._lose(Loss(text, lost, received))
        elif error is not None and lost is not None:
            self._note(f"decoding stopped less than a frame before the end{reason}")
        elif error is not None:
            self._lose(Loss(f"decoding stopped after {self.received} {noun_of(self.received, 'sample')}{reason}"))


def _read(sound: soundfile.SoundFile, frames: int) -> np.ndarray:
    """Returns the next frames, float32 `[time, channels]`, as `sound.read` does, but faster for short clips."""
    block = np.empty((frames, sound.channels), np.float32)
    return block[: sound.buffer_read_into(block, dtype="float32")]


def _reason(error: Exception) -> str:
    return str(getattr(error, "error_string", error))  # libsndfile's message without the path


def _refusal(file: Opened, part: Part, error: Exception) -> AudioError:
    """Returns the error for a file of which nothing can be decoded."""
    reason = _reason(error)
    if getattr(error, "code", None) == SYSTEM_ERROR:
        return AudioError(f"Could not read {file.name}: {reason}", stage="read")
    known: Any = formats.found(file)
    if known is not None:
        return AudioError(f"Could not decode {file.name} as audio: {known}", stage="decode")
    lacking = [loss.text for loss in part.losses] + list(part.notes)
    cause = f" The file is damaged: {lacking[0]}. Download or record it again." if lacking else ""
    if not lacking and any(word in reason for word in UNSUPPORTED):
        cause = " Convert it with another program, as in: ffmpeg -i x x.flac"
    return AudioError(f"Could not decode {file.name} as audio: {reason}{cause}", stage="decode")
