"""How a waveform is cut into frames: sizes resolved and checked, frames counted."""

from dataclasses import dataclass
from typing import Any

from audiopipe import checks
from audiopipe.errors import ArgumentError


@dataclass(frozen=True, kw_only=True)
class Framing:
    """The frames of a short-time Fourier transform. Make one with `Framing.resolve`.

    Args:
        n_fft: Length of the Fourier transform, in samples.
        win_length: Length of the window and of a frame, in samples.
        hop_length: Samples between the starts of neighbouring frames.
        pad_begin: Whether `n_fft - hop_length` zeros come before the waveform.
        pad_end: Whether zeros come after the waveform, so that every sample starts or is within a frame.
    """

    n_fft: int
    win_length: int
    hop_length: int
    pad_begin: bool
    pad_end: bool

    @classmethod
    def resolve(
        cls,
        *,
        n_fft: int = 2048,
        win_length: int | None = None,
        hop_length: int | None = None,
        pad_begin: bool = False,
        pad_end: bool = False,
    ) -> "Framing":
        """Check the sizes, and fill in those that are left out.

        Args:
            n_fft: As above, at least 1.
            win_length: As above, at most `n_fft`, which is what None means. A shorter window is padded on the right.
            hop_length: As above, at least 1. None means `win_length // 4`.
            pad_begin: As above.
            pad_end: As above.

        Raises:
            ArgumentError: If a size is not a positive integer, or the window is longer than `n_fft`.

        Example:
            >>> framing = Framing.resolve(n_fft=512, hop_length=160)
            >>> framing.win_length, framing.n_frames(16000)
            (512, 97)
        """
        n_fft = checks.integer("n_fft", n_fft, minimum=1)
        win_length = n_fft if win_length is None else checks.integer("win_length", win_length, minimum=1)
        if win_length > n_fft:
            raise ArgumentError(
                f"win_length must be at most n_fft, or samples would be dropped from every frame. "
                f"Received: win_length={win_length}, n_fft={n_fft}. Raise n_fft to at least {win_length}."
            )
        hop_length = max(1, win_length // 4) if hop_length is None else hop_length
        return cls(
            n_fft=n_fft,
            win_length=win_length,
            hop_length=checks.integer("hop_length", hop_length, minimum=1),
            pad_begin=checks.boolean("pad_begin", pad_begin),
            pad_end=checks.boolean("pad_end", pad_end),
        )

    @property
    def n_freq(self) -> int:
        """Number of frequency bins of the transform: `n_fft // 2 + 1`."""
        return self.n_fft // 2 + 1

    @property
    def begin_padding(self) -> int:
        """Zeros before the waveform, in samples (Kapre's rule)."""
        return max(0, self.n_fft - self.hop_length) if self.pad_begin else 0

    def n_frames(self, n_samples: Any) -> Any:
        """Number of frames of `n_samples` samples.

        Args:
            n_samples: An int, a NumPy array or a tensor of integers.

        Returns:
            The number of frames, of the same kind as `n_samples`. 0 where there is no whole frame.
        """
        padded = n_samples + self.begin_padding
        if self.pad_end:
            return -(-padded // self.hop_length)
        count = (padded - self.win_length + self.hop_length) // self.hop_length
        return (count + abs(count)) // 2  # max(count, 0) in operators that ints, arrays and tensors share
