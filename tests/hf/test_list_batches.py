"""Lists and missing integers in the padded batches of `hf.to_tf_dataset`."""

import numpy as np
import pyarrow as pa
import pytest
import tensorflow as tf
from datasets import ClassLabel, Dataset, LargeList, List, Value
from feature_rows import feature_rows

from audiopipe import hf
from audiopipe.errors import ArgumentError, MetadataRemark
from audiopipe.hf.list_columns import padded

pytestmark = pytest.mark.usefixtures("quiet_bars")

LISTS = {
    "labels": (List(Value("int64")), [[0, 2**62 + 1], [], None, [1, 2, 3]], np.int64),
    "small": (List(Value("uint8")), [[255], [], None, [1, 2, 3]], np.int64),
    "hot": (List(Value("int32"), length=2), [[0, 1], [1, 0], None, [1, 1]], np.int64),
    "large": (LargeList(Value("int64")), [[1], None, [], [2, 3]], np.int64),
    "classes": (List(ClassLabel(names=["a", "b"])), [[1, 0], None, [], [0]], np.int64),
    "onsets": (List(Value("float64")), [[0.5], None, [], [1e-300, 2.0]], np.float64),
    "gains": (List(Value("float32")), [[0.5], [], None, [0.1]], np.float32),
    "tags": (List(Value("string")), [["é", ""], None, [], ["x"]], object),
    "flags": (List(Value("bool")), [None, [], [True], [False, True]], bool),
}
PADDING = {object: b"", bool: False}


def all_lists():
    return feature_rows(
        {name: kind for name, (kind, _, _) in LISTS.items()}, **{name: values for name, (_, values, _) in LISTS.items()}
    )


def expected_batch(values, dtype):
    """Returns the lists padded in plain Python, and their lengths."""
    lengths = [-1 if value is None else len(value) for value in values]
    rows = [[item.encode() if isinstance(item, str) else item for item in value or []] for value in values]
    width = max(0, *lengths)
    return np.array([row + [PADDING.get(dtype, -1)] * (width - len(row)) for row in rows], dtype), lengths


@pytest.mark.cases(3)
@pytest.mark.parametrize("streaming", [False, True])
@pytest.mark.parametrize("batch_size", [1, 2, 4])
def test_lists_are_padded_to_the_longest_of_the_batch_with_their_lengths_beside_them(streaming, batch_size):
    rows = all_lists().to_iterable_dataset() if streaming else all_lists()
    batches = hf.to_tf_dataset(rows, batch_size=batch_size)
    for number, batch in enumerate(batches.as_numpy_iterator()):
        chosen = slice(number * batch_size, (number + 1) * batch_size)
        for name, (_, values, dtype) in LISTS.items():
            items, lengths = expected_batch(values[chosen], dtype)
            np.testing.assert_array_equal(batch[name], items.reshape(len(lengths), -1), strict=True)
            np.testing.assert_array_equal(batch[f"{name}_length"], np.array(lengths, np.int64), strict=True)


def test_the_signature_says_rank_and_dtype():
    spec = hf.to_tf_dataset(
        all_lists(), batch_size=2, columns=["tags", "gains", "small"], drop_remainder=True
    ).element_spec
    assert {name: value for name, value in spec.items() if name not in ("feature", "n_frames")} == {
        "tags": tf.TensorSpec([2, None], tf.string),
        "tags_length": tf.TensorSpec([2], tf.int64),
        "gains": tf.TensorSpec([2, None], tf.float32),
        "gains_length": tf.TensorSpec([2], tf.int64),
        "small": tf.TensorSpec([2, None], tf.int64),
        "small_length": tf.TensorSpec([2], tf.int64),
    }


def test_selected_and_shuffled_rows_keep_their_lists():
    rows = all_lists().select([3, 0, 0, 1])
    batch = next(hf.to_tf_dataset(rows, columns=["labels"]).as_numpy_iterator())
    assert batch["labels"].tolist() == [[1, 2, 3], [0, 2**62 + 1, -1], [0, 2**62 + 1, -1], [-1, -1, -1]]
    shuffled = next(hf.to_tf_dataset(rows, columns=["labels"], shuffle=True, seed=1).as_numpy_iterator())
    frames = {1: [0, 2**62 + 1, -1], 2: [-1, -1, -1], 4: [1, 2, 3]}
    assert shuffled["labels"].tolist() == [frames[count] for count in shuffled["n_frames"].tolist()]


def test_the_length_has_a_name_of_its_own():
    rows = feature_rows({"x": List(Value("int64")), "x_length": Value("int64")}, x=[[7], [8, 9]], x_length=[70, 80])
    batch = next(hf.to_tf_dataset(rows).as_numpy_iterator())
    assert batch["x_length"].tolist() == [70, 80]
    assert batch["x_length_"].tolist() == [1, 2]


