"""Encoding of records, and reading them with `load`."""

import contextlib
import dataclasses
import json
import math
import shutil
from pathlib import Path

import fsspec
import ml_dtypes
import numpy as np
import pytest
import tensorflow as tf
from damage import bless, edit, store_as
from hypothesis import given, settings
from hypothesis import strategies as st

from audiopipe import beam, configs, load
from audiopipe.errors import (
    AudioError,
    ConfigMismatchError,
    CorruptFeatureSetError,
    IncompleteFeatureSetError,
)
from audiopipe.feature_sets import dtypes, record_heads, record_layout, records, tfrecords
from audiopipe.feature_sets.description import Description
from audiopipe.feature_sets.records import Place
from audiopipe.inputs.columns import Columns

NAMES = ["mono", "stereo", "resampled", "quiet"]
TOLERANCE = 1e-2  # decibels; float32 is inaccurate in bands that resampling almost emptied
TYPES = {"age": "int", "clean": "bool", "gain": "float", "note": "string", "speaker": "string", "take": "int"}
NO_COLUMNS = Columns(types={})
SHARD = "00000000000000ab"
DATA = Path(__file__).parents[1] / "data/v0.1"
OLD_SETS = {"features": "float32", "segments-float16": "float16"}  # storage dtypes


def ids(dataset):
    return [element["id"].decode() for element in dataset.as_numpy_iterator()]


def change_shard(folder, number, change):
    """Changes the bytes of a shard and returns its path."""
    path = sorted(folder.glob("*.tfrecord"))[number]
    path.write_bytes(change(path.read_bytes()))
    return path


# Records


def test_a_record_is_a_plain_example_with_all_values(shared_feature_set, config, samples, metadata, reference):
    paths = [str(path) for path in sorted(shared_feature_set.glob("*.tfrecord"))]
    shards = Description.open(shared_feature_set).shards
    examples = [tf.train.Example.FromString(record.numpy()) for record in tf.data.TFRecordDataset(paths)]
    assert [example.features.feature["id"].bytes_list.value[0].decode() for example in examples] == NAMES
    for name, example in zip(NAMES, examples, strict=True):
        entries = example.features.feature
        shape = entries["shape"].int64_list.value
        feature = np.frombuffer(entries["feature"].bytes_list.value[0], "<f4").reshape(shape)
        np.testing.assert_allclose(feature, reference(samples[name], config), atol=TOLERANCE)
        assert entries["n_frames"].int64_list.value == [len(feature)]
        assert entries["fingerprint"].bytes_list.value[0].hex() == config.fingerprint[:16]
        shard, number = divmod(NAMES.index(name), 2)
        assert entries["record"].int64_list.value == [number]
        assert entries["shard_id"].bytes_list.value[0].hex() == shards[shard]["id"]
        assert entries["valid_frames"].int64_list.value == [len(feature)]
        known = metadata[name]
        assert entries["speaker"].bytes_list.value[0].decode() == known["speaker"]
        assert entries["note"].bytes_list.value == ([] if known["note"] is None else [known["note"].encode()])
        assert entries["take"].int64_list.value == [known["take"]]
        assert entries["clean"].int64_list.value == [int(known["clean"])]
        assert np.frombuffer(entries["gain"].bytes_list.value[0], "<f8") == known["gain"]
        assert entries["age"].int64_list.value == ([] if known["age"] is None else [known["age"]])


def test_equal_arguments_give_equal_bytes(config):
    feature = np.arange(2 * 129, dtype=np.float32).reshape(2, 129, 1)
    values = {"b": 1, "a": "x"}
    one, other = Columns(types={"a": "string", "b": "int"}), Columns(types={"b": "int", "a": "string"})
    record, _ = records.encode("clip", feature, config, values, one, Place(SHARD, 1))
    again, _ = records.encode("clip", feature.copy(), config, dict(reversed(values.items())), other, Place(SHARD, 1))
    assert record == again


@pytest.mark.parametrize("frames", [0, 1, 31, 127, 128, 4000])
def test_protobuf_parses_a_record_into_its_entries(config, frames):
    feature = np.arange(frames * 129, dtype=np.float32).reshape(frames, 129, 1)
    record, _ = records.encode(
        "clip", feature, config, {"gain": 0.5}, Columns(types={"gain": "float"}), Place(SHARD, 4)
    )
    entries = tf.train.Example.FromString(record).features.feature
    ours = {"id", "feature", "shape", "n_frames", "valid_frames", "fingerprint", "shard_id", "record"}
    assert set(entries) == {*ours, "gain"}
    assert list(entries["feature"].bytes_list.value) == [feature.tobytes()]
    parsed = tf.io.parse_single_example(record, {"feature": tf.io.FixedLenFeature([], tf.string)})
    assert parsed["feature"].numpy() == feature.tobytes()


