"""Reading of clips: whole recordings, and stretches of recordings.

Several stretches of one recording are read in one pass, as long as they follow one another. A stretch is cut after the
whole recording has been resampled, and reading stops at its end.
"""

import contextlib
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator

import numpy as np

from audiopipe import audio
from audiopipe.audio import Opened
from audiopipe.audio.remarks import Remark, warn_about
from audiopipe.errors import AudioError
from audiopipe.inputs import Source
from audiopipe.transform.transform import Transform

HELD_SAMPLES = 1 << 24  # 64 MB: of overlapping stretches, before the recording is read again instead
# A stretch may end this little after its recording: times are often rounded, and lengths in headers estimated.
TOLERATED_RATIO = 0.01
TOLERATED_SECONDS = 1.0

OnRemark = Callable[[Source, Remark], None]
OnDigest = Callable[[Source, bytes], None]


def read(
    sources: Iterable[Source],
    transform: Transform,
    on_remark: OnRemark | None = None,
    on_digest: OnDigest | None = None,
    open_audio: Callable[[], str | bytes] | None = None,
) -> Generator[tuple[Source, Iterator[np.ndarray]], None, None]:
    """Reads clips in the given order.

    A recording is decoded once for consecutive stretches of it whose starts ascend. If they overlap by more than
    `HELD_SAMPLES`, it is decoded again.

    Args:
        sources: The clips.
        transform: Transform whose config says how to read them.
        on_remark: Function that takes each remark with the clip that was being read. If None, each remark becomes a
            warning of class `AudioRemark`.
        on_digest: Function that takes each clip with the digest of the audio file that was read for it, see
            `audiopipe.storage.digests`. It is called after the last of consecutive stretches of a recording, before the
            next clip is yielded or the iteration ends. It is not called for a clip whose digest is not known, see
            `audiopipe.audio.Opened.digest`: the file was not opened, has changed, or is remote and much of it was not
            read. If None, no digests are computed.
        open_audio: Function to call in place of `Source.open` for all clips, which are of one recording.

    Yields:
        Each clip with its samples: consecutive blocks, float32 `[time, channels]` at the config's sample rate. They
        must be read before the next clip is requested. Reading them raises an `AudioError` if the clip cannot be read,
        or if a stretch begins or ends after the end of its recording. A stretch that lacks less than 1 % and less than
        1 s is read with a remark. With `accept_truncated` in the transform, so is every stretch that has samples.
    """
    waiting = iter(sources)
    source = next(waiting, None)
    with contextlib.closing(_Reader(transform, on_remark, on_digest, open_audio)) as reader:
        while source is not None:
            following = next(waiting, None)
            yield source, reader.blocks(source, following)
            reader.finish(source, following)
            source = following


