"""Log-mel layers and their configs against a float64 computation and librosa."""

import dataclasses
import inspect
import itertools

import librosa
import log_mel_reference
import numpy as np
import pytest

from audiopipe import composed, configs
from audiopipe.errors import ArgumentError

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


@pytest.mark.cases(3)
@pytest.mark.parametrize("edges", EDGES, ids=str)
def test_frames_have_the_values_of_their_samples_at_both_ends_of_a_clip(edges):
    config = configs.LogMel(**{**SMALL, **edges})
    layer = config.layer()
    for n_samples in (0, 1, 2, 8, 13, 24, 25, 26, 34, 36, 90):
        clip = noise(n_samples, seed=n_samples)
        expected = log_mel_reference.feature(clip[:, 0], config)
        np.testing.assert_allclose(computed(layer, clip)[..., 0], expected, rtol=0, atol=2e-3)


@pytest.mark.cases(9)
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


# Settings of published front ends, and odd sizes.
FRONT_ENDS = {
    "kaldi": {
        "win_length": 400,
        "hop_length": 160,
        "edges": "snip",
        "window": "povey",
        "remove_dc_offset": True,
        "preemphasis": 0.97,
        "f_min": 20.0,
        "mel_triangles": "mel",
        "log_floor": 1.1920929e-7,
        "gain": 32768.0,
    },
    "nemo": {
        "win_length": 400,
        "hop_length": 160,
        "periodic": False,
        "preemphasis": 0.97,
        "preemphasis_of": "waveform",
        "mel_scale": "slaney",
        "mel_norm": "slaney",
        "log_offset": 2.0**-24,
        "normalization": "clip",
        "ddof": 1,
        "std_epsilon": 1e-5,
        "masked_frames": 1,
        "padding_value": 0.0,
    },
    "hifi-gan": {
        "sample_rate": 22050,
        "n_fft": 1024,
        "hop_length": 256,
        "edges": "same",
        "power": 1.0,
        "magnitude_offset": 1e-9,
        "mel_scale": "slaney",
        "mel_norm": "slaney",
        "log_floor": 1e-5,
    },
    "seamless": {
        "win_length": 400,
        "hop_length": 160,
        "edges": "snip",
        "window": "hamming",
        "periodic": False,
        "normalization": "clip",
        "ddof": 1,
        "variance_epsilon": 1e-7,
        "stack_frames": 2,
        "padding_value": 0.0,
    },
    "gemma": {
        "n_fft": 1024,
        "win_length": 512,
        "hop_length": 160,
        "frame_length": 513,
        "edges": "snip",
        "power": 1.0,
        "n_mels": 64,
        "f_min": 125.0,
        "log_floor": 1e-5,
    },
    "odd": {
        "n_fft": 601,
        "win_length": 333,
        "hop_length": 213,
        "edges": "midpoint",
        "window": "blackman",
        "n_mels": 31,
        "log": "log10",
        "log_factor": 1e4,
        "log_offset": 1.0,
        "center_value": 0.5,
        "scale_value": 0.25,
        "fixed_frames": 60,
        "padding_value": -1.0,
    },
}


@pytest.mark.parametrize("name", FRONT_ENDS)
def test_front_ends_equal_a_float64_computation(name):
    config = configs.LogMel(**FRONT_ENDS[name])
    clip = 0.2 * noise(12345) + 0.05
    feature = computed(config.layer(), clip)[..., 0]
    np.testing.assert_allclose(feature, log_mel_reference.feature(clip[:, 0], config), rtol=0, atol=1e-3)


@pytest.mark.cases(2)
@pytest.mark.parametrize(
    ("arguments", "librosa_arguments"),
    [
        ({"mel_scale": "slaney", "mel_norm": "slaney"}, {}),
        (
            {"pad_mode": "reflect", "f_min": 50.0, "f_max": 7000.0},
            {"pad_mode": "reflect", "fmin": 50.0, "fmax": 7000.0},
        ),
        ({"edges": "snip", "window_position": "center", "win_length": 333}, {"center": False, "win_length": 333}),
        (
            {"power": 1.0, "window": "hamming", "win_length": 400},
            {"power": 1.0, "window": "hamming", "win_length": 400},
        ),
    ],
    ids=str,
)
def test_mel_bands_equal_librosa(arguments, librosa_arguments):
    config = configs.LogMel(sample_rate=16000, n_fft=512, hop_length=160, n_mels=40, log=None, **arguments)
    clip = noise(7000)
    scale = {} if config.mel_scale == "slaney" else {"htk": True, "norm": None}
    expected = librosa.feature.melspectrogram(
        y=clip[:, 0].astype(np.float64), sr=16000, n_fft=512, hop_length=160, n_mels=40, **scale, **librosa_arguments
    )
    np.testing.assert_allclose(computed(config.layer(), clip)[..., 0], expected.T, rtol=1e-5, atol=1e-5)


def test_decibels_equal_librosa():
    clip = noise(20000) * np.linspace(0, 1, 20000, dtype=np.float32)[:, None] ** 8
    config = configs.LogMel(
        sample_rate=22050, n_fft=2048, n_mels=128, mel_scale="slaney", mel_norm="slaney", log="db", top_db=80.0
    )
    assert (config.hop_length, config.log_floor) == (512, 1e-10)  # librosa's defaults
    mel = librosa.feature.melspectrogram(y=clip[:, 0].astype(np.float64))
    np.testing.assert_allclose(computed(config.layer(), clip)[..., 0], librosa.power_to_db(mel).T, rtol=0, atol=2e-3)


def test_a_composed_function_checks_its_arguments_as_the_config_does():
    with pytest.raises(ArgumentError, match="log_floor must be None with log_offset"):
        composed.get_log_mel_layer(log_offset=1.0, log_floor=1e-3)
    with pytest.raises(ArgumentError, match="n_mfcc must be at most n_mels=80"):
        composed.get_mfcc_layer(n_mfcc=81)
    with pytest.warns(UserWarning, match="reach no frequency bin"):
        composed.get_log_mel_layer(n_fft=64, n_mels=80)
    composed.get_log_mel_layer(n_fft=64, n_mels=80, warn_of_empty_bands=False)


def test_the_fields_of_a_config_are_the_arguments_of_its_function():
    for cls, function in ((configs.LogMel, composed.get_log_mel_layer), (configs.Mfcc, composed.get_mfcc_layer)):
        defaults = {name: item.default for name, item in inspect.signature(function).parameters.items()}
        own = {item.name: item.default for item in dataclasses.fields(cls)}
        common = [item.name for item in dataclasses.fields(configs.Config) if item.name != "sample_rate"]
        assert {name: own[name] for name in own if name not in common} == {
            name: defaults[name] for name in defaults if name not in ("input_shape", "name", "warn_of_empty_bands")
        }
