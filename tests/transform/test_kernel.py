"""Tests of `Kernel`, the graphs of one config."""

import functools
import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf

from audiopipe import configs, registry
from audiopipe.transform.kernel import GROUP, Kernel

NOISE = np.random.default_rng(2).uniform(-0.5, 0.5, (900, 3)).astype(np.float32)


def kernel(**fields):
    fields = {"sample_rate": 8000, "n_fft": 256, "hop_length": 100, "return_decibel": True, **fields}
    return Kernel(configs.StftMagnitude(**fields))


@functools.cache
def shared_kernel(channels=1):
    """Returns a kernel that several tests use, because tracing takes long. Tests that count traces make their own."""
    return kernel(channels=channels)


def traces(mel):
    """Returns how often the feature of one clip was traced, for the channels of the config and for others."""
    return mel._of_fitting_clip.experimental_get_tracing_count(), mel._of_any_clip.experimental_get_tracing_count()


@pytest.mark.parametrize(
    ("channels", "found", "expected"), [(1, [1], (1, 0)), (1, [3, 2], (0, 1)), (2, [2], (1, 0)), (None, [1, 3], (0, 1))]
)
def test_one_trace_serves_clips_of_every_length_with_the_channels_of_the_config_or_others(channels, found, expected):
    mel = kernel(channels=channels)
    for length, number in itertools.product([900, 300, 256, 10], found):
        feature = mel.clip(NOISE[:length, :number])
        assert feature.shape == ((max(0, (length - 156) // 100)), 129, channels or number)
    assert traces(mel) == expected


def test_clips_have_the_values_of_the_reference(reference):
    mel = shared_kernel()
    for clip in (NOISE, NOISE[:, :1]):
        np.testing.assert_allclose(mel.clip(clip), reference(clip.mean(axis=1), mel.config), atol=1e-3)


def test_a_clip_of_one_channel_has_the_bits_of_two_equal_channels():
    mel = shared_kernel()
    assert np.array_equal(mel.clip(NOISE[:, :1]), mel.clip(NOISE[:, [0, 0]]))


def test_one_trace_serves_batches_of_every_size():
    mel = kernel()
    for size, time in [(1, 900), (3, 400), (7, 256)]:
        assert mel.batch(np.zeros((size, time, 1), np.float32), [time] * size).shape[0] == size
    assert mel.batch.experimental_get_tracing_count() == 1


def test_clips_of_unequal_lengths_in_a_batch_have_the_values_of_the_reference(reference):
    mel = shared_kernel()
    batch = np.stack([NOISE[:, :1], NOISE[:, 1:2]])
    features = mel.batch(batch, [900, 500]).numpy()
    np.testing.assert_allclose(features[0], reference(NOISE[:, 0], mel.config), atol=1e-3)
    np.testing.assert_allclose(features[1, :3], reference(NOISE[:500, 1], mel.config), atol=1e-3)
    np.testing.assert_array_equal(features[1, 3:], -50.0)


@pytest.mark.cases(2)
@pytest.mark.parametrize("piece_samples", [1, 2000, 1 << 18])
@pytest.mark.parametrize(
    "fields", [{}, {"channels": None}, {"channels": 3, "input_data_format": "channels_first"}, {"channel": 2}]
)
def test_clips_without_padding_have_the_bits_of_each_alone_in_pieces_of_every_size(piece_samples, fields, monkeypatch):
    monkeypatch.setattr("audiopipe.transform.kernel.PIECE_SAMPLES", piece_samples)
    mel = kernel(**fields)
    draw = np.random.default_rng(0)
    for size, time, channels in [(5, 900, 3), (5, 900, 1), (1, 256, 3), (3, 1, 3), (2, 0, 1)]:
        if channels == 1 and mel.config.channels == 3:
            continue
        batch = draw.standard_normal((size, time, channels)).astype(np.float32)
        features = mel.batch(batch, [time] * size).numpy()
        for clip, feature in zip(batch, features, strict=True):
            np.testing.assert_array_equal(feature, mel.clip(clip))


def test_empty_clips_without_padding_have_the_bits_of_each_alone_where_they_have_frames():
    whisper = Kernel(registry.resolve("whisper-80"))
    features = whisper.batch(np.zeros((2, 0, 1), np.float32), [0, 0])
    for feature in features:
        np.testing.assert_array_equal(feature, whisper.clip(np.zeros((0, 1), np.float32)))


@pytest.mark.parametrize("formats", [("channels_first", "channels_last"), ("channels_last", "channels_first")])
def test_a_clip_is_time_by_channels_in_every_layout_of_the_config(formats, reference):
    mel = kernel(channels=3, input_data_format=formats[0], output_data_format=formats[1])
    feature = mel.clip(NOISE).numpy()
    batch = mel.batch(np.stack([NOISE, NOISE]), [900, 700]).numpy()
    if formats[1] == "channels_first":
        feature, batch = np.moveaxis(feature, 0, -1), np.moveaxis(batch, 1, -1)
    np.testing.assert_allclose(feature, reference(NOISE, mel.config), atol=1e-3)
    np.testing.assert_array_equal(batch[0], feature)
    np.testing.assert_allclose(batch[1, :5], reference(NOISE[:700], mel.config), atol=1e-3)
    np.testing.assert_array_equal(batch[1, 5:], -50.0)


def test_the_global_dtype_policy_does_not_change_the_feature(reference):
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        mel = kernel()
        feature = mel.clip(NOISE)
    finally:
        keras.config.set_dtype_policy("float32")
    assert feature.dtype == tf.float32
    np.testing.assert_allclose(feature, reference(NOISE.mean(axis=1), mel.config), atol=1e-3)


def test_more_than_64_channels_are_refused_in_the_graph():
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"batch\[\.\.\., None\]"):
        shared_kernel().clip(np.zeros((300, 65), np.float32))


def test_a_wrong_number_of_channels_is_refused_in_the_graph():
    with pytest.raises(tf.errors.InvalidArgumentError, match="requires 2 channels"):
        shared_kernel(channels=2).clip(NOISE)


@pytest.mark.parametrize(
    ("lengths", "message"),
    [([900, 901], "at most the samples"), ([-1, 3], "at least 0"), ([900], "one length for each clip")],
)
def test_wrong_lengths_are_refused_in_the_graph(lengths, message):
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        shared_kernel().batch(np.zeros((2, 900, 1), np.float32), lengths)


@pytest.mark.cases(8)
@pytest.mark.parametrize("count", [0, 1, 2, GROUP - 1, GROUP])
@pytest.mark.parametrize("channels", [1, 2, None])
def test_clips_computed_in_a_group_have_the_bits_of_each_alone(count, channels):
    draw = np.random.default_rng(count)
    compiled = shared_kernel(channels=channels)
    clips = [
        draw.standard_normal((size, channels or int(draw.integers(1, 4)))).astype(np.float32)
        for size in draw.integers(0, 3000, count)
    ]
    together = compiled.clips(clips)
    assert len(together) == count
    for clip, feature in zip(clips, together, strict=True):
        np.testing.assert_array_equal(feature, compiled.clip(clip))


def test_whisper_clips_computed_in_a_group_have_the_bits_of_each_alone():
    compiled = Kernel(registry.resolve("whisper-80"))
    draw = np.random.default_rng(0)
    clips = [draw.standard_normal((size, 1)).astype(np.float32) for size in (0, 1, 399, 16000, 480000, 500000)]
    for clip, feature in zip(clips, compiled.clips(clips), strict=True):
        np.testing.assert_array_equal(feature, compiled.clip(clip))
