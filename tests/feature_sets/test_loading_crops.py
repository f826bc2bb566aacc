"""`load(crop_frames=...)`: crops are slices of the clips, bit for bit, and only they are read."""

import damage
import fsspec
import numpy as np
import pyarrow as pa
import pytest
import synthetic_sets
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from synthetic_sets import ANY_CHANNELS, CHANNELS_FIRST, CONFIG, feature

from audiopipe import FeatureSet, Segments, configs, load
from audiopipe.feature_sets import index, record_streams
from audiopipe.feature_sets.description import Description
from audiopipe.inputs.columns import Columns

CROP = 6
COLUMNS = Columns(types={"speaker": "string"})


def assert_crops(dataset, sets, epochs=1):
    """Asserts that a dataset has a crop of every clip, and returns the first frames."""
    axis, starts = sets.config.frame_axis, []
    for _ in range(epochs):
        found = {}
        for element in dataset.as_numpy_iterator():
            clip = sets[element["id"].decode()]
            start, n_frames = int(element["start_frame"]), int(element["n_frames"])
            assert n_frames == min(clip["n_frames"], CROP)
            assert 0 <= start <= clip["n_frames"] - n_frames
            real = np.take(clip["feature"], range(start, start + n_frames), axis)
            channels = clip["feature"].shape[sets.config.channel_axis] // len(sets.config.quantities)
            padding = np.repeat(sets.config.padding_frame(channels), CROP - n_frames, axis)
            expected = np.concatenate([real, padding], axis)
            np.testing.assert_array_equal(element["feature"], expected, strict=True)
            found[clip["id"]] = start
        assert sorted(found) == sorted(sets.ids)
        starts.append(found)
    return starts


@pytest.mark.cases(2)
@pytest.mark.parametrize(
    ("config", "dtype", "alone"),
    [
        (CONFIG, "float32", False),
        (CONFIG, "bfloat16", True),
        (CHANNELS_FIRST, "float16", False),
        (ANY_CHANNELS, "float32", True),
    ],
    ids=["last", "last-alone", "first", "any-alone"],
)
def test_crops_are_slices_of_the_clips(tmp_path, monkeypatch, config, dtype, alone):
    monkeypatch.setattr(record_streams, "ALONE_BYTES", 1 if alone else 1 << 17)
    clips = {
        f"{n_frames}": (feature(n_frames, config, 1 + n_frames % 3, seed=n_frames), {"speaker": "s" * 9000})
        for n_frames in (0, 1, 5, 6, 7, 30)
    }
    synthetic_sets.write(tmp_path / "features", clips, config, COLUMNS, dtype=dtype)
    sets = FeatureSet(tmp_path / "features")
    dataset = load(sets, crop_frames=CROP, seed=1)
    assert dataset.element_spec["feature"].shape == config.feature_shape(CROP, config.channels)
    assert [element["id"].decode() for element in dataset.as_numpy_iterator()] == sets.ids
    first, second = assert_crops(dataset, sets, epochs=2)
    assert first != second


def test_crops_of_joined_and_remote_sets_and_of_format_1(tmp_path):
    for name, size in (("a", 9), ("b", 4)):
        synthetic_sets.write(tmp_path / name, {f"{name}{n}": feature(n + size, seed=n) for n in range(4)})
    fsspec.filesystem("memory").put(str(tmp_path / "b"), "/crops", recursive=True)
    joined = FeatureSet([tmp_path / "a", "memory://crops"])
    assert_crops(load(joined, crop_frames=CROP, shuffle=True), joined)
    assert_crops(load("tests/data/v0.1/features", crop_frames=CROP), FeatureSet("tests/data/v0.1/features"))


@given(frames=st.lists(st.integers(0, 15), min_size=1, max_size=6), seed=st.integers(-(2**70), 2**70), data=st.data())
@settings(max_examples=3)
def test_crops_have_the_numbers_and_values_of_any_clips(tmp_path_factory, frames, seed, data):
    folder = tmp_path_factory.mktemp("any") / "features"
    valid = {f"{number}": data.draw(st.integers(0, count)) for number, count in enumerate(frames)}
    clips = {f"{number}": feature(count, seed=number) for number, count in enumerate(frames)}
    synthetic_sets.write(folder, clips, valid_frames=valid, segments=Segments(seconds=1, last="pad"))
    sets = FeatureSet(folder)
    found = list(load(sets, crop_frames=CROP, shuffle=True, seed=seed).as_numpy_iterator())
    assert sorted(element["id"].decode() for element in found) == sets.ids
    for element in found:
        clip, start = sets[element["id"].decode()], int(element["start_frame"])
        kept = clip["feature"][start : start + CROP]
        assert 0 <= start <= max(clip["valid_frames"] - CROP, 0)
        assert element["n_frames"] == len(kept) == min(clip["n_frames"], CROP)
        assert element["valid_frames"] == min(clip["valid_frames"] - start, CROP)
        np.testing.assert_array_equal(element["feature"][: len(kept)], kept)
        assert (element["feature"][len(kept) :] == CONFIG.padding).all()


