"""Damage to a feature set: `verify` finds it and names the file, and `load` finds it while reading."""

import dataclasses
import json
import os
import struct
import sys

import numpy as np
import pytest
import soundfile
import tensorflow as tf
from damage import bless, edit, reindex, serialized
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from audiopipe import beam, load
from audiopipe.errors import ConfigMismatchError, CorruptFeatureSetError, MachineWarning
from audiopipe.feature_sets import tfrecords
from audiopipe.runtime import machine_facts
from audiopipe.verification.set_check import verify

REGIONS = ["length", "checksum of the length", "data", "checksum of the data"]


def read(folder):
    return list(load(folder).as_numpy_iterator())


def shards(folder):
    return sorted(folder.glob("*.tfrecord"))


def regions(content):
    """Returns the name, the start and the end of each part of each record of a shard."""
    found, start = [], 0
    while start < len(content):
        (length,) = struct.unpack_from("<Q", content, start)
        edges = [start, start + 8, start + 12, start + 12 + length, start + 16 + length]
        found += zip(REGIONS, edges[:-1], edges[1:], strict=True)
        start = edges[-1]
    return found


@pytest.fixture(scope="module")
def even(tmp_path_factory, clips, config):
    """Returns a folder with a manifest and a feature set whose two shards have equal sizes."""
    folder = tmp_path_factory.mktemp("even")
    names = ["a", "b", "c", "d"]
    lines = [json.dumps({"id": name, "path": str(clips / "quiet.wav")}) for name in names]
    (folder / "manifest.jsonl").write_text("\n".join(lines))
    beam.precompute(folder / "manifest.jsonl", folder / "features", config, num_shards=2)
    assert len({path.stat().st_size for path in shards(folder / "features")}) == 1
    return folder


@pytest.fixture
def restored(even):
    """Yields the feature set of `even` and restores it after the test."""
    paths = list((even / "features").iterdir())
    before = {path: path.read_bytes() for path in paths if path.is_file()}
    yield even / "features"
    for path, content in before.items():
        path.write_bytes(content)


@pytest.mark.cases(2)
@pytest.mark.parametrize("region", REGIONS)
@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_one_flipped_bit_anywhere_is_found_and_the_file_named(restored, region, data):
    path = shards(restored)[data.draw(st.integers(0, 1))]
    content = path.read_bytes()
    parts = [(start, stop) for name, start, stop in regions(content) if name == region]
    number = data.draw(st.integers(0, len(parts) - 1))
    start, stop = parts[number]
    place, bit = data.draw(st.integers(start, stop - 1)), data.draw(st.integers(0, 7))
    changed = bytearray(content)
    changed[place] ^= 1 << bit
    try:
        path.write_bytes(changed)
        with pytest.raises(
            tf.errors.InvalidArgumentError, match=rf"Record {number} of the shard .*{path.name} is damaged"
        ):
            read(restored)
        with pytest.raises(CorruptFeatureSetError, match=rf"{path.name}' does not have the checksum"):
            verify(restored, restored.parent / "manifest.jsonl")
    finally:
        path.write_bytes(content)


@pytest.mark.parametrize("shuffle", [False, True])
def test_swapped_shards_are_found_while_reading(restored, shuffle):
    first, second = shards(restored)
    one, other = first.read_bytes(), second.read_bytes()
    first.write_bytes(other)
    second.write_bytes(one)
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"features-0000000\d\.tfrecord belongs to another place"):
        list(load(restored, shuffle=shuffle))
    with pytest.raises(CorruptFeatureSetError, match=rf"{first.name}' does not have the checksum"):
        verify(restored, restored.parent / "manifest.jsonl")


def test_records_in_another_order_are_found_while_reading(restored):
    path = shards(restored)[1]
    kept = [record.numpy() for record in tf.data.TFRecordDataset(str(path))]
    with tf.io.TFRecordWriter(str(path)) as writer:
        for record in reversed(kept):
            writer.write(record)
    with pytest.raises(
        tf.errors.InvalidArgumentError, match=rf"Record 0 of the shard .*{path.name} belongs to another place"
    ):
        read(restored)