@pytest.mark.parametrize("chunks", [[[[7], None], [[], [8, 9]]], [[None, None]], [[[]]]])
def test_lists_in_several_chunks_are_one_batch(chunks):
    column = pa.chunked_array([pa.array(chunk, pa.list_(pa.int32())) for chunk in chunks])
    items, lengths = padded("x", column, tf.int64)
    expected, expected_lengths = expected_batch([value for chunk in chunks for value in chunk], np.int64)
    np.testing.assert_array_equal(items, expected.reshape(items.shape))
    assert lengths.tolist() == expected_lengths


@pytest.mark.parametrize("streaming", [False, True])
@pytest.mark.parametrize(("kind", "value"), [("int64", 2), ("float32", 0.5), ("string", "a"), ("bool", True)])
def test_missing_items_are_refused(streaming, kind, value):
    rows = feature_rows({"x": List(Value(kind))}, x=[[value], [value, None]])
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"'x' with nulls inside a list. Fill them in"):
        list(hf.to_tf_dataset(rows.to_iterable_dataset() if streaming else rows))


def test_integers_beyond_64_bits_are_refused():
    column = pa.chunked_array([pa.array([[1], [2**63]], pa.list_(pa.uint64()))])
    with pytest.raises(ArgumentError, match=r"Integers must fit in 64 bits. Received: 'x'.*Cast the column to text"):
        padded("x", column, tf.int64)


@pytest.mark.parametrize(
    "kind",
    [List(List(Value("int64"))), List({"a": Value("int64")}), List(Value("timestamp[s]")), {"a": Value("int64")}],
)
def test_columns_of_other_structures_are_refused(kind):
    with pytest.raises(ArgumentError, match=r"must be text, numbers, booleans, or lists of these. Received: 'x' of"):
        hf.to_tf_dataset(feature_rows({"x": kind}, x=[None]))


# Missing integers


@pytest.mark.parametrize("streaming", [False, True])
@pytest.mark.parametrize("kind", [Value("int64"), Value("int8"), ClassLabel(names=["a", "b", "c"])])
def test_a_missing_integer_is_minus_one_with_a_remark(kind, streaming):
    rows = feature_rows({"x": kind}, x=[1, None, 2, None])
    what = "classes" if isinstance(kind, ClassLabel) else "integers"
    with pytest.warns(MetadataRemark, match=f"'x' has missing {what}, which become -1") as remarks:
        batches = list(
            hf.to_tf_dataset(rows.to_iterable_dataset() if streaming else rows, batch_size=2).as_numpy_iterator()
        )
    assert streaming or remarks[0].filename == __file__
    dtype = np.int8 if kind == Value("int8") else np.int64
    np.testing.assert_array_equal(np.concatenate([batch["x"] for batch in batches]), np.array([1, -1, 2, -1], dtype))
    assert {batch["x"].dtype for batch in batches} == {np.dtype(dtype)}


@pytest.mark.filterwarnings("ignore::audiopipe.errors.MetadataRemark")
@pytest.mark.parametrize("values", [[None, 3, -1, 4], [-1, 3, 4, None]])
def test_a_column_with_both_missing_integers_and_minus_one_is_refused(values):
    rows = feature_rows({"x": Value("int32")}, x=values)
    with pytest.raises(ArgumentError, match=r"must not have that value. Received: 'x' with nulls and -1"):
        hf.to_tf_dataset(rows, batch_size=1)
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"Received: 'x' with nulls and -1. Fill the nulls in"):
        list(hf.to_tf_dataset(rows.to_iterable_dataset(), batch_size=1))
    assert len(list(hf.to_tf_dataset(rows.select([1, 2]) if values[2] == -1 else rows.select([0, 1])))) == 1


def test_missing_and_unknown_classes_are_both_minus_one():
    rows = feature_rows({"x": ClassLabel(names=["a"])}, x=[-1, None, 0])
    with pytest.warns(MetadataRemark):
        assert next(hf.to_tf_dataset(rows).as_numpy_iterator())["x"].tolist() == [-1, -1, 0]


def test_unsigned_integers_and_booleans_cannot_be_missing():
    with pytest.raises(ArgumentError, match=r"uint8 cannot hold. Received: 'x' with nulls. Cast the column to int64"):
        hf.to_tf_dataset(feature_rows({"x": Value("uint8")}, x=[1, None]))
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"booleans must not have missing values. Received: 'x'"):
        list(hf.to_tf_dataset(feature_rows({"x": Value("bool")}, x=[True, None])))


def test_large_unsigned_integers_are_kept():
    table = feature_rows({"x": Value("uint64")}, x=[1, 2]).with_format("arrow")[:]
    rows = Dataset(table.set_column(1, table.schema.field("x"), pa.array([2**64 - 1, 0], pa.uint64())))
    assert next(hf.to_tf_dataset(rows).as_numpy_iterator())["x"].tolist() == [2**64 - 1, 0]
