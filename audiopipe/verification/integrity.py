"""Check that a feature set is whole: its files, records, index and counts.

It needs neither the audio nor TensorFlow. It reads every shard once, and its memory does not grow with the features.
"""

import contextlib
import hashlib
import math
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any, BinaryIO

import numpy as np

from audiopipe.configs.clip_lengths import fewest_samples
from audiopipe.errors import CorruptFeatureSetError
from audiopipe.feature_sets import file_names, hashes, index, records, set_files, tfrecords
from audiopipe.feature_sets.clip_sums import ClipSums
from audiopipe.feature_sets.description import DATASET_FILE, Description
from audiopipe.feature_sets.index import Row
from audiopipe.storage import files
from audiopipe.verification.statistics_check import StatisticsCheck

SHOWN_FAULTS = 20
BLOCK_BYTES = 1 << 20
TOLERANCE = 1e-9  # of sums of durations
ADVICE = "Copy it again, or recompute the feature set."


def check(description: Description) -> Iterator[int]:
    """Raises an error unless a feature set is whole. The check runs while its results are iterated over.

    Every shard must have its checksum, and every record its own checksum, its place and a feature of the config. The
    index must agree with the records row by row, and the counts and the statistics with both. All other files that
    `dataset.json` names must have their checksums, and the files with stable names must be copies of them.

    Args:
        description: The feature set.

    Yields:
        The number of records of each shard, when it was checked.

    Raises:
        CorruptFeatureSetError: If something is missing, damaged, or does not fit the rest. The message names each file.

    Example:
        >>> from audiopipe.feature_sets.description import Description
        >>> list(check(Description.open("tests/data/v0.1/features")))
        [2, 1]
    """
    found = _Faults()
    index_path = _check_other_files(description, found)
    totals = _Totals(description)
    listed = iter(()) if index_path is None else _index_rows(description, found)
    with contextlib.ExitStack() as stack:
        statistics: StatisticsCheck | None = None
        with found.collected():
            statistics = stack.enter_context(StatisticsCheck.opened(description))
        for position, shard in enumerate(description.shards):
            expected = list(islice(listed, shard["records"]))
            sums = None if statistics is None else ClipSums(description.config)
            with found.collected():
                rows = _read_shard(description, position, sums)
                totals.add(rows)
                totals.add_seconds(expected)
                if index_path is not None and len(expected) == len(rows):
                    _check_rows(index_path, files.join(description.path, shard["name"]), expected, rows)
                if statistics is not None and sums is not None:
                    statistics.check_shard(position, sums)
            yield shard["records"]
        if not found.faults:
            with found.collected():
                totals.check()
                if statistics is not None:
                    statistics.check_total()
    found.raise_all(description.path)


class _Faults:
    """Faults that were found, so that one run names all damaged files."""

    def __init__(self) -> None:
        self.faults: list[CorruptFeatureSetError] = []

    @contextlib.contextmanager
    def collected(self) -> Iterator[None]:
        try:
            yield
        except CorruptFeatureSetError as fault:
            self.faults.append(fault)

    def raise_all(self, path: str) -> None:
        if len(self.faults) == 1:
            raise self.faults[0]
        if self.faults:
            lines = [str(fault) for fault in self.faults[:SHOWN_FAULTS]]
            if len(self.faults) > SHOWN_FAULTS:
                lines.append(f"and {len(self.faults) - SHOWN_FAULTS} more")
            raise CorruptFeatureSetError(f"{path!r} has {len(self.faults)} faults:\n" + "\n".join(lines))


class _Summing:
    """File that computes the checksum of what is read from it, in order."""

    def __init__(self, file: BinaryIO):
        self._file = file
        self._digest = hashlib.sha256()
        self.tell, self.seek = file.tell, file.seek

    def read(self, size: int) -> bytes:
        block = self._file.read(size)
        self._digest.update(block)
        return block

    def sha256(self) -> str:
        """Returns the checksum of the whole file, of which the rest is read."""
        while self.read(BLOCK_BYTES):
            pass
        return self._digest.hexdigest()