def test_a_shard_of_another_config_under_the_right_name_is_found(restored, config, tmp_path):
    other = dataclasses.replace(config, window_name="hamming_window")
    beam.precompute(restored.parent / "manifest.jsonl", tmp_path / "other", other, num_shards=2)
    path = shards(restored)[0]
    path.write_bytes((tmp_path / "other" / path.name).read_bytes())
    with pytest.raises(tf.errors.InvalidArgumentError, match=rf"the shard .*{path.name} belongs to another config"):
        read(restored)
    with pytest.raises(CorruptFeatureSetError, match=rf"{path.name}' does not have the checksum"):
        verify(restored, restored.parent / "manifest.jsonl")
    bless(restored)
    with pytest.raises(CorruptFeatureSetError, match=rf"the shard .*{path.name}' belongs to another config"):
        verify(restored, restored.parent / "manifest.jsonl")


def test_a_shard_of_another_feature_set_of_the_same_config_is_found(tmp_path, config):
    noise = np.random.default_rng(0)
    for part in ("train", "dev"):
        (tmp_path / part).mkdir()
        for name in ("0.wav", "1.wav"):
            soundfile.write(tmp_path / part / name, noise.uniform(-1, 1, 2000), 8000)
        beam.precompute(tmp_path / part, tmp_path / f"{part}-features", config, num_shards=2)
    path = shards(tmp_path / "train-features")[1]
    path.write_bytes((tmp_path / "dev-features" / path.name).read_bytes())
    with pytest.raises(
        tf.errors.InvalidArgumentError, match=rf"the shard .*{path.name} belongs to another feature set"
    ):
        read(tmp_path / "train-features")


@pytest.mark.parametrize("damage", ["truncated", "missing"])
def test_a_shard_that_is_cut_or_deleted_after_load_is_named_while_reading(restored, damage):
    path = shards(restored)[1]
    content = path.read_bytes()
    dataset = load(restored)
    path.unlink() if damage == "missing" else path.write_bytes(content[:-1])
    number = 0 if damage == "missing" else 1
    with pytest.raises(tf.errors.InvalidArgumentError, match=rf"Record {number} of the shard .*{path.name} is damaged"):
        list(dataset)
    for start in (load, lambda folder: verify(folder, restored.parent / "manifest.jsonl")):
        with pytest.raises(CorruptFeatureSetError, match=path.name):
            start(restored)


def test_a_folder_with_wildcards_in_its_name_is_read(even, tmp_path):
    folder = tmp_path / "a[b]*?\\c"
    (even / "features").rename(folder)
    try:
        assert [element["id"] for element in read(folder)] == [b"a", b"b", b"c", b"d"]
    finally:
        folder.rename(even / "features")


def test_an_extra_record_is_found_by_verify(restored):
    path = shards(restored)[1]
    kept = [record.numpy() for record in tf.data.TFRecordDataset(str(path))]
    with tf.io.TFRecordWriter(str(path)) as writer:
        for record in [*kept, kept[-1]]:
            writer.write(record)
    bless(restored)
    assert tfrecords.count(str(path)) == 3
    with pytest.raises(CorruptFeatureSetError, match=rf"{path.name}' must have 2 records. Received: 3"):
        verify(restored, restored.parent / "manifest.jsonl")


def leaves(value, path=()):
    """Returns the path of each value in nested JSON."""
    if isinstance(value, (dict, list)) and value:
        items = value.items() if isinstance(value, dict) else enumerate(value)
        return [leaf for key, inner in items for leaf in leaves(inner, (*path, key))]
    return [path]


def test_every_edit_of_dataset_json_is_found(restored):
    path = restored / "dataset.json"
    content = path.read_text()
    places = leaves(json.loads(content))
    assert len(places) > 50
    for *above, key in places:
        changed = json.loads(content)
        inner = changed
        for step in above:
            inner = inner[step]
        inner[key] = f"{inner[key]}0" if isinstance(inner[key], str) else 7.5
        path.write_text(json.dumps(changed))
        with pytest.raises(Exception, match=r"dataset\.json") as caught:
            verify(restored, restored.parent / "manifest.jsonl")
        assert type(caught.value).__name__ in ("CorruptFeatureSetError", "FeatureSetError"), (above, key)


