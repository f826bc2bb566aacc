"""Cutting of a stream of samples into segments, or into pieces that hold whole frames.

A stream consists of consecutive blocks, float32 `[time, channels]`, of any lengths. At most one piece and one block are
in memory at once.
"""

from collections.abc import Iterable, Iterator

import numpy as np

from audiopipe import checks
from audiopipe.signal import edges
from audiopipe.signal.edges import CONSTANT, EdgeFraming
from audiopipe.signal.framing import Framing

_LONG_CLIP = 1 << 40  # samples


def beginning(blocks: Iterable[np.ndarray], n_samples: int) -> Iterator[np.ndarray]:
    """Yields the first samples of a stream, and reads the stream to its end.

    Args:
        blocks: The stream.
        n_samples: Number of samples, at least 1.

    Yields:
        float32 `[time, channels]`, at least one block, of which all together have at most `n_samples`.

    Example:
        >>> blocks = iter([np.zeros((3, 1)), np.zeros((3, 1)), np.zeros((3, 1))])
        >>> [len(block) for block in beginning(blocks, 4)], next(blocks, "all were read")
        ([3, 1], 'all were read')
    """
    for block in blocks:
        if n_samples > 0:
            yield block if len(block) <= n_samples else block[:n_samples].copy()  # a view would keep the whole block
        n_samples -= len(block)


def cut(blocks: Iterable[np.ndarray], length: int, hop: int) -> Iterator[np.ndarray]:
    """Cuts a stream into pieces that begin every `hop` samples, until one reaches the end.

    Args:
        blocks: The stream.
        length: Number of samples per piece.
        hop: Number of samples between the starts of neighbouring pieces. Pieces overlap if it is less than `length`,
            and samples are left out if it is more.

    Yields:
        float32 `[length, channels]`. The last piece may be shorter.

    Raises:
        ArgumentError: If `length` or `hop` is less than one sample.

    Example:
        >>> [piece[:, 0].tolist() for piece in cut([np.arange(7.0)[:, None]], length=4, hop=2)]
        [[0.0, 1.0, 2.0, 3.0], [2.0, 3.0, 4.0, 5.0], [4.0, 5.0, 6.0]]
    """
    checks.integer("length", length, minimum=1)
    checks.integer("hop", hop, minimum=1)
    held: list[np.ndarray] = []  # blocks of the next piece
    size = skipped = 0
    repeated = 0  # samples at the start of `held` that the previous piece contained
    for block in blocks:
        dropped = min(skipped, len(block))
        skipped -= dropped
        held.append(block[dropped:])
        size += len(block) - dropped
        if size < length:
            continue
        whole = np.concatenate(held)
        while len(whole) >= length:
            yield whole[:length]
            skipped = max(0, hop - len(whole))
            whole = whole[hop:]
            repeated = max(0, length - hop)
        held, size = [whole.copy()], len(whole)  # a view would keep the whole array in memory
    if size > repeated:
        yield np.concatenate(held)


