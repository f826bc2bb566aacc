"""Silence is the feature of an all-zero clip, and batches of every feature are padded with it."""

import functools

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st
from silent_configs import EXAMPLES, PRESETS, channels_of, padding_of
from transform_examples import pad

from audiopipe import Transform


@functools.cache
def transform_of(name):
    return Transform({**EXAMPLES, **PRESETS}[name])


def noise(lengths, channels, seed=0):
    """Returns clips of noise, each at another loudness, so that their dynamic ranges differ."""
    draw = np.random.default_rng(seed)
    return [
        (10.0 ** draw.uniform(-5, 0) * draw.uniform(-1, 1, (length, channels))).astype(np.float32) for length in lengths
    ]


def check(features, clips, transform):
    """Asserts that each feature of a batch holds the bits of its clip, then padding, and nothing else."""
    config = transform.config
    for feature, clip in zip(np.asarray(features), clips, strict=True):
        alone = transform(clip)
        missing = feature.shape[config.frame_axis] - alone.shape[config.frame_axis]
        padding = padding_of(config, missing, clip.shape[1])
        np.testing.assert_array_equal(feature, np.concatenate([alone, padding], axis=config.frame_axis))


@pytest.mark.parametrize("name", [*EXAMPLES, *PRESETS])
def test_silence_is_the_feature_of_an_all_zero_clip(name):
    transform = transform_of(name)
    config = transform.config
    for channels in channels_of(config):
        for n_samples in (config.sample_rate // 10 + 1, config.sample_rate // 4):
            feature = transform(np.zeros((n_samples, channels), np.float32))
            frames = feature.shape[config.frame_axis]
            assert frames > 0
            np.testing.assert_array_equal(padding_of(config, frames, channels), feature)
            expected = np.take(feature, [0], config.frame_axis)
            np.testing.assert_array_equal(config.padding_frame(channels), expected, strict=True)


@given(
    name=st.sampled_from(["StftMagPhase", "phase-channels-first", "MelSpectrogram", "whisper-without-chunk"]),
    channels=st.integers(1, 3),
    lengths=st.lists(st.sampled_from([0, 10, 63, 64, 170, 900, 1500]), min_size=1, max_size=4),
    seed=st.integers(0, 99),
)
def test_a_batch_holds_each_clip_and_padding_beyond_it(name, channels, lengths, seed):
    transform = transform_of(name)
    clips = noise(lengths, transform.config.channels or channels, seed)
    batch, lengths = pad(*clips)
    check(transform(batch, lengths=lengths), clips, transform)


@pytest.mark.parametrize("name", ["phase-channels-first", "MelSpectrogram"])
def test_batches_in_graphs_and_in_tf_data_are_padded_too(name):
    transform = transform_of(name)
    clips = noise([900, 0, 300], transform.config.channels or 2)
    batch, lengths = pad(*clips)
    eager = transform(batch, lengths=lengths)
    check(eager, clips, transform)
    graph = tf.function(lambda batch, lengths: transform(batch, lengths=lengths))
    np.testing.assert_array_equal(graph(tf.constant(batch), tf.constant(lengths)), eager)
    elements = tf.data.Dataset.from_tensors({"audio": batch, "n_samples": lengths})
    unknown = tf.TensorSpec([None] * 3, tf.float32)
    for each in (elements, elements.map(lambda each: {**each, "audio": tf.ensure_shape(each["audio"], unknown.shape)})):
        np.testing.assert_array_equal(next(iter(each.map(transform)))["feature"], eager)


def test_gradients_of_a_batch_are_those_of_its_clips():
    transform = transform_of("StftMagPhase")
    clips = [tf.constant(clip) for clip in noise([300, 170], 2)]
    batch, lengths = pad(*(clip.numpy() for clip in clips))
    batch = tf.constant(np.where(np.isnan(batch), 0, batch))
    with tf.GradientTape() as tape:
        tape.watch(batch)
        total = tf.reduce_sum(transform(batch, lengths=lengths)[..., :2])
    found = tape.gradient(total, batch).numpy()
    for row, clip in enumerate(clips):
        with tf.GradientTape() as tape:
            tape.watch(clip)
            total = tf.reduce_sum(transform(clip)[..., :2])
        np.testing.assert_array_equal(found[row, : len(clip)], tape.gradient(total, clip))
        assert not found[row, len(clip) :].any()
