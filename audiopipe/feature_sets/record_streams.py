"""Elements of feature sets as `tf.data.Dataset`s: of whole sets, and of some clips in any order."""

import hashlib
import os
import tempfile
from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

from audiopipe.errors import CorruptFeatureSetError
from audiopipe.feature_sets.decoding import NOTHING, Decoder
from audiopipe.feature_sets.description import Description
from audiopipe.feature_sets.orders import END
from audiopipe.feature_sets.row_blocks import PLACES_OF_SHARD, RowBlocks
from audiopipe.feature_sets.splitmix64 import uniform
from audiopipe.storage import files

# What was read ahead is saved with an iterator, so blocks are small.
BLOCK_BYTES = 1 << 22
MOST_ROWS = 64  # of a block
ALONE_BYTES = 1 << 20  # records from this size on are read one by one
BLOCKS_AT_ONCE = 4
REMOTE_BYTES = 1 << 24  # of a block whose records are requested all at once, because each request waits for an answer
_AHEAD_BYTES = 1 << 22
_NOTHING = np.array([[0, 0, 0, 0, 0, NOTHING]])  # numbers of a record that is none


def of_shards(descriptions: Sequence[Description], decoder: Decoder) -> tf.data.Dataset:
    """Returns all clips of feature sets. TensorFlow reads the shards from their beginning to their end.

    Args:
        descriptions: The feature sets.
        decoder: Decoder of their records.
    """
    counts = [shard["records"] for description in descriptions for shard in description.shards]
    numbers = tf.range(len(counts), dtype=tf.int64)
    shards = tf.data.Dataset.from_tensor_slices((decoder.paths, numbers, tf.constant(counts, tf.int64)))
    records = shards.flat_map(_reader_of_shards(any(files.is_remote(description.path) for description in descriptions)))
    return records.map(decoder, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)


