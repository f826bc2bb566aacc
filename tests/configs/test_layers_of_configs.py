"""Layers that configs make, the arguments and data formats they start with, and copies of configs."""

import copy
import dataclasses
import inspect
import json
import os
import pickle
import subprocess
import sys

import numpy as np
import pytest

from audiopipe.configs import (
    KerasMelSpectrogram,
    LogFrequencySpectrogram,
    MelSpectrogram,
    Stft,
    StftMagnitude,
    StftMagPhase,
    WhisperLogMel,
)

CLASSES = (
    StftMagnitude,
    MelSpectrogram,
    LogFrequencySpectrogram,
    KerasMelSpectrogram,
    Stft,
    StftMagPhase,
    WhisperLogMel,
)


@pytest.mark.parametrize("data_format", ["channels_first", "channels_last"])
def test_default_data_format_comes_from_keras_json_before_keras_is_imported(tmp_path, data_format):
    (tmp_path / "keras.json").write_text(json.dumps({"image_data_format": data_format}))
    code = (
        "import sys; from audiopipe import configs; c = configs.MelSpectrogram(output_data_format='channels_last');"
        "print(c.input_data_format, c.output_data_format, 'keras' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "KERAS_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == [data_format, "channels_last", "False"]


@pytest.mark.parametrize("content", ["{}", "this is no JSON"])
def test_default_data_format_is_channels_last_if_keras_json_does_not_say(tmp_path, monkeypatch, content):
    (tmp_path / "keras.json").write_text(content)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.delitem(sys.modules, "keras", raising=False)
    assert StftMagnitude().input_data_format == "channels_last"


def test_default_data_format_is_fixed_on_construction():
    import keras

    before = keras.config.image_data_format()
    try:
        keras.config.set_image_data_format("channels_first")
        config = MelSpectrogram()
        keras.config.set_image_data_format("channels_last")
        assert (config.input_data_format, config.output_data_format) == ("channels_first", "channels_first")
        assert json.loads(config.to_json())["input_data_format"] == "channels_first"
        assert MelSpectrogram().input_data_format == "channels_last"
    finally:
        keras.config.set_image_data_format(before)


def test_fields_cannot_be_assigned():
    with pytest.raises(dataclasses.FrozenInstanceError, match="n_mels"):
        MelSpectrogram().n_mels = 64


@pytest.mark.parametrize("cls", CLASSES)
def test_positional_arguments_are_refused(cls):
    with pytest.raises(TypeError, match="positional"):
        cls(16000)


@pytest.mark.parametrize("make", [copy.deepcopy, lambda config: pickle.loads(pickle.dumps(config))])
def test_copies_are_the_same_config(make):
    config = MelSpectrogram(n_mels=40, mel_norm=2)
    assert make(config) == config
    assert make(config).fingerprint == config.fingerprint
    assert hash(make(config)) == hash(config)


@pytest.mark.parametrize("cls", CLASSES)
def test_fields_are_the_arguments_of_the_composed_function_with_its_defaults(cls):
    from audiopipe import composed

    arguments = inspect.signature(getattr(composed, cls.composed)).parameters
    fields = {item.name: item.default for item in dataclasses.fields(cls)}
    of_every_config = {
        *("sample_rate", "channels", "channel", "decoder", "resampler", "resampler_quality", "standardization")
    }
    assert set(fields) - of_every_config <= set(arguments)
    assert set(arguments) - set(fields) == {"input_shape", "name"}
    assert {name: fields[name] for name in fields if name in arguments} == {
        name: argument.default for name, argument in arguments.items() if name in fields
    }


@pytest.mark.parametrize(
    ("cls", "function", "arguments"),
    [
        (StftMagnitude, "get_stft_magnitude_layer", {"n_fft": 512, "win_length": 400, "pad_end": True}),
        (
            MelSpectrogram,
            "get_melspectrogram_layer",
            {"sample_rate": 16000, "n_fft": 512, "n_mels": 40, "mel_htk": True, "return_decibel": True},
        ),
        (
            LogFrequencySpectrogram,
            "get_log_frequency_spectrogram_layer",
            {"sample_rate": 16000, "n_fft": 1024, "log_n_bins": 40, "log_f_min": 100.0, "db_dynamic_range": 50.0},
        ),
    ],
)
def test_layer_is_the_composed_layer_under_any_policy(cls, function, arguments):
    import keras

    from audiopipe import composed

    clips = np.random.default_rng(0).standard_normal((2, 3000, 1)).astype("float32")
    expected = getattr(composed, function)(**arguments)(clips).numpy()
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_float16")
    try:
        layer = cls(**arguments).layer()
        result = layer(clips).numpy()
        assert keras.config.dtype_policy().name == "mixed_float16"
    finally:
        keras.config.set_dtype_policy(policy)
    assert result.dtype == np.float32
    np.testing.assert_array_equal(result, expected)
    assert layer.config_json == cls(**arguments).to_json()


def test_layer_equals_a_float64_reference_under_a_mixed_policy():
    import keras

    clip = np.random.default_rng(1).standard_normal(2000).astype("float32")
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_float16")
    try:
        result = StftMagnitude(n_fft=256, hop_length=100).layer()(clip[None, :, None]).numpy()[0, :, :, 0]
    finally:
        keras.config.set_dtype_policy(policy)
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(256) / 256)
    frames = np.stack([clip[start : start + 256].astype("float64") for start in range(0, 2000 - 255, 100)])
    # float16 keeps 11 bits, so this tolerance fails if any step computes in half precision.
    expected = np.abs(np.fft.rfft(frames * window))
    np.testing.assert_allclose(result, expected, atol=1e-6 * expected.max(), rtol=1e-5)


@pytest.mark.parametrize("cls", [Stft, StftMagPhase])
def test_features_with_two_quantities_equal_a_float64_reference(cls):
    clip = np.random.default_rng(1).standard_normal(2000).astype("float32")
    config = cls(n_fft=256, hop_length=100, input_data_format="channels_last", output_data_format="channels_last")
    result = config.layer()(clip[None, :, None]).numpy()[0]
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(256) / 256)
    spectrogram = np.fft.rfft([clip[start : start + 256] * window for start in range(0, 2000 - 255, 100)])
    if cls is StftMagPhase:
        result = result[..., 0] * np.exp(1j * result[..., 1])
    else:
        result = result[..., 0] + 1j * result[..., 1]
    np.testing.assert_allclose(result, spectrogram, atol=1e-6 * np.abs(spectrogram).max())
