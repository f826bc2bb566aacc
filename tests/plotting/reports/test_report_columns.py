"""Values of metadata columns in reports, and their bars."""

import pytest
import synthetic_sets
from synthetic_sets import COLUMNS, feature

from audiopipe import FeatureSet
from audiopipe.inputs.columns import Columns
from audiopipe.plotting.reports import balances, columns
from audiopipe.plotting.reports.sides import side_of


def opened(folder, rows, types=COLUMNS):
    clips = {str(number): (feature(4, seed=number), row) for number, row in enumerate(rows)}
    synthetic_sets.write(folder, clips, columns=types)
    return FeatureSet(folder)


def by_name(feature_set):
    return {column.name: column for column in columns.of_clips(feature_set)}


@pytest.fixture
def sets(tmp_path):
    rows = [
        {"label": "dog", "speaker": "Bo", "clean": True, "take": 3, "gain": 0.5},
        {"label": "dog", "speaker": "Bo", "clean": False, "take": 1, "gain": -2.0},
        {"label": "dog", "speaker": "Al", "clean": True, "take": 3, "gain": None},
        {"label": None, "speaker": None, "clean": None, "take": 3, "gain": 7.0, "tags": ["a"]},
    ]
    return opened(tmp_path / "features", rows)


def test_values_are_counted_by_name(sets):
    found = by_name(sets)
    assert found["label"].values == {"cat": 0, "dog": 3}
    assert found["label"].missing == 1
    assert list(found["speaker"].values.items()) == [("Bo", 2), ("Al", 1)]
    assert found["clean"].values == {"true": 2, "false": 1}
    assert list(found["take"].values.items()) == [("1", 1), ("3", 3)]
    assert (found["gain"].limits, found["gain"].missing) == ((-2.0, 7.0), 1)
    assert (found["tags"].values, found["tags"].missing) == (None, 3)


def test_a_view_counts_its_own_clips_only(sets):
    assert by_name(sets.where(clean=True))["speaker"].values == {"Bo": 1, "Al": 1}


def test_columns_with_classes_come_first(sets):
    assert columns.of_clips(sets)[0].name == "label"


def test_a_transcript_is_described_and_has_no_bars(tmp_path):
    types = Columns(types={"text": "string", "number": "int"})
    found = by_name(opened(tmp_path / "features", [{"text": f"a {i}", "number": i} for i in range(30)], types))
    assert not found["text"].is_balance
    assert found["text"].described == "30 different values"
    assert not found["number"].is_balance
    assert found["number"].described == "0 to 29"


def test_a_column_with_too_many_values_is_not_counted(tmp_path, monkeypatch):
    monkeypatch.setattr(columns, "MOST_VALUES", 3)
    types = Columns(types={"text": "string"})
    found = by_name(opened(tmp_path / "features", [{"text": str(i)} for i in range(5)], types))
    assert found["text"].values is None
    assert found["text"].described == "more than 3 different values"


def sides_of(*sets):
    return [side_of(one, letter, 0, lambda *_: None) for one, letter in zip(sets, "AB", strict=False)]


def test_bars_of_two_sets_are_beside_each_other(sets):
    found = {item.name: item for item in balances.balances(sides_of(sets, sets.where(clean=True)))}
    dog, cat, missing = found["label"].bars
    assert (dog.label, dog.told) == ("dog", ["3 · 75 %", "2 · 100 %"])
    assert dog.widths == [75, 100]
    assert (cat.label, cat.widths) == ("cat", [0, 0])
    assert (missing.label, missing.told, missing.is_rest) == ("no value", ["1 · 25 %", "0 · 0 %"], True)


def test_rare_values_share_a_bar(tmp_path):
    types = Columns(types={"word": "string"})
    rows = [{"word": f"word {number}"} for number in range(25) for _ in range(2)]
    [balance] = balances.balances(sides_of(opened(tmp_path / "features", rows, types)))
    assert len(balance.bars) == columns.SHOWN_VALUES + 1
    assert (balance.bars[-1].label, balance.bars[-1].told) == ("5 others", ["10 · 20 %"])
    assert {width for bar in balance.bars[:-1] for width in bar.widths} == {100}  # the others do not shorten them
    assert balance.bars[-1].widths == [0]


def test_classes_without_clips_are_counted(tmp_path):
    types = Columns(types={"label": "int"}, classes={"label": ["cat", "dog", "owl"]})
    rows = [{"label": "dog"}, {"label": "dog"}]
    [label] = columns.of_clips(opened(tmp_path / "features", rows, types))
    assert label.described == "3 classes, 2 without clips"


def test_other_columns_are_described_for_each_set(sets):
    found = {item.name: item for item in balances.others(sides_of(sets, sets.select([0])))}
    assert found["gain"].values == ["-2 to 7, 1 missing", "0.5"]
    assert found["tags"].values == ["3 missing", "1 missing"]
