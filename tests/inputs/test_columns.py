"""Values of metadata columns, and classes and fill values that fit their types."""

import math

import numpy as np
import pytest

from audiopipe.errors import ArgumentError
from audiopipe.inputs.columns import Columns

TYPES = {"age": "int", "label": "int", "labels": "list<int>", "speaker": "string"}


def test_classes_and_fill_values_are_optional():
    columns = Columns(types=TYPES)
    assert (columns.classes, columns.fill_values) == ({}, {})


@pytest.mark.parametrize("value", [-1, 0, -(2**63), 2**63 - 1])
def test_integers_of_64_bits_are_fill_values(value):
    assert Columns(types=TYPES, fill_values={"age": value}).fill_values == {"age": value}


@pytest.mark.parametrize("column", ["label", "labels"])
def test_integers_and_lists_of_integers_have_classes(column):
    assert Columns(types=TYPES, classes={column: ["b", "a"]}).classes == {column: ["b", "a"]}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"types": {"age": "int32"}}, "type of the column 'age' must be one of string, int, .* Received: 'int32'"),
        ({"types": ["age"]}, "types must be a dict by column name"),
        ({"classes": ["a", "b"]}, "classes must be a dict by column name"),
        ({"classes": {"speaker": ["a"]}}, "classes of the column 'speaker' must be those of .* Received: 'string'"),
        ({"classes": {"other": ["a"]}}, "classes of the column 'other' must be those of .* Received: None"),
        ({"classes": {"label": "ab"}}, "classes of the column 'label' must be a list of names. Received: 'ab'"),
        ({"classes": {"label": ["a", 1]}}, "must be a list of names"),
        ({"classes": {"label": ["a", "b", "a"]}}, "must be different names. Received: 'a'"),
        ({"fill_values": [-1]}, "fill_values must be a dict by column name"),
        ({"fill_values": {"labels": -1}}, "fill value of the column 'labels' must be that of .* Received: 'list<int>'"),
        ({"fill_values": {"other": -1}}, "must be that of a column of type int. Received: None"),
        ({"fill_values": {"age": 2**63}}, "fill value of the column 'age' must be an integer of 64 bits"),
        ({"fill_values": {"age": -1.0}}, "must be an integer of 64 bits"),
        ({"fill_values": {"age": True}}, "must be an integer of 64 bits"),
        ({"classes": {"label": ["a"]}, "fill_values": {"label": -2}}, "must be -1, because the column has classes"),
    ],
)
def test_what_does_not_fit_the_types_is_refused(arguments, message):
    with pytest.raises(ArgumentError, match=message):
        Columns(**{"types": TYPES, **arguments})


@pytest.mark.parametrize(
    ("kind", "value", "filled"),
    [
        ("string", None, ""),
        ("string", "a", "a"),
        ("float", 3, 3.0),
        ("float", 0.5, 0.5),
        ("int", 3, 3),
        ("int", np.int16(3), 3),
        ("int", None, -7),
        ("bool", False, False),
    ],
)
def test_values_are_converted_to_the_type_of_their_column(kind, value, filled):
    columns = Columns(types={"x": kind}, fill_values={"x": -7} if kind == "int" else {})
    found = columns.values({"x": value})
    assert found == {"x": filled}
    assert type(found["x"]) is type(filled)


def test_a_missing_float_is_nan():
    assert math.isnan(Columns(types={"x": "float"}).values({})["x"])


@pytest.mark.parametrize(
    ("kind", "value", "items", "length"),
    [
        ("list<int>", [1, 2], [1, 2], 2),
        ("list<int>", np.array([1, 2]), [1, 2], 2),
        ("list<float>", [1, 0.5], [1.0, 0.5], 2),
        ("list<string>", ("a", ""), ["a", ""], 2),
        ("list<bool>", [True], [True], 1),
        ("list<int>", [], [], 0),
        ("list<int>", None, [], -1),
    ],
)
def test_a_list_has_its_length_beside_it(kind, value, items, length):
    found = Columns(types={"x": kind}).values({"x": value})
    assert found == {"x": items, "x_length": length}
    assert list(map(type, found["x"])) == list(map(type, items))


def test_the_name_of_a_length_is_none_of_another_column():
    types = {"x": "list<int>", "x_length": "list<int>", "x_length_": "string", "n": "list<int>"}
    columns = Columns(types=types)
    assert columns.lengths == {"x": "x_length__", "x_length": "x_length_length", "n": "n_length"}
    assert columns.entries == {**types, "x_length__": "int", "x_length_length": "int", "n_length": "int"}


@pytest.mark.parametrize("kind", ["int", "bool"])
def test_a_missing_value_that_nothing_stands_for_is_refused(kind):
    with pytest.raises(ArgumentError, match=f"'x' of type {kind} must have a value for every clip"):
        Columns(types={"x": kind}).values({})


def test_an_unknown_class_is_refused():
    columns = Columns(types={"label": "int"}, classes={"label": ["a"]})
    with pytest.raises(ArgumentError, match="'label' has no class 'b'"):
        columns.values({"label": "b"})


def test_metadata_is_restored_from_its_values():
    columns = Columns(types={**TYPES, "gain": "float"}, classes={"label": ["a"]}, fill_values={"age": -2})
    for metadata in (
        {"age": None, "label": 0, "labels": None, "speaker": "a", "gain": 0.5},
        {"age": -1, "label": -1, "labels": [], "speaker": "", "gain": 1.0},
        {"age": 3, "label": 0, "labels": [3], "speaker": "b", "gain": 2.0},
    ):
        assert columns.metadata(columns.values(metadata)) == metadata


def test_a_missing_class_is_restored_where_it_is_declared():
    columns = Columns(types={"label": "int"}, classes={"label": ["a"]}, fill_values={"label": -1})
    assert columns.metadata({"label": -1}) == {"label": None}
    assert columns.metadata({"label": 0}) == {"label": 0}
