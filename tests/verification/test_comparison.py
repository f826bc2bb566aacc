"""Comparison of computed and stored features."""

import warnings

import numpy as np
import pytest

from audiopipe.verification import comparison
from audiopipe.verification.comparison import Comparison


@pytest.fixture(autouse=True)
def no_warnings_and_small_blocks(monkeypatch):
    monkeypatch.setattr(comparison, "VALUES_AT_ONCE", 3)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def compared(*pairs):
    found = Comparison(door="x")
    for number, (stored, computed) in enumerate(pairs):
        found.add(f"clip {number}", np.array(stored, np.float32), np.array(computed, np.float32))
    return found


def test_equal_bits_do_not_differ():
    same = [0.0, -0.0, np.nan, np.inf, -np.inf, 1e-40, 3.0]
    found = compared((same, same), ([], []))
    assert (found.clips, found.values, found.differing) == (2, 7, 0)
    assert (found.max_difference, found.mean_difference, found.worst_clip) == (0.0, 0.0, None)


def test_differences_are_computed_in_float64():
    noise = np.random.default_rng(0)
    pairs = [(noise.standard_normal((5, 4, 1)), noise.standard_normal((5, 4, 1))) for _ in range(3)]
    differences = [np.abs(one.astype(np.float32).astype(np.float64) - other.astype(np.float32)) for one, other in pairs]
    found = compared(*pairs)
    assert found.differing == found.values == 60
    assert found.max_difference == max(difference.max() for difference in differences)
    assert found.mean_difference == pytest.approx(np.mean(differences))
    assert found.worst_clip == f"clip {np.argmax([difference.max() for difference in differences])}"


def test_if_only_signs_of_zero_differ_the_first_such_clip_is_the_worst():
    found = compared(([1, 2, 3, 4], [1, 2, 3, 4]), ([1, 0, 3], [1, -0.0, 3]), ([0, 0, 0], [0, 0, -0.0]))
    assert (found.differing, found.max_difference, found.worst_clip) == (2, 0.0, "clip 1")
    found.add("later", np.float32([1]), np.float32([1.5]))
    assert (found.max_difference, found.worst_clip) == (0.5, "later")


@pytest.mark.parametrize("other", [np.nan, -np.inf, 0.0, 3.4e38])
def test_a_difference_from_infinity_is_infinite(other):
    found = compared(([0, 1, np.inf, 3], [0, 1, other, 3]))
    assert (found.differing, found.max_difference, found.mean_difference) == (1, np.inf, np.inf)
    assert found.worst_clip == "clip 0"


def test_another_shape_differs_in_every_value():
    found = compared(([1, 2], [1, 2]), ([1, 2, 3], [1, 2]), ([5, 6], [5, 6]))
    assert (found.clips, found.values, found.differing, found.worst_clip) == (3, 7, 3, "clip 1")
    assert found.max_difference == found.mean_difference == np.inf
