"""`layers.MelSpectrogram` equals `keras.layers.MelSpectrogram` and does not have its faults.

Some tests assert a fault of Keras's layer. They fail once Keras fixes it; the migration page must then change too.
"""

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from audiopipe import composed, layers

SMALL = {"fft_length": 256, "sequence_stride": 100, "num_mel_bins": 20}


def noise(*shape, seed=0):
    return (0.3 * np.random.default_rng(seed).standard_normal(shape)).astype(np.float32)


def both(**arguments):
    return layers.MelSpectrogram(**arguments), keras.layers.MelSpectrogram(**arguments)


@st.composite
def arguments(draw):
    fft_length = draw(st.integers(100, 600))
    sequence_length = draw(st.none() | st.integers(50, fft_length))
    windows = [None, "hann", "hamming", np.linspace(0.5, 1, sequence_length or fft_length).astype(np.float32)]
    return {
        "fft_length": fft_length,
        "sequence_length": sequence_length,
        "sequence_stride": draw(st.integers(20, 700)),
        "window": draw(st.sampled_from(windows)),
        "sampling_rate": draw(st.sampled_from([8000, 11025, 16000])),
        "num_mel_bins": draw(st.integers(1, 12)),
        "min_freq": draw(st.sampled_from([0, 20.0, 250.0])),
        "max_freq": draw(st.sampled_from([None, 3000.0, 4000])),
        "top_db": draw(st.sampled_from([20.0, 80])),
        "mag_exp": draw(st.sampled_from([1, 1.5, 2.0, 3])),
        "min_power": draw(st.sampled_from([1e-10, 1e-3])),
        "ref_power": draw(st.sampled_from([1.0, 1e-5, -3.0, 100])),
    }


@given(arguments(), st.integers(0, 3))
@settings(max_examples=12, deadline=None)
def test_one_clip_equals_keras(arguments, seed):
    clip = noise(1503, seed=seed)
    for power_to_db in (True, False):
        ours, theirs = both(**arguments, power_to_db=power_to_db)
        expected = theirs(clip).numpy()
        assume(np.isfinite(expected).all())
        # Keras computes its matrix in float32, with errors of up to 1e-5 of the weight of a band.
        tolerance = {"rtol": 0, "atol": 1e-3} if power_to_db else {"rtol": 3e-5, "atol": 1e-5 * expected.max()}
        np.testing.assert_allclose(ours(clip), expected, **tolerance)


def test_one_clip_equals_keras_with_all_defaults():
    ours, theirs = both()
    clip = noise(16000)
    np.testing.assert_allclose(ours(clip), theirs(clip), rtol=0, atol=1e-3)


def test_a_config_of_the_keras_layer_creates_our_layer():
    theirs = keras.layers.MelSpectrogram(**SMALL, mag_exp=1.0, top_db=50.0)
    config = {name: value for name, value in theirs.get_config().items() if name != "dtype"}
    ours = layers.MelSpectrogram.from_config(config)
    np.testing.assert_allclose(ours(noise(1000)), theirs(noise(1000)), rtol=0, atol=1e-3)


def test_a_loud_neighbour_does_not_change_a_quiet_clip():
    loud, quiet = noise(1000), 1e-5 * noise(1000, seed=1)
    ours, theirs = both(**SMALL)
    alone = theirs(quiet).numpy()
    np.testing.assert_allclose(ours(np.stack([loud, quiet]))[1], alone, rtol=0, atol=1e-3)
    assert np.abs(theirs(np.stack([loud, quiet]))[1] - alone).max() > 10


def test_a_clip_of_nan_does_not_change_the_others():
    batch = noise(2, 1000)
    batch[0, 500] = np.nan
    ours, theirs = both(**SMALL)
    np.testing.assert_allclose(ours(batch)[1], theirs(batch[1]), rtol=0, atol=1e-3)
    assert np.isnan(ours(batch)[0]).any()
    assert np.isnan(theirs(batch)[1]).all()


def test_the_declared_shape_is_correct_for_every_length():
    ours, theirs = both(fft_length=32, sequence_stride=8, num_mel_bins=3)
    lengths = range(17, 41)
    assert all(ours.compute_output_shape((length,)) == ours(noise(length)).shape for length in lengths)
    real = {length: tuple(theirs(noise(length)).shape) for length in lengths}
    assert real == {length: ours.compute_output_shape((length,)) for length in lengths}
    wrong = [length for length in lengths if tuple(theirs.compute_output_shape((length,))) != real[length]]
    assert wrong == [23, 31, 39]