def test_a_record_over_the_limit_of_protobuf_is_refused_with_advice(config, monkeypatch):
    feature = np.zeros((40, 129, 1), np.float32)
    size = len(records.encode("clip", feature, config, {}, NO_COLUMNS, Place(SHARD, 0))[0])
    monkeypatch.setattr(records, "MAX_RECORD_BYTES", size)
    assert len(records.encode("clip", feature, config, {}, NO_COLUMNS, Place(SHARD, 0))[0]) == size
    monkeypatch.setattr(records, "MAX_RECORD_BYTES", size - 1)
    with pytest.raises(
        AudioError, match=rf"shape \(40, 129, 1\).*have {size} bytes\. Cut .*--segment-seconds"
    ) as caught:
        records.encode("clip", feature, config, {}, NO_COLUMNS, Place(SHARD, 0))
    assert caught.value.stage == "feature"


def test_a_transposed_feature_is_written_in_c_order(config):
    feature = np.arange(6, dtype=np.float32).reshape(3, 2).T[:, :, None]
    record, _ = records.encode("clip", feature, config, {}, NO_COLUMNS, Place(SHARD, 0))
    entries = tf.train.Example.FromString(record).features.feature
    assert np.frombuffer(entries["feature"].bytes_list.value[0], "<f4").tolist() == [0, 2, 4, 1, 3, 5]


def test_n_frames_of_a_channels_first_feature_is_its_number_of_frames():
    config = configs.StftMagnitude(channels=2, n_fft=256, output_data_format="channels_first")
    record, _ = records.encode("clip", np.zeros((2, 7, 129), np.float32), config, {}, NO_COLUMNS, Place(SHARD, 0))
    entries = tf.train.Example.FromString(record).features.feature
    assert entries["n_frames"].int64_list.value == [7]


def test_an_id_that_is_not_utf8_is_kept(config):
    name = b"caf\xe9.wav".decode("utf-8", "surrogateescape")
    record, _ = records.encode(name, np.zeros((1, 1, 1), np.float32), config, {}, NO_COLUMNS, Place(SHARD, 0))
    entries = tf.train.Example.FromString(record)
    assert entries.features.feature["id"].bytes_list.value[0] == b"caf\xe9.wav"


def test_a_moved_record_equals_one_encoded_for_that_place(config):
    lists = {"empty": "list<int>", "missing": "list<string>", "onsets": "list<float>"}
    # The note is long, so that the length of the entries takes more than one byte.
    metadata = {"gain": 0.5, "note": "x" * 300, "empty": [], "onsets": [0.5, 1.5], "shard_id": 3, "shard_id_": None}
    types = {"gain": "float", "note": "string", "shard_id": "int", "shard_id_": "string", **lists}
    columns = Columns(types=types)
    places = Place(SHARD, 4), Place("1f" * 8, 0)
    for frames, dtype in ((0, "float32"), (40, "float32"), (7, "float16")):
        feature = np.arange(frames * 129, dtype=np.float32).reshape(frames, 129, 1)
        here, there = (
            records.encode("caf\udce9", feature, config, metadata, columns, place, dtype)[0] for place in places
        )
        assert records.moved(here, places[1]) == (there, frames)
        assert records.moved(there, places[0]) == (here, frames)
        assert records.clip_id(here) == "caf\udce9"


def test_a_rewritten_record_equals_one_encoded_with_that_metadata(config):
    feature = np.arange(2 * 129, dtype=np.float32).reshape(2, 129, 1)
    before = Columns(types={"speaker": "string", "valid_frames": "int"}, fill_values={"valid_frames": -1})
    after = Columns(types={"tags": "list<string>", "label": "int"}, classes={"label": ["dog", "cat"]})
    values = {"tags": ["rain"], "label": "cat"}
    for dtype in ("float32", "bfloat16"):
        facts = {"dtype": dtype, "valid_frames": 1, "fingerprint": "ab" * 32}
        place = Place("1f" * 8, 7)
        record, _ = records.encode("clip", feature, config, {"speaker": "Bo"}, before, Place(SHARD, 0), **facts)
        expected, _ = records.encode("clip", feature, config, values, after, place, **facts)
        assert records.rewritten(record, values, after, place) == expected


