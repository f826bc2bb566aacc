"""Random crops and sliding windows against slices of the clips."""

import functools

import keras
import numpy as np
import pytest
import tensorflow as tf
from clip_cases import ANY, CONFIGS, MONO, cases, clip, clips_of, few_cases, padded
from hypothesis import given

from audiopipe import tfdata
from audiopipe.errors import ArgumentError

N_FRAMES, HOP = 5, 3


@functools.cache
def crops_of(name):
    return tfdata.random_crop(clips_of(name).dataset, N_FRAMES, CONFIGS[name], seed=1)


@functools.cache
def windows_of(name):
    return tfdata.sliding_windows(clips_of(name).dataset, N_FRAMES, CONFIGS[name], hop=HOP)


def check_crop(name, crop, one, n_frames=N_FRAMES):
    """Compares a crop with its clip, and returns its first frame."""
    start = int(crop["start_frame"])
    part = one["feature"].take(range(start, min(start + n_frames, int(one["n_frames"]))), CONFIGS[name].frame_axis)
    np.testing.assert_array_equal(crop["feature"], padded(name, part, n_frames), strict=True)
    targets = np.zeros([n_frames, one["targets"].shape[1]], np.float32)
    targets[: part.shape[CONFIGS[name].frame_axis]] = one["targets"][start : start + n_frames]
    np.testing.assert_array_equal(crop["targets"], targets, strict=True)
    for count in ("n_frames", "valid_frames"):
        np.testing.assert_array_equal(crop[count], np.int64(np.clip(one[count] - start, 0, n_frames)), strict=True)
    assert set(crop) == {*one, "start_frame", "clip_frames"}
    assert crop["clip_frames"] == min(one["n_frames"], one["valid_frames"])
    for entry in set(one) - {"feature", "targets", "n_frames", "valid_frames"}:
        np.testing.assert_array_equal(crop[entry], one[entry])
    return start


@few_cases
@given(cases(names=["phases"]))
def test_random_crops_are_slices_with_padding_after_the_end(case):
    name, clips = case
    found = clips_of(name).of(clips, crops_of(name))
    for crop, one in zip(found, clips, strict=True):
        start = check_crop(name, crop, one)
        assert 0 <= start <= max(0, one["valid_frames"] - N_FRAMES)


@few_cases
@given(cases(names=["first"]))
def test_sliding_windows_cover_every_frame_and_each_has_one(case):
    name, clips = case
    waiting = iter(clips_of(name).of(clips, windows_of(name)))
    for one in clips:
        starts, end = [], 0
        while end < one["n_frames"]:
            starts.append(check_crop(name, next(waiting), one))
            assert starts[-1] <= end
            end = starts[-1] + N_FRAMES
        assert starts == list(range(0, HOP * len(starts), HOP))
        assert not starts or starts[-1] < one["n_frames"]
    assert next(waiting, None) is None


def test_windows_do_not_overlap_by_default():
    clips = clips_of("mono")
    windows = clips.of([clip("mono", 0, 11)], tfdata.sliding_windows(clips.dataset, 4, MONO))
    assert [(window["start_frame"], window["n_frames"]) for window in windows] == [(0, 4), (4, 4), (8, 3)]


def test_crops_of_crops_add_up_and_stay_slices_of_the_clip():
    clips, one = clips_of("any"), clip("any", 0, 40, valid=22)
    crops = tfdata.random_crop(clips.dataset, 30, ANY, seed=1)
    twice = tfdata.sliding_windows(tfdata.random_crop(crops, 12, ANY, seed=1), 4, ANY)
    assert twice.element_spec["targets"].shape == (4, 3)
    starts = [[check_crop("any", window, one, 4) for window in clips.of([one], twice)] for _ in range(2)]
    assert all(second - first == third - second == 4 for first, second, third in starts)
    assert len({first for first, _, _ in starts}) > 1


def test_all_places_are_equally_probable_and_new_in_each_epoch():
    clips = tf.data.Dataset.from_tensors({"feature": tf.zeros([8, 5, 1]), "n_frames": 7}).repeat(600)
    crops = tfdata.random_crop(clips, 4, MONO, seed=3).batch(600)
    assert crops.cardinality() == 1
    first, second = (next(crops.as_numpy_iterator())["start_frame"] for _ in range(2))
    assert (first != second).any()
    counts = np.bincount(np.concatenate([first, second]), minlength=4)
    assert len(counts) == 4
    assert counts.min() > 240  # 300 expected, with a standard deviation of 15


def test_a_seed_decides_whatever_the_seed_of_tensorflow_and_without_one_that_of_keras_does():
    clips = tf.data.Dataset.from_tensors({"feature": tf.zeros([1000, 5, 1]), "n_frames": 1000}).repeat(3)

    def starts(keras_seed, seed):
        keras.utils.set_random_seed(keras_seed)
        crops = tfdata.random_crop(clips, 4, MONO, seed=seed)
        return [[int(crop["start_frame"]) for crop in crops] for _ in range(2)]

    assert starts(1, 7) == starts(2, 7)
    assert starts(1, None) == starts(1, None) != starts(2, None)


def entries(**changes):
    element = {"feature": tf.zeros([3, 5, 1]), "n_frames": 3, **changes}
    dataset = tf.data.Dataset.from_tensors(element)
    spec = {name: tf.TensorSpec([None] * bool(one.shape.rank) + one.shape[1:], one.dtype)
            for name, one in dataset.element_spec.items()}  # fmt: skip
    return tf.data.Dataset.from_generator(lambda: dataset, output_signature=spec)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"start_frame": 1.5}, "'start_frame' must be the first frame of a crop.* rename the column"),
        ({"phones": [1, 2, 3]}, r"rank 1 must have its length.* 'phones' without 'phones_length'.* tf\.newaxis"),
    ],
)
def test_entries_that_may_or_may_not_have_frames_are_refused(changes, message):
    for make in (tfdata.random_crop, tfdata.sliding_windows):
        with pytest.raises(ArgumentError, match=message):
            make(entries(**changes), 2, MONO)


def test_an_entry_whose_rows_are_not_the_frames_is_an_error():
    clips = entries(id="song", words=tf.zeros([4, 2]))
    with pytest.raises(
        tf.errors.InvalidArgumentError, match=r"The clip .{1,2}song.{1,2}: the entry words must have .* 3 .*: 4"
    ):
        list(tfdata.random_crop(clips, 2, MONO))


def test_names_of_metadata_columns_are_not_taken():
    clips = entries(start_frame="a", start_frame_=tf.constant(10, tf.int64), valid_frames="b", valid_frames_=2)
    [first, second] = tfdata.sliding_windows(clips, 2, MONO).as_numpy_iterator()
    assert (second["start_frame"], second["start_frame_"]) == (b"a", 12)
    assert (first["valid_frames"], first["valid_frames_"], second["valid_frames_"]) == (b"b", 2, 0)


def test_wrong_arguments_are_refused():
    with pytest.raises(ArgumentError, match="n_frames must be at least 1"):
        tfdata.random_crop(entries(), 0, MONO)
    with pytest.raises(ArgumentError, match="seed must be an integer"):
        tfdata.random_crop(entries(), 2, MONO, seed="x")
    with pytest.raises(ArgumentError, match=r"hop must be at most n_frames=2, .*Received: hop=3"):
        tfdata.sliding_windows(entries(), 2, MONO, hop=3)
