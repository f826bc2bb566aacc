"""Records of clips in blocks of arrays, which `load` decodes.

TensorFlow runs one Python function at a time, so a block is read in one call, and each record takes few steps.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from audiopipe.configs.base import Config
from audiopipe.errors import CorruptFeatureSetError
from audiopipe.feature_sets import examples, record_layout, record_schema, tfrecords
from audiopipe.feature_sets.dtypes import DTYPES
from audiopipe.feature_sets.index import Rows
from audiopipe.feature_sets.joined_sets import JoinedSets
from audiopipe.feature_sets.set_members import picked
from audiopipe.feature_sets.stored_set import Place, StoredSet

PLACES_OF_SHARD = 2**31  # place of a record = this * position of its shard among all + its number in the shard
ALIGNMENT = 64  # TensorFlow copies arrays that do not start at a multiple of this address
_LARGE_BYTES = 1 << 16  # of a record whose copy takes longer than reading it on its own
_FIRST_BYTES = 4096  # usually more than everything of a record but its feature
_ADVICE = "Copy the file again, or recompute the feature set."
_HEADER = tfrecords.HEADER_BYTES
_FOOTER = tfrecords.FOOTER_BYTES


@dataclass(frozen=True, slots=True)
class Block:
    """Some records, whose features are whole or cropped.

    Args:
        heads: Entries of each record but its feature, serialized.
        numbers: For each record its place, the three sizes of the whole feature, the first frame, and the number of
            frames: int64 `[records, 6]`.
        features: The feature of each record. If all have the same shape, because they are crops, a single array with
            the records as its first axis. Crops and normalized features are float32, and other whole features have
            their storage dtype.
    """

    heads: list[bytes]
    numbers: np.ndarray
    features: list[np.ndarray]


@dataclass(slots=True)
class _Record:
    """A record of a block: its place, and where its values are."""

    number: int
    stored: StoredSet
    place: Place
    head: bytes = b""
    shape: tuple[int, int, int] = (0, 0, 0)
    values_offset: int = 0

    def damaged(self) -> CorruptFeatureSetError:
        return tfrecords.damaged(self.stored.where(self.place), "the file ends within it")


class RowBlocks:
    """Reads the records of clips, in any order and from many threads at once.

    Args:
        sets: The feature sets.
        rows: Numbers of the clips in the sets.
        first_places: Place of the first record of each set.
        normalized_config: Config whose normalization is applied to the features. None means that there is none.
    """

    def __init__(
        self, sets: JoinedSets, rows: Rows, first_places: Sequence[int], normalized_config: Config | None = None
    ):
        self._sets = sets
        self._rows = rows
        self._first_places = first_places
        self._config = sets.descriptions[0].config
        self._standardization = None if normalized_config is None else normalized_config.standardization
        # Only a whole record has a checksum, and TensorFlow does not name the record that it cannot parse.
        self._forms = [record_schema.forms(one.columns, is_old=bool(one.set_id)) for one in sets.descriptions]
        self._dtype = DTYPES[sets.descriptions[0].dtype]
        channels, bin_bytes = self._config.feature_channels, self._config.n_bins * self._dtype.itemsize
        self._frame_bytes = None if channels is None else channels * bin_bytes

    def read(self, clips: np.ndarray) -> Block:
        """Reads whole records and checks their checksums. Those that are next to each other are read together.

        Args:
            clips: Numbers of the clips among the rows, int64 `[records]`.

        Raises:
            CorruptFeatureSetError: If a record is missing or damaged, or not where the index says.
        """
        records = self._records(clips)
        begins = self._begins(records)
        content = _aligned(begins[-1] + records[-1].place.size)
        _read_frames(records, begins, content)
        features = []
        for record, begin in zip(records, begins, strict=True):
            frame = content[begin : begin + record.place.size]
            where = record.stored.where(record.place)
            tfrecords.check(frame, where)
            self._find_values(record, frame[:-_FOOTER])
            values = frame[record.values_offset - record.place.offset : -_FOOTER]
            features.append(self._normalized(values.view(self._dtype).reshape(record.shape)))
        numbers = [(self._id(record), *record.shape, 0, record.place.n_frames) for record in records]
        return Block([record.head for record in records], np.array(numbers, np.int64), features)

    def crop(self, clips: np.ndarray, most: int, chances: np.ndarray) -> Block:
        """Reads some consecutive frames of records, and no others.

        As only a whole record has a checksum, that of its length is checked, that its entries can be read, and that
        it is where the index says.

        Args:
            clips: Numbers of the clips among the rows, int64 `[records]`.
            most: Number of frames of a crop. Shorter clips are read as wholes and padded at their end. The crops are
                taken from the valid frames.
            chances: For each clip, which of the possible first frames is taken, from 0 to below 1: float64 `[records]`.

        Raises:
            CorruptFeatureSetError: If a record is missing, or not where the index says.
        """
        records = self._records(clips)
        self._read_heads(records)
        shapes = [self._shape(most, record) for record in records]
        have_one_shape = self._frame_bytes is not None
        if have_one_shape:
            shape = (len(records), *shapes[0])
            arrays = [_aligned(math.prod(shape) * self._dtype.itemsize).view(self._dtype).reshape(shape)]
        else:
            arrays = [np.empty(shape, self._dtype) for shape in shapes]
        numbers, ranges = [], []
        crops = arrays[0] if have_one_shape else arrays
        for record, crop, chance in zip(records, crops, chances.tolist(), strict=True):
            n_frames = record.place.n_frames
            start = int(chance * (max(record.place.valid_frames - most, 0) + 1))
            kept = min(n_frames - start, most)
            numbers.append((self._id(record), *record.shape, start, kept))
            ranges += [(record, *part) for part in self._ranges(record, crop, start, kept)]
        _read(ranges)
        features = [array.astype(np.float32, copy=False) for array in arrays]
        for feature, (*_, kept) in zip(features[0] if have_one_shape else features, numbers, strict=True):
            self._pad(feature, kept)
        features = [self._normalized(feature) for feature in features]
        return Block([record.head for record in records], np.array(numbers, np.int64), features)

    def _begins(self, records: Sequence[_Record]) -> list[int]:
        """Returns where the frame of each record begins in an array. TensorFlow takes values there without a copy.

        The frames of small records follow one another, so that they can be read together.
        """
        begins, end = [], 0
        for record in records:
            place = record.place
            if self._frame_bytes is not None and (place.size >= _LARGE_BYTES or len(records) == 1):
                lead = place.size - _FOOTER - place.n_frames * self._frame_bytes
                end += -(end + lead) % ALIGNMENT
            begins.append(end)
            end += place.size
        return begins

    def _records(self, clips: np.ndarray) -> list[_Record]:
        rows = np.asarray(picked(self._rows, clips))
        return [_Record(*self._sets.place(row)) for row in rows.tolist()]

    def _id(self, record: _Record) -> int:
        """Returns the place of a record as the decoder counts it."""
        return self._first_places[record.number] + record.place.shard * PLACES_OF_SHARD + record.place.number

    def _read_heads(self, records: Sequence[_Record]) -> None:
        """Reads everything of records but their values, and finds out where these are."""
        starts = []
        for record in records:
            place = record.place
            size = min(place.size - _FOOTER, _HEADER + _FIRST_BYTES)
            if self._frame_bytes is not None:
                size = place.size - _FOOTER - place.n_frames * self._frame_bytes
                if size < _HEADER:
                    raise record.stored.misfit(place, f"it cannot have a feature of {place.n_frames} frames")
            starts.append((record, place.offset, np.empty(size, np.uint8)))
        _read(starts)
        for record, _, start in starts:
            place, where = record.place, record.stored.where(record.place)
            tfrecords.check_length(start[:_HEADER].tobytes(), place.size, where)
            if self._frame_bytes is None:
                start = _completed(record, start)
            self._find_values(record, start)
            try:
                record.head = examples.checked(record.head, self._forms[record.number])
            except ValueError as error:
                raise CorruptFeatureSetError(f"{where} is damaged: {error} {_ADVICE}") from error

    def _find_values(self, record: _Record, start: np.ndarray) -> None:
        """Finds the head of a record and its values, given at least the bytes of its frame before the values."""
        place = record.place
        try:
            end, offset, size = record_layout.offsets(start[_HEADER:], place.size - _HEADER - _FOOTER)
        except CorruptFeatureSetError as error:
            raise CorruptFeatureSetError(f"{record.stored.where(place)}: {error}") from error
        record.head = start[_HEADER : _HEADER + end].tobytes()
        record.shape = self._shape(place.n_frames, record)
        record.values_offset = place.offset + _HEADER + offset
        expected = math.prod(record.shape) * self._dtype.itemsize
        if size != expected:
            fault = f"its {size} bytes of values are not {place.n_frames} frames of {self._dtype.name}"
            raise record.stored.misfit(place, fault)

    def _shape(self, n_frames: int, record: _Record) -> tuple[int, int, int]:
        """Returns the shape of the feature of a record, or of some of its frames."""
        channels, axis = self._config.feature_channels, self._config.channel_axis
        if channels is None:
            channels = _stored_shape(record)[axis]
        return (n_frames, self._config.n_bins, channels) if axis == 2 else (channels, n_frames, self._config.n_bins)

    def _normalized(self, values: np.ndarray) -> np.ndarray:
        """Returns stored values, or crops, as they are read. Those of float32 stay at their address."""
        if self._standardization is None:
            return values
        values = values.astype(np.float32, copy=False)
        return self._standardization.apply(values, self._config, out=values)

    def _pad(self, crop: np.ndarray, kept: int) -> None:
        """Fills a crop with padding after its first frames."""
        axis, channel_axis = self._config.frame_axis, self._config.channel_axis
        if kept < crop.shape[axis]:
            padding = self._config.padding_frame(crop.shape[channel_axis] // len(self._config.quantities))
            np.moveaxis(crop, axis, 0)[kept:] = np.moveaxis(padding, axis, 0)

    def _ranges(self, record: _Record, crop: np.ndarray, start: int, kept: int) -> Iterator[tuple[int, np.ndarray]]:
        """Yields the offset of each range of a crop in the shard, and the part of the array for it."""
        # If channels come first, the frames of each channel are a range.
        for number, frames in enumerate(crop if self._config.frame_axis else crop[None]):
            if kept:
                skipped = (number * record.place.n_frames + start) * frames[0].nbytes
                yield record.values_offset + skipped, frames[:kept].reshape(-1).view(np.uint8)


def _aligned(size: int) -> np.ndarray:
    """Returns a new array, uint8 `[size]`, with an address that TensorFlow takes without a copy."""
    content = np.empty(size + ALIGNMENT, np.uint8)
    skipped = -content.ctypes.data % ALIGNMENT
    return content[skipped : skipped + size]


def _stored_shape(record: _Record) -> list[int]:
    """Returns the shape of the feature, as the record says it."""
    try:
        shape = examples.parse(record.head)[1].get("shape", [])
    except ValueError:
        shape = []
    if len(shape) != 3:
        raise tfrecords.damaged(record.stored.where(record.place), "it does not say the shape of its feature")
    return shape


def _completed(record: _Record, start: np.ndarray) -> np.ndarray:
    """Returns the start of a frame with everything but the values. Reads it again if it is too short."""
    place = record.place
    try:
        needed = min(_HEADER + record_layout.size_of_head(start[_HEADER:].tobytes()), place.size - _FOOTER)
    except CorruptFeatureSetError as error:
        raise CorruptFeatureSetError(f"{record.stored.where(place)}: {error}") from error
    if needed > len(start):
        start = np.empty(needed, np.uint8)
        _read([(record, place.offset, start)])
    return start


def _read_frames(records: Sequence[_Record], begins: Sequence[int], content: np.ndarray) -> None:
    """Reads the frames of records. Those that are next to each other, in the shard and in the array, are one range."""
    runs: list[list[_Record]] = []
    ranges: list[tuple[_Record, int, np.ndarray]] = []
    first = end = 0  # of the last range, in the array
    for record, begin in zip(records, begins, strict=True):
        last = runs[-1][-1] if runs else None
        if (
            last is not None
            and last.stored is record.stored
            and last.place.shard == record.place.shard
            and last.place.offset + last.place.size == record.place.offset
            and begin == end
        ):
            runs[-1].append(record)
        else:
            runs.append([record])
            ranges.append((record, record.place.offset, content[:0]))
            first = begin
        end = begin + record.place.size
        ranges[-1] = (*ranges[-1][:2], content[first:end])
    for run, count in zip(runs, _counts(ranges), strict=True):
        for record in run:
            count -= record.place.size
            if count < 0:
                raise record.damaged()


def _read(ranges: Sequence[tuple[_Record, int, np.ndarray]]) -> None:
    """Reads ranges of records, each given by its offset in the shard."""
    for (record, _, array), count in zip(ranges, _counts(ranges), strict=True):
        if count < len(array):
            raise record.damaged()


def _counts(ranges: Sequence[tuple[_Record, int, np.ndarray]]) -> list[int]:
    """Reads ranges, those of each set at once, and returns how many bytes of each there are."""
    counts = [0] * len(ranges)
    of_sets: dict[int, list[int]] = {}
    for position, (record, _, _) in enumerate(ranges):
        of_sets.setdefault(record.number, []).append(position)
    for positions in of_sets.values():
        stored = ranges[positions[0]][0].stored
        wanted = [ranges[position] for position in positions]
        found = stored.read_into(*((record.place.shard, offset, array) for record, offset, array in wanted))
        for position, count in zip(positions, found, strict=True):
            counts[position] = count
    return counts
