"""Classes and fill values of metadata columns fit the types of the columns."""

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