LISTS = {"tags": "list<string>", "onsets": "list<float>", "counts": "list<int>", "flags": "list<bool>"}


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
@pytest.mark.parametrize("frames", [0, 1, 40])
def test_a_decoded_record_has_what_was_encoded(config, frames, dtype):
    feature = np.random.default_rng(1).uniform(-80, 0, (frames, 129, 1)).astype(np.float32)
    columns = Columns(
        types={**TYPES, **LISTS, "label": "int"}, classes={"label": ["dog", "cat"]}, fill_values={"age": -1}
    )
    given = {
        "age": -5,
        "clean": True,
        "gain": math.inf,
        "note": "",
        "speaker": "Zo\u00eb",
        "take": 2**63 - 1,
        "tags": ["", "rain"],
        "onsets": [0.1, -0.0],
        "counts": [],
        "flags": [False, True],
        "label": 1,
    }
    record, _ = records.encode("clip", feature, config, given, columns, Place(SHARD, 4), dtype, valid_frames=frames)
    found = records.decode(record, columns, config, dtype)
    assert (found.id, found.n_frames, found.valid_frames) == ("clip", frames, frames)
    assert (found.shard_id, found.number, found.fingerprint) == (SHARD, 4, config.fingerprint[:16])
    assert found.metadata == given
    np.testing.assert_array_equal(found.feature, dtypes.as_loaded(feature, dtype))
    assert found.feature.dtype == np.float32
    assert found.feature.flags.writeable


def test_missing_values_are_absent_and_decoded_as_none(config):
    columns = Columns(
        types={**TYPES, **LISTS, "label": "int"}, classes={"label": ["dog"]}, fill_values={"age": -1, "take": 7}
    )
    record, _ = records.encode("clip", np.zeros((1, 129, 1), np.float32), config, {}, columns, Place(SHARD, 0))
    assert records.decode(record, columns, config, "float32").metadata == dict.fromkeys(columns.types)
    entries = tf.train.Example.FromString(record).features.feature
    assert not entries.keys() & {*TYPES, "label"}


def test_a_column_with_the_name_of_an_entry_keeps_it(config):
    types = {"shard_id": "int", "shard_id_": "string", "valid_frames": "string"}
    columns, given = Columns(types=types), {"shard_id": 5, "shard_id_": None, "valid_frames": "x"}
    feature = np.zeros((3, 129, 1), np.float32)
    record, _ = records.encode("clip", feature, config, given, columns, Place(SHARD, 1), valid_frames=2)
    found = records.decode(record, columns, config, "float32")
    assert (found.metadata, found.shard_id, found.valid_frames) == (given, SHARD, 2)
    head = record_heads.head(record)
    assert (head.shard_id, head.valid_frames) == (SHARD, 2)
    entries = tf.train.Example.FromString(record).features.feature
    assert entries["shard_id__"].bytes_list.value[0].hex() == SHARD
    assert entries["valid_frames_"].int64_list.value == [2]


@pytest.mark.parametrize("frames", [0, 1, 127, 128, 4000])
def test_the_head_of_a_record_says_where_its_values_are(config, frames):
    feature = np.arange(frames * 129, dtype=np.float32).reshape(frames, 129, 1)
    record, _ = records.encode("clip", feature, config, {}, NO_COLUMNS, Place(SHARD, 3))
    head = record_heads.head(record[: record_layout.size_of_head(record[:11])])
    assert (head.shape, head.n_frames, head.number, head.dtype) == ((frames, 129, 1), frames, 3, "float32")
    assert record[head.feature_start :] == feature.tobytes()
    assert len(record) == head.feature_start + head.feature_bytes


