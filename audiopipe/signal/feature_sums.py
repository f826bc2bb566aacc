"""Sums from which the statistics of features follow, whatever the order in which clips are added.

Frames are summed in blocks of a clip: first in float64 around a centre near the mean of the block, with additions in a
fixed order, and then the sums of the blocks as integers, without rounding. Sums of squares around the mean of each
block lose no digits to an offset that is large compared with the standard deviation.
"""

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from audiopipe import checks
from audiopipe.errors import ArgumentError
from audiopipe.signal import exact_sums
from audiopipe.signal.statistics import Statistics

MAX_BLOCK_FRAMES = 1 << 14
_BLOCK_VALUES = 1 << 17  # in float64, they fit into the second-level cache of a processor
_GROUP = 32  # frames that NumPy adds to others at once, because it is slow with short rows
_WIDE = 256  # columns of rows that are not short. A block then has at most 512 of them
_CENTRE_FRAMES = 128  # of a block whose mean is the centre
# Blocks are added as integers many at once: one by one, that would take more time than the sums. They are at most 64,
# and have at most about a million columns together.
_PENDING_VALUES = 1 << 20
_MIN_PENDING_COLUMNS = _PENDING_VALUES // 64
# Every float32 is a multiple of 2**-149, so every product of two is one of 2**-298, and so are roundings of these.
_UNIT, _SQUARE_UNIT = -149, -298
_FLOAT32_BITS, _FLOAT64_BITS = 24, 53
_MAX_COUNT = (1 << 63) - 1
_LISTS = ("sum", "square", "min", "max")


class _Block(NamedTuple):
    """Sums of a block of frames, each `[columns]`, and float64 unless it says otherwise.

    Args:
        n_frames: Number of frames.
        smallest: Smallest values, float32.
        largest: Largest values, float32.
        centre: Numbers that float32 holds, near the means.
        deviations: Sums of the deviations from the centre.
        squares: Sums of their squares.
        corrections: Terms that make the sums of the values exact where `deviations` are rounded.
    """

    n_frames: int
    smallest: np.ndarray
    largest: np.ndarray
    centre: np.ndarray
    deviations: np.ndarray
    squares: np.ndarray
    corrections: list[np.ndarray]


