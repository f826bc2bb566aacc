"""Sums over features, compared with exact arithmetic."""

import json
import math
from fractions import Fraction

import numpy as np
import pytest

from audiopipe.errors import ArgumentError
from audiopipe.signal import feature_sums
from audiopipe.signal.feature_sums import FeatureSums


def noise(n_frames, bins=3, channels=1, seed=0):
    return np.random.default_rng(seed).standard_normal((n_frames, bins, channels)).astype(np.float32)


def of_all_sizes(n_frames):
    """Returns values from 1e-30 to 1e30, of both signs in the first bin and positive in the second."""
    random = np.random.default_rng(1)
    values = noise(n_frames, 2) * 10.0 ** random.uniform(-30, 30, (n_frames, 2, 1))
    values[:, 1] = np.abs(values[:, 1])
    return values.astype(np.float32)


def cancelling(n_frames):
    values = noise(n_frames, 2) * np.float32(1e-20)
    values[::100] += np.float32(1e20)
    values[50::100] -= np.float32(1e20)
    return values


def opposite(n_frames):
    """Returns positive values of all sizes, and then their negatives but one in another order."""
    values = 10.0 ** np.random.default_rng(2).uniform(-12, 12, (n_frames, 2, 1))
    values[:, 1] *= 1e-20
    return np.concatenate([values, -values[:0:-1]]).astype(np.float32)


def summed(clips):
    sums = FeatureSums(clips[0].shape[1:])
    for clip in clips:
        sums.add(clip)
    return sums


def exact(values):
    """Returns the mean of each bin and channel by `math.fsum`, and the standard deviation by rational arithmetic."""
    columns = values.astype(np.float64).reshape(len(values), -1).T
    means, deviations = [], []
    for column in columns:
        numbers = [Fraction(value) for value in column.tolist()]
        mean = sum(numbers) / len(numbers)
        variance = sum((number - mean) ** 2 for number in numbers) / len(numbers)
        means.append(math.fsum(column) / len(column))
        deviations.append(math.sqrt(variance))
    return np.reshape(means, values.shape[1:]), np.reshape(deviations, values.shape[1:])


@pytest.mark.parametrize(
    "values",
    [
        noise(1, 4, 2),
        noise(2500, 3, 2),
        noise(1500) * np.float32(1e-38),  # float32 holds some of them with fewer bits
        of_all_sizes(1500),
        cancelling(1500),
        (noise(1500) - noise(1500).mean(axis=0, dtype=np.float64)).astype(np.float32),  # the mean is nearly 0
        opposite(750),
        noise(1500) + np.float32([[0.0], [9.0], [11.0]]),  # with a centre for the last bin alone
        noise(1500) + np.float32(1e6),
        np.round(noise(1500).astype(np.float16)).astype(np.float32),
    ],
    ids=[
        "a frame",
        "noise",
        "subnormal",
        "all sizes",
        "cancelling",
        "zero mean",
        "opposite",
        "offsets",
        "large offset",
        "float16",
    ],
)
def test_statistics_equal_those_of_exact_arithmetic(values):
    statistics = summed(np.array_split(values, min(4, len(values)))).statistics("1f3a")
    mean, std = exact(values)
    np.testing.assert_allclose(statistics.mean, mean, rtol=1e-14, atol=0)
    np.testing.assert_allclose(statistics.std, std, rtol=1e-14, atol=0)
    np.testing.assert_array_equal(statistics.min, values.min(axis=0))
    np.testing.assert_array_equal(statistics.max, values.max(axis=0))
    assert (statistics.count == len(values)).all()
    assert statistics.count.dtype == np.int64
    assert statistics.fingerprint == "1f3a"


def test_an_offset_of_a_million_over_a_million_frames_loses_no_digits():
    block = noise(1000, 2) + np.float32(1e6)
    mean, std = exact(block)
    sums = summed([block] * 1000)
    np.testing.assert_allclose(sums.statistics().mean, mean, rtol=1e-15, atol=0)
    np.testing.assert_allclose(sums.statistics().std, std, rtol=1e-13, atol=0)


