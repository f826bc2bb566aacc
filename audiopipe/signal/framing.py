"""Framing of waveforms: checked sizes and numbers of frames."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from audiopipe import checks
from audiopipe.errors import ArgumentError


@dataclass(frozen=True, kw_only=True)
class Framing:
    """Frames of a short-time Fourier transform. Use `Framing.resolve` to create one.

    Args:
        n_fft: Length of the Fourier transform, in samples.
        win_length: Length of the window and of a frame, in samples.
        hop_length: Samples between the starts of neighbouring frames.
        pad_begin: Whether to put `n_fft - hop_length` zeros before the waveform.
        pad_end: Whether to put zeros after the waveform, so that a frame starts at every multiple of `hop_length`.
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
        """Checks the sizes and fills in those that are None.

        Args:
            n_fft: Length of the Fourier transform, at least 1.
            win_length: Length of the window, at most `n_fft`. None means `n_fft`. Zeros on the right fill up the
                frames of a shorter window.
            hop_length: Samples between the starts of neighbouring frames, at least 1. None means `win_length // 4`,
                but at least 1.
            pad_begin: Whether to put `n_fft - hop_length` zeros before the waveform.
            pad_end: Whether to put zeros after the waveform.

        Raises:
            ArgumentError: If a size is not a positive integer or the window is longer than `n_fft`.

        Example:
            >>> framing = Framing.resolve(n_fft=512, hop_length=160)
            >>> framing.win_length, framing.n_frames(16000)
            (512, 97)
        """
        n_fft, win_length, hop_length = frame_sizes(n_fft, win_length, hop_length)
        return cls(
            n_fft=n_fft,
            win_length=win_length,
            hop_length=hop_length,
            pad_begin=checks.boolean("pad_begin", pad_begin),
            pad_end=checks.boolean("pad_end", pad_end),
        )

    @property
    def n_freq(self) -> int:
        """Number of frequency bins, `n_fft // 2 + 1`."""
        return self.n_fft // 2 + 1

    @property
    def begin_padding(self) -> int:
        """Number of zeros before the waveform, by Kapre's rule."""
        return max(0, self.n_fft - self.hop_length) if self.pad_begin else 0

    @property
    def is_plain(self) -> bool:
        """Whether nothing extends the clip, as in `EdgeFraming`."""
        return not (self.begin_padding or self.pad_end)

    @property
    def before(self) -> int:
        """Number of samples by which the first frame starts before the clip, as in `EdgeFraming`."""
        return self.begin_padding

    @property
    def pad_mode(self) -> str:
        """What extends the clip: zeros, by the name that they have in `EdgeFraming`."""
        return "constant"

    def n_frames(self, n_samples: Any) -> Any:
        """Returns the number of frames of `n_samples` samples.

        Args:
            n_samples: An int, a NumPy array or a tensor of integers.

        Returns:
            The number of frames, of the same kind as `n_samples`; 0 if the samples do not fill one frame.
        """
        padded = wide(n_samples) + self.begin_padding
        if self.pad_end:
            return -(-padded // self.hop_length)
        count = (padded - self.win_length + self.hop_length) // self.hop_length
        return (count + abs(count)) // 2  # max(count, 0) with operators that ints, arrays and tensors share

    def n_samples(self, n_frames: int) -> int:
        """Returns the number of samples that `n_frames` overlapping frames span."""
        return (n_frames - 1) * self.hop_length + self.win_length if n_frames else 0

    def after(self, n_samples: int) -> int:
        """Returns the number of zeros that complete the last frame of a clip.

        Example:
            >>> Framing.resolve(n_fft=512, hop_length=160, pad_end=True).after(16000)
            352
        """
        return max(0, self.n_samples(self.n_frames(n_samples)) - self.before - n_samples)


@dataclass(frozen=True, kw_only=True)
class CentredFraming:
    """Frames of `keras.layers.MelSpectrogram`, centred at the samples 0, `sequence_stride`, `2 * sequence_stride`, ...

    Reflection extends the clip on both sides. Use `CentredFraming.resolve` to create one.

    Args:
        fft_length: Length of the Fourier transform, in samples.
        sequence_length: Length of the window and of a frame, in samples.
        sequence_stride: Samples between the starts of neighbouring frames.
    """

    fft_length: int
    sequence_length: int
    sequence_stride: int

    @classmethod
    def resolve(
        cls,
        *,
        fft_length: int,
        sequence_stride: int,
        sequence_length: int | None = None,
        window: str | tuple[float, ...] | None = "hann",
    ) -> "CentredFraming":
        """Checks the sizes and fills in those that are None.

        Args:
            fft_length: Length of the Fourier transform, at least 1.
            sequence_stride: Samples between the starts of neighbouring frames, at least 1.
            sequence_length: Length of the window, at most `fft_length`. None means `fft_length`.
            window: Name or values of the window. If None, a frame has `fft_length` samples, as in Keras.

        Raises:
            ArgumentError: If a size is not a positive integer, the window is longer than `fft_length`, or the number
                of its values is not `sequence_length`.

        Example:
            >>> framing = CentredFraming.resolve(fft_length=512, sequence_stride=160)
            >>> framing.n_frames(16000)
            101
        """
        fft_length = checks.integer("fft_length", fft_length, minimum=1, maximum=checks.LARGEST_SIZE)
        sequence_length = fft_length if sequence_length is None else sequence_length
        if checks.integer("sequence_length", sequence_length, minimum=1) > fft_length:
            raise ArgumentError(
                f"sequence_length must be at most fft_length. Received: sequence_length={sequence_length}, "
                f"fft_length={fft_length}. Raise fft_length to at least {sequence_length}."
            )
        if isinstance(window, tuple) and len(window) != sequence_length:
            raise ArgumentError(
                f"A window must have as many values as sequence_length={sequence_length}. "
                f"Received: window with {len(window)} values."
            )
        return cls(
            fft_length=fft_length,
            sequence_length=fft_length if window is None else int(sequence_length),
            sequence_stride=checks.integer("sequence_stride", sequence_stride, minimum=1, maximum=checks.LARGEST_SIZE),
        )

    @property
    def padding(self) -> tuple[int, int]:
        """Number of samples that extend a clip before its start and after its end.

        Keras extends a clip by `fft_length // 2` samples on both sides and surrounds the window with zeros. This
        class leaves out the samples under those zeros, which changes the phase of a frame but not its magnitude.
        """
        zeros_before = (self.fft_length - self.sequence_length) // 2
        zeros_after = self.fft_length - self.sequence_length - zeros_before
        return self.fft_length // 2 - zeros_before, self.fft_length // 2 - zeros_after

    def n_frames(self, n_samples: Any) -> Any:
        """Returns the number of frames of `n_samples` samples.

        Args:
            n_samples: An int, a NumPy array or a tensor of integers.

        Returns:
            The number of frames, of the same kind as `n_samples`: 0 for an empty clip, which cannot be reflected, and
            at least 1 for any other.
        """
        count = (n_samples + sum(self.padding) - self.sequence_length) // self.sequence_stride + 1
        return count * any_samples(n_samples)


def frame_sizes(n_fft: int, win_length: int | None, hop_length: int | None) -> tuple[int, int, int]:
    """Checks the sizes of frames and fills in those that are None.

    Args:
        n_fft: Length of the Fourier transform, at least 1. TensorFlow takes no larger sizes than `checks.LARGEST_SIZE`.
        win_length: Length of the window, at most `n_fft`. None means `n_fft`.
        hop_length: Samples between the starts of neighbouring frames, at least 1. None means `win_length // 4`, but at
            least 1.

    Returns:
        `n_fft`, `win_length` and `hop_length`, in samples.

    Raises:
        ArgumentError: If a size is not an integer in range or the window is longer than `n_fft`.

    Example:
        >>> frame_sizes(512, 400, None)
        (512, 400, 100)
    """
    n_fft = checks.integer("n_fft", n_fft, minimum=1, maximum=checks.LARGEST_SIZE)
    win_length = n_fft if win_length is None else checks.integer("win_length", win_length, minimum=1)
    if win_length > n_fft:
        raise ArgumentError(
            f"win_length must be at most n_fft, because a longer frame would lose samples. "
            f"Received: win_length={win_length}, n_fft={n_fft}. Raise n_fft to at least {win_length}."
        )
    hop_length = max(1, win_length // 4) if hop_length is None else hop_length
    return n_fft, win_length, checks.integer("hop_length", hop_length, minimum=1, maximum=checks.LARGEST_SIZE)


def any_samples(n_samples: Any) -> Any:
    """Returns 1 if there are samples, else 0, with operators that ints, arrays and tensors share."""
    return 1 - 1 // (n_samples + 1)


def at_most(numbers: Any, limit: int) -> Any:
    """Returns each number, or the limit if that is smaller, with operators that ints, arrays and tensors share."""
    excess = numbers - limit
    return numbers - (excess + abs(excess)) // 2


def wide(numbers: Any) -> Any:
    """Returns NumPy integers as int64, because small types overflow and unsigned ones wrap around below 0."""
    return numbers.astype(np.int64) if isinstance(numbers, (np.ndarray, np.generic)) else numbers
