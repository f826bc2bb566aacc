"""Composed spectrograms: arguments, values against NumPy and librosa, and bits that depend on the clip alone."""

import functools
import inspect
import warnings

import keras
import librosa
import numpy as np
import pytest
import references
from hypothesis import given, settings
from hypothesis import strategies as st

from audiopipe import composed, configs
from audiopipe.errors import ArgumentError

STFT_DEFAULTS = {
    "input_shape": None,
    "n_fft": 2048,
    "win_length": None,
    "hop_length": None,
    "window_name": None,
    "pad_begin": False,
    "pad_end": False,
}
MEL_DEFAULTS = {
    "sample_rate": 22050,
    "n_mels": 128,
    "mel_f_min": 0.0,
    "mel_f_max": None,
    "mel_htk": False,
    "mel_norm": "slaney",
}
LOG_DEFAULTS = {
    "sample_rate": 22050,
    "log_n_bins": 84,
    "log_f_min": None,
    "log_bins_per_octave": 12,
    "log_spread": 0.125,
}
LAST_DEFAULTS = {
    "return_decibel": False,
    "db_amin": 1e-5,
    "db_ref_value": 1.0,
    "db_dynamic_range": 80.0,
    "input_data_format": "default",
    "output_data_format": "default",
}
FUNCTIONS = {
    "stft_magnitude": (composed.get_stft_magnitude_layer, {}),
    "melspectrogram": (composed.get_melspectrogram_layer, MEL_DEFAULTS),
    "log_frequency_spectrogram": (composed.get_log_frequency_spectrogram_layer, LOG_DEFAULTS),
}
every_function = pytest.mark.parametrize("function", [function for function, _ in FUNCTIONS.values()])


def waveforms(batch=1, time=8000, channels=1, seed=0):
    """Returns a tone with quiet noise, so that bins differ by more than the dynamic range."""
    noise = np.random.default_rng(seed).standard_normal((batch, time, channels))
    tone = np.sin(0.3 * np.arange(time))[None, :, None]
    return (1e-3 * noise + 0.5 * tone).astype(np.float32)


def assert_close(actual, expected, tolerance=1e-5):
    np.testing.assert_allclose(actual, expected, rtol=0, atol=tolerance * np.abs(expected).max())


@pytest.mark.parametrize("name", FUNCTIONS)
def test_arguments_their_order_and_their_defaults_do_not_change(name):
    function, own = FUNCTIONS[name]
    expected = {**STFT_DEFAULTS, **own, **LAST_DEFAULTS, "name": None}
    parameters = inspect.signature(function).parameters
    assert [(key, parameter.default) for key, parameter in parameters.items()] == list(expected.items())
    assert [type(parameter.default) for parameter in parameters.values()] == [type(v) for v in expected.values()]


def test_stft_magnitude_equals_numpy():
    clip = waveforms()
    expected = np.abs(references.stft(clip[0, :, 0], 2048, 2048, 512))
    assert_close(composed.get_stft_magnitude_layer()(clip).numpy()[0, :, :, 0], expected)


@pytest.mark.parametrize(
    ("sample_rate", "n_fft", "hop_length", "n_mels", "f_min", "f_max", "htk", "norm"),
    [
        (22050, 2048, 512, 128, 0.0, None, False, "slaney"),
        (16000, 512, 160, 80, 0.0, None, False, "slaney"),
        (16000, 400, 160, 40, 20.0, 7600.0, True, None),
        (44100, 1024, 441, 64, 50.0, 16000.0, True, np.inf),
    ],
)
def test_melspectrogram_equals_librosa(sample_rate, n_fft, hop_length, n_mels, f_min, f_max, htk, norm):
    clip = waveforms()
    expected = librosa.feature.melspectrogram(
        y=clip[0, :, 0],
        sr=sample_rate,
        n_fft=n_fft,
        hop_length=hop_length,
        center=False,
        power=1,
        n_mels=n_mels,
        fmin=f_min,
        fmax=f_max,
        htk=htk,
        norm=norm,
    ).T
    layer = composed.get_melspectrogram_layer(
        sample_rate=sample_rate,
        n_fft=n_fft,
        hop_length=hop_length,
        n_mels=n_mels,
        mel_f_min=f_min,
        mel_f_max=f_max,
        mel_htk=htk,
        mel_norm=norm,
    )
    assert_close(layer(clip).numpy()[0, :, :, 0], expected)


