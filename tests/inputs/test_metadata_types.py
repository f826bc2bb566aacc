"""Metadata is text, numbers, booleans, or lists of these."""

import datetime
import math

import numpy as np
import pytest

from audiopipe.errors import InputError
from audiopipe.inputs import metadata_types


@pytest.mark.parametrize("value", ["a", "", 1, -(2**63), 2**63 - 1, 0.5, math.nan, True, None])
def test_text_numbers_and_booleans_are_metadata(value):
    metadata_types.check_columns({"x": value}, "row 1")


@pytest.mark.parametrize(
    "value",
    [
        *([], [1, 2], [0, 1.5], ["a", ""], [True, False], [-(2**63), 2**63 - 1], (1, 2), [np.int64(3)]),
        *(np.arange(3), np.float32([0.5]), np.array(["a"]), np.array([True])),
        *(np.int16(3), np.float32(1), np.str_("a")),
    ],
)
def test_lists_arrays_and_numbers_of_numpy_are_metadata(value):
    metadata_types.check_columns({"x": value}, "row 1")


@pytest.mark.parametrize("value", [{"a": 1}, b"bytes", datetime.date(2024, 1, 1), 1j, {1}, np.datetime64("2024-01-01")])
def test_values_of_other_types_are_refused(value):
    message = r"row 1: metadata must be text, numbers, booleans, or lists of these. Received: x="
    with pytest.raises(InputError, match=message):
        metadata_types.check_columns({"x": value}, "row 1")


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ([[1, 2], [3]], r"must not contain lists. Received: x=\[\[1, 2\], \[3\]\]. Flatten it"),
        (np.zeros((2, 2)), "must not contain lists"),
        ([(1, 2)], "must not contain lists"),
        ([1, None], r"must not contain missing values. Received: x=\[1, None\]. Leave them out"),
        ([None], "must not contain missing values"),
        ([1, "a"], r"must contain values of one type. Received: x=\[1, 'a'\]. Its types are int, string"),
        ([True, 1], "Its types are bool, int"),
        ([0.5, False], "Its types are bool, float"),
        ([b"a"], "lists must contain text, numbers or booleans"),
        ([datetime.date(2024, 1, 1)], "lists must contain text, numbers or booleans"),
        ([1, 2**63], f"integers must fit in 64 bits. Received: x={2**63}"),
        (["a", "\ud800"], "text must be Unicode"),
    ],
)
def test_lists_of_anything_else_are_refused_with_the_row(value, message):
    with pytest.raises(InputError, match=f"row 1: .*{message}"):
        metadata_types.check_columns({"x": value}, "row 1")


def test_lists_of_objects_are_refused_with_the_columns_to_write():
    events = [{"label": "dog", "onset": 0.5}, {"label": "cat", "onset": 1.5}]
    with pytest.raises(
        InputError, match=r"must not contain objects.*own: events_label=\[...\], events_onset=\[...\]\."
    ):
        metadata_types.check_columns({"events": events}, "row 1")


def test_a_long_value_is_shortened_in_the_message():
    with pytest.raises(InputError) as caught:
        metadata_types.check_columns({"x": [*range(100_000), "a"]}, "row 1")
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize("value", [2**63, -(2**63) - 1])
def test_integers_beyond_64_bits_are_refused(value):
    with pytest.raises(InputError, match=f"row 1: integers must fit in 64 bits. Received: x={value}"):
        metadata_types.check_columns({"x": value}, "row 1")


@pytest.mark.parametrize("name", ["audio", "feature", "fingerprint", "n_frames", "n_samples", "shape"])
def test_names_that_records_use_are_reserved(name):
    with pytest.raises(InputError, match=f"row 1: the column name '{name}' is reserved"):
        metadata_types.check_columns({"x": 1, name: 1}, "row 1")