def of_blocks(
    clips: tf.data.Dataset, together: int, blocks: RowBlocks, decoder: Decoder, crop_frames: int | None = None
) -> tf.data.Dataset:
    """Returns clips that are read block by block.

    Args:
        clips: The clips in their order, see `audiopipe.feature_sets.orders.epochs`.
        together: Number of clips in a block.
        blocks: Reader of their records.
        decoder: Decoder of their records.
        crop_frames: Number of frames of random crops. None reads whole features.
    """
    spec = decoder.feature_spec
    is_stacked = spec.shape.is_fully_defined()
    no_heads = np.full(together, b"", object)
    no_features = np.zeros((together, *(size or 0 for size in spec.shape)), spec.dtype.as_numpy_dtype)

    def read(ordered: np.ndarray) -> tuple[np.ndarray, ...]:
        # Blocks after the last clip are read ahead and never used.
        clips, positions, numbers = ordered[ordered[:, 0] != END].T
        missing = together - len(clips)
        no_numbers = _NOTHING.repeat(missing, 0)
        if not len(clips):
            return no_numbers, no_heads, *([no_features] if is_stacked else no_features)
        try:
            if crop_frames is None:
                block = blocks.read(clips)
            else:
                block = blocks.crop(clips, crop_frames, uniform(numbers, positions))
        except CorruptFeatureSetError as error:
            raise ValueError(str(error)) from None  # which TensorFlow turns into an InvalidArgumentError
        features = block.features
        if missing and is_stacked:
            features = [np.concatenate([*features, no_features[:missing]])]
        elif missing:
            features = [*features, *no_features[:missing]]
        heads = np.array([*block.heads, *no_heads[:missing]], object)
        return np.concatenate([block.numbers, no_numbers]), heads, *features

    @tf.autograph.experimental.do_not_convert
    def read_block(ordered: tf.Tensor) -> tuple[dict[str, tf.Tensor], tuple[tf.Tensor, ...]]:
        shapes = [[together, *spec.shape]] if is_stacked else [spec.shape] * together
        dtypes = [tf.int64, tf.string, *[spec.dtype] * len(shapes)]
        # A stateless operation can be saved in the middle of an epoch.
        numbers, heads, *features = tf.numpy_function(read, [ordered], dtypes, stateful=False)
        for tensor, shape in zip((numbers, heads, *features), ([together, 6], [together], *shapes), strict=True):
            tensor.set_shape(shape)
        return decoder.block(numbers, heads), tuple(tf.cast(feature, tf.float32) for feature in features)

    @tf.autograph.experimental.do_not_convert
    def each(entries: dict[str, tf.Tensor], features: tuple[tf.Tensor, ...]) -> tf.data.Dataset:
        if is_stacked:  # `unbatch` ends the process if all lists of a column are empty
            return tf.data.Dataset.from_tensor_slices({**entries, decoder.feature: features[0]})
        return _with_entry(entries, decoder.feature, features)

    # A call of a function takes longer than decoding a clip, so no function is called for each clip, except for lists.
    read_ahead = clips.batch(together).map(read_block, num_parallel_calls=BLOCKS_AT_ONCE, deterministic=True)
    elements = read_ahead.flat_map(each)
    if decoder.lists:
        elements = elements.map(decoder.complete, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
    return elements


def _with_entry(entries: dict[str, tf.Tensor], name: str, values: Sequence[tf.Tensor]) -> tf.data.Dataset:
    """Returns the elements of batched entries with one more entry, whose values have different shapes."""
    # TensorFlow orders the tensors of a dict by their names.
    before = {other: value for other, value in entries.items() if other < name}
    after = {other: value for other, value in entries.items() if other > name}
    slices = [tf.data.Dataset.from_tensor_slices(part) if part else None for part in (before, after)]
    parts = [slices[0], tf.data.experimental.from_list(list(values)), slices[1]]
    zipped = tf.data.Dataset.zip(tuple(part for part in parts if part is not None))
    specs = {other: tf.TensorSpec(value.shape[1:], value.dtype) for other, value in entries.items()}
    specs[name] = tf.TensorSpec(values[0].shape, values[0].dtype)
    return tf.data.experimental.from_variant(tf.data.experimental.to_variant(zipped), specs)


def rows_per_block(sizes: np.ndarray, *, is_remote: bool = False) -> int:
    """Returns how many records are read together, given their sizes in bytes.

    Example:
        >>> rows_per_block(np.array([3_000_000, 200_000])), rows_per_block(np.array([100])), rows_per_block(np.zeros(0))
        (1, 64, 64)
        >>> rows_per_block(np.array([300_000, 200_000]), is_remote=True)
        64
    """
    mean = max(float(sizes.mean()) if len(sizes) else 0.0, 1.0)
    if is_remote:
        return int(np.clip(REMOTE_BYTES / mean, 1, MOST_ROWS))
    if mean >= ALONE_BYTES:
        return 1
    largest = max(float(sizes.max(initial=0)), 1.0)
    return int(np.clip(min(BLOCK_BYTES / mean, 8 * BLOCK_BYTES / largest), 1, MOST_ROWS))


def elements_ahead(element_bytes: float) -> int:
    """Returns how many elements are computed ahead, given their size in bytes."""
    return int(np.clip(_AHEAD_BYTES / max(element_bytes, 1.0), 2, 64))


def _reader_of_shards(has_remote: bool) -> Callable[..., tf.data.Dataset]:
    """Returns a function that reads the records of a shard, given its path, its number and its number of records.

    The function returns a dataset of `(place, record)` with the expected number of records. A place combines the number
    of the shard and the number of the record in it. TensorFlow's own errors do not name the file, so the function skips
    what it cannot read and fills up with empty records.
    """
    local = _fetched() if has_remote else _present

    @tf.autograph.experimental.do_not_convert
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

    # A stateless operation can be saved in the middle of an epoch.
    return lambda path: _present(tf.numpy_function(fetch, [path], tf.string, stateful=False))


def _present(path: tf.Tensor) -> tf.Tensor:
    """Returns the path of a local file, or no path if the file is gone: `ignore_errors` would retry it forever."""
    return tf.io.matching_files(tf.strings.regex_replace(path, r"([\\*?\[\]])", r"\\\1"))
