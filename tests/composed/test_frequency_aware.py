"""The frequency-aware convolution against a convolution in NumPy."""

import keras
import numpy as np
import pytest

from audiopipe import composed
from audiopipe.errors import ArgumentError
from audiopipe.runtime import machine_facts

LAST, FIRST = "channels_last", "channels_first"


def spectrograms(*shape):
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


def convolution(batch, kernel, bias):
    """Computes a `valid` convolution over a spectrogram and its frequencies, in float64 and `channels_last`."""
    frequencies = np.broadcast_to(np.linspace(0, 1, batch.shape[2])[:, None], (*batch.shape[:3], 1))
    batch = np.concatenate([batch, frequencies], axis=3)
    windows = np.lib.stride_tricks.sliding_window_view(batch, kernel.shape[:2], axis=(1, 2))
    return np.einsum("btfcij,ijco->btfo", windows, kernel.astype(np.float64)) + bias


@pytest.mark.parametrize("data_format", [LAST, FIRST, "default"])
def test_the_layer_convolves_the_spectrogram_and_its_frequencies(data_format):
    if data_format == FIRST and not machine_facts.onednn_enabled():
        pytest.skip("TensorFlow convolves channels_first on a CPU only with oneDNN, which is off on this machine.")
    layer = composed.get_frequency_aware_conv2d(data_format, "aware", 4, (3, 2), bias_initializer="ones")
    assert layer.name == "aware"
    assert type(layer) is keras.Sequential
    batch = spectrograms(2, 5, 7, 2)
    given = np.moveaxis(batch, -1, 1) if data_format == FIRST else batch
    result = layer(given).numpy()
    result = np.moveaxis(result, 1, -1) if data_format == FIRST else result
    expected = convolution(batch, *(weight.numpy() for weight in layer.layers[1].weights))
    np.testing.assert_allclose(result, expected, rtol=0, atol=1e-6 * np.abs(expected).max())


def test_the_default_data_format_follows_keras(keras_settings):
    keras_settings.set_image_data_format(FIRST)
    layer = composed.get_frequency_aware_conv2d(filters=4, kernel_size=3)
    assert [inner.data_format for inner in layer.layers] == [FIRST, FIRST]


GROUPS_BY_POSITION = (8, 3, (1, 1), "valid", None, (1, 1), 2)


@pytest.mark.parametrize(
    ("args", "kwargs"),
    [
        ((), {"filters": 8, "kernel_size": 3, "groups": 2}),
        (GROUPS_BY_POSITION, {}),
        ((*GROUPS_BY_POSITION, "relu"), {}),
    ],
)
def test_group_convolution_is_refused_by_name_and_by_position_unlike_kapre(args, kwargs):
    with pytest.raises(ArgumentError, match=r"groups must be 1.*groups=2"):
        composed.get_frequency_aware_conv2d(LAST, "aware", *args, **kwargs)


def test_all_arguments_of_the_convolution_are_accepted_by_position():
    layer = composed.get_frequency_aware_conv2d(LAST, "aware", 8, 3, (2, 2), "same", LAST, (1, 1), 1, "relu")
    result = layer(spectrograms(2, 8, 10, 1))
    assert result.shape == (2, 4, 5, 8)
    assert np.min(result) == 0


def test_another_data_format_for_the_convolution_is_refused():
    with pytest.raises(ArgumentError, match=r"the same.*'channels_last' and 'channels_first'"):
        composed.get_frequency_aware_conv2d(LAST, "aware", 8, 3, (1, 1), "same", FIRST)


@pytest.mark.parametrize("kwargs", [{"filters": 8}, {"filters": 8, "kernel_size": 3, "data_format": "NCHW"}])
def test_missing_and_unknown_arguments_are_refused(kwargs):
    with pytest.raises(ArgumentError, match=r"kernel_size|data_format='NCHW'"):
        composed.get_frequency_aware_conv2d(**kwargs)


@pytest.mark.parametrize(
    ("policy", "dtype"), [("float32", "float32"), ("mixed_float16", "float16"), ("float64", "float64")]
)
def test_the_layer_follows_the_dtype_policy_of_the_model(policy, dtype, keras_settings):
    keras_settings.set_dtype_policy(policy)
    layer = composed.get_frequency_aware_conv2d(filters=4, kernel_size=3)
    result = layer(spectrograms(1, 5, 6, 1))
    assert result.dtype == dtype
    assert layer.compute_output_spec(keras.KerasTensor((None, None, 6, 1))).dtype == dtype


def test_the_layer_trains_on_clips_of_any_length_and_survives_saving(tmp_path):
    model = keras.Sequential(
        [keras.Input((None, 20, 1)), composed.get_frequency_aware_conv2d(filters=4, kernel_size=3, padding="same")]
    )
    model.compile("sgd", "mse")
    model.fit(spectrograms(4, 9, 20, 1), spectrograms(4, 9, 20, 4), verbose=0)
    model.save(tmp_path / "model.keras")
    batch = spectrograms(2, 11, 20, 1)
    np.testing.assert_array_equal(keras.saving.load_model(tmp_path / "model.keras")(batch), model(batch))
