"""Storage dtypes of features, and the error of rounding to them."""

import ml_dtypes
import numpy as np

from audiopipe.errors import ArgumentError, AudioError

DTYPES = {
    "float32": np.dtype("<f4"),
    "float16": np.dtype("<f2"),
    # This type has the byte order of the machine. TensorFlow is built for little-endian machines only.
    "bfloat16": np.dtype(ml_dtypes.bfloat16),
}
_BLOCK_VALUES = 1 << 20  # compared at once, so that the differences of a long recording are never all in memory
_WAYS_OUT = {
    "float16": "Store bfloat16, which has the range of float32, or store decibels (return_decibel=True)",
    "bfloat16": "Store float32",
}


def check(dtype: str) -> None:
    """Raises an error unless features can be stored in a dtype.

    Raises:
        ArgumentError: If `dtype` is not one of `DTYPES`.
    """
    if dtype not in DTYPES:
        raise ArgumentError(f"dtype must be one of {', '.join(DTYPES)}. Received: dtype={dtype!r}.")


def store(feature: np.ndarray, dtype: str) -> tuple[np.ndarray, float]:
    """Rounds a feature to its storage dtype.

    Args:
        feature: float32 array.
        dtype: `"float32"`, `"float16"` or `"bfloat16"`.

    Returns:
        The values in the storage dtype, little-endian and in C order, and their largest absolute difference from
        `feature`. NaN and infinity are stored unchanged and do not count as a difference.

    Raises:
        AudioError: If a finite value is out of the range of the dtype.

    Example:
        >>> stored, error = store(np.array([0.125, 0.25 + 2**-14], np.float32), "float16")
        >>> stored.dtype.name, stored.tolist(), error == 2**-14
        ('float16', [0.125, 0.25], True)
    """
    values = np.ascontiguousarray(feature, "<f4")
    stored = _rounded(values, dtype)
    if stored is values:
        return stored, 0.0
    max_error = 0.0
    flat, flat_stored = values.reshape(-1), stored.reshape(-1)
    for start in range(0, flat.size, _BLOCK_VALUES):
        block = slice(start, start + _BLOCK_VALUES)
        with np.errstate(invalid="ignore"):
            difference = np.abs(flat[block] - flat_stored[block].astype("<f4"))
        # fmax ignores the NaN that infinity minus infinity gives.
        max_error = max(max_error, float(np.fmax.reduce(difference, initial=0.0)))
    if max_error == np.inf:
        finite = np.abs(flat[np.isfinite(flat)]).max()
        raise AudioError(
            f"{dtype} holds values up to {float(ml_dtypes.finfo(DTYPES[dtype]).max):.6g}. Received: a feature with "
            f"values up to {finite:.6g}. {_WAYS_OUT[dtype]}.",
            stage="feature",
        )
    return stored, max_error


def as_loaded(feature: np.ndarray, dtype: str) -> np.ndarray:
    """Returns a feature as `load` would return it: float32 values, rounded to the storage dtype.

    Values out of the range of the dtype become infinite.

    Example:
        >>> as_loaded(np.array([0.1, 1e6], np.float32), "float16")
        array([0.09997559,        inf], dtype=float32)
    """
    return _rounded(feature, dtype).astype(np.float32, copy=False)


def _rounded(feature: np.ndarray, dtype: str) -> np.ndarray:
    with np.errstate(over="ignore", invalid="ignore"):
        return feature.astype(DTYPES[dtype], copy=False)