def _check_other_files(description: Description, found: _Faults) -> str | None:
    """Checks the files that are no shards. Returns the path of the index if there is an undamaged one."""
    listed = (description.index, description.failures_file, description.remarks_file)
    contents = (None, description.failures, description.remarks)
    index_path = None
    for facts, read, copy in zip(listed, contents, file_names.COPIES, strict=True):
        if facts is None:
            continue
        with found.collected():
            set_files.check(description.path, facts, "file", checksum=True)
            if facts is description.index:
                index_path = files.join(description.path, facts["name"])
            if read is not None:
                read()
        if facts["name"] != copy:  # format 1 has no copies
            with found.collected():
                _check_copy(description, copy, facts)
    return index_path


def _check_copy(description: Description, copy: str, facts: dict[str, Any]) -> None:
    set_files.check_links(description.path, [copy])
    try:
        set_files.check(description.path, {**facts, "name": copy}, "file", checksum=True)
    except CorruptFeatureSetError as error:
        if Description.open(description.path).generation != description.generation:
            return  # copies are of the newest generation, and this part of a set has one that the set does not name yet
        raise CorruptFeatureSetError(f"{error} It must be a copy of {facts['name']!r}.") from error


@contextlib.contextmanager
def _opened_shard(description: Description, position: int) -> Iterator[Any]:
    """Opens a shard, and raises an error unless it has its size and, after the block, its checksum.

    Damaged bytes make the block fail too. The error then names both faults.
    """
    shard = description.shards[position]
    set_files.check(description.path, shard, "shard")
    path = files.join(description.path, shard["name"])
    with files.open_binary(path) as file:
        summing, fault = _Summing(file), None
        try:
            yield summing
        except CorruptFeatureSetError as error:
            fault = error
        if summing.sha256() != shard["sha256"]:
            message = f"The shard {path!r} does not have the checksum in {DATASET_FILE}. {fault or ADVICE}"
            raise CorruptFeatureSetError(message) from fault
        if fault is not None:
            raise fault


def _read_shard(description: Description, position: int, sums: ClipSums | None) -> list[Row]:
    """Reads and checks the records of a shard, and adds them to sums. Returns their rows of an index."""
    shard = description.shards[position]
    path = files.join(description.path, shard["name"])
    rows: list[Row] = []
    count = 0
    with _opened_shard(description, position) as file:
        for offset, record in tfrecords.read(file, path):
            if count < shard["records"]:
                rows.append(_row(description, position, count, offset, record, path, sums))
            count += 1
        if count != shard["records"]:
            raise CorruptFeatureSetError(
                f"The shard {path!r} must have {shard['records']} records. Received: {count}. {ADVICE}"
            )
    return rows


def _row(
    description: Description,
    position: int,
    number: int,
    offset: int,
    record: bytes,
    path: str,
    sums: ClipSums | None,
) -> Row:
    """Checks a record, adds it to sums, and returns its row of an index."""
    where = f"Record {number} of the shard {path!r}"
    try:
        found = records.decode(record, description.columns, description.config, description.dtype)
    except CorruptFeatureSetError as error:
        raise CorruptFeatureSetError(f"{where}: {error}") from error
    if found.fingerprint != records.short_fingerprint(description.fingerprint).hex():
        fault = "belongs to another config"
    elif found.shard_id != description.shards[position]["id"]:
        fault = "belongs to another shard or feature set"
    elif found.number != number:
        fault = "belongs to another place"
    else:
        if sums is not None:
            sums.add_stored(found.feature, found.valid_frames)
        return Row(
            id=found.id,
            n_frames=found.n_frames,
            valid_frames=found.valid_frames,
            seconds=None,
            metadata=found.metadata,
            shard=position,
            number=number,
            offset=offset,
            bytes=len(record),
        )
    raise CorruptFeatureSetError(f"{where} {fault}: files were renamed or mixed up. {ADVICE}")


def _index_rows(description: Description, found: _Faults) -> Iterator[Row]:
    """Yields the rows of the index, until it turns out to be wrong."""
    with found.collected():
        yield from listed_rows(description)


def listed_rows(description: Description) -> Iterator[Row]:
    """Yields the rows of the index of a feature set, or of an index that is made from its records."""
    for table in index.opened(description).tables():
        yield from index.rows(table, description.columns)


