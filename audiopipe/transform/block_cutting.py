"""A stream of samples, cut anew: into segments, or into pieces that hold whole frames.

A stream is an iterator of consecutive blocks, float32 `[time, channels]`, of any lengths. No more of it is held than
one piece and one block.
"""

from collections.abc import Iterable, Iterator

import numpy as np

from audiopipe import checks
from audiopipe.signal.framing import Framing


def cut(blocks: Iterable[np.ndarray], length: int, hop: int) -> Iterator[np.ndarray]:
    """Cut a stream into pieces that begin every `hop` samples, until one reaches the end.

    Args:
        blocks: The stream.
        length: Samples of a piece.
        hop: Samples between the starts of neighbouring pieces. Pieces overlap, or leave samples out, where it is not
            `length`.

    Yields:
        float32 `[length, channels]`; the last one may be shorter.

    Raises:
        ArgumentError: If a length or a hop is less than one sample: the pieces would never end.

    Example:
        >>> [piece[:, 0].tolist() for piece in cut([np.arange(7.0)[:, None]], length=4, hop=2)]
        [[0.0, 1.0, 2.0, 3.0], [2.0, 3.0, 4.0, 5.0], [4.0, 5.0, 6.0]]
    """
    checks.integer("length", length, minimum=1)
    checks.integer("hop", hop, minimum=1)
    held: list[np.ndarray] = []  # what has come of the next piece
    size = skipped = 0
    told = 0  # samples at the beginning of what is held that a piece had already
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
            told = max(0, length - hop)
        held, size = [whole.copy()], len(whole)  # a copy, that the rest of a long array need not stay
    if size > told:
        yield np.concatenate(held)


def whole_frames(blocks: Iterable[np.ndarray], framing: Framing, frames: int) -> Iterator[np.ndarray]:
    """Cut a stream into pieces that hold whole frames and all the samples of these, with the zeros of padding.

    Args:
        blocks: The stream, of at least one block.
        framing: How the waveform is cut into frames.
        frames: Frames of a piece.

    Yields:
        float32 `[(frames - 1) * hop_length + win_length, channels]`; the last one may hold fewer
        frames, but at least one, and samples that no frame needs.

    Example:
        >>> framing = Framing.resolve(n_fft=4, hop_length=2, pad_begin=True)
        >>> [piece[:, 0].tolist() for piece in whole_frames([np.ones((6, 1))], framing, frames=2)]
        [[0.0, 0.0, 1.0, 1.0, 1.0, 1.0], [1.0, 1.0, 1.0, 1.0]]
    """
    for piece in cut(_padded(blocks, framing), framing.n_samples(frames), frames * framing.hop_length):
        if len(piece) >= framing.win_length:
            yield piece


def _padded(blocks: Iterable[np.ndarray], framing: Framing) -> Iterator[np.ndarray]:
    """The stream between the zeros that its framing puts around it."""
    n_samples, begun = 0, False
    for block in blocks:
        if not begun:
            yield np.zeros((framing.begin_padding, block.shape[1]), block.dtype)
        yield block
        n_samples, begun = n_samples + len(block), True
    reached = framing.n_samples(framing.n_frames(n_samples))
    missing = max(0, reached - framing.begin_padding - n_samples)
    yield np.zeros((missing, block.shape[1]), block.dtype)