def test_bands_of_an_odd_transform_length_match_its_bins():
    clip = waveforms()
    filterbank = librosa.filters.mel(sr=16000, n_fft=401, n_mels=40, dtype=np.float64).T
    expected = np.abs(references.stft(clip[0, :, 0], 401, 401, 160)) @ filterbank
    layer = composed.get_melspectrogram_layer(n_fft=401, hop_length=160, sample_rate=16000, n_mels=40)
    assert_close(layer(clip).numpy()[0, :, :, 0], expected)


@pytest.mark.parametrize("channels", [1, 2])
def test_log_frequency_spectrogram_equals_numpy(channels):
    clip = waveforms(channels=channels)
    filterbank = references.log_filterbank(16000, 1001, 40, 8, 220.0, 0.3)
    layer = composed.get_log_frequency_spectrogram_layer(
        n_fft=1001,
        win_length=800,
        hop_length=250,
        pad_begin=True,
        pad_end=True,
        sample_rate=16000,
        log_n_bins=40,
        log_f_min=220.0,
        log_bins_per_octave=8,
        log_spread=0.3,
    )
    actual = layer(clip).numpy()[0]
    for channel in range(channels):
        magnitude = np.abs(references.stft(clip[0, :, channel], 1001, 800, 250, pad_begin=True, pad_end=True))
        assert_close(actual[:, :, channel], magnitude @ filterbank)


def test_default_log_frequencies_are_seven_octaves_from_c1():
    clip = waveforms()
    filterbank = references.log_filterbank(22050, 2048, 84, 12, 32.70319566, 0.125)
    expected = np.abs(references.stft(clip[0, :, 0], 2048, 2048, 512)) @ filterbank
    assert_close(composed.get_log_frequency_spectrogram_layer()(clip).numpy()[0, :, :, 0], expected)


def test_decibel_arguments_are_passed_to_the_decibel_layer():
    clip = waveforms()
    decibel = {"ref_value": 3.0, "amin": 1e-3, "dynamic_range": 35.0}
    expected = references.decibels(np.abs(references.stft(clip[0, :, 0], 512, 512, 128)), **decibel)
    arguments = {f"db_{name}": value for name, value in decibel.items()}
    layer = composed.get_stft_magnitude_layer(n_fft=512, return_decibel=True, **arguments)
    np.testing.assert_allclose(layer(clip).numpy()[0, :, :, 0], expected, rtol=0, atol=1e-3)


@every_function
def test_a_loud_neighbour_does_not_change_a_quiet_clip(function):
    quiet, loud = 1e-3 * waveforms(seed=1), 100 * waveforms(seed=2)
    layer = function(return_decibel=True)
    assert np.array_equal(layer(np.concatenate([loud, quiet]))[1], layer(quiet)[0])


@every_function
def test_a_clip_of_nan_does_not_change_its_neighbour(function):
    clip, broken = waveforms(), np.full((1, 8000, 1), np.nan, np.float32)
    layer = function(return_decibel=True)
    together = layer(np.concatenate([broken, clip])).numpy()
    assert np.isnan(together[0]).all()
    assert np.array_equal(together[1], layer(clip)[0])


# None of 1025, 84, 33 and 61 is a multiple of 16: TensorFlow's own operations round the tail of a buffer differently.
BIT_LAYERS = {
    "1025 bins": functools.cache(lambda: composed.get_stft_magnitude_layer(return_decibel=True)),
    "84 bins": functools.cache(lambda: composed.get_log_frequency_spectrogram_layer(return_decibel=True)),
    "33 bins": functools.cache(
        lambda: composed.get_melspectrogram_layer(n_fft=511, win_length=400, n_mels=33, return_decibel=True)
    ),
    "61 bins, channels first": functools.cache(
        lambda: composed.get_melspectrogram_layer(
            n_fft=512, n_mels=61, return_decibel=True, output_data_format="channels_first"
        )
    ),
}


