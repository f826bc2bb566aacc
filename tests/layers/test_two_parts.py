"""Tests of `RealImaginary` and `MagnitudePhase`, which split a spectrogram into two parts along the channels."""

import numpy as np
import pytest
import references
import tensorflow as tf

from audiopipe.errors import ArgumentError
from audiopipe.layers import MagnitudePhase, RealImaginary
from audiopipe.signal.real_arithmetic import ComplexParts

BOTH = pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
AXIS = {"channels_last": -1, "channels_first": 1}


def spectrogram(dtype=np.complex64):
    """Returns spectrograms whose axes differ in size, with one clip much quieter than the other."""
    noise = np.random.default_rng(0).standard_normal((2, 2, 3, 4, 5))
    values = noise[0] + 1j * noise[1]
    values[1] *= 1e-3
    return values.astype(dtype)


@BOTH
def test_real_parts_of_all_channels_come_before_all_imaginary_parts(data_format):
    values = spectrogram()
    parts = RealImaginary(data_format)(values).numpy()
    assert parts.dtype == np.float32
    np.testing.assert_array_equal(parts, np.concatenate([values.real, values.imag], axis=AXIS[data_format]))


@BOTH
def test_magnitudes_of_all_channels_come_before_all_phases(data_format):
    values = spectrogram()
    wide = values.astype(np.complex128)
    expected = np.concatenate([np.abs(wide), np.angle(wide)], axis=AXIS[data_format])
    np.testing.assert_allclose(MagnitudePhase(data_format=data_format)(values), expected, rtol=1e-6)


@BOTH
def test_only_magnitudes_are_converted_to_decibels_clip_by_clip(data_format):
    values = spectrogram()
    wide = values.astype(np.complex128)
    levels = np.array([references.decibels(np.abs(clip), 0.5, 1e-4, 5.0) for clip in wide])
    assert (levels == levels.max(axis=(1, 2, 3), keepdims=True) - 5).any()
    expected = np.concatenate([levels, np.angle(wide)], axis=AXIS[data_format])
    layer = MagnitudePhase(True, db_amin=1e-4, db_ref_value=0.5, db_dynamic_range=5.0, data_format=data_format)
    np.testing.assert_allclose(layer(values), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("layer", [RealImaginary, lambda: MagnitudePhase(return_decibel=True)])
def test_double_precision_is_kept(layer):
    double = layer()(spectrogram(np.complex128)).numpy()
    assert double.dtype == np.float64
    np.testing.assert_allclose(double, layer()(spectrogram()), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("layer", [RealImaginary, lambda: MagnitudePhase(return_decibel=True)])
def test_separate_real_and_imaginary_parts_give_the_same_values(layer):
    values = spectrogram()
    parts = ComplexParts(tf.constant(values.real), tf.constant(values.imag))
    np.testing.assert_allclose(layer().call_real(parts), layer()(values), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("layer", [RealImaginary, MagnitudePhase])
@BOTH
def test_the_default_data_format_follows_the_setting_of_keras(keras_settings, data_format, layer):
    keras_settings.set_image_data_format(data_format)
    default = layer()
    keras_settings.set_image_data_format("channels_last")
    np.testing.assert_array_equal(default(spectrogram()), layer(data_format=data_format)(spectrogram()))


@pytest.mark.parametrize("layer", [RealImaginary, MagnitudePhase])
def test_real_values_and_wrong_ranks_are_refused(layer):
    with pytest.raises(ArgumentError, match=r"must be complex.*float32.*after an STFT"):
        layer()(np.ones((1, 2, 3, 1), np.float32))
    with pytest.raises(ArgumentError, match=r"of rank 4, \(batch, frames, bins, channels\).*shape=\(2, 3, 1\)"):
        layer()(np.ones((2, 3, 1), np.complex64))
    with pytest.raises(ArgumentError, match=r"\(batch, channels, frames, bins\)"):
        layer(data_format="channels_first")(np.ones((2, 3, 1), np.complex64))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"return_decibel": 1}, "return_decibel must be True or False. Received: return_decibel=1"),
        ({"db_amin": 0}, "amin=0"),
        ({"db_ref_value": -1.0}, r"ref_value=-1\.0"),
        ({"db_dynamic_range": 0}, "dynamic_range=0"),
        ({"data_format": "NCHW"}, "data_format='NCHW'"),
    ],
)
def test_invalid_arguments_are_refused(arguments, message):
    with pytest.raises(ArgumentError, match=message):
        MagnitudePhase(**arguments)
