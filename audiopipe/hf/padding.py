"""Conversion of a dataset to padded batches of `tf.data`."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import datasets
import numpy as np
import pyarrow as pa
import tensorflow as tf

from audiopipe import checks
from audiopipe.errors import ArgumentError
from audiopipe.feature_sets import digest_checks, fingerprints
from audiopipe.feature_sets.arrow_features import to_numpy
from audiopipe.feature_sets.fingerprints import Identity
from audiopipe.hf import count_columns
from audiopipe.hf.list_columns import is_list, padded
from audiopipe.hf.missing_integers import MissingIntegers
from audiopipe.hf.types import digests_of, feature_column, feature_shape, is_digest
from audiopipe.inputs.columns import length_names
from audiopipe.transform.entry_names import MASK, N_FRAMES


def to_tf_dataset(
    dataset: Any,
    *,
    batch_size: int = 16,
    columns: Sequence[str] | None = None,
    shuffle: bool = False,
    seed: int | None = None,
    padding_value: float | None = None,
    mask: bool = False,
    drop_remainder: bool = False,
    check: bool = True,
) -> tf.data.Dataset:
    """Converts the result of `map` to a `tf.data.Dataset` of batches, each padded to its longest clip.

    Unlike `datasets.Dataset.to_tf_dataset`, this function takes clips of different lengths and returns their numbers of
    frames. It converts Arrow to tensors without Python lists, and keeps every bit.

    Args:
        dataset: A `datasets.Dataset` or `IterableDataset` with a feature column from `map` or `from_feature_set`.
        batch_size: Number of clips per batch.
        columns: The other columns to return: text, numbers, booleans, or lists of these. None returns all but the
            digests and the numbers of frames of other features.
        shuffle: Whether to shuffle the rows in every iteration. Shuffle the rows of a streaming dataset with
            `dataset.shuffle(buffer_size=...)` instead.
        seed: Seed for `shuffle`, which makes the order reproducible.
        padding_value: The value of frames beyond the end of a clip. None means `Config.padding` of the feature, which
            is silence.
        mask: Whether to add an entry `mask`.
        drop_remainder: Whether to drop the last batch if it has fewer than `batch_size` clips.
        check: Whether to compare every row with its digest, so that changed values raise an error. False accepts all
            values of the feature's shape, such as augmented or normalized ones. In that case, pass the value of silence
            as `padding_value`.

    Returns:
        A dataset of dicts with these entries.

        - `feature`: float32 `[batch, frames, bins]` if there is one channel, otherwise `[batch, frames, bins,
          channels]` (`[batch, channels, frames, bins]` if the config says `channels_first`).
        - `n_frames`: int64 `[batch]`, 0 for a row without a feature.
        - `valid_frames`: int64 `[batch]`, the number of frames that hold audio, if the dataset has a column with it.
          The entry has this name also if the column is called `<feature>_valid_frames`.
        - `mask`: bool `[batch, frames]`, True for frames that hold audio of the clip: the first `valid_frames`, or the
          first `n_frames` if the dataset has no valid frames.
        - Each column of single values: `[batch]`. Missing text is empty, a missing floating-point number is NaN, and a
          missing integer or class is -1.
        - Each column of lists: `[batch, longest list]`. Numbers are padded with -1, text with empty text, and booleans
          with False. Integers become int64.
        - `<column>_length`: int64 `[batch]`, the lengths of the lists, -1 for a missing list.

    Raises:
        FingerprintError: If no column, or more than one, says which feature it holds, or if values were changed or have
            no digest. `fingerprint_of` compares only some rows. If other rows were changed, reading their batch fails
            with the same message.
        ArgumentError: If an argument is wrong, the type of a column is not supported, or there is a column `mask`
            beside the mask. If a boolean is missing, or an integer is missing in a column that has the value -1. A
            streaming dataset raises these errors while it is read.

    Warns:
        MetadataRemark: If integers or classes are missing in a column.

    Example:
        >>> from audiopipe import Transform, hf
        >>> rows = datasets.Dataset.from_dict(
        ...     {"audio": ["examples/audio/speech.flac", "examples/audio/chirp.wav"], "label": [3, 4]}
        ... )
        >>> batch = next(iter(hf.to_tf_dataset(hf.map(rows, Transform("speech-mel-80")))))
        >>> batch["feature"].shape, batch["n_frames"].numpy(), batch["label"].numpy()
        (TensorShape([2, 349, 80]), array([349, 198]), array([3, 4]))
    """
    is_streaming = isinstance(dataset, datasets.IterableDataset)
    if not isinstance(dataset, (datasets.Dataset, datasets.IterableDataset)):
        raise ArgumentError(
            f"dataset must be a datasets.Dataset or IterableDataset. Received: {type(dataset).__name__}. Select one "
            "split of a dict of splits."
        )
    batch_size = checks.integer("batch_size", batch_size, minimum=1)
    if is_streaming and shuffle:
        raise ArgumentError(
            "shuffle must be False for a streaming dataset, which is read in order. Received: shuffle=True. Shuffle "
            "its rows: dataset.shuffle(buffer_size=...)."
        )
    if dataset.features is None:
        raise ArgumentError(
            "The dataset must declare the types of its columns. Received: features=None. Make it with audiopipe.hf.map."
        )
    feature, identity = _feature(dataset.features, columns)
    dataset, columns = count_columns.with_plain_names(dataset, feature, identity, columns)
    batches = _Batches(
        dataset.features, columns, padding_value, checks.boolean("mask", mask), checks.boolean("check", check)
    )
    rows = dataset.select_columns(batches.columns)
    if is_streaming:
        # The Arrow format would infer the types again every few rows. The NumPy format is faster than Python objects,
        # but it rounds lists of float64 and turns missing items into NaN.
        streamed = rows.with_format(None if batches.has_lists else "numpy")

        def elements() -> Iterator[dict[str, np.ndarray]]:
            waiting, missing = enumerate(streamed), batches.missing_integers()
            while read := dict(itertools.islice(waiting, batch_size)):
                if not drop_remainder or len(read) == batch_size:
                    yield batches.of_rows(read, missing)

        made = tf.data.Dataset.from_generator(elements, output_signature=batches.signature)
    else:
        digest_checks.check_stored(dataset)
        if check:
            digest_checks.check_dataset(dataset, batches.feature, fingerprints.of_columns(dataset.features))
        numbers = tf.data.Dataset.range(len(dataset))
        if shuffle:
            numbers = numbers.shuffle(max(1, len(dataset)), seed=seed, reshuffle_each_iteration=True)
        arrow = rows.with_format("arrow")
        missing = batches.missing_integers()
        for name in batches.integers:
            if dataset.data.column(name).null_count:
                missing.filled(name, arrow.select_columns([name])[:][name])  # finds errors before the first batch
        read = _reader(arrow, batches, missing)
        made = numbers.batch(batch_size, drop_remainder=drop_remainder).map(read)
    return made.prefetch(tf.data.AUTOTUNE)


def _reader(rows: datasets.Dataset, batches: "_Batches", missing: MissingIntegers):
    """Returns a function from row numbers to the batch of these rows."""
    names = list(batches.signature)

    def read(numbers: np.ndarray) -> list[np.ndarray]:
        first, last = int(numbers[0]), int(numbers[-1])
        in_order = last - first + 1 == len(numbers) and (np.diff(numbers) == 1).all()
        made = batches.of_table(rows[first : last + 1] if in_order else rows[numbers], numbers, missing)
        return [made[name] for name in names]

    def element(numbers: tf.Tensor) -> dict[str, tf.Tensor]:
        kinds = [spec.dtype for spec in batches.signature.values()]
        tensors = tf.numpy_function(read, [numbers], kinds)
        for tensor, spec in zip(tensors, batches.signature.values(), strict=True):
            tensor.set_shape([numbers.shape[0], *spec.shape[1:]])
        return dict(zip(names, tensors, strict=True))

    return element


def _feature(features: datasets.Features, columns: Sequence[str] | None) -> tuple[str, Identity]:
    """Returns the name of the feature column and the identity of the feature, after a check of the argument."""
    unknown = sorted(set(columns or ()) - set(features))
    if isinstance(columns, str) or unknown:
        raise ArgumentError(f"columns must be names of {', '.join(features)}. Received: columns={columns!r}.")
    return feature_column(features, columns)


class _Batches:
    """Conversion of rows to batches.

    Attributes:
        feature: The column of the feature.
        columns: The columns to read.
        integers: Those that hold an integer in each row.
        signature: The `tf.TensorSpec` of each entry of a batch.
    """

    def __init__(
        self,
        features: datasets.Features,
        columns: Sequence[str] | None,
        padding_value: float | None,
        mask: bool,
        check: bool,
    ):
        self.feature, identity = _feature(features, columns)
        self._digests = digests_of(features, self.feature) if check else None
        if padding_value is not None and (np.ndim(padding_value) or np.asarray(padding_value).dtype.kind not in "iuf"):
            raise checks.fail("padding_value", "a number or None", padding_value)
        self._config = identity.config
        self._padding_value = identity.config.padding if padding_value is None else padding_value
        shape = feature_shape(identity.config)
        self._frame_axis = identity.config.frame_axis if len(shape) == 3 else 0
        used = self._digests.column if self._digests is not None else None
        valid = count_columns.valid_frames_column(features, identity)
        if columns is None:
            left_out = {used, *count_columns.counts_of_frames(features)} - {valid}
            columns = [name for name, kind in features.items() if name not in left_out and not is_digest(kind)]
        columns = columns if valid is None or valid in columns else [valid, *columns]
        own = (self.feature, "n_frames", count_columns.frames_column(features, identity))
        others = [name for name in columns if name not in own]
        self.columns = [self.feature, *others, *([used] if used is not None and used not in others else [])]
        self._types = {name: features.arrow_schema.field(name).type for name in others}
        self.integers = [name for name, kind in self._types.items() if pa.types.is_integer(kind)]
        self._classes = [name for name in others if isinstance(features[name], datasets.ClassLabel)]
        lists = [name for name, kind in self._types.items() if is_list(kind)]
        self._lengths = length_names(lists, {*self.columns, "n_frames"})
        self.signature = {
            self.feature: tf.TensorSpec([None, *shape], tf.float32),
            "n_frames": tf.TensorSpec([None], tf.int64),
        }
        for name, kind in self._types.items():
            rank = 2 if name in self._lengths else 1
            self.signature[name] = tf.TensorSpec([None] * rank, _dtype(name, kind))
            if name in self._lengths:
                self.signature[self._lengths[name]] = tf.TensorSpec([None], tf.int64)
        self._valid = None
        if mask:
            if MASK in self.signature:
                raise ArgumentError(
                    f"With mask=True, the dataset must not have a column {MASK!r}. Received: the columns "
                    f"{', '.join(self.columns)}. Rename it, or leave it out: columns=[...]."
                )
            self._valid = valid or N_FRAMES
            self.signature[MASK] = tf.TensorSpec([None, None], tf.bool)

    @property
    def has_lists(self) -> bool:
        """Whether a column holds lists."""
        return bool(self._lengths)

    def missing_integers(self) -> MissingIntegers:
        """Returns what watches the integers of one pass over the rows."""
        return MissingIntegers(self._classes)

    def of_table(
        self, table: pa.Table, numbers: Sequence[int] | np.ndarray, missing: MissingIntegers
    ) -> dict[str, np.ndarray]:
        """Returns the batch of the rows of an Arrow table, which have these numbers."""
        arrays = to_numpy(table[self.feature])
        if self._digests is not None:
            for number, array, digest in zip(numbers, arrays, table[self._digests.column].to_pylist(), strict=True):
                self._digests.check(int(number), array, digest)
        return self._batch(arrays, {name: table[name] for name in self._types}, missing)

    def of_rows(self, rows: Mapping[int, dict[str, Any]], missing: MissingIntegers) -> dict[str, np.ndarray]:
        """Returns the batch of rows that were read in NumPy format or as Python objects, by their numbers."""
        arrays = [digest_checks.read_array(row[self.feature]) for row in rows.values()]
        if self._digests is not None:
            for (number, row), array in zip(rows.items(), arrays, strict=True):
                self._digests.check(number, array, digest_checks.read_text(row[self._digests.column]))
        others = {name: _column([row[name] for row in rows.values()], kind) for name, kind in self._types.items()}
        return self._batch(arrays, others, missing)

    def _batch(
        self, arrays: list[np.ndarray | None], others: dict[str, pa.ChunkedArray], missing: MissingIntegers
    ) -> dict[str, np.ndarray]:
        feature, n_frames = self._padded(arrays)
        batch = {self.feature: feature, "n_frames": n_frames}
        for name, column in others.items():
            dtype = self.signature[name].dtype
            if name in self._lengths:
                batch[name], batch[self._lengths[name]] = padded(name, column, dtype)
            else:
                batch[name] = _values(name, missing.filled(name, column) if dtype.is_integer else column, dtype)
        if self._valid is not None:
            valid = np.minimum(batch[self._valid], n_frames)
            batch[MASK] = np.arange(feature.shape[1 + self._frame_axis]) < valid[:, np.newaxis]
        return batch

    def _padded(self, arrays: list[np.ndarray | None]) -> tuple[np.ndarray, np.ndarray]:
        axis = self._frame_axis
        there = [array for array in arrays if array is not None and array.shape[axis]]
        n_frames = np.array([0 if array is None else array.shape[axis] for array in arrays], np.int64)
        shapes = {tuple(np.delete(array.shape, axis)) for array in there}
        if len(shapes) > 1:
            raise ArgumentError(
                "All features of a batch must have equal numbers of bins and channels. Received: shapes "
                f"{', '.join(str(array.shape) for array in there)}. Set channels in the config, or use batch_size=1."
            )
        declared = [size or 0 for size in self.signature[self.feature].shape[1:]]
        shape = list(there[0].shape) if there else declared
        shape[axis] = int(n_frames.max())
        padded, padding = np.empty([len(arrays), *shape], np.float32), self._padding(shape)
        for place, array, frames in zip(np.moveaxis(padded, axis + 1, 1), arrays, n_frames, strict=True):
            if array is not None and frames:
                place[:frames] = np.moveaxis(array, axis, 0)
            place[frames:] = padding
        return padded, n_frames

    def _padding(self, shape: Sequence[int]) -> Any:
        """Returns the values of frames beyond the end of a clip whose feature has this shape in a row."""
        if not np.ndim(self._padding_value):
            return self._padding_value
        config = self._config
        channels = shape[config.channel_axis] // len(config.quantities) if len(shape) == 3 else 1
        return config.padding_frame(channels).reshape(np.delete(shape, self._frame_axis))


def _dtype(name: str, kind: pa.DataType) -> tf.DType:
    """Returns the tensor dtype for the Arrow type of a column, or of the items of its lists."""
    item = kind.value_type if is_list(kind) else kind
    if pa.types.is_string(item) or pa.types.is_large_string(item):
        return tf.string
    if pa.types.is_integer(item) and is_list(kind):
        return tf.int64
    if pa.types.is_boolean(item) or pa.types.is_integer(item) or pa.types.is_floating(item):
        return tf.as_dtype(item.to_pandas_dtype())
    raise ArgumentError(
        "The columns beside the feature must be text, numbers, booleans, or lists of these. Received: "
        f"{name!r} of type {kind}. Name the columns that you want: columns=[...]."
    )


def _column(values: Sequence[Any], kind: pa.DataType) -> pa.ChunkedArray:
    if is_list(kind):
        return pa.chunked_array([pa.array(values, kind)])
    plain = [value.item() if isinstance(value, (np.ndarray, np.generic)) else value for value in values]
    # The NumPy format has NaN for a missing integer or boolean.
    return pa.chunked_array([pa.array(plain, kind, from_pandas=not pa.types.is_floating(kind))])


def _values(name: str, column: pa.ChunkedArray, dtype: tf.DType) -> np.ndarray:
    if dtype == tf.string:
        return np.array([(value or "").encode() for value in column.to_pylist()], object)
    if column.null_count and dtype == tf.bool:
        raise ArgumentError(
            "A column of booleans must not have missing values. Received: "
            f"{name!r} with {column.null_count} nulls. Fill them in, or leave the column out: columns=[...]."
        )
    return column.to_numpy().astype(dtype.as_numpy_dtype, copy=False)
