"""Synthesis windows, and the check that a window and a hop allow reconstruction."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audiopipe.errors import ArgumentError
from audiopipe.signal import reconstruction, windows


@given(st.sampled_from(windows.WINDOW_NAMES), st.integers(1, 60), st.integers(1, 140))
@settings(max_examples=100, deadline=None)
def test_windows_times_synthesis_windows_sum_to_one_at_every_covered_sample(name, half, hop_length):
    window = windows.window(name, 2 * half)
    product = window * reconstruction.synthesis_window(window, hop_length)
    sums = np.array([product[r::hop_length].sum() for r in range(hop_length)])
    reached = np.array([window[r::hop_length].any() for r in range(hop_length)])
    np.testing.assert_allclose(sums, reached.astype(float), rtol=1e-12)


@pytest.mark.parametrize(
    ("window", "hop_length", "growth"),
    [
        ([1.0, 1.0, 1.0, 1.0], 2, 1.0),
        ([3.0, 4.0, 0.0, 0.0], 2, 4 / 3),
        ([1.0, 2.0, 1.0], 2, math.sqrt(2)),
        ([1.0, 1.0], 3, math.inf),
        ([0.0, 1.0], 2, math.inf),
    ],
)
def test_error_growth_is_the_root_of_the_ratio_of_overlaps(window, hop_length, growth):
    assert reconstruction.error_growth(np.array(window), hop_length) == pytest.approx(growth, rel=1e-12)


def test_an_impossible_reconstruction_is_refused_and_the_error_names_a_hop_that_works():
    window = windows.window("hann_window", 512)
    message = r"hann_window with win_length=512, hop_length=512, which amplify them by inf\. .*example 128"
    with pytest.raises(ArgumentError, match=message):
        reconstruction.check_reconstruction("hann_window", window, 512)
    reconstruction.check_reconstruction("hann_window", window, 128)
