"""Statistics of views: of which clips they are, their precision, and the cache."""

import dataclasses
import math
import os
import pickle
import shutil
from fractions import Fraction

import numpy as np
import pytest
import synthetic_sets
from synthetic_sets import ANY_CHANNELS, CHANNELS_FIRST, CONFIG, feature

from audiopipe import FeatureSet
from audiopipe.errors import CorruptFeatureSetError, FeatureSetError
from audiopipe.feature_sets import dtypes, stored_set, stored_statistics, view_statistics
from audiopipe.feature_sets.clip_sums import ClipSums
from audiopipe.feature_sets.description import Description
from audiopipe.feature_sets.feature_set import of_description
from audiopipe.inputs.columns import Columns
from audiopipe.storage import files

COLUMNS = Columns(types={"split": "string", "take": "int"}, fill_values={"take": -1})
LENGTHS = [5, 14, 1, 12, 0, 23, 7, 10, 3, 70, 9, 2]


def values_of(number, config=CONFIG, channels=1):
    """Returns features whose offset is large compared with their deviation, and one of zeros."""
    values = feature(LENGTHS[number], config, channels, seed=number)
    return values * np.float32(number % 3) - np.float32(number * 100)


def write(folder, numbers=tuple(range(12)), **settings):
    clips = {
        f"clip-{number}": (values_of(number), {"split": ["train", "test", None][number % 3], "take": number})
        for number in numbers
    }
    return synthetic_sets.write(folder, clips, columns=COLUMNS, shards=[4, 1, len(clips) - 5], **settings)


