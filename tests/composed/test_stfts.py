"""Composed layers that keep the phase: perfect reconstruction, and parts as channels."""

import functools
import inspect

import keras
import numpy as np
import pytest
import references
from hypothesis import given, settings
from hypothesis import strategies as st

from audiopipe import composed
from audiopipe.composed import get_perfectly_reconstructing_stft_istft, get_stft_layer, get_stft_mag_phase
from audiopipe.errors import ArgumentError
from audiopipe.layers import ComposedLayer
from audiopipe.signal import reconstruction, windows

FORMATS = ("channels_last", "channels_first")


def waveforms(batch=2, time=1000, channels=1, seed=0):
    return np.random.default_rng(seed).uniform(-1, 1, (batch, time, channels)).astype(np.float32)


def reconstructed(pair, clips, trim_begin, data_format="channels_last"):
    stft, istft = pair
    again = istft(stft(clips)).numpy()
    axis = 1 if data_format == "channels_last" else 2
    return np.take(again, range(trim_begin, trim_begin + clips.shape[axis]), axis=axis)


def suits(name, length):
    """Returns whether a window can have a length."""
    try:
        windows.check_window(name, length)
    except ArgumentError:
        return False
    return True


@st.composite
def reconstructions(draw):
    """Draws arguments for which reconstruction is possible, and clips."""
    n_fft = draw(st.integers(2, 300))
    win_length = draw(st.integers(1, n_fft))
    name = draw(st.sampled_from([name for name in windows.WINDOW_NAMES if suits(name, win_length)]))
    window = windows.window(name, win_length)
    hops = [hop for hop in range(1, win_length + 1) if reconstruction.error_growth(window, hop) <= 30]
    waveform_format, stft_format = draw(st.sampled_from(FORMATS)), draw(st.sampled_from(FORMATS))
    arguments = {
        "n_fft": n_fft,
        "win_length": win_length,
        "hop_length": draw(st.sampled_from(hops) | st.just(hops[-1])),
        "forward_window_name": name,
        "waveform_data_format": waveform_format,
        "stft_data_format": stft_format,
    }
    clips = waveforms(2, draw(st.integers(1, 700)), draw(st.integers(1, 3)), draw(st.integers(0, 9)))
    return arguments, clips if waveform_format == "channels_last" else np.swapaxes(clips, 1, 2)


@given(reconstructions())
@settings(max_examples=60, deadline=None)
def test_every_window_and_hop_that_passes_the_check_reconstructs_the_waveform(drawn):
    arguments, clips = drawn
    trim_begin = arguments["win_length"] - arguments["hop_length"]
    pair = get_perfectly_reconstructing_stft_istft(**arguments)
    again = reconstructed(pair, clips, trim_begin, arguments["waveform_data_format"])
    np.testing.assert_allclose(again, clips, rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("n_fft", "win_length", "hop_length", "name"),
    [
        (2048, None, None, None),
        (512, 400, 160, "hamming_window"),
        (511, 301, 77, "hann_window"),
        (512, 512, 512, "hamming_window"),
        (512, 500, 250, "kaiser_bessel_derived_window"),
    ],
)
@pytest.mark.parametrize("time", [1, 100, 5000])
def test_clips_shorter_and_longer_than_a_window_are_reconstructed(n_fft, win_length, hop_length, name, time):
    pair = get_perfectly_reconstructing_stft_istft(
        n_fft=n_fft, win_length=win_length, hop_length=hop_length, forward_window_name=name
    )
    win_length = win_length or n_fft
    clips = waveforms(time=time, channels=2)
    again = reconstructed(pair, clips, win_length - (hop_length or win_length // 4))
    np.testing.assert_allclose(again, clips, rtol=0, atol=1e-5)


def test_the_forward_transform_puts_zeros_before_the_clip():
    clip = waveforms(1, 900)
    stft, _ = get_perfectly_reconstructing_stft_istft(n_fft=256, win_length=200, hop_length=60)
    padded = np.concatenate([np.zeros(140, np.float32), clip[0, :, 0]])
    expected = references.stft(padded, 256, 200, 60, pad_end=True)
    actual = stft(clip).numpy()[0, :, :, 0]
    np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-5 * np.abs(expected).max())


def test_a_hop_that_kapre_silently_reconstructs_wrongly_is_refused():
    with pytest.raises(ArgumentError, match=r"hop_length=512, which amplify them by inf. Use a smaller hop_length"):
        get_perfectly_reconstructing_stft_istft(n_fft=512, hop_length=512)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"n_fft": 512, "hop_length": 500},
            r"hann_window with win_length=512, hop_length=500, which amplify them by \d+",
        ),
        ({"n_fft": 512, "win_length": 128, "hop_length": 129}, "hop_length=129, which amplify them by inf"),
        (
            {"n_fft": 512, "hop_length": 512, "forward_window_name": "kaiser_window"},
            "kaiser_window.*amplify them by 1.*4",
        ),
        ({"n_fft": 512, "win_length": 600}, "win_length=600, n_fft=512"),
        ({"forward_window_name": "hann"}, "'hann'"),
        ({"waveform_data_format": "NWC"}, "'NWC'"),
        ({"stft_data_format": "NWC"}, "'NWC'"),
    ],
)
def test_invalid_arguments_of_pairs_are_refused(arguments, message):
    with pytest.raises(ArgumentError, match=message):
        get_perfectly_reconstructing_stft_istft(**arguments)


