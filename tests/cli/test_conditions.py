"""Conditions on the command line: how the text of a value is read, by the type of its column."""

import pytest
import synthetic_sets

from audiopipe import FeatureSet
from audiopipe.cli import conditions
from audiopipe.errors import ArgumentError
from audiopipe.inputs.columns import Columns

COLUMNS = Columns(
    types={
        "split": "string",
        "take": "int",
        "gain": "float",
        "clean": "bool",
        "tags": "list<string>",
        "marks": "list<int>",
        "label": "int",
        "a": "string",
        "a=b": "string",
    },
    classes={"label": ["cat", "dog", "3"]},
    fill_values={"take": -1, "label": -1},
)
ROWS = [
    {"split": "train", "take": 1, "gain": 0.5, "clean": True, "tags": ["x"], "marks": [1, 2], "label": "cat"},
    {"split": "test", "take": 2, "gain": -1e-3, "clean": False, "tags": [], "marks": [2], "label": "dog"},
    {"split": "", "take": None, "gain": None, "clean": None, "tags": None, "marks": None, "label": None},
    {"split": None, "take": -7, "gain": 2.0, "clean": True, "tags": ["x", "y"], "marks": [], "label": "3"},
]


@pytest.fixture(scope="module")
def sets(tmp_path_factory):
    folder = tmp_path_factory.mktemp("conditions") / "features"
    clips = {
        str(number): (synthetic_sets.feature(3 + number), {**row, "a": "b=c", "a=b": "d"})
        for number, row in enumerate(ROWS)
    }
    synthetic_sets.write(folder, clips, columns=COLUMNS)
    return FeatureSet(folder)


@pytest.mark.parametrize(
    ("texts", "ids"),
    [
        ([], "0123"),
        (["split=train"], "0"),
        (["split=train", "split=test"], "01"),
        (["split="], "23"),
        (["split=true"], ""),
        (["take=2"], "1"),
        (["take=-7", "take=+1"], "03"),
        (["take="], "2"),
        (["gain=0.5"], "0"),
        (["gain=-1e-3"], "1"),
        (["gain=2"], "3"),
        (["clean=true"], "03"),
        (["clean=FALSE"], "1"),
        (["clean="], "2"),
        (["tags=x"], "03"),
        (["marks=2"], "01"),
        (["label=dog"], "1"),
        (["label=3"], "3"),
        (["label="], "2"),
        (["clean=true", "split=train"], "0"),
        (["clean=true", "take=1", "take=2"], "0"),
        (["n_frames=4"], "1"),
        (["seconds=0.03"], "0"),
        (["id=2"], "2"),
        (["a=b=d"], "0123"),
        (["a=b=c"], ""),
    ],
)
def test_clips_meet_all_conditions(sets, texts, ids):
    assert conditions.chosen(sets, texts).ids == list(ids)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "splits=train",
            r"must be COLUMN=VALUE, .*: --where splits=train. There is no such column. Did you mean split.* split, ",
        ),
        ("split", r"Received: --where split. There is no equals sign."),
        ("take=two", r"type int: VALUE must be an integer. Received: --where take=two."),
        ("take=1.0", r"must be an integer"),
        ("take=1_000", r"must be an integer"),
        ("take=9999999999999999999", r"must be an integer of 64 bits"),
        ("gain=loud", r"type float: VALUE must be a number. Received: --where gain=loud"),
        ("clean=yes", r"type bool: VALUE must be true or false. Received: --where clean=yes"),
        ("marks=x", r"type int: VALUE must be an integer"),
        ("label=mouse", r"must be one of the classes 'cat', 'dog', '3'"),
    ],
)
def test_a_wrong_condition_is_explained(sets, text, message):
    with pytest.raises(ArgumentError, match=message):
        conditions.chosen(sets, [text])