class _Reader:
    """Reader of one clip after another, which keeps the recording of the last one open."""

    def __init__(
        self,
        transform: Transform,
        on_remark: OnRemark | None,
        on_digest: OnDigest | None,
        open_audio: Callable[[], str | bytes] | None,
    ):
        self._transform = transform
        self._open_audio = open_audio
        self._on_remark = on_remark or warn
        self._on_digest = on_digest
        self._open = contextlib.ExitStack()
        self._file: Opened | None = None
        self._samples_of: tuple[Source, _Samples] | None = None
        self._current: Source | None = None
        self._clips: list[Source] = []  # of the recording

    def finish(self, source: Source, following: Source | None) -> None:
        """Takes note that a clip was read. Passes on the digest of its recording if the next clip is of another one."""
        self._clips.append(source)
        if source.shares_recording(following):
            return
        digest = self._file.digest() if self._on_digest is not None and self._file is not None else None
        if self._on_digest is not None and digest is not None:
            for clip in self._clips:
                self._on_digest(clip, digest)
        self.close()

    def close(self) -> None:
        """Closes the recording."""
        self._open.close()
        self._file = self._samples_of = None
        self._clips = []

    def blocks(self, source: Source, following: Source | None) -> Iterator[np.ndarray]:
        self._current = source
        if not source.is_stretch:
            yield from self._decode(source)
            return
        rate = self._transform.config.sample_rate
        start = round((source.start or 0.0) * rate)
        stop = None if source.end is None else round(source.end * rate)
        needed_later = None
        if following is not None and source.shares_recording(following):
            needed_later = round((following.start or 0.0) * rate)
        samples = self._samples(source, start)
        n_samples = 0
        for block in samples.between(start, stop, needed_later):
            n_samples += len(block)
            yield block
        if n_samples == 0 or (stop is not None and n_samples < stop - start):
            self._check_end(source, n_samples, samples.position)

    def _samples(self, source: Source, start: int) -> "_Samples":
        if self._samples_of is not None:
            recording, samples = self._samples_of
            if source.shares_recording(recording) and samples.first <= start:
                return samples
        samples = _Samples(self._decode(source))
        self._samples_of = source, samples
        return samples

    def _decode(self, source: Source) -> Iterator[np.ndarray]:
        self._open.close()  # the recording may be open for earlier stretches
        self._file = None
        self._file = self._open.enter_context(audio.opened((self._open_audio or source.open)()))
        yield from self._transform.read_blocks(self._file, on_remark=self._remark)

    def _remark(self, remark: Remark) -> None:
        assert self._current is not None
        self._on_remark(self._current, remark)

    def _check_end(self, source: Source, n_samples: int, n_recorded: int) -> None:
        """Raises an error, or makes a remark, about a stretch that the recording does not contain completely."""
        rate = self._transform.config.sample_rate
        begin, recorded = source.start or 0.0, n_recorded / rate
        stretch = f"the stretch {begin:g}-{'' if source.end is None else format(source.end, 'g')} s"
        if n_samples == 0:
            raise AudioError(
                f"{source.path!r}: {stretch} begins at or after the end of the recording, which has {recorded:.3f} s. "
                "Correct the times in the manifest.",
                stage="read",
            )
        wanted = (source.end or 0.0) - begin
        lacking = wanted - n_samples / rate
        fault = f"{stretch} lacks {lacking:.3f} s, because the recording has {recorded:.3f} s"
        small = lacking < TOLERATED_RATIO * wanted and lacking < TOLERATED_SECONDS
        if not small and not self._transform.accept_truncated:
            raise AudioError(
                f"{source.path!r}: {fault}. Correct the times in the manifest, or pass --accept-truncated to read "
                "the stretch up to the end of the recording.",
                stage="read",
            )
        self._remark(Remark("read", fault))


def warn(source: Source, remark: Remark) -> None:
    """Gives a warning of class `AudioRemark` that names the clip."""
    warn_about(repr(source.path) if source.row is None else f"Row {source.row} of {source.path!r}")(remark)


class _Samples:
    """Samples of a recording that are decoded once, from its start on.

    Attributes:
        position: Number of samples decoded so far.
    """

    def __init__(self, blocks: Iterator[np.ndarray]):
        self._blocks = blocks
        self._held: deque[tuple[int, np.ndarray]] = deque()  # blocks with the number of their first sample
        self._error: Exception | None = None
        self.position = 0

    @property
    def first(self) -> int:
        """Number of the first sample that can still be read."""
        return self._held[0][0] if self._held else self.position

    def between(self, start: int, stop: int | None, needed_later: int | None) -> Iterator[np.ndarray]:
        """Yields the samples from `start` to before `stop`, or to the end.

        Args:
            start: Number of the first sample, at least `first`.
            stop: Number of the sample after the last one. None means the end of the recording.
            needed_later: Samples from this number on are kept for later calls. None keeps none.
        """
        for begin, block in tuple(self._held):
            self._forget(needed_later)
            yield from _overlap(begin, block, start, stop)
        while stop is None or self.position < stop:
            decoded = self._next()
            if decoded is None:
                break
            begin, self.position = self.position, self.position + len(decoded)
            if needed_later is not None:
                self._held.append((begin, decoded))
                self._forget(needed_later)
            yield from _overlap(begin, decoded, start, stop)

    def _next(self) -> np.ndarray | None:
        if self._error is not None:
            raise self._error
        try:
            return next(self._blocks, None)
        except Exception as error:
            self._error = error
            raise

    def _forget(self, needed_later: int | None) -> None:
        """Drops the blocks before a sample, and all of them if they are too many."""
        while self._held and (needed_later is None or self._held[0][0] + len(self._held[0][1]) <= needed_later):
            self._held.popleft()
        if sum(block.size for _, block in self._held) > HELD_SAMPLES:
            self._held.clear()


def _overlap(begin: int, block: np.ndarray, start: int, stop: int | None) -> Iterator[np.ndarray]:
    """Yields the part of a block between two samples, unless it is empty."""
    part = block[max(0, start - begin) : None if stop is None else max(0, stop - begin)]
    if len(part):
        yield part
