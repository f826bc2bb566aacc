"""Silence is the feature of an all-zero clip, and batches of every feature are padded with it."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st
from silent_configs import EXAMPLES, PRESETS, channels_of, frames_of, noise, padding_of, transform_of
from transform_examples import pad


def check(features, clips, transform):
    """Asserts that each feature of a batch holds the bits of its clip, then padding, and nothing else."""
    config = transform.config
    for feature, clip in zip(np.asarray(features), clips, strict=True):
        alone = transform(clip)
        missing = feature.shape[config.frame_axis] - alone.shape[config.frame_axis]
        padding = padding_of(config, missing, clip.shape[1])
        np.testing.assert_array_equal(feature, np.concatenate([alone, padding], axis=config.frame_axis))


@pytest.mark.cases(5)
@pytest.mark.parametrize("name", [*EXAMPLES, *PRESETS])
def test_silence_is_the_feature_of_an_all_zero_clip(name):
    transform = transform_of(name)
    config = transform.config
    for channels in channels_of(config):
        for n_samples in (config.sample_rate // 10 + 1, config.sample_rate // 4):
            feature = transform(np.zeros((n_samples, channels), np.float32))
            valid, rest = np.split(feature, [config.valid_frames(n_samples)], config.frame_axis)
            silent, padding = (
                frames_of(value, config, part.shape[config.frame_axis], channels)
                for value, part in ((config.silence, valid), (config.padding, rest))
            )
            assert valid.size > 0
            np.testing.assert_array_equal(silent, valid, strict=True)
            if config.padding is config.silence or rest.shape[config.frame_axis] == 0:
                np.testing.assert_array_equal(padding, rest, strict=True)
            else:  # the first row may be stacked from audio and padding
                whole = np.s_[1:] if config.frame_axis == 0 else np.s_[:, 1:]
                np.testing.assert_array_equal(padding[whole], rest[whole], strict=True)
            np.testing.assert_array_equal(config.padding_frame(channels), padding_of(config, 1, channels), strict=True)


@given(
    name=st.sampled_from(["StftMagPhase", "phase-channels-first"]),
    channels=st.integers(1, 3),
    lengths=st.lists(st.sampled_from([0, 10, 63, 64, 170, 900, 1500]), min_size=1, max_size=4),
    seed=st.integers(0, 99),
)
def test_a_batch_holds_each_clip_and_padding_beyond_it(name, channels, lengths, seed):
    transform = transform_of(name)
    clips = noise(lengths, transform.config.channels or channels, seed)
    batch, lengths = pad(*clips)
    check(transform(batch, lengths=lengths), clips, transform)


def test_batches_in_graphs_and_in_tf_data_are_padded_too():
    transform = transform_of("phase-channels-first")
    clips = noise([900, 0, 300], transform.config.channels or 2)
    batch, lengths = pad(*clips)
    eager = transform(batch, lengths=lengths)
    check(eager, clips, transform)
    graph = tf.function(lambda batch, lengths: transform(batch, lengths=lengths))
    np.testing.assert_array_equal(graph(tf.constant(batch), tf.constant(lengths)), eager)
    elements = tf.data.Dataset.from_tensors({"audio": batch, "n_samples": lengths})
    np.testing.assert_array_equal(next(iter(elements.map(transform)))["feature"], eager)
