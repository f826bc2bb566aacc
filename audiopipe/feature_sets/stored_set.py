"""Records of one feature set on disk, read by their numbers."""

import bisect
import functools
import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from audiopipe.errors import CorruptFeatureSetError
from audiopipe.feature_sets import dtypes, index, record_heads, record_layout, records, tfrecords, valid_frames
from audiopipe.feature_sets.description import Description
from audiopipe.feature_sets.index import Rows
from audiopipe.storage import files
from audiopipe.storage.ranges import RangedFolder

BLOCK_BYTES = 1 << 23  # records that are next to each other are read together, up to this size
_FIRST_BYTES = 4096  # usually more than everything of a record but its feature


@dataclass(frozen=True, slots=True)
class Place:
    """Where a record is: the position of its shard, its number in it, and the offset and size of its frame."""

    shard: int
    number: int
    offset: int
    size: int
    n_frames: int
    valid_frames: int


class StoredSet:
    """Reads the records of one feature set, in any order and from many threads and processes at once.

    Args:
        description: The feature set.

    Attributes:
        description: The feature set.
        index: Its index.

    Raises:
        CorruptFeatureSetError: If the index is missing or damaged, or does not fit the feature set.
    """

    def __init__(self, description: Description):
        self.description = description
        self.index = index.opened(description)
        self._fingerprint = records.short_fingerprint(description.fingerprint).hex()
        self._folder = RangedFolder(description.path)
        self._starts = np.cumsum([0, *(shard["records"] for shard in description.shards)], dtype=np.int64)
        self._shard_starts = self._starts.tolist()  # faster than an array for single numbers
        self._places: dict[int, list[np.ndarray]] = {}
        self._checked: set[int] = set()

    def read_record(self, row: int) -> records.Record:
        """Reads a record as a whole and checks its checksum and its place.

        Args:
            row: Number of the record.

        Raises:
            CorruptFeatureSetError: If the record is missing or damaged, or belongs to another place or feature.
        """
        place = self.place(row)
        [frame] = self._read(place, (place.offset, place.size))
        return self._decode(frame, place)

    def read_records(self, rows: Rows) -> Iterator[records.Record]:
        """Reads records as wholes, like `read_record`. Those that are next to each other are read together.

        Args:
            rows: Numbers of the records, in any order.
        """
        for place, frame in self._frames(rows):
            yield self._decode(frame, place)

    def read_into(self, *ranges: tuple[int, int, np.ndarray]) -> list[int]:
        """Reads ranges of shards into arrays. Ranges of remote shards are requested all at once.

        Args:
            *ranges: Position of a shard, offset of a range in it, and an array, uint8 `[bytes]`, that gets the bytes.

        Returns:
            For each range, how many bytes of it the shard has.

        Raises:
            CorruptFeatureSetError: If a shard is missing.
        """
        shards = self.description.shards
        try:
            return self._folder.read_into(*((shards[shard]["name"], offset, array) for shard, offset, array in ranges))
        except FileNotFoundError as error:
            found = [shard for shard, _, _ in ranges]
            missing = [shard for shard in found if not files.exists(self._path(shard))]
            raise self._missing([*missing, *found][0]) from error

    def sizes(self, rows: Rows) -> pa.ChunkedArray:
        """Returns the sizes of records in bytes, as the index has them."""
        return self.index.take(rows, self.index.layout.own["record"], "bytes")

    def _frames(self, rows: Rows) -> Iterator[tuple[Place, bytes]]:
        block: list[Place] = []
        for row in rows:
            place = self.place(int(row))
            if block and (
                (place.shard, place.offset) != (block[-1].shard, block[-1].offset + block[-1].size)
                or place.offset + place.size - block[0].offset > BLOCK_BYTES
            ):
                yield from self._block(block)
                block = []
            block.append(place)
        yield from self._block(block)

    def frames(self, row: int, start: int, stop: int) -> np.ndarray:
        """Reads some frames of a feature, and no others.

        Args:
            row: Number of the record.
            start: First frame.
            stop: Frame after the last one, at most the number of frames.

        Returns:
            The frames, float32.

        Raises:
            CorruptFeatureSetError: If the shard is missing or belongs to another feature set, or the record is not
                where the index says. The checksum of a record covers all its bytes, so it cannot be checked.
        """
        place = self.place(row)
        shape, dtype = list(self._shape(place)), dtypes.DTYPES[self.description.dtype]
        axis = self.description.config.frame_axis
        channels = math.prod(shape[:axis])  # 1 unless the channels come first
        frame_bytes = math.prod(shape[axis + 1 :]) * dtype.itemsize
        values = place.offset + place.size - tfrecords.FOOTER_BYTES - channels * place.n_frames * frame_bytes
        ranges = [
            (values + (channel * place.n_frames + start) * frame_bytes, (stop - start) * frame_bytes)
            for channel in range(channels)
        ]
        if values < place.offset + tfrecords.HEADER_BYTES:
            raise self.misfit(place, f"it cannot have a feature of shape {tuple(shape)}")
        header, *blocks = self._read(place, (place.offset, tfrecords.HEADER_BYTES), *ranges)
        length = tfrecords.length_of(header, self.where(place))
        if length + tfrecords.FRAME_BYTES != place.size:
            raise self.misfit(place, f"its frame has {length + tfrecords.FRAME_BYTES} bytes instead of {place.size}")
        shape[axis] = stop - start
        return np.frombuffer(b"".join(blocks), dtype).astype(np.float32).reshape(shape)

    @functools.cached_property
    def _group_starts(self) -> list[int]:
        return self.index.starts.tolist()

    def n_frames(self, row: int) -> int:
        """Returns the number of frames of a feature."""
        return self.place(row).n_frames

    def _block(self, places: list[Place]) -> Iterator[tuple[Place, bytes]]:
        if not places:
            return
        start = places[0].offset
        [block] = self._read(places[0], (start, places[-1].offset + places[-1].size - start))
        for place in places:
            yield place, block[place.offset - start : place.offset - start + place.size]

    def _decode(self, frame: bytes, place: Place) -> records.Record:
        where = self.where(place)
        record = tfrecords.parse(frame, where)
        try:
            found = records.decode(record, self.description.columns, self.description.config, self.description.dtype)
        except CorruptFeatureSetError as error:
            raise CorruptFeatureSetError(f"{where}: {error}") from error
        self._check(found, place)
        if found.n_frames != place.n_frames:
            raise self.misfit(place, f"the record has {found.n_frames} frames instead of {place.n_frames}")
        return found

    def _check(self, found: records.Record | record_heads.Head, place: Place) -> None:
        if found.fingerprint != self._fingerprint:
            fault = "belongs to another config"
        elif found.shard_id != self.description.shards[place.shard]["id"]:
            fault = "belongs to another shard"
        elif found.number != place.number:
            fault = "belongs to another place"
        else:
            return
        raise CorruptFeatureSetError(
            f"{self.where(place)} {fault}: files were renamed or mixed up. Run 'audiopipe verify' to check the whole "
            "set, then copy the file again or recompute the feature set."
        )

    def _shape(self, place: Place) -> tuple[int, int, int]:
        """Returns the shape of a feature, and makes sure that the shard is the right one."""
        config = self.description.config
        frames, bins, channels = config.feature_shape(place.n_frames, config.channels)
        if frames is None or bins is None or channels is None:
            return self._head(place).shape  # the number of channels depends on the clip
        if place.shard not in self._checked:
            self._head(self.place(int(self._starts[place.shard])))
            self._checked.add(place.shard)
        return frames, bins, channels

    def _head(self, place: Place) -> record_heads.Head:
        """Reads what a record says about its feature, and checks that the record belongs to its place."""
        start = place.offset + tfrecords.HEADER_BYTES
        most = place.size - tfrecords.FRAME_BYTES
        [data] = self._read(place, (start, min(most, _FIRST_BYTES)))
        try:
            needed = min(most, record_layout.size_of_head(data))
            if needed > len(data):
                [data] = self._read(place, (start, needed))
            head = record_heads.head(data)
        except CorruptFeatureSetError as error:
            raise CorruptFeatureSetError(f"{self.where(place)}: {error}") from error
        self._check(head, place)
        if head.n_frames != place.n_frames:
            raise self.misfit(place, f"the record has {head.n_frames} frames instead of {place.n_frames}")
        return head

    def _read(self, place: Place, *ranges: tuple[int, int]) -> list[bytes]:
        name = self.description.shards[place.shard]["name"]
        try:
            blocks = self._folder.read(name, *ranges)
        except FileNotFoundError as error:
            raise self._missing(place.shard) from error
        for block, (_, size) in zip(blocks, ranges, strict=True):
            if len(block) != size:
                raise tfrecords.damaged(self.where(place), "the file ends within it")
        return blocks

    def place(self, row: int) -> Place:
        """Returns where a record is.

        Args:
            row: Number of the record.

        Raises:
            CorruptFeatureSetError: If the index does not fit the feature set.
        """
        group = bisect.bisect_right(self._group_starts, row) - 1
        position = row - self._group_starts[group]
        offset, size, n_frames, valid = (int(values[position]) for values in self._places_in(group))
        shard = bisect.bisect_right(self._shard_starts, row) - 1
        return Place(shard, row - self._shard_starts[shard], offset, size, n_frames, valid)

    def _places_in(self, group: int) -> list[np.ndarray]:
        """Returns offset and size of the frame, number of frames and of valid frames, of each record of a group."""
        if group not in self._places:
            self._places[group] = self._read_places(group)
        return self._places[group]

    def _read_places(self, group: int) -> list[np.ndarray]:
        own = self.index.layout.own
        paths = [(own["record"], name) for name in ("shard", "number", "offset", "bytes")]
        arrays = self.index.read(group, *paths, (own["n_frames"],))
        shard, number, offset, size, n_frames = (array.fill_null(-1).to_numpy(zero_copy_only=False) for array in arrays)
        rows = np.arange(*self.index.starts[group : group + 2])
        expected = np.searchsorted(self._starts, rows, side="right") - 1
        ends = np.array([shard["bytes"] for shard in self.description.shards])[expected] - tfrecords.FRAME_BYTES
        fits = (shard == expected) & (number == rows - self._starts[expected])
        fits &= (offset >= 0) & (size > 0) & (size <= tfrecords.MAX_RECORD_BYTES) & (offset <= ends - size)
        fits &= n_frames >= 0
        if not fits.all():
            wrong = int(np.flatnonzero(~fits)[0])
            place = Place(int(expected[wrong]), int(number[wrong]), int(offset[wrong]), int(size[wrong]), 0, 0)
            raise self.misfit(place, f"row {rows[wrong]} says that it has {size[wrong]} bytes at {offset[wrong]}")
        # The smallest types that hold the values: a set of 30 million records has as many of each.
        frames = _smallest(n_frames)
        if not valid_frames.are_padded(self.description):
            return [_smallest(offset), _smallest(size + tfrecords.FRAME_BYTES), frames, frames]
        [valid] = self.index.read(group, (own["valid_frames"],))
        known = valid.is_valid().to_numpy(zero_copy_only=False)
        valid = np.where(known, valid.fill_null(0).to_numpy(zero_copy_only=False), n_frames)
        return [
            _smallest(offset),
            _smallest(size + tfrecords.FRAME_BYTES),
            frames,
            _smallest(np.clip(valid, 0, n_frames)),
        ]

    def _path(self, shard: int) -> str:
        return files.join(self.description.path, self.description.shards[shard]["name"])

    def where(self, place: Place) -> str:
        """Returns what an error message calls a record."""
        return f"Record {place.number} of the shard {self._path(place.shard)!r}"

    def misfit(self, place: Place, fault: str) -> CorruptFeatureSetError:
        """Returns the error for an index that does not fit a record."""
        name = (self.description.index or {"name": "made from the shards"})["name"]
        return CorruptFeatureSetError(
            f"The index {files.join(self.description.path, name)!r} does not fit the shards. "
            f"{self.where(place)}: {fault}. Copy the folder again, or recompute the feature set."
        )

    def _missing(self, shard: int) -> CorruptFeatureSetError:
        return CorruptFeatureSetError(
            f"The shard {self._path(shard)!r} is missing. Copy it again, or recompute the feature set."
        )


def _smallest(values: np.ndarray) -> np.ndarray:
    return values.astype(np.min_scalar_type(values.max(initial=0)))