@pytest.fixture(autouse=True)
def cache(monkeypatch, tmp_path):
    """Returns the cache of this test, which is empty."""
    monkeypatch.setenv("AUDIOPIPE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "statistics"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("statistics") / "features"
    write(path)
    return path


@pytest.fixture
def sets(folder):
    return FeatureSet(folder)


def expected(frames):
    """Returns the statistics of `[frames, bins, channels]` from exact sums, each rounded at its end."""
    bins, channels = frames.shape[1:]
    found = {name: np.empty((bins, channels)) for name in ("mean", "std")}
    for place in np.ndindex(bins, channels):
        values = frames[(slice(None), *place)].tolist()
        found["mean"][place] = math.fsum(values) / len(values)
        mean = Fraction(math.fsum(values)) / len(values)
        variance = sum((Fraction(value) - mean) ** 2 for value in values) / len(values)
        found["std"][place] = math.sqrt(variance)
    return found | {"min": frames.min(axis=0), "max": frames.max(axis=0)}


def check(statistics, frames):
    """Compares statistics with those of `[frames, bins, channels]`, to 12 digits."""
    frames = np.asarray(frames, np.float64)
    reference = expected(frames)
    np.testing.assert_array_equal(statistics.count, np.full(frames.shape[1:], len(frames)))
    for name, values in reference.items():
        np.testing.assert_allclose(getattr(statistics, name), values, rtol=1e-12, atol=0, err_msg=name)


VIEWS = {
    "whole": (lambda sets: sets, range(12)),
    "where": (lambda sets: sets.where(split="train"), [0, 3, 6, 9]),
    "missing": (lambda sets: sets.where(split=None), [2, 5, 8, 11]),
    "condition": (lambda sets: sets.where(lambda clip: clip["n_frames"] > 10), [1, 3, 5, 9]),
    "select": (lambda sets: sets.select(["clip-7", "clip-2", "clip-5"]), [2, 5, 7]),
    "repeated": (lambda sets: sets.select([3, 5, 3, 3, 8, 5]), [3, 3, 3, 5, 5, 8]),
    "slice": (lambda sets: sets[2:11:3], [2, 5, 8]),
    "backwards": (lambda sets: sets[::-2], [1, 3, 5, 7, 9, 11]),
    "view of a view": (lambda sets: sets[1:].where(split="test").select([1, 0]), [1, 4]),
    "one clip": (lambda sets: sets[2:3], [2]),
}


@pytest.mark.parametrize(("view", "numbers"), VIEWS.values(), ids=VIEWS.keys())
def test_statistics_of_a_view_are_those_of_its_clips(sets, view, numbers):
    statistics = view(sets).statistics
    check(statistics, np.concatenate([values_of(number) for number in numbers]))
    assert statistics.fingerprint == CONFIG.fingerprint


def test_parts_and_splits_have_the_statistics_of_their_clips(sets):
    parts = [sets.shard(index, 3) for index in range(3)] + list(sets.split({"a": 0.5, "b": 0.5}).values())
    for part in parts:
        check(part.statistics, np.concatenate([clip["feature"] for clip in part]))


def test_the_bits_do_not_depend_on_the_order_of_the_clips(sets):
    order = np.random.default_rng(5).permutation(12)
    for view in (sets.select(order), sets[::-1], FeatureSet([sets.select(order[:7]), sets.select(order[7:])])):
        assert view.statistics == sets.statistics


def test_a_view_that_was_pickled_has_the_same_statistics(sets):
    view = sets.where(split="test")
    assert pickle.loads(pickle.dumps(view)).statistics == view.statistics


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_statistics_are_those_of_the_stored_values(tmp_path, dtype):
    write(tmp_path / "features", dtype=dtype)
    stored = [dtypes.as_loaded(values_of(number), dtype) for number in (0, 3, 6, 9)]
    check(FeatureSet(tmp_path / "features").where(split="train").statistics, np.concatenate(stored))


def test_padding_does_not_count(tmp_path):
    clips = {str(number): feature(10, seed=number) for number in range(4)}
    config = dataclasses.replace(CONFIG)
    synthetic_sets.write(tmp_path / "features", clips, config, valid_frames={"0": 3, "2": 0})
    sets = FeatureSet(tmp_path / "features")
    check(sets[:3].statistics, np.concatenate([feature(10, seed=0)[:3], feature(10, seed=1)]))


def test_channels_have_statistics_of_their_own_in_both_data_formats(tmp_path):
    clips = {str(number): feature(5 + number, CHANNELS_FIRST, seed=number) for number in range(5)}
    synthetic_sets.write(tmp_path / "first", clips, CHANNELS_FIRST)
    last = dataclasses.replace(CHANNELS_FIRST, output_data_format="channels_last")
    moved = {clip_id: np.ascontiguousarray(np.moveaxis(values, 0, -1)) for clip_id, values in clips.items()}
    synthetic_sets.write(tmp_path / "last", moved, last)
    statistics = [FeatureSet(tmp_path / name)[1:].statistics for name in ("first", "last")]
    for found in statistics:
        check(found, np.concatenate([moved[str(number)] for number in range(1, 5)]))
        assert found.mean.shape == (20, 2)


def test_channels_are_pooled_if_their_number_depends_on_the_clip(tmp_path):
    clips = {str(number): feature(6, ANY_CHANNELS, channels=number + 1, seed=number) for number in range(4)}
    synthetic_sets.write(tmp_path / "features", clips, ANY_CHANNELS)
    pooled = [np.moveaxis(clips[str(number)], -1, 0).reshape(-1, 20, 1) for number in (1, 2, 3)]
    check(FeatureSet(tmp_path / "features")[1:].statistics, np.concatenate(pooled))


def test_joined_sets_have_the_statistics_of_all_their_clips(tmp_path):
    write(tmp_path / "a", range(7))
    write(tmp_path / "b", range(5, 12))
    joined = FeatureSet([tmp_path / "a", tmp_path / "b"], prefix=["a/", "b/"])
    numbers = [*range(7), *range(5, 12)]
    check(joined.statistics, np.concatenate([values_of(number) for number in numbers]))
    some = FeatureSet([FeatureSet(tmp_path / "a")[:2], FeatureSet(tmp_path / "b").where(split="test")])
    check(some.statistics, np.concatenate([values_of(number) for number in (0, 1, 7, 10)]))
    again = FeatureSet([tmp_path / "b", tmp_path / "a"], prefix=["b/", "a/"])
    assert again.statistics == joined.statistics


def test_statistics_of_a_normalized_view_are_those_of_the_values_that_it_returns(folder, sets, tmp_path):
    train = sets.where(split="train")
    stored = FeatureSet(with_statistics(folder, tmp_path / "stored"))
    for view in (train, train[1:], sets, stored):
        normalized = view.normalized(train.statistics)
        check(normalized.statistics, np.concatenate([clip["feature"] for clip in normalized]))
        assert normalized.statistics.fingerprint == normalized.fingerprint != view.fingerprint
    found = train.normalized(train.statistics).statistics
    np.testing.assert_allclose(found.mean, 0, atol=1e-4)
    np.testing.assert_allclose(found.std, 1, rtol=1e-4)


def test_a_set_of_the_first_release_has_statistics():
    sets = FeatureSet("tests/data/v0.1/features")
    check(sets.statistics, np.concatenate([clip["feature"] for clip in sets]))


@pytest.mark.parametrize(
    ("view", "received"),
    [
        (lambda sets: sets[:0], "no clips"),
        (lambda sets: sets.where(split="dev"), "no clips"),
        (lambda sets: sets.select([4, 4]), "2 clips without frames"),
    ],
)
def test_clips_without_frames_have_no_statistics(sets, view, received):
    with pytest.raises(FeatureSetError, match=f"at least one frame that holds audio. Received: {received} of '.*'"):
        _ = view(sets).statistics


# Sums of whole shards that are stored with a set


def with_statistics(folder, target):
    """Returns a copy of a feature set that has the statistics of its shards, whose records can then be damaged."""
    shutil.copytree(folder, target)
    description = Description.open(target)
    sets = FeatureSet(folder)
    sums, start = [], 0
    for shard in description.shards:
        added = ClipSums(CONFIG)
        for clip in sets[start : start + shard["records"]]:
            added.add_stored(clip["feature"], None)
        sums.append(added.to_dict())
        start += shard["records"]
    dataclasses.replace(description, statistics_file=stored_statistics.write(description, sums)).write()
    return target


def damage(folder, *numbers):
    """Makes the records of some shards unreadable."""
    for number in numbers:
        path = folder / f"features-{number:08d}.tfrecord"
        path.write_bytes(bytes(path.stat().st_size))


@pytest.mark.parametrize(
    ("view", "unread"),
    [
        (lambda sets: sets, [0, 1, 2]),
        (lambda sets: sets[::-1], [0, 1, 2]),
        (lambda sets: sets.select([*range(12), *range(12)]), [0, 1, 2]),
        (lambda sets: sets[:5], [0, 1, 2]),
        (lambda sets: sets.shard(0, 3), [0, 1, 2]),
        (lambda sets: sets[:8], [0, 1]),
        (lambda sets: sets.select([0, 0, 1, 1, 2, 2, 3, 3, 11]), [0, 1]),
        (lambda sets: sets.select([0, 0, 1, 2, 3, 4]), [1, 2]),
        (lambda sets: sets.select([0, 1, 2]), [1, 2]),
    ],
)
def test_whole_shards_are_not_read_and_give_the_same_bits(folder, tmp_path, view, unread):
    stored = with_statistics(folder, tmp_path / "stored")
    damage(stored, *unread)
    assert view(FeatureSet(stored)).statistics == view(FeatureSet(folder)).statistics


def test_the_statistics_that_precompute_stored_have_the_bits_of_those_of_its_records(shared_feature_set):
    stored = FeatureSet(shared_feature_set)
    [description] = stored.descriptions
    unknown = of_description(dataclasses.replace(description, statistics_file=None))
    assert stored.statistics == unknown[::-1].statistics
    check(stored.statistics, np.concatenate([clip["feature"] for clip in stored]))


def test_sets_with_and_without_stored_sums_can_be_joined(folder, tmp_path):
    stored = with_statistics(folder, tmp_path / "stored")
    damage(stored, 0, 1, 2)
    joined = FeatureSet([folder, stored], prefix=["", "b/"]).statistics
    twice = FeatureSet([folder, folder], prefix=["", "b/"]).statistics
    assert joined == twice
    assert joined.count[0, 0] == 2 * sum(LENGTHS)
    np.testing.assert_array_equal(joined.mean, FeatureSet(folder).statistics.mean)


def test_stored_sums_that_are_damaged_are_named(folder, tmp_path):
    stored = with_statistics(folder, tmp_path / "stored")
    [path] = stored.glob("statistics-*")
    path.write_bytes(path.read_bytes().replace(b"1", b"2", 1))
    with pytest.raises(CorruptFeatureSetError, match=path.name):
        _ = FeatureSet(stored).statistics
    check(FeatureSet(stored)[:2].statistics, np.concatenate([values_of(0), values_of(1)]))  # they are not needed


# The cache


def test_statistics_of_a_view_are_read_from_the_cache(folder, tmp_path, cache):
    copy = shutil.copytree(folder, tmp_path / "copy")
    statistics = FeatureSet(copy).where(split="train").statistics
    assert len(os.listdir(cache)) == 1
    for shard in copy.glob("*.tfrecord"):
        os.truncate(shard, 0)  # so it cannot be read
    assert FeatureSet(copy).where(split="train").statistics == statistics
    assert FeatureSet(copy).select(["clip-9", "clip-0", "clip-6", "clip-3"]).statistics == statistics
    with pytest.raises(CorruptFeatureSetError):
        _ = FeatureSet(copy)[:3].statistics  # other clips


def test_other_clips_and_other_numbers_of_them_have_other_entries(sets, cache):
    views = [sets[:3], sets[1:4], sets.select([0, 0, 1, 2]), sets.select([0, 1, 1, 2]), sets[:4:3]]
    assert len({view.statistics for view in views}) == len(views)
    assert len(os.listdir(cache)) == len(views)


def test_a_set_with_other_content_does_not_find_the_entry(sets, tmp_path):
    write(tmp_path / "other", [*range(1, 12), 0])
    assert FeatureSet(tmp_path / "other")[:3].statistics != sets[:3].statistics
    write(tmp_path / "half", dtype="float16")
    assert FeatureSet(tmp_path / "half")[5:].statistics != sets[5:].statistics


@pytest.mark.parametrize("content", [b"{}", b"[1]", b"\xff", b'{"mean": [[1]], "std": [[-1]]}'])
def test_a_foreign_entry_is_replaced(sets, cache, content):
    statistics = sets[1:3].statistics
    [name] = os.listdir(cache)
    view_statistics.user_cache.write("statistics", name, content)
    assert sets[1:3].statistics == statistics
    assert (cache / name).read_bytes().endswith(b"}")
    assert len((cache / name).read_bytes()) > 1000


def test_a_cache_that_cannot_be_written_is_no_error(sets, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("AUDIOPIPE_CACHE", str(tmp_path / "file"))
    assert sets[1:3].statistics == sets.select([2, 1]).statistics


# Reading


def test_damage_is_found_and_named(folder, tmp_path):
    copy = shutil.copytree(folder, tmp_path / "copy")
    shard = copy / "features-00000000.tfrecord"
    content = bytearray(shard.read_bytes())
    content[len(content) // 2] ^= 1
    shard.write_bytes(content)
    with pytest.raises(CorruptFeatureSetError, match=r"features-00000000\.tfrecord"):
        _ = FeatureSet(copy).where(split="test").statistics


def test_values_that_are_not_finite_are_found_and_named(tmp_path):
    clips = {"a": feature(3), "b": np.where(feature(3) > 2, np.nan, feature(3)), "c": feature(2)}
    clips["b"][1, 4] = np.inf
    synthetic_sets.write(tmp_path / "features", clips)
    with pytest.raises(CorruptFeatureSetError, match=r"clip 'b' in .* must be finite"):
        _ = FeatureSet(tmp_path / "features")[1:].statistics


def test_records_are_read_a_few_at_a_time(sets, monkeypatch):
    sizes, read = [], stored_set.StoredSet.read_records

    def read_records(stored, rows):
        sizes.append(len(rows))
        return read(stored, rows)

    monkeypatch.setattr(stored_set.StoredSet, "read_records", read_records)
    monkeypatch.setattr(view_statistics, "ROWS_AT_ONCE", 3)
    check(sets[1:].statistics, np.concatenate([values_of(number) for number in range(1, 12)]))
    assert sorted(sizes) == [1, 1, 3, 3, 3]


def test_a_remote_set_has_the_same_statistics(sets, folder, tmp_path, memory):
    for name, remote in ((folder, f"{memory}/plain"), (with_statistics(folder, tmp_path / "stored"), f"{memory}/sums")):
        for path in name.iterdir():
            files.write_bytes(f"{remote}/{path.name}", path.read_bytes())
        copy = FeatureSet(remote)
        assert copy.statistics == sets.statistics
        assert copy.select([7, 2, 0, 1, 3]).statistics == sets.select([0, 1, 2, 3, 7]).statistics