def test_records_of_format_1_are_decoded_and_rewritten():
    for name, values in OLD_SETS.items():
        opened = Description.open(DATA / name)
        elements = load(DATA / name).as_numpy_iterator()
        for position, shard in enumerate(opened.shards):
            with open(DATA / name / shard["name"], "rb") as file:
                for number, (_, record) in enumerate(tfrecords.read(file)):
                    element, found = next(elements), records.decode(record, opened.columns, opened.config, values)
                    assert (found.id, found.number) == (element["id"].decode(), number)
                    assert found.shard_id == record_heads.old_shard_id(opened.set_id, position)
                    assert found.valid_frames == found.n_frames == element["n_frames"]
                    np.testing.assert_array_equal(found.feature, element["feature"])
                    assert found.metadata["speaker"] == element["speaker"].decode()
                    new = records.rewritten(record, found.metadata, opened.columns, Place(SHARD, 9))
                    again = records.decode(new, opened.columns, opened.config, values)
                    np.testing.assert_equal(again.metadata, found.metadata)
                    assert (again.shard_id, again.number, again.id) == (SHARD, 9, found.id)
                    np.testing.assert_array_equal(again.feature, found.feature)
                    with pytest.raises(CorruptFeatureSetError, match="must not have format 1"):
                        records.moved(record, Place(SHARD, 0))


@settings(max_examples=200)
@given(st.data())
def test_a_damaged_record_is_refused_or_decoded(data):
    feature = np.zeros((2, 129, 1), np.float32)
    columns = Columns(types={"tags": "list<string>", "gain": "float", "take": "int"})
    config = configs.StftMagnitude(n_fft=256, sample_rate=8000)
    given_metadata = {"tags": ["a"], "gain": 1.5, "take": 1}
    record, _ = records.encode("clip", feature, config, given_metadata, columns, Place(SHARD, 0))
    head = len(record) - feature.nbytes
    forged = bytearray(record)
    for _ in range(data.draw(st.integers(1, 3))):
        forged[data.draw(st.integers(0, head - 1))] = data.draw(st.integers(0, 255))
    forged = bytes(forged[: data.draw(st.sampled_from([len(record), head, 20]))])
    for read in (
        lambda: records.decode(forged, columns, config, "float32"),
        lambda: record_heads.head(forged),
        lambda: records.moved(forged, Place(SHARD, 1)),
        lambda: records.rewritten(forged, given_metadata, columns, Place(SHARD, 1)),
        lambda: records.clip_id(forged),
    ):
        with contextlib.suppress(CorruptFeatureSetError):
            read()


# Storage


@pytest.mark.parametrize(
    ("dtype", "stored"), [("float16", np.dtype("<f2")), ("bfloat16", np.dtype(ml_dtypes.bfloat16))]
)
def test_a_record_of_another_dtype_has_its_bytes_and_its_name(config, dtype, stored):
    feature = np.random.default_rng(3).uniform(-80, 0, (7, 129, 1)).astype(np.float32)
    record, error = records.encode("clip", feature, config, {}, NO_COLUMNS, Place(SHARD, 0), dtype)
    entries = tf.train.Example.FromString(record).features.feature
    assert entries["dtype"].bytes_list.value[0].decode() == dtype
    [data] = entries["feature"].bytes_list.value
    assert data == feature.astype(stored).tobytes()
    assert error == np.abs(np.frombuffer(data, stored).astype(np.float64).reshape(feature.shape) - feature).max() > 0


def test_a_value_out_of_the_range_of_float16_is_refused(config):
    feature = np.full((1, 129, 1), 1e5, np.float32)
    records.encode("clip", feature, config, {}, NO_COLUMNS, Place(SHARD, 0), dtype="bfloat16")
    with pytest.raises(
        AudioError, match=r"float16 holds values up to 65504\. Received: a feature with values up to 100000"
    ):
        records.encode("clip", feature, config, {}, NO_COLUMNS, Place(SHARD, 0), dtype="float16")


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_stored_features_load_as_float32_within_the_measured_error(feature_set, dtype):
    before = list(load(feature_set).as_numpy_iterator())
    spec = load(feature_set).element_spec
    written = store_as(feature_set, dtype)
    dataset = load(feature_set, config=written.config, check=True)
    assert dataset.element_spec == spec
    differences = []
    for element, exact in zip(dataset.as_numpy_iterator(), before, strict=True):
        assert element["feature"].dtype == np.float32
        differences.append(np.abs(element.pop("feature") - exact.pop("feature")).max())
        np.testing.assert_equal(element, exact)
    assert max(differences) == written.max_error > 0


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_every_16_bit_value_loads_as_numpy_reads_it(feature_set, dtype):
    # All 65,536 values of 16 bits, in one clip.
    bits = np.resize(np.arange(2**16, dtype=np.uint16), (509, 129, 1))
    stored = store_as(feature_set, dtype)
    exact = bits.view(ml_dtypes.bfloat16 if dtype == "bfloat16" else np.float16).astype(np.float32)
    path = feature_set / stored.shards[0]["name"]
    kept = [record.numpy() for record in tf.data.TFRecordDataset(str(path))]
    metadata = {"clean": True, "gain": 0.0, "take": 0}
    kept[0], _ = records.encode(
        "all",
        exact,
        stored.config,
        metadata,
        Columns(types=TYPES, fill_values={"age": -1}),
        Place(stored.shards[0]["id"], 0),
        dtype,
    )
    with tf.io.TFRecordWriter(str(path)) as writer:
        for record in kept:
            writer.write(record)
    bless(feature_set)
    first = next(load(feature_set).as_numpy_iterator())
    np.testing.assert_array_equal(first["feature"], exact)


