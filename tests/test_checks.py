"""Tests of the checks of single arguments."""

import math
from fractions import Fraction

import numpy as np
import pytest

from audiopipe import checks
from audiopipe.errors import ArgumentError


@pytest.mark.parametrize("value", [512, np.int64(512), np.uint16(512)])
def test_integers_become_plain_ints(value):
    assert type(checks.integer("n_fft", value, minimum=1)) is int
    assert checks.integer("n_fft", value, minimum=1) == 512


@pytest.mark.parametrize("value", [True, np.True_, 512.0, "512", None])
def test_anything_but_an_integer_is_refused(value):
    with pytest.raises(ArgumentError, match=r"n_fft must be an integer\. Received: n_fft=") as caught:
        checks.integer("n_fft", value)
    assert repr(value) in str(caught.value)


def test_an_integer_below_the_minimum_is_refused():
    assert checks.integer("hop_length", 1, minimum=1) == 1
    with pytest.raises(ArgumentError, match=r"^hop_length must be at least 1\. Received: hop_length=0\.$"):
        checks.integer("hop_length", 0, minimum=1)


@pytest.mark.parametrize("value", [1, 1.0, np.float32(1), np.int8(1), Fraction(1)])
def test_real_numbers_become_plain_floats(value):
    assert type(checks.real("amin", value)) is float
    assert checks.real("amin", value) == 1.0


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, np.float32("nan")])
def test_numbers_that_are_not_finite_are_refused(value):
    with pytest.raises(ArgumentError, match=r"amin must be finite\. Received: amin="):
        checks.real("amin", value)


@pytest.mark.parametrize("value", [True, "1", None, 1j])
def test_anything_but_a_real_number_is_refused(value):
    with pytest.raises(ArgumentError, match=r"amin must be a number\. Received: amin="):
        checks.real("amin", value)


def test_bounds_of_real_numbers_include_the_minimum_and_exclude_above_and_below():
    assert checks.real("f_min", 0, minimum=0) == 0.0
    with pytest.raises(ArgumentError, match=r"f_min must be at least 0\. Received: f_min=-0.5"):
        checks.real("f_min", -0.5, minimum=0)
    with pytest.raises(ArgumentError, match=r"amin must be greater than 0\. Received: amin=0.0"):
        checks.real("amin", 0.0, above=0)
    assert checks.real("share", 0.5, below=1) == 0.5
    with pytest.raises(ArgumentError, match=r"share must be less than 1\. Received: share=1"):
        checks.real("share", 1, below=1)


@pytest.mark.parametrize("value", [1, 0, None, "True"])
def test_only_true_and_false_are_booleans(value):
    assert checks.boolean("pad_end", True) is True
    with pytest.raises(ArgumentError, match=r"pad_end must be True or False\. Received: pad_end="):
        checks.boolean("pad_end", value)


def test_a_choice_outside_the_list_is_refused_and_the_list_is_named():
    assert checks.choice("channels", 1, (None, 1)) == 1
    assert checks.choice("channels", None, (None, 1)) is None
    with pytest.raises(ArgumentError, match=r"format must be one of 'wav', 'flac'\. Received: format='mp3'"):
        checks.choice("format", "mp3", ("wav", "flac"))


def test_a_choice_that_is_equal_but_has_another_type_is_refused():
    with pytest.raises(ArgumentError, match="channels=True"):
        checks.choice("channels", True, (1, 2))


def test_an_error_message_ends_with_the_advice():
    error = checks.fail("n_fft", "even", 3, "Use 4.")
    assert isinstance(error, ValueError)
    assert str(error) == "n_fft must be even. Received: n_fft=3. Use 4."


def test_a_band_of_frequencies_is_between_zero_and_half_the_sample_rate():
    assert checks.band("low", 0, "high", np.int64(8000), 16000) == (0.0, 8000.0)
    with pytest.raises(ArgumentError, match=r"low must be at least 0. Received: low=-1"):
        checks.band("low", -1, "high", 8000, 16000)
    for low, high in ((20, 8000.5), (500, 500), (500, 20)):
        with pytest.raises(ArgumentError, match=f"high must be greater than low={low} .*8000 Hz. .*high={high}"):
            checks.band("low", low, "high", high, 16000)
