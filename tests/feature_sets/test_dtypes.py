"""Rounding of features to their storage dtype."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from audiopipe.errors import ArgumentError, AudioError
from audiopipe.feature_sets.dtypes import DTYPES, as_loaded, check, store

MANTISSA_BITS = {"float16": 10, "bfloat16": 7}
MIN_EXPONENT = {"float16": -14, "bfloat16": -126}


def rounded(value, dtype):
    """Rounds a value to the nearest value of a binary format, ties to even, in exact arithmetic."""
    exact = Fraction(float(value))
    if exact == 0:
        return exact
    exponent = MIN_EXPONENT[dtype]
    while abs(exact) >= Fraction(2) ** (exponent + 1):
        exponent += 1
    step = Fraction(2) ** (exponent - MANTISSA_BITS[dtype])
    return round(exact / step) * step


@pytest.mark.parametrize("dtype", MANTISSA_BITS)
@given(values=arrays.arrays(np.float32, 12, elements=st.floats(-60000, 60000, width=32)))
def test_values_round_to_the_nearest_and_the_error_is_the_largest_difference(dtype, values):
    stored, error = store(values, dtype)
    expected = [rounded(value, dtype) for value in values]
    assert [Fraction(float(value)) for value in stored] == expected
    differences = [abs(Fraction(float(value)) - near) for value, near in zip(values, expected, strict=True)]
    assert Fraction(error) == max(differences)
    np.testing.assert_array_equal(as_loaded(values, dtype), [float(value) for value in expected])


def test_float32_is_stored_unchanged():
    feature = np.array([[1 / 3, np.nan, -np.inf, 1e-45]], np.float32)
    stored, error = store(feature, "float32")
    assert stored.tobytes() == feature.tobytes()
    assert error == 0.0
    assert as_loaded(feature, "float32").tobytes() == feature.tobytes()


@pytest.mark.parametrize("dtype", MANTISSA_BITS)
def test_nan_and_infinity_are_stored_unchanged_and_do_not_count_as_error(dtype):
    feature = np.array([np.nan, np.inf, -np.inf, 0.1, -0.0], np.float32)
    stored, error = store(feature, dtype)
    np.testing.assert_array_equal(stored.astype(np.float32)[[0, 1, 2, 4]], feature[[0, 1, 2, 4]])
    assert error == pytest.approx(abs(float(rounded(np.float32(0.1), dtype)) - float(np.float32(0.1))))


@pytest.mark.parametrize("place", [0, (1 << 20) - 1, 1 << 20, (1 << 21) + 4])
def test_an_error_is_found_at_every_position(place):
    feature = np.zeros((1 << 21) + 5, np.float32)
    feature[place] = 1 + 2**-9
    assert store(feature, "bfloat16")[1] == 2**-9


def test_a_transposed_feature_is_stored_in_c_order():
    feature = np.arange(6, dtype=np.float32).reshape(3, 2).T
    assert np.frombuffer(store(feature, "float16")[0].tobytes(), "<f2").tolist() == [0, 2, 4, 1, 3, 5]


def test_a_feature_without_frames_has_no_error():
    stored, error = store(np.zeros((0, 3, 1), np.float32), "float16")
    assert (stored.shape, error) == ((0, 3, 1), 0.0)


@pytest.mark.parametrize(
    ("dtype", "largest", "too_large", "advice"),
    [("float16", 65519.0, 65520.0, "bfloat16.*decibels"), ("bfloat16", 3.38e38, 3.4e38, "Store float32")],
)
def test_a_value_out_of_range_is_refused_with_advice(dtype, largest, too_large, advice):
    assert np.isfinite(store(np.array([-largest, np.inf], np.float32), dtype)[0].astype(np.float32)[0])
    with pytest.raises(
        AudioError, match=rf"{dtype} holds values up to .*Received: a feature with values up to .*{advice}"
    ) as caught:
        store(np.array([1, -too_large, np.inf], np.float32), dtype)
    assert caught.value.stage == "feature"
    assert as_loaded(np.array([-too_large], np.float32), dtype) == -np.inf


def test_an_unknown_dtype_is_refused():
    for dtype in DTYPES:
        check(dtype)
    with pytest.raises(ArgumentError, match=r"one of float32, float16, bfloat16\. Received: dtype='float64'"):
        check("float64")