@given(
    size=st.one_of(st.integers(0, 300), *(st.integers(2**bits - 80, 2**bits + 80) for bits in (14, 21, 28))),
    entries=st.binary(max_size=200),
)
def test_the_values_of_a_record_are_found_from_its_length_alone(size, entries):
    start = bytes([0x0A, *([len(entries)] if len(entries) < 128 else [len(entries) - 128 | 128, 1]), *entries])
    head = start + record_layout.tags_of_feature(size)
    found = record_layout.offsets(np.frombuffer(head, np.uint8), len(head) + size)
    assert found == (len(start), len(head), size)
    for length in (len(head) + size - 1, len(head) + size + 1):
        with pytest.raises(CorruptFeatureSetError, match="does not end with its feature"):
            record_layout.offsets(np.frombuffer(head, np.uint8), length)


@pytest.mark.cases(2)
@pytest.mark.parametrize("actual", ["float32", "float16", "bfloat16"])
@pytest.mark.parametrize("claimed", ["float32", "float16", "bfloat16"])
def test_a_wrong_storage_dtype_is_found_and_the_shard_named(feature_set, actual, claimed):
    store_as(feature_set, actual)
    edit(feature_set, lambda content: content["storage"].update(dtype=claimed))
    if actual == claimed:
        assert ids(load(feature_set)) == NAMES
        return
    message = rf"Record 0 of the shard .*features-00000000\.tfrecord is not stored as {claimed}"
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        ids(load(feature_set))


# load


def test_elements_have_fixed_types_and_shapes(shared_feature_set):
    scalars = {"string": tf.string, "int": tf.int64, "float": tf.float64, "bool": tf.bool}
    dataset = load(shared_feature_set)
    assert dataset.element_spec == {
        "id": tf.TensorSpec([], tf.string),
        "feature": tf.TensorSpec([None, 129, 1], tf.float32),
        "n_frames": tf.TensorSpec([], tf.int64),
        **{name: tf.TensorSpec([], scalars[kind]) for name, kind in TYPES.items()},
    }
    assert dataset.cardinality() == 4


def test_elements_have_the_order_and_the_values_of_the_input(shared_feature_set, config, samples, metadata, reference):
    elements = list(load(str(shared_feature_set), config=config).as_numpy_iterator())
    assert [element["id"].decode() for element in elements] == NAMES
    for name, element in zip(NAMES, elements, strict=True):
        expected = reference(samples[name], config)
        np.testing.assert_allclose(element["feature"], expected, atol=TOLERANCE)
        assert element["n_frames"] == len(expected)
        known = metadata[name]
        assert element["speaker"].decode() == known["speaker"]
        assert element["note"].decode() == (known["note"] or "")
        assert (element["take"], element["gain"], element["clean"]) == (known["take"], known["gain"], known["clean"])
        assert element["age"] == (-1 if known["age"] is None else known["age"])


@pytest.fixture(scope="module")
def many(tmp_path_factory, clips, config):
    """Returns a feature set of one clip under 24 ids, in 3 shards."""
    folder = tmp_path_factory.mktemp("many")
    lines = [json.dumps({"id": f"{number:02d}", "path": str(clips / "quiet.wav")}) for number in range(24)]
    (folder / "manifest.jsonl").write_text("\n".join(lines))
    beam.precompute(folder / "manifest.jsonl", folder / "features", config, num_shards=3)
    return folder / "features"


def test_shuffling_changes_the_order_and_loses_nothing(many):
    order = [f"{number:02d}" for number in range(24)]
    assert ids(load(many)) == order
    shuffled = ids(load(many, shuffle=True))
    assert shuffled != order
    assert sorted(shuffled) == order