def test_an_edited_config_is_refused_with_the_field_both_values_and_both_fingerprints(restored, config):
    edit(restored, lambda content: content["config"].update(hop_length=99))
    with pytest.raises(CorruptFeatureSetError, match="hop_length: 99 != 100") as caught:
        verify(restored, restored.parent / "manifest.jsonl")
    assert config.fingerprint in str(caught.value)
    assert dataclasses.replace(config, hop_length=99).fingerprint in str(caught.value)


def test_features_of_an_earlier_kernel_version_are_not_compared(restored, config, monkeypatch):
    before = config.kernel_version
    monkeypatch.setattr(type(config), "kernel_version", before + 1)
    with pytest.raises(ConfigMismatchError, match=f"kernel_version: {before + 1} != {before}"):
        verify(restored, restored.parent / "manifest.jsonl")


def elsewhere(content):
    """Makes another machine of the one that computed a feature set, whose release had no probe yet."""
    content["machines"][0].update(cpu_family="x86_64 Abacus 1", onednn="maybe")
    content["machines"][0]["versions"]["tensorflow"] = "1.15.0"
    del content["machines"][0]["probe"]


def test_load_warns_once_about_machines_that_may_compute_other_bits(restored, recwarn):
    edit(restored, elsewhere)
    with pytest.warns(MachineWarning) as caught:
        read(restored)
    message = str(caught[0].message)
    for part in (
        str(restored),
        f"TensorFlow 1.15.0 there, {tf.__version__} here",
        "CPU x86_64 Abacus 1",
        "oneDNN maybe",
    ):
        assert part in message
    recwarn.clear()
    read(restored)
    assert not [warning for warning in recwarn if warning.category is MachineWarning]


def test_load_does_not_warn_on_the_machine_that_computed_the_features(even, recwarn):
    read(even / "features")
    assert not [warning for warning in recwarn if warning.category is MachineWarning]
    assert machine_facts.differences([machine_facts.machine()]) == ""


def test_verify_says_why_bits_may_differ_here(restored):
    edit(restored, elsewhere)
    report = verify(restored, restored.parent / "manifest.jsonl", door="hf")
    assert report.ok
    assert "TensorFlow 1.15.0 there" in report.machine


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda content: content["counts"].update(frames=31),
            r"must match its records, which have 32 frames\. Received: 31",
        ),
        (
            lambda content: content["counts"].update(hours=0.5),
            r"must match its records, which have .* hours\. Received: 0\.5",
        ),
        (
            lambda content: content["counts"].update(hours=0.00012),
            r"must match its records, which have .* hours\. Received: 0\.00012",
        ),
        (
            lambda content: content["counts"].update(failures=1),
            r"failures-00000001\.jsonl' must have 1 lines\. Received: 0",
        ),
    ],
)
def test_edited_counts_with_a_matching_checksum_are_found_by_verify(restored, change, message):
    edit(restored, change)
    with pytest.raises(CorruptFeatureSetError, match=message):
        verify(restored, restored.parent / "manifest.jsonl", door="hf")


def test_a_duplicate_clip_is_found_by_verify(restored):
    path = shards(restored)[0]
    examples = [tf.train.Example.FromString(item.numpy()) for item in tf.data.TFRecordDataset(str(path))]
    examples[1].features.feature["id"].bytes_list.value[0] = b"a"
    with tf.io.TFRecordWriter(str(path)) as writer:
        for example in examples:
            writer.write(serialized(example))
    reindex(restored)
    with pytest.raises(CorruptFeatureSetError, match=r"must be of different clips\. Received twice: 'a'"):
        verify(restored, restored.parent / "manifest.jsonl")


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has file names that are not UTF-8")
def test_a_clip_whose_name_is_not_utf_8_is_verified(clips, config, tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / os.fsdecode(b"caf\xe9.wav")).write_bytes((clips / "quiet.wav").read_bytes())
    beam.precompute(tmp_path / "in", tmp_path / "features", config)
    report = verify(tmp_path / "features", tmp_path / "in")
    assert report.ok
    assert [comparison.clips for comparison in report.comparisons] == [1, 1, 1]
