"""Targets of crops against crops of the targets of whole clips."""

import functools

import numpy as np
import pytest
import synthetic_sets
import tensorflow as tf
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from test_frame_targets import CONFIGS, NAMES, STFT, drawn_clip, elements

from audiopipe import FeatureSet, load, tfdata
from audiopipe.errors import ArgumentError
from audiopipe.inputs.columns import Columns

NUMBER = tf.TensorSpec([], tf.int64)
SPEC = {"valid_frames": NUMBER, "start": tf.TensorSpec([], tf.float64)}
CUTS = [
    functools.partial(tfdata.random_crop, n_frames=3, seed=1),
    functools.partial(tfdata.sliding_windows, n_frames=4, hop=3),
]


def listed(config, clips, **spec):
    """Returns a dataset of clips with the lengths of their lists, as `load` returns them."""
    lists = ("onset", "offset", "label")
    clips = [clip | {f"{name}_length": len(clip["onset"]) for name in lists} for clip in clips]
    return elements(config, clips, **spec, **{f"{name}_length": NUMBER for name in lists})


@settings(max_examples=settings().max_examples // 6, phases=[Phase.generate])  # each traces a graph
@given(st.sampled_from(CONFIGS), st.sampled_from(CUTS), st.booleans(), st.integers(0, 2**32 - 1))
def test_targets_of_crops_are_crops_of_the_targets(config, cut, is_segment, seed):
    noise = np.random.default_rng(seed)
    clips = [drawn_clip(noise, config, False, is_segment)[0] for _ in range(15)]
    targets = functools.partial(
        tfdata.frame_targets, classes=NAMES, config=config, origin="start" if is_segment else None
    )
    dataset = listed(config, clips, **SPEC)
    before = list(cut(targets(dataset), config=config).as_numpy_iterator())
    after = list(targets(cut(dataset, config=config)).as_numpy_iterator())
    assert len(before) == len(after)
    for expected, found in zip(before, after, strict=True):
        assert found.keys() == expected.keys()
        assert (found["id"], found["start_frame"]) == (expected["id"], expected["start_frame"])
        np.testing.assert_array_equal(found["targets"], expected["targets"], strict=True)


def test_an_event_outside_of_the_clip_of_a_crop_is_an_error():
    clip = {"n_frames": 9, "onset": [50.0], "offset": [60.0], "label": [1]}
    crops = tfdata.random_crop(listed(STFT, [clip]), 3, STFT, seed=1)
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"clip-0.*: event 0 must overlap the clip"):
        list(tfdata.frame_targets(crops, NAMES, STFT))


def test_crops_of_crops_have_the_targets_of_the_clip():
    clips = [drawn_clip(np.random.default_rng(seed), STFT, False, False)[0] for seed in range(9)]
    dataset = listed(STFT, clips, **SPEC)
    crops = tfdata.random_crop(dataset, 6, STFT, seed=1)
    whole = [clip["targets"] for clip in tfdata.frame_targets(dataset, NAMES, STFT)]
    twice = tfdata.frame_targets(tfdata.random_crop(crops, 4, STFT, seed=2), NAMES, STFT)
    for element, targets in zip(twice.as_numpy_iterator(), whole, strict=True):
        start = element["start_frame"]
        expected = np.pad(targets, [(0, 4), (0, 0)])[start : start + 4]
        np.testing.assert_array_equal(element["targets"], expected)


COLUMNS = Columns(
    types={"onset": "list<float>", "offset": "list<float>", "label": "list<int>"}, classes={"label": NAMES}
)


def test_targets_of_crops_that_load_reads_are_those_of_the_clips(tmp_path):
    config, noise = synthetic_sets.CONFIG, np.random.default_rng(0)
    clips = {}
    for number in range(12):
        onset = noise.uniform(0, 0.23, 3)  # some are after the samples of the last frame of the shortest clip
        event = {"onset": onset, "offset": onset + noise.uniform(0, 0.2, 3), "label": noise.integers(0, 3, 3)}
        metadata = {name: values.tolist() for name, values in event.items()}
        clips[f"{number:02}"] = (synthetic_sets.feature(20 + number), metadata)
    synthetic_sets.write(tmp_path / "features", clips, columns=COLUMNS)
    sets = FeatureSet(tmp_path / "features")
    whole = list(tfdata.frame_targets(load(sets), sets, config).as_numpy_iterator())
    assert {clip["targets"].max() for clip in whole} == {1.0}
    for n_frames in (7, 25):
        crops = tfdata.frame_targets(load(sets, crop_frames=n_frames, seed=0), sets, config)
        for crop, clip in zip(crops.as_numpy_iterator(), whole, strict=True):
            targets = np.pad(clip["targets"], [(0, n_frames), (0, 0)])
            start = crop["start_frame"]
            np.testing.assert_array_equal(crop["targets"], targets[start : start + n_frames], strict=True)


def test_crops_without_the_length_of_their_clip_are_refused():
    clip = {"n_frames": 9, "onset": [0.0], "offset": [0.1], "label": [1]}
    crops = tfdata.random_crop(listed(STFT, [clip]), 3, STFT, seed=1)
    without = crops.map(lambda crop: {name: value for name, value in crop.items() if name != "clip_frames"})
    with pytest.raises(ArgumentError, match=r"'clip_frames' beside 'start_frame'.*Keep both entries"):
        tfdata.frame_targets(without, NAMES, STFT)
