"""Log-mel layers and their configs against a float64 computation and librosa."""

import itertools

import numpy as np
import pytest

from audiopipe import configs
from tests.composed import log_mel_reference

SMALL = {"sample_rate": 8000, "n_fft": 32, "win_length": 25, "hop_length": 9, "n_mels": 5, "f_min": 100.0}
EDGES = [
    {"edges": "snip"},
    {"edges": "snip", "window_position": "center"},
    {"edges": "snip", "frame_length": 26},
    *[
        {"edges": edges, "pad_mode": mode}
        for edges, mode in itertools.product(("center", "same", "midpoint"), ("constant", "reflect", "symmetric"))
    ],
    {"edges": "midpoint", "window_position": "center"},
    {"edges": "same", "win_length": 31, "hop_length": 32},
]
ROWS = [
    {},
    {"masked_frames": 1},
    {"stack_frames": 2},
    {"fixed_frames": 3},
    {"masked_frames": 2, "stack_frames": 3, "center_value": 2.0, "scale_value": 3.0},
    {"stack_frames": 2, "fixed_frames": 2, "center_value": 2.0, "scale_value": 3.0},
]
CLIPS = [{}, {"clip_seconds": 0.02}, {"clip_seconds": 0.02, "short_clips": "repeat"}]


def noise(n_samples, channels=1, seed=0):
    return np.random.default_rng(seed).uniform(-0.5, 0.5, (n_samples, channels)).astype(np.float32)


def computed(layer, clip):
    """Applies the layers one after another, without the graph that a composed layer traces for its second clip."""
    values = clip[None]
    for single in layer.layers:
        values = single(values)
    return values.numpy()[0]


def shape_of(layer, n_samples):
    """Returns the shape that the layers declare for a clip of a known length."""
    shape = (1, n_samples, 1)
    for single in layer.layers:
        shape = single.compute_output_shape(shape)
    return shape[1:]


@pytest.mark.parametrize("edges", EDGES, ids=str)
def test_frames_have_the_values_of_their_samples_at_both_ends_of_a_clip(edges):
    config = configs.LogMel(**{**SMALL, **edges})
    layer = config.layer()
    for n_samples in (0, 1, 2, 8, 13, 24, 25, 26, 34, 36, 90):
        clip = noise(n_samples, seed=n_samples)
        expected = log_mel_reference.feature(clip[:, 0], config)
        np.testing.assert_allclose(computed(layer, clip)[..., 0], expected, rtol=0, atol=2e-3)


@pytest.mark.parametrize("clips", CLIPS, ids=str)
@pytest.mark.parametrize("rows", ROWS, ids=str)
def test_rows_have_the_values_of_their_frames_and_padding_where_there_are_none(rows, clips):
    config = configs.LogMel(**{**SMALL, **rows, **clips}, edges="snip", padding_value=-1.5)
    layer = config.layer()
    for n_samples in (0, 1, 24, 25, 43, 61, 90, 170):
        clip = noise(n_samples, seed=n_samples)
        feature = computed(layer, clip)[..., 0]
        expected = log_mel_reference.feature(log_mel_reference.of_length(clip[:, 0], config), config)
        np.testing.assert_allclose(feature, expected, rtol=0, atol=2e-3)
        padding = config.n_frames(n_samples) - config.valid_frames(n_samples)
        if clips == {} and padding > 1:  # one row may be stacked from audio and padding
            np.testing.assert_array_equal(feature[1 - padding :], np.float32(config.padding))


def test_configs_and_layers_agree_about_the_number_of_rows_of_every_clip():
    for edges, rows, clips in itertools.product(EDGES, ROWS, CLIPS):
        config = configs.LogMel(**{**SMALL, **edges, **rows, **clips}, padding_value=-1.5)
        layer = config.layer()
        for n_samples in range(0, 70, 3):
            assert shape_of(layer, n_samples) == config.feature_shape(config.n_frames(n_samples), 1)
            assert 0 <= config.valid_frames(n_samples) <= config.n_frames(n_samples)
