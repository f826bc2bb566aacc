"""Statistics of features: count, mean, standard deviation, minimum and maximum of each bin and channel."""

import functools
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from audiopipe import checks
from audiopipe.errors import ArgumentError
from audiopipe.wording import noun_of

_ARRAYS = ("count", "mean", "std", "min", "max")


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Statistics:
    """Statistics of the values of a feature, for each bin and channel.

    Feature sets have statistics, see `FeatureSet.statistics`. You can also make statistics from published numbers. Two
    statistics are equal if all their numbers and their fingerprints are.

    Args:
        mean: Mean: `[bins, channels]`, or `[bins]` for one channel. It is kept as a read-only float64 array
            `[bins, channels]`, as are the others.
        std: Standard deviation of the population, which divides by `count` and not by `count - 1`. At least 0.
        min: Smallest value. None if it is not known.
        max: Largest value, likewise.
        count: Number of values, int64, at least 1. None if it is not known.
        fingerprint: Fingerprint of the feature. None if it is not known.

    Raises:
        ArgumentError: If an array has another shape, or a number is not finite, negative where it must not be, or
            contradicts another one.

    Example:
        >>> statistics = Statistics(mean=[-30.0, -20.0], std=[5.0, 4.5])
        >>> statistics.mean.shape, statistics.std[:, 0]
        ((2, 1), array([5. , 4.5]))
    """

    mean: np.ndarray
    std: np.ndarray
    min: np.ndarray | None = None
    max: np.ndarray | None = None
    count: np.ndarray | None = None
    fingerprint: str | None = None

    def __post_init__(self) -> None:
        for name in _ARRAYS:
            value = getattr(self, name)
            if value is not None or name in ("mean", "std"):
                object.__setattr__(self, name, _array(name, value))
        for name in _ARRAYS:
            value = getattr(self, name)
            if value is not None and value.shape != self.mean.shape:
                raise ArgumentError(
                    f"{name} must have the shape of mean, {self.mean.shape}. Received: an array of shape {value.shape}."
                )
        if (self.std < 0).any():
            raise ArgumentError(f"std must be at least 0. Received: {self.std.min():g}.")
        if self.count is not None and (self.count < 1).any():
            raise ArgumentError(f"count must be at least 1. Received: {self.count.min()}.")
        if self.min is not None and self.max is not None and (self.min > self.max).any():
            raise ArgumentError("min must be at most max. Received: a bin whose min is larger than its max.")
        if self.fingerprint is not None and not isinstance(self.fingerprint, str):
            raise checks.fail("fingerprint", "a fingerprint or None", self.fingerprint)

    @property
    def shape(self) -> tuple[int, int]:
        """Number of bins, and number of channels."""
        bins, channels = self.mean.shape
        return bins, channels

    @functools.cached_property
    def digest(self) -> str:
        """SHA-256 over all numbers and the fingerprint, in hexadecimal. Equal statistics have equal digests."""
        return hashlib.sha256(json.dumps(self.to_dict(), sort_keys=True).encode()).hexdigest()

    def to_dict(self) -> dict[str, Any]:
        """Returns the statistics as plain lists and numbers, which JSON keeps exactly.

        Example:
            >>> Statistics(mean=[-30.5], std=[5.0]).to_dict()["mean"]
            [[-30.5]]
        """
        arrays = {name: getattr(self, name) for name in _ARRAYS}
        lists = {name: None if array is None else array.tolist() for name, array in arrays.items()}
        return {"fingerprint": self.fingerprint, **lists}

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> "Statistics":
        """Returns the statistics that `to_dict` made a dict of.

        Raises:
            ArgumentError: If it is no such dict.
        """
        if not isinstance(content, Mapping) or not content.keys() >= {"mean", "std"}:
            raise ArgumentError(f"Statistics must be an object with 'mean' and 'std'. Received: {content!r:.200}.")
        unknown = sorted(map(str, content.keys() - {"fingerprint", *_ARRAYS}))
        if unknown:
            raise ArgumentError(f"Statistics must have no other fields. Received: {', '.join(unknown)}.")
        return cls(**content)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Statistics):
            return NotImplemented
        return self.fingerprint == other.fingerprint and all(
            np.array_equal(getattr(self, name), getattr(other, name))
            if getattr(self, name) is not None and getattr(other, name) is not None
            else getattr(self, name) is getattr(other, name)
            for name in _ARRAYS
        )

    def __hash__(self) -> int:
        return hash(self.digest)

    def __repr__(self) -> str:
        bins, channels = self.shape
        facts = [f"{bins} {noun_of(bins, 'bin')}"]
        if channels != 1:
            facts.append(f"{channels} channels")
        if self.count is not None:
            facts.append(f"count {_range(self.count)}")
        facts += [f"mean {_range(self.mean)}", f"std {_range(self.std)}", f"sha256 {self.digest[:8]}"]
        return f"Statistics({', '.join(facts)})"

    def __reduce__(self):
        # A pickle of the fields alone would hold arrays that can be written to after unpickling.
        return Statistics.from_dict, (self.to_dict(),)


def _array(name: str, value: Any) -> np.ndarray:
    """Returns a read-only array `[bins, channels]` of int64 for a count, else of float64."""
    try:
        given = np.asarray(value)
    except (TypeError, ValueError, OverflowError):
        raise checks.fail(name, "an array of numbers", value) from None
    if given.dtype.kind not in ("iu" if name == "count" else "iuf"):
        raise checks.fail(name, "an array of integers" if name == "count" else "an array of numbers", value)
    array = given.astype(np.int64 if name == "count" else np.float64)
    if name == "count" and (array != given).any():
        raise checks.fail(name, "below 2**63", value)
    if array.ndim == 1:
        array = array[:, None]
    if array.ndim != 2 or array.size == 0:
        raise ArgumentError(f"{name} must have the shape [bins, channels] or [bins]. Received: shape {given.shape}.")
    if not np.isfinite(array).all():
        raise ArgumentError(f"{name} must be finite. Received: NaN or infinity.")
    array = array + 0  # -0.0 becomes 0.0, which is equal but has another digest
    array.flags.writeable = False
    return array


def _range(array: np.ndarray) -> str:
    low, high = array.min(), array.max()
    number = "d" if array.dtype.kind == "i" else ".4g"
    return f"{low:{number}}" if low == high else f"{low:{number}} .. {high:{number}}"
