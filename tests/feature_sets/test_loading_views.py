"""`load` of views: only their records are read, in their order."""

import os
import pickle

import fsspec
import numpy as np
import pytest
import synthetic_sets
import tensorflow as tf
from synthetic_sets import ANY_CHANNELS, CHANNELS_FIRST, COLUMNS, CONFIG, feature

from audiopipe import FeatureSet, fingerprint_of, load
from audiopipe.errors import ConfigMismatchError, CorruptFeatureSetError
from audiopipe.feature_sets import record_streams

SIZE = 23


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("views") / "features"
    clips = {f"clip-{number:02d}": (feature(3 + number, seed=number), _metadata(number)) for number in range(SIZE)}
    synthetic_sets.write(path, clips, columns=COLUMNS, shards=3)
    return path


def _metadata(number):
    return {
        "speaker": [None, "Zoë", "caf\udce9"][number % 3],
        "take": None if number % 4 == 0 else number,
        "gain": None if number % 5 == 0 else number / 8,
        "clean": number % 2 == 0,
        "tags": [None, [], ["x", "y"]][number % 3],
        "label": [None, "cat", "dog"][number % 3],
    }


@pytest.fixture(scope="module")
def whole(folder):
    """Returns all elements by their ids."""
    return {element["id"]: element for element in load(folder).as_numpy_iterator()}


@pytest.fixture
def sets(folder):
    return FeatureSet(folder)


@pytest.fixture
def small_parts(monkeypatch):
    """Makes the parts in which views are read so small that the tests have many of them."""
    monkeypatch.setattr(record_streams, "BLOCK_BYTES", 8000)
    monkeypatch.setattr(record_streams, "MOST_ROWS", 5)


def ids(dataset):
    return [element["id"].decode("utf-8", "surrogateescape") for element in dataset.as_numpy_iterator()]


def assert_equal(found, expected):
    """Asserts that elements of datasets are equal bit for bit."""
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_array_equal(found[name], value, strict=True)


VIEWS = {
    "condition": lambda sets: sets.where(clean=True),
    "class": lambda sets: sets.where(label="dog"),
    "any order, with repeated clips": lambda sets: sets.select([20, 3, 4, 3, 21, 0]),
    "backwards": lambda sets: sets[::-1],
    "shard": lambda sets: sets.shard(1, 3),
    "split": lambda sets: sets.split({"a": 0.6, "b": 0.4}, by="speaker")["a"],
    "view of a view": lambda sets: sets.where(clean=True).shard(0, 2)[2:],
    "one clip": lambda sets: sets[22:],
    "all": lambda sets: sets,
    "none": lambda sets: sets[:0],
}


@pytest.mark.cases(3)
@pytest.mark.parametrize("view", VIEWS)
def test_a_view_has_the_elements_of_its_clips_in_its_order(folder, sets, view, small_parts, whole):
    wanted = VIEWS[view](sets)
    dataset = load(wanted)
    assert dataset.cardinality().numpy() == len(wanted)
    assert dataset.element_spec == load(folder).element_spec
    assert ids(dataset) == wanted.ids
    for found in dataset.as_numpy_iterator():
        assert_equal(found, whole[found["id"]])


def test_only_the_records_of_a_view_are_read_and_neighbours_together(folder, read_sizes):
    sets = FeatureSet(folder)
    sizes = [record["bytes"] + 16 for record in _records(sets)]
    dataset = load(sets.select([4, 5, 6, 12, 13]))
    read_sizes.clear()
    assert len(ids(dataset)) == 5
    assert read_sizes == [sum(sizes[4:7]), sum(sizes[12:14])]


def _records(sets):
    [description] = sets.descriptions
    import pyarrow.parquet as pq

    return pq.read_table(os.path.join(description.path, description.index["name"])).column("record").to_pylist()


