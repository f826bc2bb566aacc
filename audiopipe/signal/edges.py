"""Frames at the ends of a clip: which samples they cover, and what extends the clip there."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from audiopipe import checks
from audiopipe.signal.framing import any_samples, frame_sizes, wide

SNIP, CENTER, SAME, MIDPOINT = EDGES = ("snip", "center", "same", "midpoint")
CONSTANT, REFLECT, SYMMETRIC = PAD_MODES = ("constant", "reflect", "symmetric")
WINDOW_POSITIONS = ("start", "center")
_DEFAULT_PAD_MODES = {SNIP: None, CENTER: CONSTANT, SAME: REFLECT, MIDPOINT: SYMMETRIC}


@dataclass(frozen=True, kw_only=True)
class EdgeFraming:
    """Frames of a clip and what extends it at both ends. Use `EdgeFraming.resolve` to create one.

    A frame has `frame_length` samples. The window covers `win_length` of them, and the others count as zeros, so they
    are neither read nor padded.

    Args:
        n_fft: Length of the Fourier transform, in samples.
        win_length: Length of the window, in samples.
        hop_length: Samples between the starts of neighbouring frames.
        frame_length: Number of samples that a frame needs, at least `win_length`.
        window_position: Where the window lies in the frame, `"start"` or `"center"`.
        edges: How frames meet the ends of the clip, see `resolve`.
        pad_mode: What extends the clip, see `resolve`.
    """

    n_fft: int
    win_length: int
    hop_length: int
    frame_length: int
    window_position: str
    edges: str
    pad_mode: str | None

    @classmethod
    def resolve(
        cls,
        *,
        n_fft: int = 512,
        win_length: int | None = None,
        hop_length: int | None = None,
        frame_length: int | None = None,
        window_position: str | None = None,
        edges: str = CENTER,
        pad_mode: str | None = None,
    ) -> "EdgeFraming":
        """Checks the sizes and fills in those that are None.

        Args:
            n_fft: Length of the Fourier transform, at least 1.
            win_length: Length of the window, at most `n_fft`. None means `n_fft`.
            hop_length: Samples between the starts of neighbouring frames, at least 1. None means `win_length // 4`,
                but at least 1.
            frame_length: Number of samples that a frame needs, at least `win_length`. None means `n_fft` if the window
                is centred in the frame, otherwise `win_length`.
            window_position: `"start"` or `"center"`. None means `"start"` for `"snip"` and `"midpoint"`, which are
                Kaldi's, and `"center"` for `"center"` and `"same"`.
            edges: `"snip"` takes only frames that lie within the clip. `"center"` centres the frames at the samples 0,
                `hop_length`, `2 * hop_length`, ... `"same"` extends the clip by `(frame_length - hop_length) // 2`
                samples on both sides. `"midpoint"` centres the frames in the middle of each hop: frame `t` starts at
                sample `t * hop_length + hop_length // 2 - frame_length // 2`.
            pad_mode: What extends the clip, by the names of `numpy.pad`: `"constant"` (zeros), `"reflect"` (without the
                outermost sample) or `"symmetric"` (with it). None means `"constant"` for `"center"`, `"reflect"` for
                `"same"` and `"symmetric"` for `"midpoint"`. It must be None for `"snip"`.

        Raises:
            ArgumentError: If a value is out of range or contradicts another one.

        Example:
            >>> kaldi = EdgeFraming.resolve(n_fft=512, win_length=400, hop_length=160, edges="snip")
            >>> torch = EdgeFraming.resolve(n_fft=512, win_length=400, hop_length=160, edges="center")
            >>> kaldi.n_frames(16000), torch.n_frames(16000)
            (98, 101)
        """
        n_fft, win_length, hop_length = frame_sizes(n_fft, win_length, hop_length)
        edges = checks.choice("edges", edges, EDGES)
        if edges == SNIP and pad_mode is not None:
            raise checks.fail(
                "pad_mode",
                "None for edges='snip', because nothing extends the clip",
                pad_mode,
                "Choose edges='center', 'same' or 'midpoint' to extend it.",
            )
        pad_mode = _DEFAULT_PAD_MODES[edges] if pad_mode is None else checks.choice("pad_mode", pad_mode, PAD_MODES)
        if window_position is None:
            window_position = "start" if edges in (SNIP, MIDPOINT) else "center"
        checks.choice("window_position", window_position, WINDOW_POSITIONS)
        if frame_length is None:
            frame_length = n_fft if window_position == "center" else win_length
        checks.integer("frame_length", frame_length, minimum=win_length, maximum=checks.LARGEST_SIZE)
        if edges == SAME and frame_length < hop_length:
            raise checks.fail("hop_length", f"at most frame_length={frame_length} for edges='same'", hop_length)
        return cls(
            n_fft=n_fft,
            win_length=win_length,
            hop_length=hop_length,
            frame_length=int(frame_length),
            window_position=window_position,
            edges=edges,
            pad_mode=pad_mode,
        )

    @property
    def is_plain(self) -> bool:
        """Whether an `STFT` of the clip itself has the same windows, with nothing to extend or leave out."""
        return self.edges == SNIP and self.before == 0 and self.frame_length == self.win_length

    @property
    def before(self) -> int:
        """Number of samples by which the window of the first frame starts before the clip. Negative if it starts later.

        Example:
            >>> EdgeFraming.resolve(n_fft=512, win_length=400, hop_length=160).before
            200
        """
        offset = (self.frame_length - self.win_length) // 2 if self.window_position == "center" else 0
        return self._frame_before - offset

    @property
    def _frame_before(self) -> int:
        """Number of samples by which the first frame starts before the clip."""
        if self.edges == CENTER:
            return self.frame_length // 2
        if self.edges == SAME:
            return (self.frame_length - self.hop_length) // 2
        return self.frame_length // 2 - self.hop_length // 2 if self.edges == MIDPOINT else 0

    def n_frames(self, n_samples: Any) -> Any:
        """Returns the number of frames of `n_samples` samples.

        Args:
            n_samples: An int, a NumPy array or a tensor of integers.

        Returns:
            The number of frames, of the same kind as `n_samples`: 0 for an empty clip, and for one that is too short.
        """
        n_samples = wide(n_samples)
        if self.edges == MIDPOINT:
            count = (n_samples + self.hop_length // 2) // self.hop_length
        else:
            padded = n_samples + 2 * self._frame_before
            count = (padded - self.frame_length + self.hop_length) // self.hop_length
        return (count + abs(count)) // 2 * any_samples(n_samples)

    def after(self, n_samples: Any) -> Any:
        """Returns the number of samples that extend a clip after its end, so that the last window is complete.

        Args:
            n_samples: As in `n_frames`.

        Returns:
            The number, at least 0, of the same kind as `n_samples`.

        Example:
            >>> EdgeFraming.resolve(n_fft=512, win_length=400, hop_length=160).after(16000)
            200
        """
        frames = self.n_frames(n_samples)
        missing = (frames - 1) * self.hop_length - self.before + self.win_length - n_samples
        missing = missing * any_samples(frames)
        return (missing + abs(missing)) // 2

    def most_samples(self, n_frames: int) -> int:
        """Returns the number of samples of the longest clip that has at most `n_frames` frames.

        Example:
            >>> EdgeFraming.resolve(n_fft=512, win_length=400, hop_length=160, edges="snip").most_samples(98)
            16079
        """
        most = n_frames * self.hop_length - 1
        if self.edges == MIDPOINT:
            return most + self.hop_length - self.hop_length // 2
        return most + self.frame_length - 2 * self._frame_before

    def n_samples(self, n_frames: Any) -> Any:
        """Returns the number of samples that the windows of `n_frames` neighbouring frames span.

        Args:
            n_frames: As `n_samples` of the method `n_frames`.
        """
        return ((n_frames - 1) * self.hop_length + self.win_length) * any_samples(n_frames)

    def window_starts(self, n_frames: int) -> np.ndarray:
        """Returns the position of the first sample of each window in the clip: int64 `[n_frames]`, maybe negative."""
        return np.arange(n_frames) * self.hop_length - self.before


def sources(positions: Any, n_samples: Any, pad_mode: str) -> Any:
    """Returns which sample of a clip stands at positions before, in or after it, if it is extended by reflection.

    Args:
        positions: Positions, integers of any sign: a NumPy array or a tensor.
        n_samples: Number of samples of the clip, at least 1.
        pad_mode: `"reflect"` or `"symmetric"`.

    Returns:
        Positions within the clip, of the same kind as `positions`. A clip shorter than its extension is reflected
        several times, as with `numpy.pad`.

    Example:
        >>> sources(np.arange(-3, 6), 3, "reflect"), sources(np.arange(-3, 6), 3, "symmetric")
        (array([1, 2, 1, 0, 1, 2, 1, 0, 1]), array([2, 1, 0, 0, 1, 2, 2, 1, 0]))
    """
    if pad_mode == REFLECT:
        last = n_samples - 1
        period = 2 * last + (1 - any_samples(last))  # a single sample is repeated
        return last - abs(positions % period - last)
    folded = positions % (2 * n_samples)
    return folded + (2 * n_samples - 1 - 2 * folded) * (folded // n_samples)
