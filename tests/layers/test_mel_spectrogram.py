"""Tests of `MelSpectrogram` against the formula in float64, for all arguments and lengths."""

import json

import keras
import numpy as np
import pytest
import references
import tensorflow as tf

from audiopipe.errors import ArgumentError
from audiopipe.layers import MelSpectrogram

SMALL = {"fft_length": 256, "sequence_stride": 100, "num_mel_bins": 21}
ARGUMENTS = {
    "defaults": {},
    "magnitudes": {"mag_exp": 1.0},
    "another exponent": {"mag_exp": 1.5},
    "short window": {"sequence_length": 201},
    "hamming": {"window": "hamming", "sequence_length": 150},
    "custom window": {"window": np.linspace(0.1, 1, 99), "sequence_length": 99},
    "no window": {"window": None, "sequence_length": 99},
    "odd length": {"fft_length": 255},
    "odd length, short window": {"fft_length": 255, "sequence_length": 200},
    "frequencies": {"min_freq": 300.0, "max_freq": 5000.0, "sampling_rate": 11025},
    "decibels": {"ref_power": 20.0, "min_power": 1e-2, "top_db": 30.0},
    "reference below the floor": {"ref_power": 1e-4, "min_power": 1e-2},
    "negative reference": {"ref_power": -20.0},
    "stride beyond the window": {"sequence_stride": 300},
}


def noise(*shape):
    return (0.3 * np.random.default_rng(0).standard_normal(shape)).astype(np.float32)


@pytest.mark.cases(14)
@pytest.mark.parametrize("arguments", ARGUMENTS.values(), ids=ARGUMENTS)
@pytest.mark.parametrize("power_to_db", [True, False], ids=["decibels", "linear"])
def test_values_equal_the_formula_in_float64(arguments, power_to_db):
    arguments = {**SMALL, "max_freq": 7000.0, **arguments, "power_to_db": power_to_db}
    clip = noise(1003)
    expected = references.keras_mel(clip, **arguments)
    actual = MelSpectrogram(**arguments)(clip).numpy()
    assert actual.dtype == np.float32
    tolerance = {"rtol": 0, "atol": 5e-5} if power_to_db else {"rtol": 1e-5}
    np.testing.assert_allclose(actual, expected, **tolerance)


@pytest.mark.parametrize("fft_length", [64, 63])
@pytest.mark.parametrize("length", [1, 2, 3, 5, 31, 32, 33, 47, 48, 63, 64, 65, 100])
def test_clips_of_every_length_are_padded_by_reflection(fft_length, length):
    arguments = {"fft_length": fft_length, "sequence_stride": 16, "num_mel_bins": 8, "power_to_db": False}
    clip = noise(length)
    expected = references.keras_mel(clip, **arguments)
    layer = MelSpectrogram(**arguments)
    assert layer.compute_output_shape((length,)) == expected.shape
    np.testing.assert_allclose(layer(clip), expected, rtol=1e-5, atol=1e-5 * expected.max())


def test_a_clip_without_samples_has_no_frames():
    layer = MelSpectrogram(**SMALL)
    assert layer(np.zeros(0, np.float32)).shape == layer.compute_output_shape((0,)) == (21, 0)
    assert layer(np.zeros((3, 0), np.float32)).shape == layer.compute_output_shape((3, 0)) == (3, 21, 0)


@pytest.mark.cases(3)
@pytest.mark.parametrize("mag_exp", [0.5, 1.0, 1.5, 2.0, 2.7, 3.0])
def test_bits_do_not_depend_on_batch_position_rank_or_graph(mag_exp):
    layer = MelSpectrogram(**SMALL, mag_exp=mag_exp)
    batch = noise(5, 1003)
    expected = layer(batch).numpy()
    graph = tf.function(layer, input_signature=[tf.TensorSpec([None, None])])
    clip_graph = tf.function(layer, input_signature=[tf.TensorSpec([None])])
    assert np.array_equal(graph(batch), expected)
    assert np.array_equal(graph(batch[1:4]), expected[1:4])
    for clip, mel in zip(batch, expected, strict=True):
        assert np.array_equal(layer(clip), mel)
        assert np.array_equal(clip_graph(clip), mel)


def test_xla_computes_the_same_within_rounding():
    layer, batch = MelSpectrogram(**SMALL, mag_exp=1.5), noise(2, 1003)
    np.testing.assert_allclose(tf.function(layer, jit_compile=True)(batch), layer(batch), rtol=0, atol=5e-5)


@pytest.mark.cases(12)
@pytest.mark.parametrize("mag_exp", [0.5, 1.0, 1.5, 2.0])
@pytest.mark.parametrize("power_to_db", [True, False], ids=["decibels", "linear"])
@pytest.mark.parametrize("loudness", [0, 1e-30, 1])
def test_gradients_are_finite(mag_exp, power_to_db, loudness):
    clip = tf.constant(loudness * noise(500))
    layer = MelSpectrogram(**SMALL, mag_exp=mag_exp, power_to_db=power_to_db)
    with tf.GradientTape() as tape:
        tape.watch(clip)
        total = tf.reduce_sum(layer(clip))
    assert np.isfinite(tape.gradient(total, clip)).all()


