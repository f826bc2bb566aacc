"""`PackedEntries`: what comes out of a graph is what went into the arrays."""

import os

import numpy as np
import pytest
import tensorflow as tf

from audiopipe.tfdata.packed_entries import PackedEntries

KINDS = {
    "id": "string",
    "take": "int",
    "tags": "list<string>",
    "gain": "float",
    "age": "int",
    "clean": "bool",
    "speaker": "string",
    "scores": "list<float>",
    "tags_length": "int",
    "flags": "list<bool>",
    "counts": "list<int>",
}
VALUES = {
    "id": "höchst " + os.fsdecode(b"\xff.wav"),
    "take": -(2**63),
    "tags": ["a", ""],
    "gain": 0.1,
    "age": 2**63 - 1,
    "clean": True,
    "speaker": "",
    "scores": [],
    "tags_length": 2,
    "flags": [False, True],
    "counts": [1, 2, 3],
}
EXPECTED = {**VALUES, "id": "höchst ".encode() + b"\xff.wav", "tags": [b"a", b""], "speaker": b""}


def through_graph(kinds, values):
    packed = PackedEntries(kinds)

    def element(_):
        dtypes = [spec.dtype for spec in packed.specs]
        return packed.unpack(tf.numpy_function(lambda: packed.pack(values), [], dtypes))

    dataset = tf.data.Dataset.range(1).map(element)
    [made] = dataset.as_numpy_iterator()
    return dataset.element_spec, made


def test_every_type_keeps_its_values_and_its_place():
    spec, made = through_graph(KINDS, VALUES)
    dtypes = {"string": tf.string, "int": tf.int64, "float": tf.float64, "bool": tf.bool}
    for name, kind in KINDS.items():
        is_list = kind.startswith("list")
        assert spec[name] == tf.TensorSpec([None] if is_list else [], dtypes[kind.removeprefix("list<").rstrip(">")])
        assert np.asarray(made[name]).tolist() == EXPECTED[name]


@pytest.mark.parametrize("names", [["id"], ["tags"], ["age", "take"], []])
def test_some_types_may_be_absent(names):
    packed = PackedEntries({name: KINDS[name] for name in names})
    arrays = packed.pack(VALUES)
    assert len(arrays) == len(packed.specs) <= 1
    entries = packed.unpack([tf.constant(array) for array in arrays])
    assert {name: np.asarray(entry).tolist() for name, entry in entries.items()} == {
        name: EXPECTED[name] for name in names
    }
