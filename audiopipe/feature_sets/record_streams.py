"""Records of feature sets as `tf.data.Dataset`s of their places and bytes: of whole sets, and of views."""

import hashlib
import os
import tempfile
from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

from audiopipe.errors import CorruptFeatureSetError
from audiopipe.feature_sets.decoding import PLACES_OF_SHARD, Decoder
from audiopipe.feature_sets.description import Description
from audiopipe.feature_sets.index import Rows
from audiopipe.feature_sets.joined_sets import JoinedSets
from audiopipe.feature_sets.stored_set import BLOCK_BYTES
from audiopipe.storage import files

PARTS_AT_ONCE = 8  # that are read at once for shuffling
MOST_ROWS = 1024  # of a view that are read together


def of_shards(
    descriptions: Sequence[Description], decoder: Decoder, *, shuffle: bool, seed: int | None
) -> tf.data.Dataset:
    """Returns all records of feature sets. TensorFlow reads the shards from their beginning to their end.

    Args:
        descriptions: The feature sets.
        decoder: Decoder of their records.
        shuffle: Whether to shuffle the shards and read several at once. The order differs in every iteration.
        seed: Seed of the shuffling.

    Returns:
        A dataset of places and records, with the expected number of records for each shard.
    """
    counts = [shard["records"] for description in descriptions for shard in description.shards]
    numbers = tf.range(len(counts), dtype=tf.int64)
    shards = tf.data.Dataset.from_tensor_slices((decoder.paths, numbers, tf.constant(counts, tf.int64)))
    read = _reader_of_shards(any(files.is_remote(description.path) for description in descriptions))
    return _shuffled(shards, read, len(counts), seed) if shuffle else shards.flat_map(read)


def of_view(sets: JoinedSets, rows: Rows, decoder: Decoder, *, shuffle: bool, seed: int | None) -> tf.data.Dataset:
    """Returns some records of feature sets, and reads only these.

    The rows are read in parts of a few megabytes. The records of a part that are next to each other are read together.

    Args:
        sets: The feature sets.
        rows: Numbers of the clips, in the order of the records.
        decoder: Decoder of their records.
        shuffle: Whether to shuffle the parts and read several at once. The order differs in every iteration.
        seed: Seed of the shuffling.

    Returns:
        A dataset of places and records.
    """
    starts = _starts(sets.sizes(rows))

    def read(start: np.ndarray, stop: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        places, found = [], []
        try:
            for number, record in sets.serialized(rows[int(start) : int(stop)]):
                places.append(decoder.first_places[number] + record.shard * PLACES_OF_SHARD + record.number)
                found.append(record.data)
        except CorruptFeatureSetError as error:
            raise ValueError(str(error)) from None  # which TensorFlow turns into an InvalidArgumentError
        return np.array(places, np.int64), np.array(found, object)

    def read_part(start: tf.Tensor, stop: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        places, found = tf.numpy_function(read, [start, stop], [tf.int64, tf.string])
        return tf.ensure_shape(places, [None]), tf.ensure_shape(found, [None])

    parts = tf.data.Dataset.from_tensor_slices((starts, np.append(starts, len(rows))[1:]))
    if not shuffle:
        return parts.map(read_part, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True).unbatch()

    def records_of(start: tf.Tensor, stop: tf.Tensor) -> tf.data.Dataset:
        return tf.data.Dataset.from_tensors((start, stop)).map(read_part).unbatch()

    return _shuffled(parts, records_of, len(starts), seed)


def _shuffled(
    parts: tf.data.Dataset, read: Callable[..., tf.data.Dataset], count: int, seed: int | None
) -> tf.data.Dataset:
    """Returns the records of parts in a random order of the parts, from several of them in turn."""
    parts = parts.shuffle(max(count, 1), seed=seed, reshuffle_each_iteration=True)
    return parts.interleave(
        read,
        cycle_length=PARTS_AT_ONCE,
        num_parallel_calls=tf.data.AUTOTUNE,
        deterministic=seed is not None,
    )


def _starts(sizes: np.ndarray) -> np.ndarray:
    """Returns the position in a view at which each part starts, given the sizes of its records in bytes."""
    blocks = np.cumsum(np.clip(sizes, 0, BLOCK_BYTES)) // BLOCK_BYTES
    starts_block = np.diff(blocks, prepend=-1) > 0
    return np.flatnonzero(starts_block | (np.arange(len(sizes)) % MOST_ROWS == 0))


def _reader_of_shards(has_remote: bool) -> Callable[..., tf.data.Dataset]:
    """Returns a function that reads the records of a shard, given its path, its number and its number of records.

    The function returns a dataset of `(place, record)` with the expected number of records. A place combines the number
    of the shard and the number of the record in it. TensorFlow's own errors do not name the file, so the function skips
    what it cannot read and fills up with empty records.
    """
    local = _fetched() if has_remote else _present

    def records_of(path: tf.Tensor, shard: tf.Tensor, count: tf.Tensor) -> tf.data.Dataset:
        missing = tf.data.Dataset.from_tensors(b"").repeat()
        read = tf.data.TFRecordDataset(local(path)).ignore_errors().concatenate(missing)
        first = shard * PLACES_OF_SHARD
        return tf.data.Dataset.zip((tf.data.Dataset.range(first, first + count), read))

    return records_of


def _fetched() -> Callable[[tf.Tensor], tf.Tensor]:
    """Returns a function that fetches a remote file into a temporary folder that lives as long as the dataset.

    It returns local paths as `_present` does.
    """
    cache = tempfile.TemporaryDirectory(prefix="audiopipe-")

    def fetch(path: bytes) -> bytes:
        text = path.decode()
        if not files.is_remote(text):
            return path
        # Shards of several sets have the same names.
        folder = os.path.join(cache.name, hashlib.sha256(text.rpartition("/")[0].encode()).hexdigest())
        os.makedirs(folder, exist_ok=True)
        return files.fetch(text, folder).encode()  # downloads it once for all iterators and epochs

    return lambda path: _present(tf.numpy_function(fetch, [path], tf.string))


def _present(path: tf.Tensor) -> tf.Tensor:
    """Returns the path of a local file, or no path if the file is gone: `ignore_errors` would retry it forever."""
    return tf.io.matching_files(tf.strings.regex_replace(path, r"([\\*?\[\]])", r"\\\1"))