@pytest.mark.cases(2)
@pytest.mark.parametrize("config", [CHANNELS_FIRST, ANY_CHANNELS], ids=["first", "any"])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_every_layout_and_dtype_is_read(tmp_path, config, dtype):
    clips = {f"{channels}": feature(9, config, channels, seed=channels) for channels in (1, 2, 3)}
    synthetic_sets.write(tmp_path / "features", clips, config, dtype=dtype)
    whole = list(load(tmp_path / "features").as_numpy_iterator())
    for found, expected in zip(load(FeatureSet(tmp_path / "features")[1:]).as_numpy_iterator(), whole[1:], strict=True):
        assert_equal(found, expected)


@pytest.mark.parametrize("view", [lambda sets: sets[1:], lambda sets: sets], ids=["view", "whole"])
def test_shuffling_keeps_the_clips_and_is_reproducible_with_a_seed(sets, view, small_parts):
    wanted = view(sets)
    seeded = load(wanted, shuffle=True, seed=3)
    first, second = ids(seeded), ids(seeded)
    assert sorted(first) == sorted(second) == sorted(wanted.ids)
    assert first not in (second, wanted.ids)
    assert ids(load(wanted, shuffle=True, seed=3)) == first
    assert ids(load(wanted, shuffle=True, seed=4)) != first
    free = load(wanted, shuffle=True)
    assert ids(free) != ids(free)
    assert free.cardinality().numpy() == len(wanted)


def test_a_view_of_format_1_is_read():
    path = "tests/data/v0.1/features"
    whole = list(load(path).as_numpy_iterator())
    for found, expected in zip(load(FeatureSet(path)[::-1]).as_numpy_iterator(), whole[::-1], strict=True):
        assert_equal(found, expected)


def test_a_whole_set_is_loaded_without_its_index(folder, tmp_path, monkeypatch):
    from audiopipe.feature_sets import index

    monkeypatch.setattr(index, "opened", lambda description: pytest.fail("The index was opened."))
    assert len(ids(load(folder))) == len(ids(load([folder]))) == SIZE


def test_a_view_of_a_remote_set_is_read_in_ranges(folder, monkeypatch):
    fsspec.filesystem("memory").put(str(folder), "/views", recursive=True)
    sets = FeatureSet("memory://views")
    monkeypatch.setattr(type(fsspec.filesystem("memory")), "get_file", lambda *_: pytest.fail("A file was copied."))
    found = list(load(sets.where(label="cat")).as_numpy_iterator())
    expected = list(load(FeatureSet(folder).where(label="cat")).as_numpy_iterator())
    for one, other in zip(found, expected, strict=True):
        assert_equal(one, other)


def test_the_config_and_the_checksums_are_checked(folder, sets, tmp_path):
    view = sets[1:3]
    assert len(ids(load(view, CONFIG, check=True))) == 2
    assert fingerprint_of(view).fingerprint == CONFIG.fingerprint
    assert len(ids(load(folder, view))) == SIZE
    synthetic_sets.write(tmp_path / "other", {"a": feature(3, CHANNELS_FIRST)}, CHANNELS_FIRST, shards=1)
    with pytest.raises(ConfigMismatchError, match="channels"):
        load(view, FeatureSet(tmp_path / "other"))


def test_a_damaged_record_ends_the_iteration_and_is_named(tmp_path):
    clips = {f"{number}": feature(20, seed=number) for number in range(4)}
    synthetic_sets.write(tmp_path / "features", clips)
    shard = tmp_path / "features" / "features-00000001.tfrecord"
    content = bytearray(shard.read_bytes())
    content[-100] ^= 1
    shard.write_bytes(content)
    sets = FeatureSet(tmp_path / "features")
    assert len(ids(load(sets[:3]))) == 3
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"Record 1 of the shard .*features-00000001.tfrecord"):
        list(load(sets[3:]))
    with pytest.raises(CorruptFeatureSetError, match=r"features-00000001.tfrecord"):
        load(sets[:3], check=True)
    dataset = load(pickle.loads(pickle.dumps(sets[3:])))
    shard.unlink()
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"features-00000001.tfrecord' is missing"):
        list(dataset)
    with pytest.raises(CorruptFeatureSetError, match=r"features-00000001.tfrecord' is missing"):
        load(sets[:3])