def _check_rows(index_path: str, shard_path: str, listed: Sequence[Row], rows: Sequence[Row]) -> None:
    """Raises an error unless the index has these rows for a shard. Durations and sources are in the index alone."""
    for expected, row in zip(listed, rows, strict=True):
        for name, in_index, value in _facts(expected, row):
            if repr(in_index) != repr(value):  # NaN equals itself, and 0.0 does not equal -0.0
                raise CorruptFeatureSetError(
                    f"The index {index_path!r} does not fit the shards: {name} of record {row.number} of "
                    f"{shard_path!r} is {value!r}, and {in_index!r} in the index. Copy the folder again, or recompute "
                    "the feature set."
                )


def _facts(listed: Row, row: Row) -> Iterator[tuple[str, Any, Any]]:
    """Yields the name of each fact about a record, its value in the index, and its value in the record."""
    for name in ("shard", "number", "id", "n_frames", "valid_frames", "offset", "bytes"):
        yield name, getattr(listed, name), getattr(row, name)
    for name, value in row.metadata.items():
        yield name, listed.metadata[name], _as_listed(value)


def _as_listed(value: Any) -> Any:
    """Returns metadata as the index has it."""
    if isinstance(value, list):
        return [_as_listed(item) for item in value]
    return index.escaped(value) if isinstance(value, str) else value


class _Totals:
    """Totals over the records, which the counts in `dataset.json` must match."""

    def __init__(self, description: Description):
        self._description = description
        self._numbers: Counter[int] = Counter()  # of clips, by their number of frames
        self._seconds = 0.0
        self._knows_seconds = description.index is not None
        self._ids: list[np.ndarray] = []  # hashes, because there may be very many ids

    def add(self, rows: Sequence[Row]) -> None:
        """Adds the records of a shard."""
        self._numbers.update(row.n_frames for row in rows)
        self._ids.append(hashes.of_texts(map(_encoded, (row.id for row in rows))))

    def add_seconds(self, listed: Sequence[Row]) -> None:
        """Adds the durations of the clips of a shard, which only the index knows."""
        known = [row.seconds for row in listed if row.seconds is not None]
        self._seconds += math.fsum(known)
        self._knows_seconds = self._knows_seconds and len(known) == len(listed)

    def check(self) -> None:
        """Raises an error unless the counts match, and the clips are different ones."""
        counts = self._description.counts
        frames = sum(n_frames * clips for n_frames, clips in self._numbers.items())
        least, most = self._hours()
        if counts["frames"] != frames:
            fault = f"{frames} frames. Received: {counts['frames']}"
        elif not least * (1 - TOLERANCE) <= counts["hours"] <= most * (1 + TOLERANCE):
            hours = f"{least:g}" if least == most else f"{least:g} to {most:g}"
            fault = f"{hours} hours. Received: {counts['hours']}"
        else:
            self._check_ids()
            return
        name = files.join(self._description.path, DATASET_FILE)
        raise CorruptFeatureSetError(
            f"{name!r} was edited: its counts must match its records, which have {fault}. {ADVICE}"
        )

    def _hours(self) -> tuple[float, float]:
        """Returns how many hours of audio there are. The frames of a clip only bound its length."""
        if self._knows_seconds:
            return self._seconds / 3600, self._seconds / 3600
        config = self._description.config
        least, most = (
            sum(fewest_samples(config, frames + more) * clips for frames, clips in self._numbers.items())
            for more in (0, 1)
        )
        return least / config.sample_rate / 3600, most / config.sample_rate / 3600

    def _check_ids(self) -> None:
        found, counts = np.unique(np.concatenate([np.empty(0, np.uint64), *self._ids]), return_counts=True)
        repeated, seen = set(found[counts > 1].tolist()), set()
        if not repeated:
            return
        for row in listed_rows(self._description):
            if int(hashes.of_texts([_encoded(row.id)])[0]) in repeated:
                if row.id in seen:
                    raise CorruptFeatureSetError(
                        f"The records of {self._description.path!r} must be of different clips. Received twice: "
                        f"{row.id!r}. Recompute the feature set."
                    )
                seen.add(row.id)


def _encoded(clip_id: str) -> bytes:
    return clip_id.encode("utf-8", "surrogateescape")
