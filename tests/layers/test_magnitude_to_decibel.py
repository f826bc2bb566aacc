"""Tests of `MagnitudeToDecibel` against the formula, clip by clip."""

import numpy as np
import pytest
import references

from audiopipe.errors import ArgumentError
from audiopipe.layers import MagnitudeToDecibel


def magnitudes(batch=3, seed=0):
    """Returns spectrograms that span 120 dB, so that both `amin` and `dynamic_range` have an effect."""
    exponents = np.random.default_rng(seed).uniform(-8, 4, (batch, 7, 33, 2))
    return (10.0**exponents).astype(np.float32)


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"dynamic_range": 30.0},
        {"ref_value": 20.0},
        {"amin": 1e-3, "dynamic_range": 200.0},
        {"ref_value": 1e-4, "amin": 1e-2},
    ],
    ids=["default", "dynamic_range", "ref_value", "amin", "ref_value below amin"],
)
def test_decibels_equal_the_formula_for_each_clip(arguments):
    values = magnitudes()
    expected = np.array([references.decibels(clip, **arguments) for clip in values])
    actual = MagnitudeToDecibel(**arguments)(values).numpy()
    assert actual.dtype == np.float32
    np.testing.assert_allclose(actual, expected, rtol=0, atol=2e-5)


def test_the_factor_is_ten():
    decibels = MagnitudeToDecibel()(np.float32([[1000.0, 10.0, 1.0, 0.1]]))
    np.testing.assert_allclose(decibels, [[30, 10, 0, -10]], atol=1e-5)


def test_defaults_are_one_1e_minus_5_and_eighty():
    silent = MagnitudeToDecibel()(np.float32([[1e5, 1.0, 0.0]])).numpy()
    np.testing.assert_allclose(silent, [[50, 0, -30]], atol=1e-5)
    np.testing.assert_allclose(MagnitudeToDecibel()(np.float32([[1.0, 0.0]])), [[0, -50]], atol=1e-5)


def test_a_loud_clip_does_not_change_a_quiet_clip_of_the_batch():
    quiet = 1e-4 * magnitudes(1)
    pair = np.concatenate([quiet, 1e6 * quiet])
    layer = MagnitudeToDecibel(amin=1e-20, dynamic_range=40.0)
    np.testing.assert_allclose(layer(pair)[0], references.decibels(quiet[0], 1.0, 1e-20, 40.0), rtol=0, atol=3e-5)
    assert np.array_equal(layer(pair)[0], layer(quiet)[0])


def test_a_clip_with_nan_does_not_change_other_clips_of_the_batch():
    batch = magnitudes(2)
    batch[0, 0, 0, 0] = np.nan
    decibels = MagnitudeToDecibel()(batch).numpy()
    assert np.isnan(decibels[0]).any()
    np.testing.assert_allclose(decibels[1], references.decibels(batch[1]), rtol=0, atol=2e-5)


def test_the_maximum_is_taken_over_all_frames_bins_and_channels():
    clip = np.full((1, 4, 5, 2), 1e-4, np.float32)
    clip[0, 3, 4, 1] = 1.0
    decibels = MagnitudeToDecibel(dynamic_range=20.0)(clip).numpy()
    assert decibels[0, 3, 4, 1] == 0
    assert (np.sort(decibels.ravel())[:-1] == -20).all()


def test_a_tensor_of_rank_one_is_one_clip():
    decibels = MagnitudeToDecibel(dynamic_range=20.0)(np.float32([1.0, 1e-4]))
    np.testing.assert_allclose(decibels, [0, -20], atol=1e-6)


def test_a_clip_without_frames_stays_without_frames():
    assert MagnitudeToDecibel()(np.zeros((2, 0, 33, 1), np.float32)).shape == (2, 0, 33, 1)


def test_a_float64_policy_computes_decibels_in_float64():
    values = magnitudes().astype(np.float64)
    expected = np.array([references.decibels(clip) for clip in values])
    actual = MagnitudeToDecibel(dtype="float64")(values).numpy()
    assert actual.dtype == np.float64
    np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", ["ref_value", "amin", "dynamic_range"])
@pytest.mark.parametrize("value", [0, -1.0, float("nan"), float("inf"), True, "1", None])
def test_invalid_arguments_are_refused(name, value):
    with pytest.raises(ArgumentError, match=f"{name} must be .*Received: {name}={value!r}"):
        MagnitudeToDecibel(**{name: value})
