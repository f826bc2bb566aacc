"""Statistics of features."""

import json
import pickle

import numpy as np
import pytest

import audiopipe
from audiopipe.errors import ArgumentError
from audiopipe.signal.statistics import Statistics

WHOLE = {"mean": [[1 / 3], [-2.0]], "std": [[0.1], [0.0]], "min": [[-1], [-2]], "max": [[1], [-2]], "count": [[7], [7]]}


def test_arrays_are_read_only_float64_of_bins_and_channels():
    statistics = audiopipe.Statistics(**WHOLE)
    assert statistics.shape == (2, 1)
    assert statistics.mean.dtype == statistics.std.dtype == statistics.min.dtype == np.float64
    assert statistics.count.dtype == np.int64
    for array in (statistics.mean, pickle.loads(pickle.dumps(statistics)).mean):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1


def test_arrays_are_copies():
    mean = np.array([1.0])
    statistics = Statistics(mean=mean, std=[1.0])
    mean[0] = 2
    assert statistics.mean == 1.0


def test_one_axis_means_one_channel():
    assert Statistics(mean=[1.0, 2.0], std=np.float32([3, 4])) == Statistics(mean=[[1.0], [2.0]], std=[[3], [4]])


def test_json_and_pickles_keep_every_bit():
    statistics = Statistics(**WHOLE, fingerprint="1f3a")
    for copy in (
        Statistics.from_dict(json.loads(json.dumps(statistics.to_dict()))),
        pickle.loads(pickle.dumps(statistics)),
    ):
        assert copy == statistics
        assert hash(copy) == hash(statistics)
        assert copy.digest == statistics.digest


@pytest.mark.parametrize(
    "other", [{"fingerprint": "2"}, {"mean": [[1 / 3], [-2.5]]}, {"count": None}, {"max": [2, -2]}]
)
def test_other_values_are_not_equal(other):
    assert Statistics(**WHOLE) != Statistics(**WHOLE | other)
    assert Statistics(**WHOLE).digest != Statistics(**WHOLE | other).digest
    assert Statistics(**WHOLE) != "text"


def test_repr_is_short():
    text = repr(Statistics(mean=np.linspace(-31.25, -12.5, 80), std=np.linspace(4.5, 9.75, 80), count=np.full(80, 9)))
    digest = text[-9:-1]
    assert text == f"Statistics(80 bins, count 9, mean -31.25 .. -12.5, std 4.5 .. 9.75, sha256 {digest})"
    assert "2 channels" in repr(Statistics(mean=[[1.0, 2.0]], std=[[1.0, 2.0]]))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"mean": None}, "mean must be"),
        ({"mean": [[np.nan], [0]]}, "mean must be finite"),
        ({"mean": ["a", "b"]}, "mean must be an array of numbers"),
        ({"mean": [[1.0, 2.0], [3.0]]}, "mean must be an array of numbers"),
        ({"mean": [[[1.0]]]}, "shape"),
        ({"mean": []}, "shape"),
        ({"std": [1.0]}, "std must have the shape of mean"),
        ({"std": [1.0, -1.0]}, "std must be at least 0"),
        ({"min": [5, 5]}, "min must be at most max"),
        ({"count": [0, 1]}, "count must be at least 1"),
        ({"count": [1.5, 1]}, "integers"),
        ({"count": [2**63, 2**63]}, r"count must be below 2\*\*63"),
        ({"std": [1j, 1]}, "std must be an array of numbers"),
        ({"max": [True, False]}, "max must be an array of numbers"),
        ({"fingerprint": 3}, "fingerprint must be"),
    ],
)
def test_wrong_values_are_refused(wrong, message):
    with pytest.raises(ArgumentError, match=message):
        Statistics(**WHOLE | wrong)


@pytest.mark.parametrize("content", [None, [], {}, {"mean": [1.0]}, {**WHOLE, "median": 3}])
def test_other_dicts_are_refused(content):
    with pytest.raises(ArgumentError, match="Statistics must"):
        Statistics.from_dict(content)
