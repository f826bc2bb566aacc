"""Composed layers in TFLite with built-in operators only."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from audiopipe import Statistics, composed, configs, layers
from audiopipe.errors import ArgumentError
from audiopipe.export import to_tflite
from audiopipe.signal import real_arithmetic

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")  # TensorFlow warns that tf.lite will move

TIME = 1500
# Transforms of a power of two, which the Fourier transform of TFLite supports, of even and of odd length. Converting
# takes long, so `make test` combines one size with both shapes, and the others with one of them.
SIZES = [
    (512, 1, 1),
    (512, 4, 2),
    (400, 4, 2),
    (255, 1, 1),
    pytest.param(400, 1, 1, marks=pytest.mark.faults),
    pytest.param(255, 4, 2, marks=pytest.mark.faults),
]
every_size = pytest.mark.parametrize(("n_fft", "batch_size", "channels"), SIZES)
FEATURES = {
    "stft magnitude": lambda n_fft: composed.get_stft_magnitude_layer(n_fft=n_fft, pad_begin=True, pad_end=True),
    "stft magnitude in decibels": lambda n_fft: composed.get_stft_magnitude_layer(
        n_fft=n_fft, win_length=200, return_decibel=True, db_dynamic_range=20.0
    ),
    "mel": lambda n_fft: composed.get_melspectrogram_layer(
        n_fft=n_fft, sample_rate=16000, n_mels=20, return_decibel=True
    ),
    "log-frequency": lambda n_fft: composed.get_log_frequency_spectrogram_layer(
        n_fft=n_fft, sample_rate=16000, log_n_bins=30, log_f_min=500.0, log_spread=0.5, return_decibel=True
    ),
    "mel, channels first": lambda n_fft: composed.get_melspectrogram_layer(
        n_fft=n_fft,
        sample_rate=16000,
        n_mels=20,
        input_data_format="channels_first",
        output_data_format="channels_first",
    ),
    "real and imaginary": lambda n_fft: composed.get_stft_layer(n_fft=n_fft),
    "keras mel": lambda n_fft: composed.get_keras_melspectrogram_layer(fft_length=n_fft, num_mel_bins=20),
}
LOG_MEL = {"n_fft": 400, "win_length": 320, "hop_length": 100, "n_mels": 20}
FRONT_ENDS_OF_CONFIGS = {
    "kaldi": configs.LogMel(**LOG_MEL, edges="snip", window="povey", remove_dc_offset=True, preemphasis=0.97),
    "normalized, stacked": configs.LogMel(**LOG_MEL, normalization="clip", ddof=1, stack_frames=2, padding_value=0.0),
    "masked, fixed": configs.LogMel(**LOG_MEL, edges="same", log="db", top_db=30.0, masked_frames=1, fixed_frames=25),
    "clips": configs.LogMel(**LOG_MEL, clip_seconds=0.2, short_clips="repeat", edges="midpoint", log="log10"),
    "normalized by statistics": configs.LogMel(**LOG_MEL, center_value=-3.0, scale_value=7.0).normalized(
        Statistics(mean=np.linspace(-2, 1, 20), std=np.linspace(0.3, 5, 20))
    ),
    "mfcc": configs.Mfcc(**LOG_MEL, lifter=22.0, deltas=2, center_value=1.0, fixed_frames=25),
}
WHISPER = {"chunk": {"chunk_seconds": 0.2}, "cut chunk": {"chunk_seconds": 0.05}, "whole clip": {"chunk_seconds": None}}


def waveforms(batch_size, channels, channels_first=False):
    shape = (batch_size, channels, TIME) if channels_first else (batch_size, TIME, channels)
    return (0.1 * np.random.default_rng(0).standard_normal(shape)).astype(np.float32)


def run(content, values):
    """Runs a TFLite model with built-in operators only and returns its outputs."""
    interpreter = tf.lite.Interpreter(
        model_content=content,
        experimental_op_resolver_type=tf.lite.experimental.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    )
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], values)
    interpreter.invoke()
    return [interpreter.get_tensor(output["index"]) for output in interpreter.get_output_details()]


@pytest.mark.cases(4)
@every_size
@pytest.mark.parametrize("name", FEATURES)
def test_a_converted_feature_agrees_with_the_layer(name, n_fft, batch_size, channels):
    layer = FEATURES[name](n_fft)
    values = waveforms(batch_size, channels, channels_first="channels first" in name)
    (converted,) = run(to_tflite(layer, values.shape[1:], batch_size), values)
    expected = layer(values).numpy()
    assert converted.shape == expected.shape
    np.testing.assert_allclose(converted, expected, rtol=0, atol=1e-3)


BACK_HALVES = {
    "normalized and stacked": lambda: [
        layers.Logarithm(offset=1e-6),
        layers.CutFrames(1),
        layers.ClipNormalization(1, 1e-5),
        layers.PadFrames(1),
        layers.StackFrames(2),
        layers.Standardize(0.5, 2.0),
        layers.PadFrames(n_frames=12),
    ],
    "cepstra with deltas": lambda: [
        layers.Logarithm("10", 10.0, floor=1e-10),
        layers.LogmelToMFCC(13, norm="ortho", lifter=22.0),
        layers.Deltas(2, 5, "interp"),
    ],
}


@pytest.mark.parametrize("name", BACK_HALVES)
def test_layers_after_the_mel_spectrogram_convert(name):
    layer = composed.get_melspectrogram_layer(n_fft=256, sample_rate=16000, n_mels=20)
    for after in BACK_HALVES[name]():
        layer.add(after)
    values = waveforms(2, 1)
    (converted,) = run(to_tflite(layer, values.shape[1:], 2), values)
    np.testing.assert_allclose(converted, layer(values), rtol=0, atol=1e-3)


@pytest.mark.cases(3)
@pytest.mark.parametrize("name", FRONT_ENDS_OF_CONFIGS)
def test_a_converted_front_end_agrees_with_the_layer(name):
    layer, values = FRONT_ENDS_OF_CONFIGS[name].layer(), waveforms(2, 2)
    (converted,) = run(to_tflite(layer, values.shape[1:], 2), values)
    np.testing.assert_allclose(converted, layer(values), rtol=0, atol=2e-3)


@pytest.mark.parametrize("arguments", WHISPER.values(), ids=WHISPER)
def test_a_converted_whisper_feature_agrees_with_the_layer(arguments):
    layer, values = composed.get_whisper_log_mel_layer(**arguments), waveforms(2, 1)
    (converted,) = run(to_tflite(layer, values.shape[1:], 2), values)
    np.testing.assert_allclose(converted, layer(values), rtol=0, atol=1e-4)


FRONT_ENDS = {
    "as NeMo": lambda: [
        layers.Chunk(4000, fill="repeat", longer="error"),
        layers.PreEmphasis(0.97),
        layers.EdgePadding(400, 200, 100, edges="center", pad_mode="reflect"),
        layers.STFT(400, 200, 100, periodic=False),
        layers.Magnitude(1e-9),
    ],
    "as Kaldi": lambda: [
        layers.Gain(4.0),
        layers.EdgePadding(512, 401, 160, edges="midpoint"),
        layers.STFT(512, 401, 160, "povey_window", remove_dc_offset=True, preemphasis=0.97),
        layers.PowerSpectrum(),
    ],
}


@pytest.mark.parametrize("name", FRONT_ENDS)
def test_converted_layers_before_the_mel_bands_agree(name):
    layer, values = layers.ComposedLayer(FRONT_ENDS[name]()), waveforms(2, 2)
    (converted,) = run(to_tflite(layer, values.shape[1:], 2), values)
    expected = layer(values).numpy()
    np.testing.assert_allclose(converted, expected, rtol=0, atol=2e-6 * expected.max())


@pytest.mark.cases(2)
@every_size
def test_magnitude_and_phase_agree_up_to_whole_turns(n_fft, batch_size, channels):
    layer = composed.get_stft_mag_phase(None, n_fft=n_fft)
    values = waveforms(batch_size, channels)
    (converted,) = run(to_tflite(layer, values.shape[1:], batch_size), values)
    expected = layer(values).numpy()
    magnitude, phase = np.split(expected, 2, axis=-1)
    found_magnitude, found_phase = np.split(converted, 2, axis=-1)
    np.testing.assert_allclose(found_magnitude, magnitude, rtol=0, atol=1e-3)
    turned = np.abs((found_phase - phase + np.pi) % (2 * np.pi) - np.pi)
    # Rounding errors determine the angle of a value near zero.
    assert turned[magnitude > 0.01 * magnitude.max()].max() < 1e-3


@pytest.mark.parametrize("n_fft", [512, 300])
def test_a_complex_result_has_two_outputs(n_fft):
    stft, _ = composed.get_perfectly_reconstructing_stft_istft(n_fft=n_fft, hop_length=n_fft // 4)
    values = waveforms(4, 2)
    parts = run(to_tflite(stft, values.shape[1:], 4), values)
    expected = stft(values).numpy()
    assert len(parts) == 2
    found = {True: parts[0] + 1j * parts[1], False: parts[1] + 1j * parts[0]}
    # TFLite chooses the order of the outputs. Only one order can match.
    assert min(np.abs(values - expected).max() for values in found.values()) < 1e-3


def test_a_whole_model_converts_with_its_weights():
    config = configs.MelSpectrogram(sample_rate=16000, n_fft=400, hop_length=160, n_mels=20, return_decibel=True)
    model = keras.Sequential(
        [keras.Input((None, 1)), config.layer(), keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(3)]
    )
    values = waveforms(1, 1)
    (converted,) = run(to_tflite(model, (TIME, 1)), values)
    np.testing.assert_allclose(converted, model(values), rtol=1e-3, atol=1e-3)


def test_a_composed_layer_with_an_added_keras_layer_converts():
    layer = composed.get_stft_magnitude_layer(n_fft=100)
    layer.add(keras.layers.Rescaling(2.0))
    values = waveforms(1, 1)
    (converted,) = run(to_tflite(layer, (TIME, 1)), values)
    np.testing.assert_allclose(converted, layer(values), rtol=0, atol=1e-3)


@pytest.mark.parametrize("n_fft", [1, 2, 7, 16, 100])
def test_real_arithmetic_equals_numpys_transform(n_fft):
    frames = np.random.default_rng(1).standard_normal((3, n_fft)).astype(np.float32)
    parts = real_arithmetic.rfft(tf.constant(frames), n_fft)
    expected = np.fft.rfft(frames.astype(np.float64))
    found = parts.real.numpy() + 1j * parts.imaginary.numpy()
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5 * np.abs(expected).max())


def test_conversion_leaves_the_layer_as_it_was():
    layer = composed.get_melspectrogram_layer(n_fft=400, return_decibel=True)
    values = waveforms(2, 1)
    before = layer(values).numpy()
    to_tflite(layer, (TIME, 1))
    assert not real_arithmetic.active()
    np.testing.assert_array_equal(layer(values), before)


def test_a_frequency_aware_convolution_converts():
    layer = composed.get_frequency_aware_conv2d(filters=3, kernel_size=3)
    values = np.abs(waveforms(4, 2)).reshape([4, 50, 30, 2])
    expected = layer(values).numpy()
    (converted,) = run(to_tflite(layer, (50, 30, 2), 4), values)
    np.testing.assert_allclose(converted, expected, rtol=0, atol=1e-3)


@pytest.mark.parametrize("shape", [(None, 1), (), (16000, 0)])
def test_an_unknown_size_is_refused(shape):
    with pytest.raises(ArgumentError, match="input_shape must"):
        to_tflite(composed.get_stft_magnitude_layer(), shape)
