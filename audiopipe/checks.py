"""Checks of single arguments, with the same wording in all of audiopipe.

Each check returns the value in its canonical Python type, so that `np.int64(512)` and `512` give the same config.
"""

import math
import numbers
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from audiopipe.errors import ArgumentError

SMALLEST_FLOAT32 = 2.0**-126  # smaller numbers are subnormal, and zero on some machines
LARGEST_FLOAT32 = (2 - 2.0**-23) * 2.0**127  # larger numbers are infinite
# 380 dB below full scale. Values computed from samples of at least this size are far from subnormal. TensorFlow's
# threads, including those that run a Python function in a `tf.data` map, treat subnormal numbers as zero. Other threads
# do not.
QUIETEST_SAMPLE = 2.0**-63
LARGEST_SIZE = 2**31 - 1  # of an axis of a tensor
DATA_FORMATS = ("channels_last", "channels_first")


def fail(name: str, expected: str, value: Any, advice: str = "") -> ArgumentError:
    """Returns the error that says `name` must be `expected`."""
    return ArgumentError(f"{name} must be {expected}. Received: {name}={shown(value)}.{' ' + advice if advice else ''}")


def shown(value: Any, length: int = 500) -> str:
    """Returns the `repr` of a value of any kind, in one line of at most `length` characters.

    Example:
        >>> shown([1, 2, 3, 4], length=8), shown(10**5000)
        ('[1, 2...', 'a value of type int that is too large to print')
    """
    try:
        text = " ".join(repr(value).split())
    except (ValueError, RecursionError):  # integers of thousands of digits, lists in lists in lists
        return f"a value of type {type(value).__name__} that is too large to print"
    return text if len(text) <= length else f"{text[: length - 3]}..."


def integer(name: str, value: Any, minimum: int | None = None, maximum: int | None = None) -> int:
    """Returns `value` as an int of at least `minimum` and at most `maximum`. Booleans and floats are refused."""
    if isinstance(value, bool) or not isinstance(value, numbers.Integral):
        raise fail(name, "an integer", value)
    number = int(value)
    if minimum is not None and number < minimum:
        raise fail(name, f"at least {minimum}", value)
    if maximum is not None and number > maximum:
        raise fail(name, f"at most {maximum}", value)
    return number


def count_of(name: str, value: Any, what: str, others: int) -> int:
    """Returns `value` as an int of at least 1, of which a tensor can hold `others` numbers each.

    Args:
        name: Name of the argument.
        value: The number of bands, bins, frames or the like.
        what: What the tensor is, for the error message: "a filterbank of 257 frequencies".
        others: Number of values for each of them, at least 1.

    Example:
        >>> count_of("n_mels", 80, "a filterbank of 257 frequencies", 257)
        80
    """
    number, most = integer(name, value, minimum=1), max(1, LARGEST_SIZE // others)
    if number > most:
        raise fail(name, f"at most {most}, because {what} has too many values otherwise", value)
    return number


def real(
    name: str,
    value: Any,
    minimum: float | None = None,
    above: float | None = None,
    maximum: float | None = None,
    below: float | None = None,
) -> float:
    """Returns `value` as a finite float of at least `minimum` and at most `maximum`, within `above` and `below`."""
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise fail(name, "a number", value)
    try:
        number = float(value) + 0.0  # -0.0 becomes 0.0, which is equal but has other bits
    except OverflowError:
        raise fail(name, "finite", value) from None
    if not math.isfinite(number):
        raise fail(name, "finite", value)
    if minimum is not None and number < minimum:
        raise fail(name, f"at least {minimum:g}", value)
    if above is not None and number <= above:
        raise fail(name, f"greater than {above:g}", value)
    if maximum is not None and number > maximum:
        raise fail(name, f"at most {maximum:g}", value)
    if below is not None and number >= below:
        raise fail(name, f"less than {below:g}", value)
    return number


def band(low_name: str, low: Any, high_name: str, high: Any, sample_rate: float) -> tuple[float, float]:
    """Returns two frequencies in hertz as floats, with `0 <= low < high <= sample_rate / 2`."""
    low, high = real(low_name, low, minimum=0), real(high_name, high)
    if not low < high <= sample_rate / 2:
        raise fail(
            high_name,
            f"greater than {low_name}={low:g} and at most half the sample rate, {sample_rate / 2:g} Hz",
            high,
        )
    return low, high


def boolean(name: str, value: Any) -> bool:
    """Returns `value`, which must be True or False, as a bool."""
    if not isinstance(value, (bool, np.bool_)):
        raise fail(name, "True or False", value)
    return bool(value)


def choice(name: str, value: Any, choices: Sequence[Any]) -> Any:
    """Returns the item of `choices` that equals `value` and has its type."""
    for item in choices:
        if value is item or (isinstance(value, type(item)) and type(value) is not bool and value == item):
            return item
    raise fail(name, f"one of {', '.join(map(repr, choices))}", value)


def unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Builds the dict of a JSON object and refuses repeated keys, of which `json.loads` would keep the last.

    It is an `object_pairs_hook` for `json.loads`.

    Raises:
        ArgumentError: If a key is repeated.
    """
    made = dict(pairs)
    if len(made) < len(pairs):
        twice = sorted(key for key, count in Counter(key for key, _ in pairs).items() if count > 1)
        raise ArgumentError(f"A JSON object must have each key once. Received twice: {', '.join(twice)}.")
    return made
