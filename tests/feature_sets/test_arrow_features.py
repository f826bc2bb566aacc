"""Conversion of arrays between Arrow and NumPy, compared with that of `datasets`."""

import datasets
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audiopipe.errors import ArgumentError
from audiopipe.feature_sets.arrow_features import to_arrow, to_numpy

TYPES = {
    "Array2D": datasets.Array2D((None, 3), "float32"),
    "Array3D": datasets.Array3D((None, 3, 2), "float32"),
    "lists": datasets.List(datasets.List(datasets.List(datasets.Value("float32")))),
}


def arrays_of(kind, lengths):
    draw = np.random.default_rng(0)
    shapes = {"Array2D": lambda n: (n, 3), "Array3D": lambda n: (n, 3, 2), "lists": lambda n: (2, n, 3)}
    return [draw.standard_normal(shapes[kind](n)).astype(np.float32) for n in lengths]


@settings(deadline=None)
@given(kind=st.sampled_from(sorted(TYPES)), lengths=st.lists(st.integers(1, 5), min_size=1, max_size=6), data=st.data())
def test_to_numpy_reads_any_slice_that_datasets_wrote(kind, lengths, data):
    arrays = arrays_of(kind, lengths)
    missing = data.draw(st.sets(st.integers(0, len(arrays) - 1)))
    values = [None if number in missing else array for number, array in enumerate(arrays)]
    features = datasets.Features(x=TYPES[kind])
    rows = datasets.Dataset.from_dict({"x": values}, features=features).with_format("arrow")
    start = data.draw(st.integers(0, len(values)))
    for value, found in zip(values[start:], to_numpy(rows[start:]["x"]), strict=True):
        if value is None:
            assert found is None
        else:
            np.testing.assert_array_equal(found, value, strict=True)


@settings(deadline=None)
@given(kind=st.sampled_from(sorted(TYPES)), lengths=st.lists(st.integers(1, 5), min_size=1, max_size=6))
def test_to_arrow_writes_the_same_column_as_datasets(kind, lengths):
    arrays = arrays_of(kind, lengths)
    features = datasets.Features(x=TYPES[kind])
    theirs = datasets.Dataset.from_dict({"x": arrays}, features=features).data.column("x").combine_chunks()
    ours = to_arrow(arrays, features.arrow_schema.field("x").type)
    ours.validate(full=True)
    assert ours.type == theirs.type
    assert pa.array(ours.to_pylist()).equals(pa.array(theirs.to_pylist()))


def test_to_numpy_does_not_copy_the_values():
    values = pa.array(np.arange(6, dtype=np.float32))
    lists = pa.ListArray.from_arrays([0, 2], pa.ListArray.from_arrays([0, 3, 6], values))
    [array] = to_numpy(pa.chunked_array([lists]))
    assert np.shares_memory(array, values.to_numpy())


@pytest.mark.parametrize("sizes", [(-1, 3), (2, -1), (2, 3)])
def test_lists_whose_length_is_part_of_the_type_are_read_from_any_slice(sizes):
    arrays = np.arange(24, dtype=np.float32).reshape(4, 2, 3)
    kind = pa.list_(pa.list_(pa.float32(), sizes[1]), sizes[0])
    column = pa.chunked_array([pa.array([*arrays.tolist(), None], kind)])
    for start in range(5):
        *found, missing = to_numpy(column[start:])
        assert missing is None
        assert np.array_equal(np.stack([*found, arrays[0]]), np.stack([*arrays[start:], arrays[0]]))


def test_ragged_lists_are_refused():
    ragged = pa.chunked_array([[[[1, 2], [3, 4, 5]]]], pa.list_(pa.list_(pa.float32())))
    with pytest.raises(ArgumentError, match=r"lists of unequal lengths, 2 and 3"):
        to_numpy(ragged)


def test_values_other_than_float32_are_refused():
    with pytest.raises(ArgumentError, match=r"must be float32\. Received: values of type double"):
        to_numpy(pa.chunked_array([[[[1.0]]]], pa.list_(pa.list_(pa.float64()))))