class FrameCutter:
    """Cutter of a clip that comes in blocks into pieces that hold all samples of whole frames.

    The cutter extends the clip at both ends, as the framing says. Its state is a few small arrays, so it can be pickled
    in the middle of a clip.

    Args:
        framing: The framing of the clip.
        least: Number of frames of a piece, except for the last one. 1 gives out every frame as soon as it is complete.
        most: Largest number of frames of a piece.

    Example:
        >>> framing = EdgeFraming.resolve(n_fft=4, hop_length=2, pad_mode="reflect")
        >>> cutter = FrameCutter(framing, least=1, most=8)
        >>> [piece[:, 0].tolist() for piece in cutter.push(np.array([[1.0], [2.0]]))]
        []
        >>> [piece[:, 0].tolist() for piece in cutter.push(np.array([[3.0], [4.0]]))]
        [[3.0, 2.0, 1.0, 2.0, 3.0, 4.0]]
        >>> [piece[:, 0].tolist() for piece in cutter.finish()]
        [[3.0, 4.0, 3.0, 2.0]]
    """

    def __init__(self, framing: Framing | EdgeFraming, *, least: int, most: int):
        self._framing = framing
        self._least, self._most = least, most
        self._awaited = awaited_samples(framing)
        self._begun = False
        self._skipped = max(0, -framing.before)  # number of the next samples that belong to no frame
        self._held: list[np.ndarray] = []  # samples from the next frame on, and the extension before them
        self._n_held = 0
        self._ending: np.ndarray | None = None  # the last samples, which the extension after the clip is made of
        self._n_ending = _longest_ending(framing)
        self.n_samples = 0
        self._n_frames = 0  # that were given out

    def push(self, block: np.ndarray) -> list[np.ndarray]:
        """Takes the next samples of the clip.

        Args:
            block: `[time, channels]`, with any number of samples.

        Returns:
            The pieces that are complete now: `[(frames - 1) * hop_length + win_length, channels]`, maybe none.
        """
        self.n_samples += len(block)
        known = block if self._ending is None else np.concatenate([self._ending, _last(block, self._n_ending)])
        self._ending = _last(known, self._n_ending).copy()
        self._hold(block)
        if not self._begun and self.n_samples >= self._awaited:
            self._begin()
        return self._pieces(self._least) if self._begun else []

    def finish(self) -> list[np.ndarray]:
        """Returns the last pieces. At least one block must have been pushed, which may be empty."""
        assert self._ending is not None
        if not self._begun:
            self._begin()
        if self._framing.n_frames(self.n_samples):
            positions = np.arange(self.n_samples, self.n_samples + int(self._framing.after(self.n_samples)))
            self._hold(self._extension(positions, self._ending))
        return self._pieces(1)

    def _begin(self) -> None:
        """Puts the extension before the clip."""
        self._begun = True
        if self._framing.before > 0 and (self.n_samples or self._framing.pad_mode == CONSTANT):
            known = np.concatenate(self._held)
            self._held = [self._extension(np.arange(-self._framing.before, 0), known), known]
            self._n_held += self._framing.before

    def _extension(self, positions: np.ndarray, known: np.ndarray) -> np.ndarray:
        """Returns the samples at positions outside of the clip. `known` ends with the last sample that has come."""
        if self._framing.pad_mode in (None, CONSTANT):
            return np.zeros((len(positions), known.shape[1]), known.dtype)
        sources = edges.sources(positions, self.n_samples, self._framing.pad_mode)
        return known[sources - (self.n_samples - len(known))]

    def _hold(self, samples: np.ndarray) -> None:
        dropped = min(self._skipped, len(samples))
        self._skipped -= dropped
        # A view would keep the whole block in memory.
        self._held.append(samples[dropped:].copy())
        self._n_held += len(samples) - dropped

    def _pieces(self, least: int) -> list[np.ndarray]:
        framing = self._framing
        certain = int(framing.n_frames(self.n_samples)) - self._n_frames
        if min(certain, self._complete(self._n_held)) < least:
            return []
        whole, pieces = np.concatenate(self._held), []
        while (count := min(certain, self._complete(len(whole)), self._most)) >= least:
            pieces.append(whole[: framing.n_samples(count)])
            self._n_frames += count
            certain -= count
            self._skipped += max(0, count * framing.hop_length - len(whole))
            whole = whole[count * framing.hop_length :]
        self._held, self._n_held = [whole.copy()], len(whole)
        return pieces

    def _complete(self, n_samples: int) -> int:
        """Returns the number of frames whose windows lie within samples that begin with a frame."""
        return max(0, (n_samples - self._framing.win_length) // self._framing.hop_length + 1)


def awaited_samples(framing: Framing | EdgeFraming) -> int:
    """Returns the number of samples that must be known before the first frame is, because they extend the clip.

    Example:
        >>> awaited_samples(EdgeFraming.resolve(n_fft=512, pad_mode="reflect"))
        257
    """
    if framing.before <= 0 or framing.pad_mode == CONSTANT:
        return 0
    return framing.before + (framing.pad_mode == edges.REFLECT)


def certain_frames(framing: Framing | EdgeFraming, n_samples: int) -> int:
    """Returns the number of frames that are known after the first samples of a clip, whatever follows.

    Example:
        >>> framing = EdgeFraming.resolve(n_fft=512, hop_length=160, pad_mode="reflect")
        >>> [certain_frames(framing, n_samples) for n_samples in (256, 257, 416)]
        [0, 1, 2]
    """
    if n_samples < awaited_samples(framing):
        return 0
    complete = (n_samples + framing.before - framing.win_length) // framing.hop_length + 1
    return max(0, min(complete, int(framing.n_frames(n_samples))))


def _last(samples: np.ndarray, count: int) -> np.ndarray:
    """Returns the last samples, at most `count`."""
    return samples[max(0, len(samples) - count) :]


def _longest_ending(framing: Framing | EdgeFraming) -> int:
    """Returns the number of samples at the end of a clip that its extension is made of, at most."""
    if isinstance(framing, Framing) or framing.pad_mode in (None, CONSTANT):
        return 0
    # The extension depends on the length of a clip modulo the hop.
    lengths = _LONG_CLIP + np.arange(framing.hop_length)
    return int(np.max(framing.after(lengths))) + 1
