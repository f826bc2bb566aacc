"""Batches of clips of similar length: their clips, sizes, shapes and order."""

import functools

import numpy as np
import pytest
import tensorflow as tf
from clip_cases import CONFIGS, MONO, cases, check_batch, clips_of, few_cases
from hypothesis import given

from audiopipe import tfdata
from audiopipe.errors import ArgumentError

MAX_FRAMES = 30
LENGTHS = [2, 7, 12]


@functools.cache
def batches_of(name):
    clips = clips_of(name).dataset
    return [
        tfdata.bucketed_batch(clips, MAX_FRAMES, CONFIGS[name], mask=True),
        tfdata.bucketed_batch(clips, MAX_FRAMES, CONFIGS[name], mask=True, lengths=LENGTHS),
    ]


@few_cases
@given(cases(names=["phases"]))
def test_an_epoch_has_every_clip_once_in_batches_of_limited_frames(case):
    name, clips = case
    by_id = {one["id"]: one for one in clips}
    for lengths, batches in zip([None, LENGTHS], batches_of(name), strict=True):
        found = clips_of(name).of(clips, batches)
        assert sorted(id for batch in found for id in batch["id"]) == sorted(by_id)
        for batch in found:
            members = [by_id[id] for id in batch["id"]]
            frames = batch["feature"].shape[1 + CONFIGS[name].frame_axis]
            longest = max(int(one["n_frames"]) for one in members)
            assert frames == longest if lengths is None else frames == min(n for n in lengths if n >= longest)
            assert len(members) * frames <= MAX_FRAMES
            check_batch(name, batch, members, frames)


def frames_only(lengths):
    """Returns a dataset of clips that have one bin and are cheap."""
    return tf.data.Dataset.from_tensor_slices(np.int64(lengths)).map(
        lambda n_frames: {"feature": tf.zeros([n_frames, 5, 1]), "n_frames": n_frames}
    )


@pytest.mark.parametrize(("shortest", "max_frames"), [(100, 3000), (1, 64)])
def test_little_of_a_batch_is_padding_and_batches_are_full(shortest, max_frames):
    lengths = np.random.default_rng(0).integers(shortest, max_frames // 2, 600)
    batches = tfdata.bucketed_batch(frames_only(lengths), max_frames, MONO, drop_remainder=True)
    shapes = [(batch["feature"].shape[:2], int(tf.reduce_sum(batch["n_frames"]))) for batch in batches]
    total = sum(clips * frames for (clips, frames), _ in shapes)
    assert sum(real for _, real in shapes) > 0.92 * total
    assert total > 0.85 * max_frames * len(shapes)


def test_full_batches_of_fixed_lengths_have_as_many_shapes_as_lengths():
    lengths = np.random.default_rng(0).integers(1, 401, 500)
    clips = frames_only(lengths).map(lambda clip: {**clip, "targets": tf.ones([clip["n_frames"], 2])})
    batches = tfdata.bucketed_batch(clips, 800, MONO, lengths=[100, 200, 400], drop_remainder=True)
    shapes = {(tuple(batch["feature"].shape), tuple(batch["targets"].shape)) for batch in batches}
    assert shapes == {((800 // n, n, 5, 1), (800 // n, n, 2)) for n in (100, 200, 400)}


def test_the_order_depends_on_nothing_but_the_order_of_the_clips():
    lengths = np.random.default_rng(0).integers(1, 30, 100)
    batches = tfdata.bucketed_batch(frames_only(lengths), 60, MONO)
    first, second = ([batch["n_frames"].tolist() for batch in batches.as_numpy_iterator()] for _ in range(2))
    assert first == second
    assert sorted(n_frames for batch in first for n_frames in batch) == sorted(lengths)


@pytest.mark.parametrize("lengths", [None, [5, 9]])
def test_a_clip_that_is_too_long_is_named(lengths):
    clips = tf.data.Dataset.from_tensors({"id": "song", "feature": tf.zeros([10, 5, 1]), "n_frames": 10})
    name = "max_frames" if lengths is None else "the last of lengths"
    with pytest.raises(
        tf.errors.InvalidArgumentError, match=f"The clip .{{1,2}}song.{{1,2}} has 10 frames. {name} must .*Received: 9"
    ):
        list(tfdata.bucketed_batch(clips, 9, MONO, lengths=lengths))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"max_frames": 0}, "max_frames must be at least 1"),
        ({"max_frames": 9, "lengths": [4, 10]}, r"lengths must be at most max_frames=9.*Received: lengths=\[4, 10\]"),
        ({"max_frames": 9, "lengths": [4, 4]}, "lengths must be different numbers in ascending order"),
        ({"max_frames": 9, "lengths": []}, "lengths must be None or a list of numbers of frames"),
        ({"max_frames": 9, "lengths": [0, 1]}, "lengths must be at least 1"),
        ({"max_frames": 9, "drop_remainder": 1}, "drop_remainder must be True or False"),
    ],
    ids=["no-frames", "long-length", "equal-lengths", "no-lengths", "zero-length", "number-as-drop"],
)
def test_wrong_arguments_are_refused(arguments, message):
    with pytest.raises(ArgumentError, match=message):
        tfdata.bucketed_batch(frames_only([1]), config=MONO, **arguments)