@pytest.mark.parametrize("length", [1, 2, 100, 127, 128])
def test_a_clip_of_at_most_half_a_transform_is_accepted(length):
    ours, theirs = both(**SMALL)
    clip = noise(length)
    # Keras accepts longer clips: NumPy extends the clip by reflection, and the middle frames are the expected ones.
    longer = np.pad(clip, 300, mode="reflect")
    frames = 1 + length // 100
    np.testing.assert_allclose(ours(clip), theirs(longer)[:, 3 : 3 + frames], rtol=0, atol=1e-3)
    with pytest.raises(tf.errors.InvalidArgumentError):
        theirs(clip)


def test_a_float64_policy_computes_in_float64():
    clip = noise(1000).astype(np.float64)
    ours, theirs = both(**SMALL, dtype="float64")
    double = ours(clip).numpy()
    assert double.dtype == np.float64
    np.testing.assert_allclose(double, layers.MelSpectrogram(**SMALL)(clip), rtol=0, atol=1e-4)
    with pytest.raises((TypeError, ValueError, tf.errors.InvalidArgumentError)):
        theirs(clip)


@pytest.mark.parametrize("power_to_db", [True, False])
def test_gradients_of_magnitudes_are_finite_at_silence(power_to_db):
    silence = tf.zeros([1000])
    gradients = []
    for layer in both(**SMALL, mag_exp=1.0, power_to_db=power_to_db):
        with tf.GradientTape() as tape:
            tape.watch(silence)
            total = tf.reduce_sum(layer(silence))
        gradients.append(tape.gradient(total, silence).numpy())
    assert np.isfinite(gradients[0]).all()
    # In decibels, min_power stops the NaN in Keras's gradient as well.
    assert np.isnan(gradients[1]).any() != power_to_db


def test_a_window_given_as_an_array_survives_saving(tmp_path):
    window = np.hanning(256).astype(np.float32)
    clip = noise(1, 1000)

    def saved(layer):
        inputs = keras.Input([None])
        model = keras.Model(inputs, layer(inputs))
        model.save(tmp_path / "model.keras")
        return keras.saving.load_model(tmp_path / "model.keras")(clip)

    ours, theirs = both(**SMALL, window=window)
    np.testing.assert_allclose(ours(clip), theirs(clip), rtol=0, atol=1e-3)
    assert np.array_equal(saved(ours), ours(clip))
    with pytest.raises((TypeError, ValueError)):
        saved(theirs)


def test_the_mel_matrix_is_computed_once_in_float64(monkeypatch):
    ours, theirs = both(**SMALL)
    built = []
    for cls in (layers.MelSpectrogram, keras.layers.MelSpectrogram):
        original = cls.linear_to_mel_weight_matrix
        monkeypatch.setattr(
            cls,
            "linear_to_mel_weight_matrix",
            lambda *args, cls=cls, original=original, **kwargs: built.append(cls) or original(*args, **kwargs),
        )
    for _ in range(3):
        ours(noise(1000))
        theirs(noise(1000))
    assert built == 3 * [keras.layers.MelSpectrogram]


def test_the_mel_matrix_is_closer_to_float64_than_that_of_keras():
    sizes = (128, 1025, 16000, 20.0, 8000.0)
    exact = layers.MelSpectrogram.linear_to_mel_weight_matrix(*sizes, dtype="float64").numpy()
    ours = layers.MelSpectrogram.linear_to_mel_weight_matrix(*sizes).numpy()
    theirs = keras.layers.MelSpectrogram().linear_to_mel_weight_matrix(*sizes).numpy()
    assert np.abs(ours - exact).max() < 1e-7
    assert 1e-6 < np.abs(theirs - exact).max() < 1e-3


def test_the_composed_layer_equals_keras_for_each_channel():
    clip = noise(1003, 2)
    clip[:, 1] *= 1e-2
    layer = composed.get_keras_melspectrogram_layer(**SMALL, power_to_db=False)
    theirs = keras.layers.MelSpectrogram(**SMALL, power_to_db=False)(clip.T).numpy()
    np.testing.assert_allclose(layer(clip[None])[0], theirs.transpose(2, 1, 0), rtol=3e-5)
