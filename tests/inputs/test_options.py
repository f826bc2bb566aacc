"""Options of an input are validated, and survive a round trip through JSON."""

import json

import pytest

from audiopipe.errors import ArgumentError, InputError
from audiopipe.inputs import InputOptions


@pytest.mark.parametrize(
    ("options", "values"),
    [
        (InputOptions(), {}),
        (InputOptions(path_column="clip"), {"path_column": "clip"}),
        (InputOptions(id_column="key", label_from_folder=True), {"id_column": "key", "label_from_folder": True}),
        (InputOptions(class_columns=["b", "a"]), {"class_columns": ["b", "a"]}),
        (InputOptions(label_from_folder=False, class_columns=()), {}),
    ],
)
def test_options_survive_json_and_only_those_that_differ_are_written(options, values):
    assert options.to_dict() == values
    assert InputOptions.from_dict(json.loads(json.dumps(options.to_dict()))) == options
    assert hash(InputOptions.from_dict(values)) == hash(options)


def test_unknown_options_are_refused_instead_of_ignored():
    with pytest.raises(InputError, match=r"among path_column, id_column.*Received: 'skip', 'x'\. .*upgrade"):
        InputOptions.from_dict({"skip": 1, "path_column": "a", "x": 2})


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"path_column": ""}, "path_column must be the name of a column"),
        ({"id_column": 3}, "id_column must be the name of a column"),
        ({"path_column": "a", "id_column": "a"}, "id_column must be another column than path_column"),
        ({"class_columns": {"label"}}, r"class_columns must be the name of a column or several names.*'label'"),
        ({"class_columns": ["a", "a"]}, "class_columns must be different names of columns"),
        ({"class_columns": ["a", ""]}, "class_columns must be different names of columns"),
        ({"class_columns": [1]}, "class_columns must be different names of columns"),
        ({"label_from_folder": 1}, "label_from_folder must be True or False"),
    ],
)
def test_invalid_options_are_refused(values, message):
    with pytest.raises(ArgumentError, match=message):
        InputOptions.from_dict(values)
