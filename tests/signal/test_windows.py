"""Windows against tf.signal, SciPy and formulas."""

import numpy as np
import pytest
import scipy.signal
import tensorflow as tf

from audiopipe.errors import ArgumentError
from audiopipe.signal import windows

ANY_LENGTH = ("hann_window", "hamming_window", "kaiser_window")
EVEN_LENGTH = ("kaiser_bessel_derived_window", "vorbis_window")


@pytest.mark.parametrize(
    ("name", "length"),
    [(name, length) for name in ANY_LENGTH for length in (1, 2, 3, 400, 401, 2048)]
    + [(name, length) for name in EVEN_LENGTH for length in (2, 16, 400, 2048)],
)
def test_windows_equal_those_of_tf_signal(name, length):
    expected = getattr(tf.signal, name)(length, dtype=tf.float64)
    actual = windows.window(name, length)
    assert actual.dtype == np.float64
    np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("length", [2, 400, 512])
@pytest.mark.parametrize("name", ["hann", "hamming"])
def test_windows_of_even_length_equal_those_of_scipy(name, length):
    expected = scipy.signal.get_window(name, length)
    np.testing.assert_allclose(windows.window(f"{name}_window", length), expected, rtol=0, atol=1e-12)


def test_the_default_window_is_hann():
    np.testing.assert_allclose(windows.window(None, 4), [0, 0.5, 1, 0.5], atol=1e-15)


@pytest.mark.parametrize("name", ["hann", "boxcar", "", 3])
def test_an_unknown_window_is_refused_and_known_ones_are_listed(name):
    with pytest.raises(ArgumentError, match=f"window_name must be one of 'hann_window', .*window_name={name!r}"):
        windows.window(name, 4)


@pytest.mark.parametrize("name", EVEN_LENGTH)
def test_kaiser_bessel_derived_and_vorbis_windows_refuse_an_odd_length(name):
    with pytest.raises(ArgumentError, match=f"{name} needs an even win_length. Received: win_length=401. Use 402"):
        windows.window(name, 401)


@pytest.mark.parametrize("periodic", [False, True], ids=["symmetric", "periodic"])
@pytest.mark.parametrize("length", [1, 2, 3, 4, 400, 401])
@pytest.mark.parametrize("name", ["hann", "hamming", "blackman"])
def test_periodic_and_symmetric_windows_of_any_length_equal_those_of_scipy(name, length, periodic):
    expected = scipy.signal.get_window(name, length, fftbins=periodic)
    found = windows.window(f"{name}_window", length, periodic)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-15)
    assert found.min() >= 0


@pytest.mark.parametrize("length", [4, 5])
@pytest.mark.parametrize("name", ["hann_window", "hamming_window", "blackman_window"])
def test_without_a_choice_even_windows_are_periodic_and_odd_ones_symmetric(name, length):
    np.testing.assert_array_equal(windows.window(name, length), windows.window(name, length, length % 2 == 0))
    assert windows.centre(name, length) == windows.centre(name, length, length % 2 == 0) == 2.0


@pytest.mark.parametrize("length", [2, 3, 400, 551])
def test_a_povey_window_is_a_symmetric_hann_window_to_the_power_of_085(length):
    expected = scipy.signal.windows.hann(length, sym=True) ** 0.85
    np.testing.assert_allclose(windows.window("povey_window", length), expected, rtol=0, atol=1e-14)


def test_a_rectangular_window_is_one_everywhere():
    np.testing.assert_array_equal(windows.window("rectangular_window", 5), np.ones(5))


@pytest.mark.parametrize("length", [2, 8, 400])
@pytest.mark.parametrize(
    ("name", "periodic"),
    [(name, False) for name in windows.WINDOW_NAMES] + [(name, True) for name in windows.PERIODIC_WINDOW_NAMES],
)
def test_a_window_is_symmetric_about_its_centre(name, length, periodic):
    values, centre = windows.window(name, length, periodic), windows.centre(name, length, periodic)
    mirrored = (2 * centre - np.arange(length)).astype(int)
    inside = mirrored < length
    assert inside.sum() >= length - 1
    np.testing.assert_allclose(values[inside], values[mirrored[inside]], rtol=0, atol=1e-14)
    assert values.max() <= 1


@pytest.mark.parametrize("name", [name for name in windows.WINDOW_NAMES if name not in windows.PERIODIC_WINDOW_NAMES])
def test_a_window_that_is_always_symmetric_cannot_be_periodic(name):
    message = f"{name} is always symmetric.*Received: periodic=True.*use one of hann_window, "
    with pytest.raises(ArgumentError, match=message):
        windows.window(name, 400, periodic=True)
    np.testing.assert_array_equal(windows.window(name, 400, periodic=False), windows.window(name, 400))


def test_a_povey_window_of_one_sample_is_refused():
    with pytest.raises(ArgumentError, match=r"povey_window needs a win_length of at least 2. Received: win_length=1"):
        windows.window("povey_window", 1)
    with pytest.raises(ArgumentError, match=r"periodic must be True or False. Received: periodic=1"):
        windows.window("hann_window", 4, periodic=1)


@pytest.mark.parametrize("values", [[1, 2.5], (1.0, 2.5), np.float32([1, 2.5]), tf.constant([1.0, 2.5])])
def test_the_values_of_a_custom_window_become_python_floats(values):
    window = windows.custom_window("window", values, 2)
    assert window == (1.0, 2.5)
    assert {type(value) for value in window} == {float}


@pytest.mark.parametrize("values", [[], [1.0], [[1.0, 2.0]], "hann", [1.0, "a"], [1.0, float("inf")], 3.0])
def test_invalid_values_of_a_custom_window_are_refused(values):
    with pytest.raises(ArgumentError, match=r"window must be .*Received: window"):
        windows.custom_window("window", values, 2)
