"""Sums from which the statistics of features follow, whatever the order in which clips are added.

Frames are summed in blocks of a clip: first in float64, with additions in a fixed order. Where the mean of a block is
large compared with its standard deviation, these are sums of deviations from a centre near the mean, so they lose no
digits to an offset. The sums of the blocks are then added as integers, without rounding.
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
_BLOCK_VALUES = 1 << 17
_PART_VALUES = 1 << 15  # of a block that are float64 at once, so few that they stay in the cache of a processor
_GROUP = 32  # frames that NumPy adds to others at once
_WIDE = 256  # columns of frames that are added one by one
# Sum of squares divided by that of squared deviations, up to which no centre is needed. Errors of the former grow by
# this factor. Each of the 512 additions of a block may round by 2**-54 in the same direction, if values are equal.
_MAX_SQUARES = 25.0
_CENTRE_FRAMES = 128  # of a block whose mean is the centre
# Blocks are added as integers many at once: one by one, that would take more time than the sums. They are at most 64,
# and have at most about a million columns together.
_PENDING_VALUES = 1 << 20
_MIN_PENDING_COLUMNS = _PENDING_VALUES // 64
# Every float32 is a multiple of 2**-149, so every product of two is one of 2**-298, and so are roundings of these.
_UNIT, _SQUARE_UNIT = -149, -298
_FLOAT32_BITS, _FLOAT64_BITS = 24, 53
_ONE = np.uint32(1)
_MAX_COUNT = (1 << 63) - 1
_LISTS = ("sum", "square", "min", "max")


class _Block(NamedTuple):
    """Sums of a block of frames, each `[columns]`, and float64 unless it says otherwise.

    Args:
        n_frames: Number of frames.
        smallest: Smallest values, float32.
        largest: Largest values, float32.
        centre: Numbers that float32 holds: near the mean if that is large compared with the standard deviation, else 0.
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
        self._scratch: np.ndarray | None = None  # memory for numbers of a block in float64

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

    def __reduce__(self):
        return type(self).from_dict, (self.to_dict(),)  # without the memory for blocks

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
            rows = min(self._block_frames, _group(values))
            self._scratch = np.empty(max(_PART_VALUES, rows * values.shape[1]))
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
        self._sum = _increased(self._sum, np.concatenate(sums), _UNIT)
        self._square = _increased(self._square, np.concatenate([squares, *products]), _SQUARE_UNIT)
        self._pending.clear()


def _sums_of(values: np.ndarray, scratch: np.ndarray) -> _Block:
    """Sums a block of frames. All additions have a fixed order, on every processor."""
    n_frames = len(values)
    smallest, largest = _extreme(values, np.minimum), _extreme(values, np.maximum)
    if not math.isfinite(smallest.sum(dtype=np.float64) + largest.sum(dtype=np.float64)):
        raise ArgumentError("Values must be finite to have statistics. Received: NaN or infinity.")
    sums, squares = _totals(values, None, scratch)
    centre = np.zeros(len(sums))
    # Squares lose the digits of the variance in a bin whose mean is large compared with its standard deviation.
    far = squares > _MAX_SQUARES * (squares - sums * sums / n_frames)
    if far.any():
        centre[far], sums[far], squares[far] = _centred(values if far.all() else values[:, far], scratch)
    block = _Block(n_frames, smallest, largest, centre, sums, squares, [])
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


