"""Tests of `audiopipe merge`."""

import json

import pytest
import synthetic_sets
from typer.testing import CliRunner

from audiopipe import FeatureSet, cli
from audiopipe.errors import ArgumentError, FeatureSetError

runner = CliRunner(env={"COLUMNS": "200", "TERM": "dumb"})


def run(*arguments):
    return runner.invoke(cli.app, ["merge", *(str(argument) for argument in arguments)])


@pytest.fixture
def sets(tmp_path):
    for name in "ab":
        clips = {"x": synthetic_sets.feature(4), "y": synthetic_sets.feature(5)}
        synthetic_sets.write(tmp_path / name, clips)
    return tmp_path / "a", tmp_path / "b"


def test_it_joins_feature_sets_under_prefixes_and_prints_a_summary(sets, tmp_path):
    result = run(*sets, tmp_path / "both", "--prefix", "a/", "--prefix", "b/")
    assert result.exit_code == 0
    assert FeatureSet(tmp_path / "both").ids == ["a/x", "a/y", "b/x", "b/y"]
    rows = [line.strip("│ ").split() for line in result.stdout.splitlines()]
    assert ["clips", "│", "4"] in rows
    assert "planned: 4 clips" in result.stderr
    assert "clips 4 of 4 (100 %)" in result.stderr


def test_programs_get_lines_of_json_and_a_complete_merge_is_left_alone(sets, tmp_path):
    command = (*sets, tmp_path / "both", "--prefix", "", "--prefix", "b/", "--log-json")
    for done_before in (0, 4):
        events = [json.loads(line) for line in run(*command).stdout.splitlines()]
        assert events[0] == {**events[0], "event": "planned", "clips": 4, "shards": 1, "done_before": done_before}
        assert events[-1] == {**events[-1], "event": "finished", "clips": 4, "frames": 18}
    assert FeatureSet(tmp_path / "both").ids == ["x", "y", "b/x", "b/y"]


def test_equal_ids_and_a_missing_prefix_are_errors(sets, tmp_path):
    error = run(*sets, tmp_path / "both").exception
    assert isinstance(error, FeatureSetError)
    assert "the id 'x'" in str(error)
    assert isinstance(run(*sets, tmp_path / "both", "--prefix", "a/").exception, ArgumentError)
    assert run(sets[0]).exit_code == 2
