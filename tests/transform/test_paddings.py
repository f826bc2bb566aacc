"""Frames of padding in graphs."""

import functools

import numpy as np
import pytest
import tensorflow as tf
from silent_configs import EXAMPLES, channels_of, padding_of

from audiopipe.transform import paddings


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_frame_of_padding_broadcasts_to_features_with_any_leading_axes(name):
    config = EXAMPLES[name]
    for channels in channels_of(config):
        shape = config.feature_shape(4, channels)
        frame = paddings.frame(config, tf.zeros(shape))
        assert frame.shape.rank == 3
        np.testing.assert_array_equal(np.broadcast_to(frame, shape), padding_of(config, 4, channels))
        batch = paddings.frame(config, tf.zeros((2, 5, *shape), tf.float64))
        assert batch.dtype == tf.float64
        np.testing.assert_array_equal(batch, frame)


@pytest.mark.cases(4)
@pytest.mark.parametrize("leading", [(), (3,)])
@pytest.mark.parametrize("name", ["StftMagPhase", "phase-kept-channels", "phase-channels-first", "MelSpectrogram"])
def test_frames_of_padding_are_appended_and_real_frames_stay(name, leading):
    config = EXAMPLES[name]
    # Unknown sizes, as in a tf.data map.
    spec = tf.TensorSpec([*[None] * len(leading), *config.feature_shape(None, config.channels)], tf.float32)
    pad = tf.function(functools.partial(paddings.pad_frames, config), [spec, tf.TensorSpec([], tf.int32)])
    for channels in channels_of(config):
        for frames, wanted in ((0, 2), (3, 3), (3, 5)):
            shape = (*leading, *config.feature_shape(frames, channels))
            real = np.random.default_rng(frames).normal(size=shape).astype(np.float32)
            padding = padding_of(config, wanted - frames, channels)
            padding = np.broadcast_to(padding, (*leading, *padding.shape))
            expected = np.concatenate([real, padding], axis=config.frame_axis - 3)
            np.testing.assert_array_equal(pad(real, wanted), expected)
            np.testing.assert_array_equal(paddings.pad_frames(config, tf.constant(real), wanted), expected)


def test_a_constant_is_there_if_one_value_fits_all():
    constants = {name: paddings.constant(config) for name, config in EXAMPLES.items()}
    assert [name for name, value in constants.items() if value is None] == [
        "StftMagPhase",
        "phase-kept-channels",
        "phase-channels-first",
        "Mfcc",
    ]
    assert all(value == EXAMPLES[name].padding for name, value in constants.items() if value is not None)


def test_padding_passes_gradients_to_real_frames_only():
    config = EXAMPLES["StftMagPhase"]
    feature = tf.Variable(tf.ones([2, 33, 4]))
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(paddings.pad_frames(config, feature, 5) * 2)
    np.testing.assert_array_equal(tape.gradient(total, feature), np.full([2, 33, 4], 2))