def test_pairs_have_the_documented_arguments_and_unique_names():
    parameters = inspect.signature(get_perfectly_reconstructing_stft_istft).parameters
    assert {name: parameter.default for name, parameter in parameters.items()} == {
        "stft_input_shape": None,
        "istft_input_shape": None,
        "n_fft": 2048,
        "win_length": None,
        "hop_length": None,
        "forward_window_name": None,
        "waveform_data_format": "default",
        "stft_data_format": "default",
        "stft_name": None,
        "istft_name": None,
    }
    keras.utils.clear_session()  # resets the counters of unique names
    names = [layer.name for _ in range(2) for layer in get_perfectly_reconstructing_stft_istft()]
    assert names == ["stft", "istft", "stft_1", "istft_1"]


def test_pairs_with_input_shapes_are_built_at_once_and_can_be_saved_in_one_model(tmp_path):
    stft, istft = get_perfectly_reconstructing_stft_istft((1000, 2), (11, 129, 2), n_fft=256, hop_length=128)
    assert (stft.output_shape, istft.output_shape) == ((None, 9, 129, 2), (None, 1536, 2))
    _, istft = get_perfectly_reconstructing_stft_istft(n_fft=256, hop_length=128)
    inputs = keras.Input((1000, 2))
    model = keras.Model(inputs, istft(stft(inputs)))
    assert model.output_shape == (None, 1280, 2)
    model.save(tmp_path / "pair.keras")
    clips = waveforms(channels=2)
    again = keras.saving.load_model(tmp_path / "pair.keras")(clips)
    np.testing.assert_array_equal(again, istft(stft(clips)))
    np.testing.assert_allclose(again[:, 128:1128], clips, rtol=0, atol=1e-5)


@pytest.mark.parametrize("data_format", FORMATS)
def test_the_inverse_accepts_every_batch_size_length_and_number_of_channels(data_format):
    arguments = {"n_fft": 128, "waveform_data_format": data_format, "stft_data_format": data_format}
    pair = get_perfectly_reconstructing_stft_istft(**arguments)
    for clips in (waveforms(1, 300, 1), waveforms(3, 1000, 1), waveforms(2, 600, 2)):
        clips = clips if data_format == "channels_last" else np.swapaxes(clips, 1, 2)
        np.testing.assert_allclose(reconstructed(pair, clips, 96, data_format), clips, rtol=0, atol=1e-5)


def test_the_inverse_refuses_real_values_before_and_after_a_valid_call():
    _, istft = get_perfectly_reconstructing_stft_istft(n_fft=128)
    spectrogram = np.ones((1, 3, 65, 1), np.complex64)
    for _ in range(2):
        with pytest.raises(ArgumentError, match=r"must be complex.*float32"):
            istft(spectrogram.real)
        istft(spectrogram)


@pytest.mark.parametrize("name", ["mixed_float16", "mixed_bfloat16", "float64"])
def test_pairs_reconstruct_to_the_precision_of_every_policy(keras_settings, name):
    keras_settings.set_dtype_policy(name)
    pair = get_perfectly_reconstructing_stft_istft(n_fft=128)
    clips = waveforms().astype(np.float64 if name == "float64" else np.float32)
    again = reconstructed(pair, clips, 96)
    dtype = keras_settings.dtype_policy().compute_dtype
    assert keras.backend.standardize_dtype(again.dtype) == dtype
    tolerance = {"float64": 1e-13, "float16": 2**-11, "bfloat16": 2**-8}[dtype]  # half a unit in the last place of 1
    np.testing.assert_allclose(again.astype(np.float64), clips, rtol=0, atol=tolerance)


