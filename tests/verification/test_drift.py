"""Differences of statistics in standard deviations."""

import numpy as np
import pytest

from audiopipe.errors import ArgumentError, ConfigMismatchError
from audiopipe.signal.statistics import Statistics
from audiopipe.verification import compare_statistics


def made(mean, std, **facts):
    return Statistics(mean=np.array(mean, float), std=np.array(std, float), **facts)


def test_differences_are_quotients_by_the_standard_deviation_of_the_first_set():
    random = np.random.default_rng(1)
    means, stds = random.normal(size=(2, 5, 3)), random.uniform(0.5, 2, size=(2, 5, 3))
    found = compare_statistics(made(means[0], stds[0]), made(means[1], stds[1]))
    for place in np.ndindex(5, 3):
        assert found.mean[place] == (float(means[1][place]) - float(means[0][place])) / float(stds[0][place])
        assert found.std[place] == (float(stds[1][place]) - float(stds[0][place])) / float(stds[0][place])


def test_the_worst_bins_come_first_and_ties_stay_in_order():
    found = compare_statistics(made([[0, 0], [0, 0]], [[1, 1], [1, 1]]), made([[0.5, -2], [0, 0]], [[1, 1], [1, 1.5]]))
    np.testing.assert_array_equal(found.sizes, [[0.5, 2], [0, 0.5]])
    assert found.worst() == [(0, 1), (0, 0), (1, 1), (1, 0)]
    assert found.largest == 2
    assert [found.beyond(tolerance) for tolerance in (0, 0.5, 1.99, 2)] == [3, 1, 1, 0]


@pytest.mark.parametrize(
    ("first", "second", "mean", "std"),
    [
        ((3, 0), (3, 0), 0, 0),  # constant in both, with one value
        ((3, 0), (4, 0), np.inf, 0),
        ((3, 0), (2, 0), -np.inf, 0),
        ((3, 0), (3, 1), 0, np.inf),
        ((3, 0), (2, 1), -np.inf, np.inf),
        ((3, 2), (4, 0), 0.5, -1),  # constant in the second set alone
    ],
)
def test_a_constant_bin_differs_by_nothing_or_infinitely(first, second, mean, std):
    found = compare_statistics(made([first[0]], [first[1]]), made([second[0]], [second[1]]))
    assert (found.mean.item(), found.std.item()) == (mean, std)
    assert found.beyond(1e300) == (found.largest == np.inf)


def test_statistics_of_other_features_are_refused():
    first, second = made([0], [1], fingerprint="a" * 64), made([0], [1], fingerprint="b" * 64)
    with pytest.raises(ConfigMismatchError, match=r"of the features with the fingerprints a+ and b+\."):
        compare_statistics(first, second)
    assert compare_statistics(first, made([0], [1])).largest == 0  # made by hand


def test_other_numbers_of_bins_are_refused():
    with pytest.raises(ArgumentError, match=r"same numbers of bins and channels .* Received: \(1, 1\) and \(2, 1\)"):
        compare_statistics(made([0], [1]), made([0, 0], [1, 1]))