@pytest.mark.parametrize("value", [0.0, 0.1, -123.456, 1e-40, 3e38])
def test_a_constant_bin_has_a_standard_deviation_of_exactly_0(value):
    clips = [np.full((n_frames, 2, 1), value, np.float32) for n_frames in (1, 7, 1024, 3000)]
    statistics = summed(clips).statistics()
    assert (statistics.std == 0).all()
    assert (statistics.mean == np.float32(value)).all()
    assert (statistics.min == statistics.max).all()


def test_neither_order_nor_grouping_changes_a_bit():
    random = np.random.default_rng(2)
    sizes = [1, 5, 31, 32, 33, 998, 1024, 1025, 4000, *random.integers(1, 400, 150)]
    clips = [of_all_sizes(size) if number % 3 else noise(size, 2) for number, size in enumerate(sizes)]
    expected = summed(clips)
    for _ in range(10):
        order = random.permutation(len(clips))
        groups = [part for part in np.array_split(order, random.integers(1, 9)) if len(part)]
        merged = FeatureSums((2, 1))
        for group in groups:
            part = summed([clips[number] for number in group])
            merged.merge(FeatureSums.from_dict(json.loads(json.dumps(part.to_dict()))))
        assert merged == expected
        assert merged.statistics() == expected.statistics()


def test_sums_that_are_merged_several_times_are_those_of_repeated_clips():
    clips = [noise(30, seed=number) * 10 + 100 for number in range(3)]
    merged = summed([clips[0]])
    merged.merge(summed(clips[1:]), times=3)
    assert merged == summed([clips[0], *clips[1:] * 3])


def test_wide_features_are_summed_in_shorter_blocks(monkeypatch):
    monkeypatch.setattr(feature_sums, "_BLOCK_VALUES", 100)
    values = noise(50, 6, 2)
    mean, std = exact(values)
    statistics = summed([values]).statistics()
    np.testing.assert_allclose(statistics.mean, mean, rtol=1e-14, atol=0)
    np.testing.assert_allclose(statistics.std, std, rtol=1e-14, atol=0)


def test_the_sign_of_zero_does_not_depend_on_the_order():
    zeros = [np.full((1, 1, 1), zero, np.float32) for zero in (0.0, -0.0)]
    texts = {json.dumps(summed(clips).to_dict()) for clips in (zeros, zeros[::-1], zeros[1:] * 2)}
    assert len(texts) == 1
    assert "-0.0" not in texts.pop()


def test_no_frames_have_no_statistics():
    sums = summed([np.zeros((0, 2, 1), np.float32)])
    assert sums == FeatureSums((2, 1)) == FeatureSums.from_dict(sums.to_dict())
    with pytest.raises(ArgumentError, match="at least one frame"):
        sums.statistics()


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_are_refused_and_add_nothing(value):
    values = noise(3000)
    values[2999, 1] = value
    sums = FeatureSums((3, 1))
    with pytest.raises(ArgumentError, match="finite"):
        sums.add(values)
    assert sums == FeatureSums((3, 1))


@pytest.mark.parametrize("frames", [np.zeros((4, 3)), np.zeros((4, 2, 1), np.float32), np.zeros((4, 3, 1))])
def test_other_shapes_and_dtypes_are_refused(frames):
    with pytest.raises(ArgumentError, match=r"float32 array of shape \[frames, 3, 1\]"):
        FeatureSums((3, 1)).add(frames)


def test_sums_of_other_shapes_cannot_be_merged():
    with pytest.raises(ArgumentError, match="equal shapes"):
        FeatureSums((3, 1)).merge(FeatureSums((1, 3)))


@pytest.mark.parametrize(
    "damage",
    [
        {"shape": [3]},
        {"shape": None},
        {"count": -1},
        {"count": 1.5},
        {"sum": ["0p0"]},
        {"sum": [1, 2, 3]},
        {"square": ["1p-500"] * 3},
        {"min": [0.0, None, 0.0]},
        {"max": [0.0, math.inf, 0.0]},
        {"max": "abc"},
    ],
)
def test_damaged_dicts_are_refused(damage):
    content = summed([noise(5)]).to_dict()
    with pytest.raises(ArgumentError):
        FeatureSums.from_dict(content | damage)
    del content["sum"]
    with pytest.raises(ArgumentError):
        FeatureSums.from_dict(content)
