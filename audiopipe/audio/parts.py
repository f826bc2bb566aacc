"""Parts of an audio file: the stretches that libsndfile decodes on their own, and what is known to be missing."""

import dataclasses


@dataclasses.dataclass(frozen=True, slots=True)
class Loss:
    """Something that a file lacks, or holds but does not give.

    Attributes:
        text: Part of a sentence, such as `"the data chunk has 2000 of 4000 bytes"`.
        lost: How much is lost, in any unit. None if it is unknown.
        present: How much is there, in the same unit.
    """

    text: str
    lost: float | None = None
    present: float | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Part:
    """Stretch of a file that libsndfile decodes on its own.

    Attributes:
        start: Position of its first byte.
        end: Position behind its last byte.
        pieces: What libsndfile reads: positions of stretches, and bytes between them. If None, libsndfile reads the
            bytes from `start` to `end`.
        frames: Number of samples per channel that the container promises, or None.
        rate: Sample rate of `frames` in hertz. If None, it is that of the decoded samples.
        slack: Number of promised frames that a decoder may leave out: at most one frame of the codec.
        losses: What is known to be missing.
        notes: Remarks about damage that loses nothing, or nothing that can be known.
    """

    start: int
    end: int
    pieces: tuple[tuple[int, int] | bytes, ...] | None = None
    frames: int | None = None
    rate: int | None = None
    slack: int = 0
    losses: tuple[Loss, ...] = ()
    notes: tuple[str, ...] = ()
