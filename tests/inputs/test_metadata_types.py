"""Every metadata column has one type, and missing values are filled in."""

import datetime
import math

import pytest

from audiopipe.errors import InputError
from audiopipe.inputs import metadata_types


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (["a", "b"], "string"),
        (["a", None], "string"),
        ([None, None], "string"),
        ([1, -2], "int"),
        ([1, None], "float"),
        ([1, 0.5], "float"),
        ([0.5, None], "float"),
        ([1, 0.5, None], "float"),
        ([True, False], "bool"),
    ],
)
@pytest.mark.parametrize("backwards", [False, True])
def test_a_column_has_the_type_that_fits_all_its_values(values, kind, backwards):
    rows = [{"x": value} for value in (reversed(values) if backwards else values)]
    assert metadata_types.infer(rows) == {"x": kind}


@pytest.mark.parametrize(
    ("rows", "types"),
    [
        ([{"age": 31, "name": "a"}, {"name": "b"}], {"age": "float", "name": "string"}),
        ([{"name": "b"}, {"age": 31, "name": "a"}], {"age": "float", "name": "string"}),
        ([{}, {}, {"name": "a"}], {"name": "string"}),
        ([{}, {}], {}),
        ([], {}),
    ],
)
def test_a_column_that_a_row_lacks_counts_as_a_missing_value(rows, types):
    assert metadata_types.infer(rows) == types


def test_columns_are_sorted_by_name():
    assert list(metadata_types.infer([{"z": 1, "a": 1, "m": 1}])) == ["a", "m", "z"]


@pytest.mark.parametrize(
    ("values", "found"),
    [
        (["a", 1], "int, string"),
        (["a", 0.5], "float, string"),
        ([True, 1], "bool, int"),
        ([True, 0.5], "bool, float"),
        ([True, None], "bool, null"),
        (["a", True, None], "bool, null, string"),
    ],
)
def test_columns_without_a_common_type_are_refused(values, found):
    with pytest.raises(InputError, match=f"must have one type.* Received: 'x' with {found}. Write it as text"):
        metadata_types.infer([{"x": value} for value in values])


def test_a_missing_boolean_is_refused():
    with pytest.raises(InputError, match="'clean' with bool, null"):
        metadata_types.infer([{}, {"clean": True}])


@pytest.mark.parametrize(
    ("value", "kind", "filled"),
    [
        (None, "string", ""),
        ("a", "string", "a"),
        (3, "float", 3.0),
        (0.5, "float", 0.5),
        (3, "int", 3),
        (False, "bool", False),
    ],
)
def test_values_are_converted_to_the_type_of_their_column(value, kind, filled):
    result = metadata_types.fill(value, kind)
    assert (result, type(result)) == (filled, type(filled))


def test_a_missing_number_is_nan():
    assert math.isnan(metadata_types.fill(None, "float"))


@pytest.mark.parametrize("value", ["a", "", 1, -(2**63), 2**63 - 1, 0.5, math.nan, True, None])
def test_text_numbers_and_booleans_are_metadata(value):
    metadata_types.check_columns({"x": value}, "row 1")
    assert set(metadata_types.infer([{"x": value}, {"x": value}])) == {"x"}


@pytest.mark.parametrize("value", [[1], {"a": 1}, b"bytes", datetime.date(2024, 1, 1), 1j])
def test_values_of_other_types_are_refused(value):
    with pytest.raises(InputError, match=r"row 1: metadata must be text, numbers or booleans. Received: x="):
        metadata_types.check_columns({"x": value}, "row 1")


@pytest.mark.parametrize("value", [2**63, -(2**63) - 1])
def test_integers_beyond_64_bits_are_refused(value):
    with pytest.raises(InputError, match=f"row 1: integers must fit in 64 bits. Received: x={value}"):
        metadata_types.check_columns({"x": value}, "row 1")


@pytest.mark.parametrize("name", ["audio", "feature", "fingerprint", "n_frames", "n_samples", "shape"])
def test_names_that_records_use_are_reserved(name):
    with pytest.raises(InputError, match=f"row 1: the column name '{name}' is reserved"):
        metadata_types.check_columns({"x": 1, name: 1}, "row 1")


def test_integers_beyond_float_precision_are_refused_in_a_column_with_missing_values():
    large = 2**53 + 1
    assert metadata_types.infer([{"n": large}]) == {"n": "int"}
    with pytest.raises(InputError, match=f"at most 2\\*\\*53. Received: n={large}"):
        metadata_types.infer([{"n": large}, {}])