def test_shuffling_differs_in_every_iteration_and_is_reproducible_with_a_seed(many):
    dataset = load(many, shuffle=True, seed=7)
    first, second = ids(dataset), ids(dataset)
    assert first != second
    again = load(many, shuffle=True, seed=7)
    assert (ids(again), ids(again)) == (first, second)
    assert ids(load(many, shuffle=True, seed=8)) != first


def test_another_config_is_refused_and_the_differences_are_listed(shared_feature_set, config):
    expected = dataclasses.replace(config, hop_length=99)
    with pytest.raises(ConfigMismatchError, match="hop_length: 99 != 100") as caught:
        load(shared_feature_set, config=expected)
    assert expected.fingerprint in str(caught.value)
    assert config.fingerprint in str(caught.value)


def test_a_folder_without_dataset_json_is_incomplete(feature_set):
    (feature_set / "dataset.json").unlink()
    with pytest.raises(IncompleteFeatureSetError, match=r"no dataset\.json in '.*features'"):
        load(feature_set)


def test_a_missing_shard_is_named(feature_set):
    (feature_set / "features-00000001.tfrecord").unlink()
    with pytest.raises(CorruptFeatureSetError, match=r"features-00000001\.tfrecord' is missing"):
        load(feature_set)


def test_a_truncated_shard_is_named_with_both_sizes(feature_set):
    path = change_shard(feature_set, 0, lambda content: content[:-1])
    size = path.stat().st_size
    with pytest.raises(CorruptFeatureSetError, match=rf"{path.name}' must have {size + 1} bytes\. Received: {size}"):
        load(feature_set)


def test_a_flipped_byte_is_found_by_its_checksum(feature_set):
    path = change_shard(feature_set, 1, lambda content: content[:-9] + bytes([content[-9] ^ 1]) + content[-8:])
    load(feature_set)
    with pytest.raises(CorruptFeatureSetError, match=rf"{path.name}' does not have the checksum"):
        load(feature_set, check=True)


def test_an_untouched_feature_set_passes_the_check(shared_feature_set):
    assert ids(load(shared_feature_set, check=True)) == NAMES


def test_a_shard_of_another_config_under_the_right_name_is_found_while_reading(feature_set, config):
    other = dataclasses.replace(config, window_name="hamming_window")
    shard = sorted(feature_set.glob("*.tfrecord"))[1]
    size = shard.stat().st_size
    mine, others = (bytes.fromhex(item.fingerprint)[:8] for item in (config, other))
    kept = [record.numpy() for record in tf.data.TFRecordDataset(str(shard))]
    with tf.io.TFRecordWriter(str(shard)) as writer:
        for record in kept:
            writer.write(record.replace(mine, others))
    assert shard.stat().st_size == size
    with pytest.raises(tf.errors.InvalidArgumentError, match=rf"of the shard .*{shard.name} belongs to another config"):
        ids(load(feature_set))


def test_a_missing_record_is_found_while_reading(feature_set):
    shard = sorted(feature_set.glob("*.tfrecord"))[0]
    kept = [record.numpy() for record in tf.data.TFRecordDataset(str(shard))][1:]
    with tf.io.TFRecordWriter(str(shard)) as writer:
        for record in kept:
            writer.write(record)
    bless(feature_set)
    with pytest.raises(
        tf.errors.InvalidArgumentError, match=rf"Record 0 of the shard .*{shard.name} belongs to another place"
    ):
        ids(load(feature_set))


def test_a_feature_set_in_remote_storage_is_written_and_read(clips, config, samples, reference):
    remote = fsspec.filesystem("memory")
    try:
        for name in ("mono.wav", "quiet.wav"):
            remote.pipe(f"/records-clips/{name}", (clips / name).read_bytes())
        beam.precompute("memory://records-clips", "memory://records-features", config, num_shards=2)
        elements = list(load("memory://records-features", config=config, check=True).as_numpy_iterator())
        assert [element["id"] for element in elements] == [b"mono.wav", b"quiet.wav"]
        for element, name in zip(elements, ("mono", "quiet"), strict=True):
            np.testing.assert_allclose(element["feature"], reference(samples[name], config), atol=TOLERANCE)
        assert len(ids(load("memory://records-features", shuffle=True))) == 2
    finally:
        for folder in ("/records-clips", "/records-features"):
            if remote.exists(folder):
                remote.rm(folder, recursive=True)


def test_a_moved_feature_set_is_read_where_it_is(shared_feature_set, tmp_path):
    moved = shutil.copytree(shared_feature_set, tmp_path / "elsewhere")
    assert ids(load(moved)) == NAMES