@pytest.mark.cases(2)
@pytest.mark.parametrize("name", BIT_LAYERS)
@given(
    before=st.integers(0, 3),
    after=st.integers(0, 3),
    time=st.integers(2048, 6000),
    channels=st.integers(1, 2),
    seed=st.integers(0, 1000),
)
@settings(max_examples=12, deadline=None)
def test_the_bits_of_a_clip_do_not_depend_on_its_batch_or_its_position(name, before, after, time, channels, seed):
    layer = BIT_LAYERS[name]()
    batch = waveforms(before + 1 + after, time, channels, seed)
    alone = layer(batch[before : before + 1]).numpy()[0]
    assert np.array_equal(layer(batch).numpy()[before], alone)


def sine(frequency, samples=16000, sample_rate=16000):
    return np.sin(2 * np.pi * frequency * np.arange(samples) / sample_rate)


@pytest.mark.parametrize(
    ("clip", "bin", "magnitude"),
    [(np.zeros(16000), None, 0), (np.full(16000, 0.5), 0, 128), (sine(1000), 32, 128)],
    ids=["silence", "DC", "full scale"],
)
def test_silence_dc_and_full_scale_give_the_documented_magnitudes(clip, bin, magnitude):
    # A Hann window of 512 samples sums to 256. A sine has half of its amplitude at each of two frequencies.
    waveform = clip[None, :, None].astype(np.float32)
    linear = composed.get_stft_magnitude_layer(n_fft=512)(waveform).numpy()[0, ..., 0]
    decibel = composed.get_stft_magnitude_layer(n_fft=512, return_decibel=True)(waveform).numpy()[0, ..., 0]
    np.testing.assert_allclose(linear.max(axis=1), magnitude, rtol=1e-5)
    np.testing.assert_allclose(decibel.max(axis=1), 10 * np.log10(max(magnitude, 1e-5)), rtol=1e-5)
    if bin is None:
        assert not linear.any()
        assert (decibel == decibel[0, 0]).all()
    else:
        assert (linear.argmax(axis=1) == bin).all()


def test_a_nan_sample_spoils_its_frames_and_in_decibels_its_whole_clip():
    waveform = np.stack([sine(1000), sine(500)])[..., None].astype(np.float32)
    expected = composed.get_stft_magnitude_layer(n_fft=512)(waveform).numpy()
    waveform[0, 8000] = np.nan
    linear = composed.get_stft_magnitude_layer(n_fft=512)(waveform).numpy()
    of_nan = np.isnan(linear[0]).all(axis=(1, 2))
    # A frame of 512 samples starts at every multiple of 128.
    assert np.flatnonzero(of_nan).tolist() == [59, 60, 61, 62]
    np.testing.assert_array_equal(linear[0][~of_nan], expected[0][~of_nan])
    np.testing.assert_array_equal(linear[1], expected[1])
    decibel = composed.get_stft_magnitude_layer(n_fft=512, return_decibel=True)(waveform).numpy()
    assert np.isnan(decibel[0]).all()
    assert np.isfinite(decibel[1]).all()


@every_function
def test_an_input_shape_builds_the_layer_without_a_warning(function):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        layer = function(input_shape=(None, 2))
    assert layer.built
    assert layer.input_shape == (None, None, 2)
    expected = function()(waveforms(channels=2))
    assert layer.output_shape == (None, None, *expected.shape[2:])
    np.testing.assert_array_equal(layer(waveforms(channels=2)), expected)


def test_an_input_shape_with_a_known_length_gives_a_known_number_of_frames():
    layer = composed.get_melspectrogram_layer((1, 16000), n_fft=512, hop_length=160, input_data_format="channels_first")
    assert layer.output_shape == (None, 97, 128, 1)


@every_function
def test_the_default_data_format_follows_keras(function, keras_settings):
    clip = waveforms(channels=2)
    expected = function(input_data_format="channels_last", output_data_format="channels_last")(clip).numpy()
    keras_settings.set_image_data_format("channels_first")
    actual = function()(np.swapaxes(clip, 1, 2)).numpy()
    np.testing.assert_array_equal(np.moveaxis(actual, 1, 3), expected)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_parts_are_named_after_the_composed_layer(name):
    keras.utils.clear_session()  # resets the counters of unique names
    layer, second = FUNCTIONS[name][0](return_decibel=True), FUNCTIONS[name][0](return_decibel=True)
    renamed = FUNCTIONS[name][0](return_decibel=True, name="front_end")
    assert (layer.name, second.name, renamed.name) == (name, f"{name}_1", "front_end")
    for named in (layer, second, renamed):
        assert [part.name for part in named.layers] == [part.name.replace(name, named.name, 1) for part in layer.layers]