def test_crops_of_two_quantities_are_padded_with_the_silence_of_each(tmp_path):
    config = configs.StftMagPhase(sample_rate=16000, n_fft=64, return_decibel=True, output_data_format="channels_last")
    values = np.random.default_rng(0).standard_normal((3, 33, 2)).astype(np.float32)
    synthetic_sets.write(tmp_path / "features", {"a": values}, config, shards=1)
    [element] = load(tmp_path / "features", crop_frames=5)
    np.testing.assert_array_equal(element["feature"][:3], values)
    np.testing.assert_array_equal(element["feature"][3:], np.repeat(config.padding_frame(1), 2, 0))
    assert len(np.unique(element["feature"][3])) == 2


LISTS = Columns(types={"tags": "list<string>", "levels": "list<float>", "takes": "list<int>"})
VALUES = {"tags": ["x", "", "yz"], "levels": [0.5, -1.0], "takes": [7]}


@pytest.mark.cases(2)
@pytest.mark.parametrize("arguments", [{"crop_frames": 2}, {"shuffle": True}], ids=["crops", "shuffle"])
@pytest.mark.parametrize("metadata", [[{}, {}], [VALUES, {}, {name: [] for name in VALUES}]], ids=["no item", "some"])
def test_lists_have_the_length_of_their_clip(tmp_path, arguments, metadata):
    clips = {f"{number}": (feature(3, seed=number), values) for number, values in enumerate(metadata)}
    synthetic_sets.write(tmp_path / "features", clips, columns=LISTS, shards=1)
    for element in load(tmp_path / "features", **arguments).as_numpy_iterator():
        values = metadata[int(element["id"])]
        for name in LISTS.types:
            found = [item.decode() if isinstance(item, bytes) else item for item in element[name].tolist()]
            assert (found, element[f"{name}_length"]) == (values.get(name, []), len(values[name]) if values else -1)


def test_every_place_is_equally_likely(tmp_path):
    synthetic_sets.write(tmp_path / "features", {f"{number:03}": feature(9) for number in range(400)})
    starts = [int(element["start_frame"]) for element in load(tmp_path / "features", crop_frames=CROP, seed=5)]
    assert np.bincount(starts).min() > 70  # of 100 expected for each of 4 places
    assert len(np.bincount(starts)) == 4


def test_only_the_crops_are_read(tmp_path, read_sizes):
    synthetic_sets.write(tmp_path / "features", {f"{number}": feature(5000, seed=number) for number in range(4)})
    dataset = load(tmp_path / "features", crop_frames=CROP)
    read_sizes.clear()
    assert len(list(dataset)) == 4
    assert 0 < sum(read_sizes) < 4 * (CROP * 20 * 4 + 400)


@pytest.mark.parametrize(
    ("arguments", "damages"),
    [({"crop_frames": 3}, ["start", "swapped"]), ({"shuffle": True}, ["length", "cut"])],
    ids=["crop", "shuffle"],
)
def test_a_damaged_record_is_named(tmp_path, arguments, damages):
    synthetic_sets.write(tmp_path / "features", {f"{number}": feature(20, seed=number) for number in range(4)})
    dataset = load(tmp_path / "features", columns=[], **arguments)
    shard, other = (tmp_path / "features" / f"features-{number:08}.tfrecord" for number in (1, 0))
    content = shard.read_bytes()
    damaged = {
        "length": _flipped(content, 2),
        "start": _flipped(content, 14),
        "cut": content[: len(content) // 2 + 20],
        "swapped": other.read_bytes(),
    }
    for kind in damages:
        shard.write_bytes(damaged[kind])
        with pytest.raises(tf.errors.InvalidArgumentError, match=rf"hard .*{shard.name}"):
            list(dataset)
    shard.unlink()
    with pytest.raises(tf.errors.InvalidArgumentError, match=rf"hard .*{shard.name}"):
        list(dataset)


def test_a_record_whose_metadata_cannot_be_parsed_is_named(tmp_path):
    columns = Columns(types={"gain": "float", "take": "int"})
    content = {"a": (feature(CROP), {"gain": 0.5, "take": 1})}
    synthetic_sets.write(tmp_path / "features", content, columns=columns, shards=1)
    dataset = load(tmp_path / "features", crop_frames=CROP)
    [shard] = (tmp_path / "features").glob("*.tfrecord")
    content = shard.read_bytes()
    for name, offset in ((b"gain", 0), (b"take", 5)):
        changed = bytearray(content)
        changed[content.index(name) + offset] ^= 0x80 if offset == 0 else 8
        shard.write_bytes(changed)
        with pytest.raises(tf.errors.InvalidArgumentError, match=shard.name):
            list(dataset)


def _flipped(content, place):
    changed = bytearray(content)
    changed[place] ^= 1 << place % 8
    return bytes(changed)


def test_an_index_with_another_number_of_frames_is_an_error(tmp_path):
    synthetic_sets.write(tmp_path / "features", {"a": feature(20)}, shards=1)
    table = index.of_records(Description.open(tmp_path / "features"))
    position = table.schema.get_field_index("n_frames")
    damage.write_index(tmp_path / "features", table.set_column(position, "n_frames", pa.array([10])))
    dataset = load(tmp_path / "features", crop_frames=CROP)
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"Record 0 of the shard .*00000000.tfrecord"):
        list(dataset)
