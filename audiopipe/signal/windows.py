"""Window functions, computed in float64 with NumPy because libraries differ in the last bit of a window."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from audiopipe import checks
from audiopipe.errors import ArgumentError

KAISER_BETA = 12.0  # the default of tf.signal.kaiser_window and kaiser_bessel_derived_window
EVEN_WINDOW_NAMES = ("kaiser_bessel_derived_window", "vorbis_window")
PERIODIC_WINDOW_NAMES = ("hann_window", "hamming_window", "blackman_window")
WINDOW_NAMES = (
    "hann_window",
    "hamming_window",
    "kaiser_window",
    *EVEN_WINDOW_NAMES,
    "blackman_window",
    "povey_window",
    "rectangular_window",
)
KERAS_WINDOW_NAMES = {"hann": "hann_window", "hamming": "hamming_window"}


def window(name: str | None, length: int, periodic: bool | None = None) -> np.ndarray:
    """Computes a window for a short-time Fourier transform.

    The windows that `tf.signal` has are defined as there. `"povey_window"` is the default window of
    [Kaldi](https://github.com/kaldi-asr/kaldi/blob/master/src/feat/feature-window.cc), a symmetric Hann window to the
    power of 0.85. `"blackman_window"` has the coefficients 0.42, 0.5 and 0.08 of Kaldi and SciPy.

    Args:
        name: One of `WINDOW_NAMES`, or None for `"hann_window"`.
        length: Number of samples, at least 1. Kaiser-Bessel-derived and Vorbis windows need an even length, and a
            Povey window needs at least 2 samples.
        periodic: Whether a Hann, Hamming or Blackman window is one period of an endless function, so that its last
            sample is not the mirror image of its first. This is SciPy's `fftbins=True`. False means symmetric, as in
            Kaldi. None means periodic if the length is even and symmetric if it is odd, as in `tf.signal`. All other
            windows are symmetric.

    Returns:
        float64 array of shape `[length]`, in 0 .. 1.

    Raises:
        ArgumentError: If the name is unknown, or if the length or `periodic` does not suit the window.

    Example:
        >>> window("hann_window", 4), window("hann_window", 4, periodic=False)
        (array([0. , 0.5, 1. , 0.5]), array([0.  , 0.75, 0.75, 0.  ]))
    """
    name = canonical_window_name(name)
    length = checks.integer("win_length", length, minimum=1)
    check_window(name, length, periodic)
    if name == "kaiser_window":
        return np.kaiser(length, KAISER_BETA)
    if name == "vorbis_window":
        return np.sin(np.pi / 2 * np.sin(np.pi * (np.arange(length) + 0.5) / length) ** 2)
    if name == "kaiser_bessel_derived_window":
        halves = np.cumsum(np.kaiser(length // 2 + 1, KAISER_BETA))
        rising = np.sqrt(halves[:-1] / halves[-1])
        return np.concatenate([rising, rising[::-1]])
    if name == "rectangular_window" or length == 1:
        return np.ones(length)
    angles = 2 * np.pi * np.arange(length) / (length if _is_periodic(name, length, periodic) else length - 1)
    if name == "blackman_window":
        return np.maximum(0.42 - 0.5 * np.cos(angles) + 0.08 * np.cos(2 * angles), 0.0)  # -1e-17 at the ends
    alpha = 0.54 if name == "hamming_window" else 0.5
    values = alpha - (1 - alpha) * np.cos(angles)
    return values**0.85 if name == "povey_window" else values


def centre(name: str | None, length: int, periodic: bool | None = None) -> float:
    """Returns the position of the middle of a window, in samples from its start.

    Args:
        name: Name of the window, see `window`.
        length: Number of samples.
        periodic: Whether the window is periodic, see `window`.

    Returns:
        The position about which the window is symmetric: `length / 2` for periodic windows, which have a first value
        without a counterpart, and `(length - 1) / 2` for symmetric ones.

    Example:
        >>> centre("hann_window", 400), centre("hann_window", 400, periodic=False), centre("vorbis_window", 400)
        (200.0, 199.5, 199.5)
    """
    return length / 2 if _is_periodic(canonical_window_name(name), length, periodic) else (length - 1) / 2


def _is_periodic(name: str, length: int, periodic: bool | None) -> bool:
    """Returns whether a window is periodic, see `window`."""
    if name not in PERIODIC_WINDOW_NAMES:
        return False
    return length % 2 == 0 if periodic is None else periodic


def custom_centre(values: Sequence[float]) -> float:
    """Returns the centre of gravity of the energy of a custom window, in samples from its start.

    Example:
        >>> custom_centre([0.0, 1.0, 2.0, 1.0])
        2.0
    """
    energy = np.square(np.asarray(values, np.float64) / (np.max(np.abs(values)) or 1.0))
    return float(np.average(np.arange(len(energy)), weights=energy if energy.any() else None))


def canonical_window_name(name: str | None) -> str:
    """Returns the name of a window, `"hann_window"` for None.

    Raises:
        ArgumentError: If the name is unknown.
    """
    return checks.choice("window_name", "hann_window" if name is None else name, WINDOW_NAMES)


def check_window(name: str, length: int, periodic: bool | None = None) -> None:
    """Raises an error unless the named window can have this length and be periodic, or not, as requested.

    Raises:
        ArgumentError: If the length or `periodic` does not suit the window, see `window`.
    """
    if name in EVEN_WINDOW_NAMES and length % 2:
        raise ArgumentError(
            f"{name} needs an even win_length. Received: win_length={length}. Use {length + 1}, or another window."
        )
    if name == "povey_window" and length < 2:
        raise ArgumentError(
            f"povey_window needs a win_length of at least 2. Received: win_length={length}. Use a longer window, or "
            "rectangular_window."
        )
    if periodic is not None and checks.boolean("periodic", periodic) and name not in PERIODIC_WINDOW_NAMES:
        raise ArgumentError(
            f"{name} is always symmetric, so periodic must be False or None. Received: periodic=True. Leave it out, or "
            f"use one of {', '.join(PERIODIC_WINDOW_NAMES)}."
        )


def custom_window(name: str, values: Any, length: int | None = None) -> tuple[float, ...]:
    """Returns the values of a custom window as Python floats.

    Args:
        name: Name of the argument, for the error message.
        values: A list, an array or a tensor of rank 1.
        length: Expected number of values. None means any number.

    Raises:
        ArgumentError: If a value is not a finite number, or the number of values is wrong.
    """
    expected = f"{'at least one number' if length is None else f'{length} numbers'}, all finite"
    try:
        window = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise checks.fail(name, expected, values) from error
    if window.ndim != 1 or window.size == 0 or window.size != (length or window.size):
        raise ArgumentError(f"{name} must be {expected}. Received: {name} with shape={window.shape}.")
    return tuple(checks.real(name, value) for value in window.tolist())


def canonical_keras_window(name: str, value: Any) -> str | tuple[float, ...] | None:
    """Returns a window of `keras.layers.MelSpectrogram`: `"hann"`, `"hamming"`, None (rectangular), or its values.

    Args:
        name: Name of the argument, for the error message.
        value: Name or values of the window.

    Raises:
        ArgumentError: If the name is unknown or the values are not finite numbers.
    """
    if value is None or isinstance(value, str):
        return checks.choice(name, value, (*KERAS_WINDOW_NAMES, None))
    return custom_window(name, value)