def test_two_composed_layers_of_one_kind_work_in_one_functional_model():
    short = configs.MelSpectrogram(sample_rate=16000, n_fft=400, hop_length=160, n_mels=40)
    long = configs.MelSpectrogram(sample_rate=16000, n_fft=1600, hop_length=160, n_mels=80)
    sound = keras.Input((16000, 1))
    model = keras.Model(sound, [short.layer()(sound), long.layer()(sound), long.layer(name="long")(sound)])
    assert model.output_shape == [(None, 98, 40, 1), (None, 91, 80, 1), (None, 91, 80, 1)]
    assert model.get_layer("long").config_json == long.to_json()
    clips = waveforms(time=16000)
    for output, config in zip(model(clips), (short, long, long), strict=True):
        np.testing.assert_array_equal(output, config.layer()(clips))


def test_the_documented_log_frequency_example_of_kapre_warns_of_an_empty_filter():
    # https://github.com/keunwoochoi/kapre: 84 bins of a transform of 1024 samples at 22.05 kHz
    with pytest.warns(UserWarning, match=r"1 of 84 log-frequency filters .* zero: 0 \(32\.7 Hz\)"):
        layer = composed.get_log_frequency_spectrogram_layer(
            input_shape=(2048, 2),
            n_fft=1024,
            return_decibel=True,
            log_n_bins=84,
            input_data_format="channels_last",
            output_data_format="channels_last",
        )
    assert layer(waveforms(time=2048, channels=2)).shape == (1, 5, 84, 2)


def test_empty_mel_filters_give_a_warning():
    with pytest.warns(UserWarning, match="of 128 mel filters reach no frequency bin"):
        composed.get_melspectrogram_layer(n_fft=256)


@every_function
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n_fft": 0}, "n_fft must be at least 1. Received: n_fft=0"),
        ({"n_fft": True}, "n_fft=True"),
        ({"n_fft": float("nan")}, "n_fft=nan"),
        ({"hop_length": -160}, "hop_length=-160"),
        ({"win_length": 4096}, "win_length=4096, n_fft=2048"),
        ({"window_name": "hann"}, "window_name='hann'"),
        ({"pad_end": 1}, "pad_end=1"),
        ({"input_data_format": "last"}, "input_data_format='last'"),
        ({"output_data_format": "NHWC"}, "output_data_format='NHWC'"),
        ({"return_decibel": True, "db_amin": 0}, "amin=0"),
        ({"return_decibel": True, "db_ref_value": float("nan")}, "ref_value=nan"),
        ({"return_decibel": True, "db_dynamic_range": True}, "dynamic_range=True"),
    ],
)
def test_invalid_arguments_are_refused(function, arguments, message):
    with pytest.raises(ArgumentError, match=message):
        function(**arguments)


@pytest.mark.parametrize(
    ("function", "arguments", "message"),
    [
        (composed.get_melspectrogram_layer, {"n_mels": True}, "n_mels=True"),
        (composed.get_melspectrogram_layer, {"mel_f_max": 12000.0}, "11025 Hz.*f_max=12000"),
        (composed.get_melspectrogram_layer, {"mel_norm": float("nan")}, "norm=nan"),
        (composed.get_melspectrogram_layer, {"sample_rate": -1}, "sample_rate=-1"),
        (composed.get_log_frequency_spectrogram_layer, {"log_n_bins": 120}, "11025 Hz.*n_bins=120"),
        (composed.get_log_frequency_spectrogram_layer, {"log_spread": float("nan")}, "spread=nan"),
    ],
)
def test_invalid_filterbanks_are_refused(function, arguments, message):
    with pytest.raises(ArgumentError, match=message):
        function(**arguments)


@every_function
def test_composed_layers_have_no_weights(function):
    layer = function(input_shape=(None, 1), return_decibel=True)
    assert layer.weights == []