class FeatureSums:
    """Exact sums over the values of a feature, for each bin and channel.

    The same blocks of frames give the same sums whatever the order in which they are added and however sums are merged.

    The sum of all values is exact. Sums of squared deviations are rounded in each block, with a relative error below
    2**-44.

    Args:
        shape: Number of bins, and number of channels.

    Raises:
        ArgumentError: If the shape does not have two sizes of at least 1.

    Example:
        >>> sums, others = FeatureSums((2, 1)), FeatureSums((2, 1))
        >>> sums.add(np.array([[[1], [10]], [[3], [10]]], np.float32))
        >>> others.add(np.array([[[8], [10]]], np.float32))
        >>> sums.merge(others)
        >>> sums.statistics().mean[:, 0], sums.statistics().max[:, 0]
        (array([ 4., 10.]), array([ 8., 10.]))
    """

    def __init__(self, shape: tuple[int, int]):
        bins, channels = shape
        self.shape = checks.integer("bins", bins, minimum=1), checks.integer("channels", channels, minimum=1)
        self.count = 0
        """Number of values of each bin and channel."""
        n_columns = math.prod(self.shape)
        self._sum = [0] * n_columns  # in units of 2**_UNIT
        self._square = [0] * n_columns  # of the values, not of deviations, in units of 2**_SQUARE_UNIT
        self._min = np.full(n_columns, np.inf, np.float32)
        self._max = np.full(n_columns, -np.inf, np.float32)
        self._block_frames = max(1, min(MAX_BLOCK_FRAMES, _BLOCK_VALUES // n_columns))
        self._pending: list[_Block] = []
        self._scratch: np.ndarray | None = None  # memory for the deviations of a block

    def add(self, frames: np.ndarray) -> None:
        """Adds the frames of one clip.

        Args:
            frames: float32 `[frames, bins, channels]`, finite. There may be no frames.

        Raises:
            ArgumentError: If the array has another shape or dtype, or a value is not finite. Nothing is added then.
        """
        self.add_parts([frames])

    def add_parts(self, parts: Iterable[np.ndarray]) -> None:
        """Adds the frames of one clip in parts. Other parts of the same clip may give other bits.

        Args:
            parts: Arrays as for `add`.

        Raises:
            ArgumentError: As in `add`.
        """
        blocks = [block for part in parts for block in self._blocks(part)]
        for block in blocks:
            self.count += block.n_frames
            np.minimum(self._min, block.smallest, out=self._min)
            np.maximum(self._max, block.largest, out=self._max)
            self._pending.append(block)
            if len(self._pending) * max(_MIN_PENDING_COLUMNS, len(self._sum)) >= _PENDING_VALUES:
                self._settle()

    def merge(self, other: "FeatureSums", times: int = 1) -> None:
        """Adds all values of other sums.

        Args:
            other: The other sums.
            times: How often to add each value, at least once.

        Raises:
            ArgumentError: If the other sums have another shape.
        """
        if other.shape != self.shape:
            raise ArgumentError(f"Sums must have equal shapes to be merged. Received: {self.shape} and {other.shape}.")
        self._settle()
        other._settle()
        self.count += times * other.count
        self._sum = [mine + times * theirs for mine, theirs in zip(self._sum, other._sum, strict=True)]
        self._square = [mine + times * theirs for mine, theirs in zip(self._square, other._square, strict=True)]
        np.minimum(self._min, other._min, out=self._min)
        np.maximum(self._max, other._max, out=self._max)

    def statistics(self, fingerprint: str | None = None) -> Statistics:
        """Returns the statistics of all values that were added.

        Args:
            fingerprint: Fingerprint of the feature.

        Raises:
            ArgumentError: If no frames were added.
        """
        if not self.count:
            raise ArgumentError("There must be at least one frame to have statistics. Received: no frames.")
        self._settle()
        count, scale = self.count, 1 << -_UNIT
        # Python divides integers of any size with a single rounding.
        means = [total / (count * scale) for total in self._sum]
        variances = [
            max(0, count * square - total * total) / (count * count * scale * scale)
            for total, square in zip(self._sum, self._square, strict=True)
        ]
        return Statistics(
            count=np.full(self.shape, count),
            mean=np.reshape(means, self.shape),
            std=np.sqrt(np.reshape(variances, self.shape)),
            min=self._min.astype(np.float64).reshape(self.shape),
            max=self._max.astype(np.float64).reshape(self.shape),
            fingerprint=fingerprint,
        )

    def to_dict(self) -> dict[str, Any]:
        """Returns the sums as texts and numbers, which JSON keeps exactly. Equal sums give equal dicts."""
        if not self.count:
            return {"shape": list(self.shape), "count": 0}
        self._settle()
        return {
            "shape": list(self.shape),
            "count": self.count,
            "sum": [exact_sums.to_text(integer, _UNIT) for integer in self._sum],
            "square": [exact_sums.to_text(integer, _SQUARE_UNIT) for integer in self._square],
            # -0.0 becomes 0.0. Which of them is the smaller one depends on the order.
            "min": (self._min + np.float32(0)).tolist(),
            "max": (self._max + np.float32(0)).tolist(),
        }

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> "FeatureSums":
        """Returns the sums that `to_dict` made a dict of.

        Raises:
            ArgumentError: If it is no such dict.
        """
        try:
            sums = cls(tuple(content["shape"]))
            sums.count = checks.integer("count", content["count"], minimum=0, maximum=_MAX_COUNT)
            if sums.count:
                columns = {name: list(content[name]) for name in _LISTS}
                if any(len(column) != math.prod(sums.shape) for column in columns.values()):
                    raise ArgumentError("Sums must have a number for each bin and channel. Received: another number.")
                sums._sum = [exact_sums.from_text(text, _UNIT) for text in columns["sum"]]
                sums._square = [exact_sums.from_text(text, _SQUARE_UNIT) for text in columns["square"]]
                with np.errstate(over="ignore"):  # of numbers beyond float32, which become infinite
                    sums._min, sums._max = (np.array(columns[name], np.float32) for name in ("min", "max"))
                if not (np.isfinite(sums._min).all() and np.isfinite(sums._max).all()):
                    raise ArgumentError("Sums must have finite minima and maxima. Received: NaN or infinity.")
                if (sums._min > sums._max).any():
                    raise ArgumentError("Sums must have minima of at most their maxima. Received: larger ones.")
        except ArgumentError:
            raise
        except (TypeError, ValueError, KeyError) as error:
            raise ArgumentError(f"Sums must be a dict from FeatureSums.to_dict. Received: {content!r:.200}.") from error
        return sums

    def __eq__(self, other: object) -> bool:
        return self.to_dict() == other.to_dict() if isinstance(other, FeatureSums) else NotImplemented

    __hash__ = None  # type: ignore[assignment]  # sums change

    def __repr__(self) -> str:
        return f"FeatureSums(shape={self.shape}, count={self.count})"

    def _blocks(self, frames: np.ndarray) -> Iterator[_Block]:
        """Yields the sums of each block of frames."""
        if frames.ndim != 3 or frames.shape[1:] != self.shape or frames.dtype != np.float32:
            bins, channels = self.shape
            raise ArgumentError(
                f"frames must be a float32 array of shape [frames, {bins}, {channels}]. Received: {frames.dtype} of "
                f"shape {frames.shape}."
            )
        values = np.ascontiguousarray(frames).reshape(len(frames), len(self._sum))
        if self._scratch is None:
            self._scratch = np.empty(self._block_frames * values.shape[1])
        for start in range(0, len(values), self._block_frames):
            yield _sums_of(values[start : start + self._block_frames], self._scratch)

    def _settle(self) -> None:
        """Adds the pending blocks to the integers."""
        if not self._pending:
            return
        n_frames = np.array([[block.n_frames] for block in self._pending], np.float64)
        centres = np.stack([block.centre for block in self._pending])
        deviations = np.stack([block.deviations for block in self._pending])
        squares = np.stack([block.squares for block in self._pending])
        # All of these products are exact: a centre has 24 bits, a number of frames 15, and a part of a float64 at most
        # 29. With d = x - c, the sum of x is n c + sum d, and that of x**2 is sum d**2 + 2 c sum d + n c c.
        totals = n_frames * centres
        sums = [totals, deviations, *(row[None] for block in self._pending for row in block.corrections)]
        products = [factor * centres for factor in (*_halves(2 * deviations), *_halves(totals))]
        self._sum = _added(self._sum, np.concatenate(sums), _UNIT)
        self._square = _added(self._square, np.concatenate([squares, *products]), _SQUARE_UNIT)
        self._pending.clear()


def _sums_of(values: np.ndarray, scratch: np.ndarray) -> _Block:
    """Sums a block of frames around a centre. All additions have a fixed order, on every processor."""
    n_frames = len(values)
    smallest, largest = _reduced(values, np.minimum), _reduced(values, np.maximum)
    if not (np.isfinite(smallest).all() and np.isfinite(largest).all()):
        raise ArgumentError("Values must be finite to have statistics. Received: NaN or infinity.")
    deviations = scratch[: values.size].reshape(values.shape)
    np.copyto(deviations, values)
    some = deviations[:: -(-n_frames // _CENTRE_FRAMES)]
    # Of equal values, the mean is exactly the value, because float64 holds their sum.
    centre = (_reduced(some, np.add) / len(some)).astype(np.float32).astype(np.float64)
    _subtract(deviations, centre)
    sums = _reduced(deviations, np.add)
    np.multiply(deviations, deviations, out=deviations)
    block = _Block(n_frames, smallest, largest, centre, sums, _reduced(deviations, np.add), [])
    unit = _unit(values, block, scratch)
    reach = n_frames * np.maximum(largest - centre, centre - smallest)
    # The sum of a block may cancel that of another one, so a rounding error may be large compared with their sum.
    rounded = reach >= 2.0**_FLOAT64_BITS * unit
    if rounded.any():
        exact = exact_sums.parts(values if rounded.all() else values[:, rounded], unit[rounded])
        for part in (*exact, -n_frames * centre[rounded], -sums[rounded]):
            correction = np.zeros(len(rounded))
            correction[rounded] = part
            block.corrections.append(correction)
    return block


def _subtract(values: np.ndarray, row: np.ndarray) -> None:
    """Subtracts a row from all rows, several rows at a time if they are short."""
    grouped = len(values) // _GROUP * _GROUP if len(row) < _WIDE else 0
    if grouped:
        wide = values[:grouped].reshape(-1, _GROUP * len(row))
        np.subtract(wide, np.tile(row, _GROUP), out=wide)
    np.subtract(values[grouped:], row, out=values[grouped:])


def _reduced(values: np.ndarray, function: np.ufunc) -> np.ndarray:
    """Combines rows: first each row with those that follow it at a distance of 32 rows, then the results by halves.

    Wide rows are combined one after the other.
    """
    n_rows, n_columns = values.shape
    if n_columns >= _WIDE:
        return function.reduce(values, axis=0)
    grouped = n_rows // _GROUP * _GROUP
    if grouped:
        rows = function.reduce(values[:grouped].reshape(-1, _GROUP * n_columns), axis=0).reshape(_GROUP, n_columns)
        rest = n_rows - grouped
        function(rows[:rest], values[grouped:], out=rows[:rest])
    else:
        rows = values.copy()
    n_rows = len(rows)
    while n_rows > 1:
        half = n_rows // 2
        function(rows[:half], rows[n_rows - half : n_rows], out=rows[:half])
        n_rows -= half
    return rows[0]


def _unit(values: np.ndarray, block: _Block, scratch: np.ndarray) -> np.ndarray:
    """Returns a power of two for each column, of which all values and deviations are multiples, in float64.

    It is the last bit of the smallest absolute value, or of that of the centre.
    """
    least = np.where(block.smallest > 0, block.smallest, -block.largest)
    unknown = least <= 0  # there is zero, or values of both signs
    if unknown.any():
        # The bits of a float32 without its sign are ordered as its size. One less makes zero the largest.
        sizes = scratch.view(np.uint32)[: values.size].reshape(values.shape)
        np.left_shift(values.view(np.uint32), np.uint32(1), out=sizes)
        np.subtract(sizes, np.uint32(1), out=sizes)
        nonzero = ((_reduced(sizes, np.minimum) + np.uint32(1)) >> np.uint32(1)).view(np.float32)
        least = np.where(unknown, nonzero, least)
    _, exponents = np.frexp(np.where(block.centre == 0, least, np.minimum(least, np.abs(block.centre))))
    return np.ldexp(1.0, exponents - _FLOAT32_BITS)


def _halves(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Splits float64 numbers into a part of 24 bits and one of at most 29, whose sum they are."""
    # Sums over a block may be too large for float32.
    scale = 2.0 * MAX_BLOCK_FRAMES
    high = scale * (values / scale).astype(np.float32).astype(np.float64)
    return high, values - high


def _added(totals: list[int], terms: np.ndarray, exponent: int) -> list[int]:
    sums = exact_sums.column_sums(terms, exponent)
    return [total + more for total, more in zip(totals, sums, strict=True)]