def _centred(values: np.ndarray, scratch: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns a centre near the mean of each column, and the sums of the deviations from it and of their squares."""
    some = values[:: -(-len(values) // _CENTRE_FRAMES)].astype(np.float64)
    # Of equal values, the mean is exactly the value, because float64 holds their sum.
    centre = (_halved(some) / len(some)).astype(np.float32).astype(np.float64)
    return centre, *_totals(values, centre, scratch)


def _totals(values: np.ndarray, centre: np.ndarray | None, scratch: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Adds the deviations of the rows from a centre, and their squares.

    Rows are added to those at a distance of a group of rows, part by part, and then the results by halves.
    """
    group = _group(values)
    rest = values[len(values) // group * group :].astype(np.float64)
    if centre is not None:
        rest -= centre
    if len(values) < group:
        return _halved(rest.copy()), _halved(rest * rest)
    n_columns = values.shape[1]
    wide_centre = None if centre is None else np.broadcast_to(centre, (group, n_columns)).reshape(-1)
    sums, squares = np.zeros((2, group * n_columns))
    for part in _wide_parts(values):
        numbers = scratch[: part.size].reshape(part.shape)
        np.copyto(numbers, part)
        if wide_centre is not None:
            np.subtract(numbers, wide_centre, out=numbers)
        sums += np.add.reduce(numbers, axis=0)
        np.multiply(numbers, numbers, out=numbers)
        squares += np.add.reduce(numbers, axis=0)
    sums, squares = sums.reshape(group, n_columns), squares.reshape(group, n_columns)
    sums[: len(rest)] += rest
    squares[: len(rest)] += rest * rest
    return _halved(sums), _halved(squares)


def _group(values: np.ndarray) -> int:
    """Returns how many rows are combined with others at once. NumPy is slow with short rows."""
    return _GROUP if values.shape[1] < _WIDE else 1


def _wide_parts(values: np.ndarray) -> Iterator[np.ndarray]:
    """Yields parts of an array, with a group of rows in one. Rows after the last whole group are left out."""
    group = _group(values)
    wide = values[: len(values) // group * group].reshape(-1, group * values.shape[1])
    count = max(1, _PART_VALUES // wide.shape[1])
    for start in range(0, len(wide), count):
        yield wide[start : start + count]


def _halved(rows: np.ndarray) -> np.ndarray:
    """Adds rows by halves, in place."""
    n_rows = len(rows)
    while n_rows > 1:
        half = n_rows // 2
        np.add(rows[:half], rows[n_rows - half : n_rows], out=rows[:half])
        n_rows -= half
    return rows[0].copy()


def _extreme(values: np.ndarray, function: np.ufunc) -> np.ndarray:
    """Returns the minimum or the maximum of each column."""
    n_columns = values.shape[1]
    group = _group(values)
    rows = values[len(values) // group * group :]
    if len(values) >= group:
        wide = values[: len(values) - len(rows)].reshape(-1, group * n_columns)
        rows = np.concatenate([function.reduce(wide, axis=0).reshape(group, n_columns), rows])
    return function.reduce(rows, axis=0)


def _unit(values: np.ndarray, block: _Block, scratch: np.ndarray) -> np.ndarray:
    """Returns a power of two for each column, of which all values and deviations are multiples, in float64.

    It is the last bit of the smallest absolute value, or of that of the centre.
    """
    least = np.where(block.smallest > 0, block.smallest, -block.largest)
    unknown = least <= 0  # there is zero, or values of both signs
    if unknown.any():
        # The bits of a float32 without its sign are ordered as its size. One less makes zero the largest.
        bits = values.view(np.uint32)
        group = _group(bits)
        rest = bits[len(bits) // group * group :]
        rows = [_extreme((rest << _ONE) - _ONE, np.minimum)] if len(rest) else []
        for part in _wide_parts(bits):
            sizes = scratch.view(np.uint32)[: part.size].reshape(part.shape)
            np.left_shift(part, _ONE, out=sizes)
            np.subtract(sizes, _ONE, out=sizes)
            rows.append(np.minimum.reduce(np.minimum.reduce(sizes, axis=0).reshape(group, -1), axis=0))
        nonzero = ((np.minimum.reduce(rows) + _ONE) >> _ONE).view(np.float32)
        least = np.where(unknown, nonzero, least)
    _, exponents = np.frexp(np.where(block.centre == 0, least, np.minimum(least, np.abs(block.centre))))
    return np.ldexp(1.0, exponents - _FLOAT32_BITS)


def _halves(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Splits float64 numbers into a part of 24 bits and one of at most 29, whose sum they are."""
    # Sums over a block may be too large for float32.
    scale = 2.0 * MAX_BLOCK_FRAMES
    high = scale * (values / scale).astype(np.float32).astype(np.float64)
    return high, values - high


def _increased(totals: list[int], terms: np.ndarray, exponent: int) -> list[int]:
    sums = exact_sums.column_sums(terms, exponent)
    return [total + more for total, more in zip(totals, sums, strict=True)]
