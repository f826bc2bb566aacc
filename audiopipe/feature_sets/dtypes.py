"""The dtypes that features can be stored in, and what rounding to them costs."""

import ml_dtypes
import numpy as np

from audiopipe.errors import ArgumentError, AudioError

DTYPES = {
    "float32": np.dtype("<f4"),
    "float16": np.dtype("<f2"),
    # The type has no byte order of its own: of the machines that TensorFlow is built for, all are little-endian.
    "bfloat16": np.dtype(ml_dtypes.bfloat16),
}
_BLOCK_VALUES = 1 << 20  # compared at once, so that a long recording's differences are never held whole
_WAYS_OUT = {
    "float16": "Store bfloat16, which has the range of float32, or decibels: return_decibel=True",
    "bfloat16": "Store float32",
}


def check(dtype: str) -> None:
    """Raise an error unless features can be stored in a dtype.

    Raises:
        ArgumentError: If they cannot.
    """
    if dtype not in DTYPES:
        raise ArgumentError(f"dtype must be one of {', '.join(DTYPES)}. Received: dtype={dtype!r}.")


def store(feature: np.ndarray, dtype: str) -> tuple[np.ndarray, float]:
    """Round a feature to the dtype that it is stored in.

    Args:
        feature: float32 array.
        dtype: `"float32"`, `"float16"` or `"bfloat16"`.

    Returns:
        The values in the storage dtype, little-endian and in C order, and the greatest absolute difference to those of
        `feature`. NaN and infinity are stored as they are and differ by nothing.

    Raises:
        AudioError: If a finite value is beyond the range of the dtype.

    Example:
        >>> stored, error = store(np.array([0.125, 0.25 + 2**-14], np.float32), "float16")
        >>> stored.dtype.name, stored.tolist(), error == 2**-14
        ('float16', [0.125, 0.25], True)
    """
    values = np.ascontiguousarray(feature, "<f4")
    stored = _rounded(values, dtype)
    if stored is values:
        return stored, 0.0
    greatest = 0.0
    flat, flat_stored = values.reshape(-1), stored.reshape(-1)
    for start in range(0, flat.size, _BLOCK_VALUES):
        block = slice(start, start + _BLOCK_VALUES)
        with np.errstate(invalid="ignore"):
            difference = np.abs(flat[block] - flat_stored[block].astype("<f4"))
        greatest = max(greatest, float(np.fmax.reduce(difference, initial=0.0)))  # infinity minus itself is NaN
    if greatest == np.inf:
        finite = np.abs(flat[np.isfinite(flat)]).max()
        raise AudioError(
            f"{dtype} holds values up to {float(ml_dtypes.finfo(DTYPES[dtype]).max):.6g}. Received: a feature with "
            f"{finite:.6g}. {_WAYS_OUT[dtype]}.",
            stage="feature",
        )
    return stored, greatest


def as_loaded(feature: np.ndarray, dtype: str) -> np.ndarray:
    """What `load` gives of a feature that was stored in a dtype: float32 values, rounded to it.

    Values beyond its range become infinite.

    Example:
        >>> as_loaded(np.array([0.1, 1e6], np.float32), "float16")
        array([0.09997559,        inf], dtype=float32)
    """
    return _rounded(feature, dtype).astype(np.float32, copy=False)


def _rounded(feature: np.ndarray, dtype: str) -> np.ndarray:
    with np.errstate(over="ignore", invalid="ignore"):
        return feature.astype(DTYPES[dtype], copy=False)
