"""TFRecord files and examples: the same bytes as TensorFlow's, and clear errors for damaged ones."""

import io

import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from audiopipe.errors import CorruptFeatureSetError
from audiopipe.feature_sets import examples, tfrecords

RECORDS = st.lists(st.binary(max_size=300), max_size=6)
NAMES = st.text(st.characters(codec="utf-8"), max_size=5)
INTEGERS = st.lists(st.integers(-(2**63), 2**63 - 1), max_size=4)


@settings(max_examples=50)
@given(RECORDS)
def test_a_file_has_the_bytes_that_tensorflow_writes_and_its_records(tmp_path_factory, written):
    ours, theirs = (str(tmp_path_factory.getbasetemp() / name) for name in ("ours.tfrecord", "theirs.tfrecord"))
    with tfrecords.Writer(ours) as writer:
        offsets = [writer.write(record) for record in written]
    with tf.io.TFRecordWriter(theirs) as writer:
        for record in written:
            writer.write(record)
    with open(ours, "rb") as one, open(theirs, "rb") as other:
        data = one.read()
        assert data == other.read()
        other.seek(0)
        assert list(tfrecords.read(other)) == list(zip(offsets, written, strict=True))
    assert list(tf.data.TFRecordDataset(ours).as_numpy_iterator()) == written
    assert tfrecords.count(ours) == len(written)
    for start, record in zip(offsets, written, strict=True):
        assert tfrecords.parse(data[start : start + 16 + len(record)]) == record


@pytest.fixture
def file(tmp_path):
    with tfrecords.Writer(str(tmp_path / "file.tfrecord")) as writer:
        for record in (b"first record", b"", b"third"):
            writer.write(record)
    return (tmp_path / "file.tfrecord").read_bytes()


def test_every_flipped_bit_is_found_and_its_record_named(file):
    starts = [0, 28, 44]
    for position in range(len(file)):
        start = max(offset for offset in starts if offset <= position)
        damaged = file[:position] + bytes([file[position] ^ 1 << position % 8]) + file[position + 1 :]
        with pytest.raises(CorruptFeatureSetError, match=f"record at byte {start} of 'a shard' is damaged"):
            list(tfrecords.read(io.BytesIO(damaged), "a shard"))


def test_every_cut_is_found(file):
    for size in range(len(file)):
        if size in (0, 28, 44):  # between records
            continue
        with pytest.raises(CorruptFeatureSetError, match="is damaged"):
            list(tfrecords.read(io.BytesIO(file[:size])))
        with pytest.raises(CorruptFeatureSetError, match="is damaged"):
            tfrecords.parse(file[:28][:size] if size < 28 else file[:size])


@pytest.mark.parametrize("length", [2**31 - 1, 2**31, 2**64 - 1])
def test_a_forged_length_is_refused_without_reading(length):
    header = length.to_bytes(8, "little")
    forged = header + tfrecords._checksum(header) + b"record"
    with pytest.raises(CorruptFeatureSetError, match=r"(a record has at most|its frame should have)"):
        list(tfrecords.read(io.BytesIO(forged)))
    with pytest.raises(CorruptFeatureSetError, match=r"(a record has at most|its frame must have)"):
        tfrecords.parse(forged)


@settings(max_examples=100)
@given(st.dictionaries(NAMES, st.lists(st.binary(max_size=200), max_size=3)), st.dictionaries(NAMES, INTEGERS))
def test_an_example_has_the_bytes_of_tensorflow(texts, integers):
    texts = {name: values for name, values in texts.items() if name not in integers}
    data = examples.serialize(texts, integers)
    entries = {
        **{name: tf.train.Feature(bytes_list=tf.train.BytesList(value=values)) for name, values in texts.items()},
        **{name: tf.train.Feature(int64_list=tf.train.Int64List(value=values)) for name, values in integers.items()},
    }
    message = tf.train.Example(features=tf.train.Features(feature=entries))
    assert data == message.SerializeToString(deterministic=True)
    assert examples.parse(data) == (texts, integers)


def test_entries_of_floats_are_left_out():
    floats = tf.train.Feature(float_list=tf.train.FloatList(value=[0.5]))
    message = tf.train.Example(features=tf.train.Features(feature={"gain": floats, "none": tf.train.Feature()}))
    assert examples.parse(message.SerializeToString()) == ({}, {})


@pytest.mark.parametrize("data", [b"\x0a\xff", b"\x0a\x05\x0a\x03\x0a\x01\xff"])
def test_other_bytes_are_no_example(data):
    with pytest.raises(ValueError, match=r"not a tf\.train\.Example"):
        examples.parse(data)
