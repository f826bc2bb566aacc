"""Sums of float64 numbers without rounding, as integers.

A float is an integer times a power of two, so a sum of floats is one as well. Integers have no rounding, so such a sum
does not depend on the order of its terms.
"""

import numpy as np

from audiopipe.errors import ArgumentError

_MANTISSA_BITS = 53  # of float64


def column_sums(terms: np.ndarray, exponent: int) -> list[int]:
    """Adds the rows of a matrix exactly.

    The terms are split into parts that are multiples of so large a power of two that float64 adds them without
    rounding, as in the first pass of Demmel and Nguyen, "Fast Reproducible Floating-Point Summation" (2013). What
    remains of them is split again, until nothing remains.

    Args:
        terms: float64 `[rows, columns]`, finite, far below the largest float64, and multiples of `2**exponent`.
        exponent: Exponent of the unit.

    Returns:
        The sum of each column in units of `2**exponent`.

    Example:
        >>> column_sums(np.array([[1e16, 0.5], [1.0, 0.5], [-1e16, 0.25]]), exponent=-2)
        [4, 5]
    """
    totals = [0] * terms.shape[1]
    for sums in parts(terms):
        mantissas, exponents = np.frexp(sums)
        integers = np.ldexp(mantissas, _MANTISSA_BITS).astype(np.int64).tolist()
        shifts = (exponents - (_MANTISSA_BITS + exponent)).tolist()
        for column, (integer, shift) in enumerate(zip(integers, shifts, strict=True)):
            # The bits that a shift to the right drops are zeros, because the sum is a multiple of the unit.
            totals[column] += integer << shift if shift >= 0 else integer >> -shift
    return totals


def parts(terms: np.ndarray, unit: np.ndarray | float = 0.0) -> list[np.ndarray]:
    """Returns a few float64 rows whose exact sum is the exact sum of the rows of `terms`, see `column_sums`.

    Args:
        terms: float64 or float32 `[rows, columns]`, finite, far below the largest float64.
        unit: Powers of two `[columns]`. All terms of a column are multiples of its unit. 0 means that it is not known.
    """
    rows: list[np.ndarray] = []
    remainder, rounded = terms, np.empty(terms.shape)
    while (largest := np.maximum(remainder.max(axis=0), -remainder.min(axis=0)).astype(np.float64)).any():
        if (len(terms) * largest <= 2.0**_MANTISSA_BITS * unit).all():
            rows.append(np.add.reduce(remainder, axis=0, dtype=np.float64))  # without rounding
            break
        _, exponents = np.frexp(largest)
        # Adding 1.5 * 2**e rounds a number below 2**(e - 1) to a multiple of 2**(e - 52). A sum of `len(terms)` of
        # these multiples has at most 53 bits.
        rounder = np.ldexp(1.5, exponents + len(terms).bit_length() + 1)
        np.add(remainder, rounder, out=rounded)
        rounded -= rounder
        rows.append(np.add.reduce(rounded, axis=0))
        remainder = np.subtract(remainder, rounded, out=None if remainder is terms else remainder)
    return rows


def to_text(integer: int, exponent: int) -> str:
    """Returns the text of `integer * 2**exponent`: a hexadecimal integer and the exponent of two. Equal numbers have
    equal texts.

    Example:
        >>> to_text(-40, -149), to_text(0, -149)
        ('-5p-146', '0p0')
    """
    if integer == 0:
        return "0p0"
    zeros = (integer & -integer).bit_length() - 1
    return f"{integer >> zeros:x}p{exponent + zeros}"


def from_text(text: str, exponent: int) -> int:
    """Returns the number of a text from `to_text` in units of `2**exponent`.

    Raises:
        ArgumentError: If the text is none, or the number is no multiple of the unit or out of the range of sums.

    Example:
        >>> from_text("-5p-146", exponent=-149)
        -40
    """
    try:
        digits, _, power = text.partition("p")
        integer, shift = int(digits, 16), int(power) - exponent
    except (ValueError, AttributeError):
        raise ArgumentError(f"A number must be a text like '-1f3ap-149'. Received: {text!r}.") from None
    if integer and not 0 <= shift <= 2048:
        raise ArgumentError(f"A number must be a multiple of 2**{exponent}, below 2**2048. Received: {text!r}.")
    return integer << shift if integer else 0
