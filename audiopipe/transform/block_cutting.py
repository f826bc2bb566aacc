"""Functions that cut a stream of samples into segments, or into pieces that hold whole frames.

A stream is an iterator of consecutive blocks, float32 `[time, channels]`, of any lengths. At most one piece and one
block are in memory at once.
"""

from collections.abc import Iterable, Iterator

import numpy as np

from audiopipe import checks
from audiopipe.signal.framing import Framing


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


def whole_frames(blocks: Iterable[np.ndarray], framing: Framing, frames: int) -> Iterator[np.ndarray]:
    """Cuts a padded stream into pieces that hold all samples of whole frames.

    Args:
        blocks: The stream, with at least one block and without padding.
        framing: The framing of the waveform, which also sets the zeros that are padded.
        frames: Number of frames per piece.

    Yields:
        float32 `[(frames - 1) * hop_length + win_length, channels]`. The last piece may have fewer frames, but at least
        one, and may end with samples that belong to no frame.

    Example:
        >>> framing = Framing.resolve(n_fft=4, hop_length=2, pad_begin=True)
        >>> [piece[:, 0].tolist() for piece in whole_frames([np.ones((6, 1))], framing, frames=2)]
        [[0.0, 0.0, 1.0, 1.0, 1.0, 1.0], [1.0, 1.0, 1.0, 1.0]]
    """
    for piece in cut(_padded(blocks, framing), framing.n_samples(frames), frames * framing.hop_length):
        if len(piece) >= framing.win_length:
            yield piece


def _padded(blocks: Iterable[np.ndarray], framing: Framing) -> Iterator[np.ndarray]:
    """Yields the stream, with the zeros that its framing adds before and after it."""
    n_samples, begun = 0, False
    for block in blocks:
        if not begun:
            yield np.zeros((framing.begin_padding, block.shape[1]), block.dtype)
        yield block
        n_samples, begun = n_samples + len(block), True
    reached = framing.n_samples(framing.n_frames(n_samples))
    missing = max(0, reached - framing.begin_padding - n_samples)
    yield np.zeros((missing, block.shape[1]), block.dtype)