def test_the_gradient_equals_finite_differences():
    layer = MelSpectrogram(**SMALL, mag_exp=1.5, top_db=300.0, dtype="float64")
    clip = noise(300).astype(np.float64)
    with tf.GradientTape() as tape:
        values = tf.constant(clip)
        tape.watch(values)
        total = tf.reduce_sum(layer(values))
    gradient = tape.gradient(total, values).numpy()
    for sample in (0, 1, 150, 299):
        step = np.eye(300)[sample] * 1e-6
        slope = (layer(clip + step).numpy().sum() - layer(clip - step).numpy().sum()) / 2e-6
        np.testing.assert_allclose(gradient[sample], slope, rtol=1e-5)


@pytest.mark.parametrize("window", [np.hanning(256), np.hanning(256).tolist(), tf.signal.hann_window(256, False)])
def test_an_array_like_window_becomes_a_list_in_the_config(window):
    layer = MelSpectrogram(**SMALL, window=window)
    config = json.loads(json.dumps(layer.get_config()))
    np.testing.assert_allclose(config["window"], np.hanning(256), atol=1e-6)
    assert np.array_equal(MelSpectrogram.from_config(config)(noise(1000)), layer(noise(1000)))


def test_constructor_arguments_and_defaults_equal_those_of_keras():
    ours, theirs = MelSpectrogram(name="mel").get_config(), keras.layers.MelSpectrogram(name="mel").get_config()
    assert {name: ours[name] for name in ours if name != "dtype"} == {
        name: theirs[name] for name in theirs if name != "dtype"
    }


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_mel_matrix_equals_the_formula(dtype):
    matrix = MelSpectrogram.linear_to_mel_weight_matrix(dtype=dtype)
    assert matrix.dtype == dtype
    expected = references.keras_mel_matrix(8000, 129, 20, 125.0, 3800.0)
    np.testing.assert_allclose(matrix, expected, rtol=0, atol=1e-7 if dtype == "float32" else 1e-12)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"fft_length": 0}, r"fft_length must be at least 1. Received: fft_length=0"),
        ({"sequence_stride": 0}, r"sequence_stride must be at least 1. Received: sequence_stride=0"),
        ({"sequence_length": 0}, r"sequence_length must be at least 1. Received: sequence_length=0"),
        (
            {"fft_length": 256, "sequence_length": 400},
            r"sequence_length must be at most fft_length. Received: sequence_length=400, fft_length=256",
        ),
        ({"window": "hann_window"}, r"window must be one of 'hann', 'hamming', None. .*window='hann_window'"),
        ({"window": [1.0, 2.0]}, r"as many values as sequence_length=2048. Received: window with 2 values"),
        ({"window": np.ones((2, 3))}, r"window must be at least one number.*shape=\(2, 3\)"),
        ({"window": [1.0, float("nan")]}, r"window must be finite. Received: window=nan"),
        ({"window": 7j}, r"window must be at least one number.*window=7j"),
        ({"sampling_rate": 16000.5}, r"sampling_rate must be an integer. Received: sampling_rate=16000\.5"),
        ({"num_mel_bins": 0}, r"num_mel_bins must be at least 1. Received: num_mel_bins=0"),
        ({"min_freq": -1.0}, r"min_freq must be at least 0. Received: min_freq=-1\.0"),
        ({"max_freq": 8001.0}, r"max_freq must be .*half the sample rate, 8000 Hz. Received: max_freq=8001\.0"),
        ({"min_freq": 500, "max_freq": 400}, r"max_freq must be greater than min_freq=500.*max_freq=400"),
        ({"power_to_db": 1}, r"power_to_db must be True or False. Received: power_to_db=1"),
        ({"top_db": 0}, r"top_db must be greater than 0. Received: top_db=0"),
        ({"mag_exp": 0.0}, r"mag_exp must be greater than 0. Received: mag_exp=0\.0"),
        ({"min_power": 0.0}, r"min_power must be at least 1.17549e-38. Received: min_power=0\.0"),
        ({"ref_power": float("inf")}, r"ref_power must be finite. Received: ref_power=inf"),
    ],
)
def test_invalid_arguments_are_refused(arguments, message):
    with pytest.raises(ArgumentError, match=message):
        MelSpectrogram(**arguments)


def test_a_band_without_a_frequency_bin_causes_a_warning():
    with pytest.warns(UserWarning, match="of 128 mel filters reach no frequency bin"):
        MelSpectrogram(fft_length=256)


@pytest.mark.parametrize("shape", [(), (2, 3, 1000)])
def test_a_wrong_rank_is_refused(shape):
    with pytest.raises(ArgumentError, match=r"rank 2, \(batch, samples\), or of rank 1.*Received: shape="):
        MelSpectrogram(**SMALL)(np.zeros(shape, np.float32))


def test_integer_samples_are_refused_with_advice_on_scaling():
    with pytest.raises(ArgumentError, match=r"Received: dtype=int16 .*waveform.astype\('float32'\) / 32768"):
        MelSpectrogram(**SMALL)(np.zeros(1000, np.int16))
