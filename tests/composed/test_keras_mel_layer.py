"""The composed layer of Keras's mel spectrogram: data formats, channels, clips and names."""

import inspect

import numpy as np
import pytest
import references

from audiopipe import composed, layers
from audiopipe.errors import ArgumentError

SMALL = {"fft_length": 256, "sequence_stride": 100, "num_mel_bins": 20, "mag_exp": 1.5}
LAST, FIRST = "channels_last", "channels_first"


def clips(*shape):
    return (0.3 * np.random.default_rng(0).standard_normal(shape)).astype(np.float32)


@pytest.mark.parametrize("input_data_format", [LAST, FIRST])
@pytest.mark.parametrize("output_data_format", [LAST, FIRST])
def test_each_channel_equals_the_formula(input_data_format, output_data_format):
    batch = clips(2, 777, 3)
    layer = composed.get_keras_melspectrogram_layer(
        **SMALL, power_to_db=False, input_data_format=input_data_format, output_data_format=output_data_format
    )
    result = layer(batch if input_data_format == LAST else batch.transpose(0, 2, 1)).numpy()
    result = result if output_data_format == LAST else result.transpose(0, 2, 3, 1)
    for clip, feature in zip(batch, result, strict=True):
        for channel in range(3):
            expected = references.keras_mel(clip[:, channel], **SMALL, power_to_db=False).T
            np.testing.assert_allclose(feature[..., channel], expected, rtol=1e-5)


def test_default_formats_follow_keras(keras_settings):
    keras_settings.set_image_data_format(FIRST)
    assert composed.get_keras_melspectrogram_layer(**SMALL)(clips(2, 3, 777)).shape == (2, 3, 8, 20)


def test_the_dynamic_range_is_that_of_the_whole_clip():
    batch = clips(2, 777, 2)
    batch[:, :, 1] *= 1e-6
    batch[1] *= 1e-2
    linear = composed.get_keras_melspectrogram_layer(**SMALL, power_to_db=False)(batch).numpy()
    expected = [references.decibels(clip, amin=1e-10, dynamic_range=40.0) for clip in linear]
    decibels = composed.get_keras_melspectrogram_layer(**SMALL, top_db=40.0)(batch).numpy()
    np.testing.assert_allclose(decibels, expected, rtol=0, atol=5e-5)
    assert np.ptp(decibels[0, ..., 1]) == 0


def test_one_channel_has_the_bits_of_the_mel_spectrogram_layer():
    batch = clips(3, 777)
    feature = composed.get_keras_melspectrogram_layer(**SMALL)(batch[..., None])[..., 0]
    assert np.array_equal(feature, np.transpose(layers.MelSpectrogram(**SMALL)(batch), [0, 2, 1]))


def test_arguments_equal_those_of_the_mel_spectrogram_layer_except_sample_rate():
    def arguments(function):
        parameters = inspect.signature(function).parameters.values()
        return {item.name: item.default for item in parameters if item.kind is item.POSITIONAL_OR_KEYWORD}

    expected = arguments(layers.MelSpectrogram.__init__)
    expected["sample_rate"] = expected.pop("sampling_rate")
    own = {"self", "input_shape", "input_data_format", "output_data_format", "name"}
    found = arguments(composed.get_keras_melspectrogram_layer)
    assert {name: found[name] for name in found if name not in own} == {
        name: expected[name] for name in expected if name not in own
    }


def test_an_input_shape_builds_the_layer_and_its_parts_are_named():
    layer = composed.get_keras_melspectrogram_layer((777, 2), **SMALL, name="mel")
    assert layer.input_shape == (None, 777, 2)
    assert layer.output_shape == (None, 8, 20, 2)
    assert layer(clips(1, 777, 2)).shape == (1, 8, 20, 2)
    assert [inner.name for inner in layer.layers] == [
        "mel_padding",
        "mel_stft",
        "mel_magnitude",
        "mel_power",
        "mel_filterbank",
        "mel_decibel",
    ]


def test_invalid_arguments_are_refused():
    with pytest.raises(ArgumentError, match=r"output_data_format must be one of .*Received: output_data_format='NHWC'"):
        composed.get_keras_melspectrogram_layer(output_data_format="NHWC")
    with pytest.raises(ArgumentError, match=r"sequence_stride must be at least 1. Received: sequence_stride=0"):
        composed.get_keras_melspectrogram_layer(sequence_stride=0)
    with pytest.raises(ArgumentError, match=r"Received: dtype=int16 .*waveform.astype\('float32'\) / 32768"):
        composed.get_keras_melspectrogram_layer(**SMALL)(np.zeros((1, 777, 1), np.int16))