def parts(clips, **arguments):
    """Returns complex spectrograms `[batch, frames, bins, channels]` in float64."""
    channels = range(clips.shape[-1])
    spectrograms = [[references.stft(clip[:, c], **arguments) for c in channels] for clip in clips]
    return np.moveaxis(np.array(spectrograms), 1, -1)


SIZES = {"n_fft": 255, "win_length": 200, "hop_length": 64, "pad_begin": True, "pad_end": True}


def test_the_stft_layer_has_real_parts_then_imaginary_parts():
    clips = waveforms(2, 900, 2)
    expected = parts(clips, **SIZES)
    expected = np.concatenate([expected.real, expected.imag], axis=-1)
    actual = get_stft_layer(**SIZES)(clips)
    np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-5 * np.abs(expected).max())


def on_a_circle(phases):
    """Returns phases as points on a circle, where -pi and pi are the same point."""
    return np.stack([np.cos(phases), np.sin(phases)])


@pytest.mark.parametrize("return_decibel", [False, True])
def test_magnitudes_come_before_phases(return_decibel):
    clips = waveforms(2, 900, 2)
    spectrograms = parts(clips, **SIZES)
    magnitudes = np.abs(spectrograms)
    if return_decibel:
        magnitudes = np.array([references.decibels(clip, 2.0, 1e-3, 30.0) for clip in magnitudes])
    decibel = {"return_decibel": return_decibel, "db_amin": 1e-3, "db_ref_value": 2.0, "db_dynamic_range": 30.0}
    actual = get_stft_mag_phase(None, **SIZES, **decibel)(clips).numpy()
    np.testing.assert_allclose(actual[..., :2], magnitudes, rtol=0, atol=1e-5 * np.abs(magnitudes).max())
    loud = np.abs(spectrograms) > 0.1  # the angle of a small value has a large error
    np.testing.assert_allclose(
        on_a_circle(actual[..., 2:][loud]), on_a_circle(np.angle(spectrograms)[loud]), rtol=0, atol=1e-4
    )


@pytest.mark.parametrize("function", [get_stft_layer, functools.partial(get_stft_mag_phase, None)])
@pytest.mark.parametrize("by", ["argument", "default"])
def test_parts_are_concatenated_along_the_channels_with_channels_first(function, by, keras_settings):
    clips = waveforms(2, 900, 3)
    expected = function(n_fft=256, input_data_format="channels_last", output_data_format="channels_last")(clips)
    formats = {"input_data_format": "channels_first", "output_data_format": "channels_first"}
    if by == "default":
        keras_settings.set_image_data_format("channels_first")
        formats = {}
    actual = function(n_fft=256, **formats)(np.swapaxes(clips, 1, 2))
    assert actual.shape == (2, 6, 11, 129)
    np.testing.assert_array_equal(actual, np.moveaxis(expected, -1, 1))


def test_the_stft_layer_has_the_arguments_of_the_magnitude_layer_without_decibels():
    of_magnitude = inspect.signature(composed.get_stft_magnitude_layer).parameters
    decibel = {"return_decibel", "db_amin", "db_ref_value", "db_dynamic_range"}
    expected = {name: parameter.default for name, parameter in of_magnitude.items() if name not in decibel}
    actual = {name: parameter.default for name, parameter in inspect.signature(get_stft_layer).parameters.items()}
    assert actual == expected
    of_both = {name: parameter.default for name, parameter in inspect.signature(get_stft_mag_phase).parameters.items()}
    names = {name: parameter.default for name, parameter in of_magnitude.items()}
    assert of_both == {**names, "input_shape": inspect.Parameter.empty}


@pytest.mark.parametrize("function", [get_stft_layer, get_stft_mag_phase])
def test_a_layer_with_an_input_shape_is_built_at_once(function):
    layer = function((16000, 2), n_fft=512, hop_length=256)
    assert isinstance(layer, ComposedLayer)
    assert layer.output_shape == (None, 61, 257, 4)
    assert [inner.name.startswith(layer.name) for inner in layer.layers] == [True, True]
