"""Numbers of normalized configs: rounding, JSON, texts, copies, and what is refused."""

import copy
import json
import pickle

import numpy as np
import pytest

from audiopipe import configs
from audiopipe.configs.standardization import Standardization
from audiopipe.errors import ArgumentError, ConfigError

MEL = configs.MelSpectrogram(sample_rate=16000, n_fft=512, hop_length=160, n_mels=5, return_decibel=True)
MEAN, STD = np.linspace(-31.2, -12.5, 5)[:, None], np.geomspace(4.1, 9.9, 5)[:, None]


def numbers(mean=MEAN, std=STD):
    return Standardization(mean=mean, std=std)


def test_numbers_are_rounded_to_float32_once():
    made = numbers()
    assert made.mean == tuple((float(np.float32(value)),) for value in MEAN.ravel())
    assert made.std == tuple((float(np.float32(value)),) for value in STD.ravel())
    assert Standardization(mean=made.mean, std=made.std) == made


def test_a_number_that_is_rounded_to_minus_zero_is_zero():
    assert str(Standardization(mean=[[-1e-60]], std=[[1.0]]).mean) == "((0.0,),)"


def test_arrays_lists_and_tuples_give_the_same_numbers():
    as_lists = Standardization(mean=MEAN.tolist(), std=STD.tolist())
    assert numbers() == as_lists
    assert hash(numbers()) == hash(as_lists)
    assert numbers() != numbers(mean=MEAN + 1)


def test_json_keeps_the_numbers_exactly():
    config = configs.from_json(json.dumps({**MEL.to_dict(), "standardization": numbers().to_dict()}))
    again = configs.from_json(config.to_json())
    assert again.standardization == config.standardization == numbers()
    assert again.fingerprint == config.fingerprint
    assert json.loads(config.to_json())["standardization"]["std"] == np.float32(STD).astype(float).tolist()


def test_numbers_written_by_hand_mean_the_nearest_float32_numbers():
    text = MEL.to_json().replace('"standardization":null', '"standardization":{"mean":[[0.1]],"std":[[0.7]]}')
    assert configs.from_json(text).standardization.to_dict() == {
        "mean": [[float(np.float32(0.1))]],
        "std": [[float(np.float32(0.7))]],
    }


def test_the_text_shows_ranges_and_a_digest():
    digest = numbers().digest
    assert repr(numbers()) == f"Standardization(5 bins, mean -31.2 .. -12.5, std 4.1 .. 9.9, sha256 {digest[:8]})"
    two = Standardization(mean=[[1, 2]], std=[[3, 3]])
    assert repr(two) == f"Standardization(all bins of 2 channels, mean 1 .. 2, std 3, sha256 {two.digest[:8]})"
    assert numbers(std=STD * (1 + 1e-6)).digest != digest


@pytest.mark.parametrize("make", [copy.copy, copy.deepcopy, lambda made: pickle.loads(pickle.dumps(made))])
def test_copies_are_equal(make):
    assert make(numbers()) == numbers()
    assert hash(make(numbers())) == hash(numbers())


def test_pickles_of_equal_numbers_are_equal():
    used, shared = numbers(), numbers().std
    assert repr(used)  # computes and keeps the digest
    assert pickle.dumps(used) == pickle.dumps(numbers())
    apart = Standardization(mean=[list(row) for row in shared], std=[list(row) for row in shared])
    assert pickle.dumps(Standardization(mean=shared, std=shared)) == pickle.dumps(apart)


@pytest.mark.parametrize(
    ("mean", "std", "message"),
    [
        ([[0.0]], [[0.0]], r"std\[0\]\[0\] must be at least 1.17549e-38. Received: std\[0\]\[0\]=0.0"),
        ([[0.0]], [[-1.0]], "must be at least"),
        ([[0.0], [float("nan")]], [[1.0], [1.0]], r"mean\[1\]\[0\] must be finite"),
        ([[1e39]], [[1.0]], "must be at most"),
        ([["1"]], [[1.0]], "must be a number"),
        ([[True]], [[1.0]], "must be a number"),
        ([[0.0, 1.0]], [[1.0]], r"same shape.*\[1, 2\] numbers in mean, \[1, 1\] in std"),
        ([[0.0], [1.0, 2.0]], [[1.0]], "one list for each bin"),
        ([], [], "one list for each bin"),
        ([[]], [[]], "one list for each bin"),
        (0.0, 1.0, "one list for each bin, with one number for each channel. Received: mean=0.0"),
        ([0.0], [1.0], "one list for each bin"),
    ],
)
def test_other_numbers_are_refused(mean, std, message):
    with pytest.raises(ArgumentError, match=message):
        Standardization(mean=mean, std=std)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"mean": [[0.0]]}, "MelSpectrogram: standardization must be None, or .* Received: a dict with the keys mean."),
        ({"mean": [[0.0]], "std": [[1.0]], "eps": 1}, "Received: a dict with the keys mean, std, eps"),
        (3.0, r"Received: 3.0. Use config.normalized\(statistics\)"),
        ({"mean": [[0.0]], "std": [[0.0]]}, r"MelSpectrogram: std\[0\]\[0\] must be at least"),
        (
            {"mean": [[0.0]] * 4, "std": [[1.0]] * 4},
            "must have 1 or 5 bins, and 1 channels. Received: 4 bins and 1 channels",
        ),
        ({"mean": [[0.0, 1.0]], "std": [[1.0, 1.0]]}, "Received: 1 bins and 2 channels"),
    ],
)
def test_a_config_refuses_another_form_and_other_numbers_of_bins(value, message):
    with pytest.raises(ConfigError, match=message):
        configs.from_dict({**MEL.to_dict(), "standardization": value})


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
@pytest.mark.parametrize("lead", [(), (3,), (2, 3)])
def test_features_with_any_leading_axes_are_normalized_in_numpy(data_format, lead):
    config = configs.StftMagPhase(channels=None, n_fft=8, output_data_format=data_format)
    mean, std = np.arange(10.0).reshape(5, 2), np.arange(1.0, 11.0).reshape(5, 2)
    feature = np.random.default_rng(0).normal(size=(*lead, 4, 5, 6)).astype(np.float32)
    expected = (feature - np.repeat(mean, 3, 1).astype("f")) / np.repeat(std, 3, 1).astype("f")
    if data_format == "channels_first":
        feature, expected = np.moveaxis(feature, -1, -3), np.moveaxis(expected, -1, -3)
    found = Standardization(mean=mean, std=std).apply(feature, config)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, expected)
