"""Messages `tf.train.Example` that are checked before TensorFlow parses them."""

import contextlib

import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from audiopipe.feature_sets import examples, record_schema
from audiopipe.inputs.columns import Columns

COLUMNS = Columns(types={"gain": "float", "take": "int", "tags": "list<string>", "levels": "list<float>"})
FORMS = record_schema.forms(COLUMNS, is_old=False)
TEXTS = {"id": [b"a"], "fingerprint": [b"12345678"], "gain": [b"8" * 8], "tags": [b"x", b"y"], "levels": [b""]}
NUMBERS = {"n_frames": [300], "shape": [300, 20, 1], "take": [-5], "tags_length": [2], "record": [0]}
DATA = examples.serialize(TEXTS, NUMBERS)
SPEC = {
    name: tf.io.FixedLenFeature(
        [] if form.n_values == 1 else [form.n_values], dtype, "" if dtype is tf.string else [0] * form.n_values
    )
    if form.n_values
    else tf.io.FixedLenSequenceFeature([], dtype, allow_missing=True)
    for name, form in FORMS.items()
    for dtype in [tf.string if form.kind == "bytes_list" else tf.int64]
}


@given(place=st.integers(0, len(DATA) - 1), change=st.integers(1, 255))
def test_tensorflow_parses_whatever_passes_the_check(place, change):
    data = bytearray(DATA)
    data[place] ^= change
    with contextlib.suppress(ValueError):
        parsed = tf.io.parse_single_example(examples.checked(bytes(data), FORMS), SPEC)
        assert len(parsed["gain"].numpy()) in (0, 8)


@pytest.mark.parametrize(
    ("texts", "numbers", "name"),
    [
        ({}, {"gain": [1]}, "gain"),
        ({"gain": [b"4444"]}, {}, "gain"),
        ({"gain": []}, {}, "gain"),
        ({"levels": [b"4444"]}, {}, "levels"),
        ({}, {"tags": [1]}, "tags"),
        ({}, {"shape": [1, 2]}, "shape"),
        ({}, {"take": [1, 2]}, "take"),
    ],
    ids=["other type", "short float", "no float", "short floats", "other items", "two axes", "two integers"],
)
def test_an_entry_of_another_form_is_named(texts, numbers, name):
    with pytest.raises(ValueError, match=f"The entry '{name}'"):
        examples.checked(examples.serialize(texts, numbers), FORMS)


def test_what_is_no_entry_is_left_out():
    assert examples.checked(DATA + b"\x7a\x01x", FORMS) == DATA
    with pytest.raises(ValueError, match=r"not a tf.train.Example"):
        examples.checked(DATA[:-1], FORMS)
