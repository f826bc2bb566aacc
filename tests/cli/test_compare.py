"""The command `audiopipe compare`: differences, exit codes and errors."""

import json
from pathlib import Path

import numpy as np
import pytest
import synthetic_sets
from synthetic_sets import COLUMNS, CONFIG, feature
from typer.testing import CliRunner

from audiopipe import FeatureSet, cli
from audiopipe.feature_sets import view_statistics
from audiopipe.plotting import images

runner = CliRunner(env={"COLUMNS": "200", "TERM": "dumb"})


def run(*arguments):
    return runner.invoke(cli.app, ["compare", *map(str, arguments)])


def facts(*arguments):
    return json.loads(run(*arguments, "--json").stdout)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Returns a set of two groups of clips. In the second one, bin 3 is higher by 2, and bin 7 varies more."""
    path = tmp_path_factory.mktemp("compare") / "features"
    clips = {}
    for number in range(8):
        values = feature(500, seed=number)
        if number % 2:
            values[:, 3] += 2
            values[:, 7] *= 1.5
        clips[str(number)] = values, {"label": ["cat", "dog"][number % 2], "clean": number < 4}
    synthetic_sets.write(path, clips, columns=COLUMNS)
    return path


def test_a_set_does_not_differ_from_itself(folder):
    result = run(folder, folder, "--tolerance", 0)
    assert result.exit_code == 0
    assert "All 20 bins are within 0 standard deviations of A." in result.stdout
    assert "8 clips, 4,000 frames" in result.stdout


def test_the_worst_bins_come_first_with_their_differences(folder):
    arguments = (folder, folder, "--where-a", "label=cat", "--where-b", "label=dog")
    result = run(*arguments, "--worst", 2)
    assert result.exit_code == 1
    lines = [line.split("│")[1:-1] for line in result.stdout.splitlines() if line.startswith("│")]
    sides, rows = lines[:2], lines[2:]
    assert [[cell.strip() for cell in side] for side in sides] == [
        ["A", f"{folder} label=cat", "4 clips, 2,000 frames"],
        ["B", f"{folder} label=dog", "4 clips, 2,000 frames"],
    ]
    assert [int(row[0]) for row in rows] == [3, 7]
    found = facts(*arguments)
    values = {
        label: np.concatenate([clip["feature"] for clip in FeatureSet(folder).where(label=label)]).astype(float)
        for label in ("cat", "dog")
    }
    unit = values["cat"].std(axis=0)[:, 0]
    means = (values["dog"].mean(axis=0) - values["cat"].mean(axis=0))[:, 0] / unit
    stds = (values["dog"].std(axis=0) - values["cat"].std(axis=0))[:, 0] / unit
    assert [entry["bin"] for entry in found["bins"][:2]] == [3, 7]
    for entry in found["bins"]:
        number = entry["bin"]
        assert entry["mean_difference"] == pytest.approx(means[number], rel=1e-9)
        assert entry["std_difference"] == pytest.approx(stds[number], rel=1e-9, abs=1e-12)
        assert entry["frequency"] == CONFIG.frequencies()[number]
    assert float(rows[0][4].removesuffix("std ")) == pytest.approx(means[3], abs=5e-4)
    assert float(rows[1][7].removesuffix("std ")) == pytest.approx(stds[7], abs=5e-4)
    assert found["largest"] == pytest.approx(means[3], rel=1e-9)
    assert (found["within"], found["beyond"], found["tolerance"]) == (False, 2, 0.1)
    assert found["a"]["where"] == ["label=cat"]
    assert found["b"]["frames"] == 2000


@pytest.mark.parametrize(("tolerance", "code"), [(1, 1), (1.9, 1), (2.1, 0)])
def test_the_tolerance_decides_the_exit_code(folder, tolerance, code):
    arguments = (folder, folder, "--where-a", "label=cat", "--where-b", "label=dog", "--tolerance", tolerance)
    assert run(*arguments).exit_code == code
    assert facts(*arguments)["within"] == (code == 0)


def test_conditions_of_both_sets_are_combined_with_those_of_one(folder):
    arguments = (folder, folder, "--where", "clean=true", "--where-a", "label=cat", "--where-b", "label=dog")
    found = facts(*arguments)
    assert (found["a"]["clips"], found["b"]["clips"]) == (2, 2)
    assert found["b"]["where"] == ["clean=true", "label=dog"]
    narrowed = facts(folder, folder, "--where", "label=cat", "--where", "label=dog", "--where-a", "label=cat")
    assert (narrowed["a"]["clips"], narrowed["b"]["clips"]) == (4, 8)


def test_a_bin_that_is_constant_in_a_alone_differs_infinitely(tmp_path):
    constant = np.ones((4, 20, 1), np.float32)
    varied = constant.copy()
    varied[:, 5] = np.arange(4)[:, None]
    synthetic_sets.write(tmp_path / "a", {"x": constant}, shards=1)
    synthetic_sets.write(tmp_path / "b", {"x": varied}, shards=1)
    found = facts(tmp_path / "a", tmp_path / "b")
    assert (found["within"], found["largest"], found["beyond"]) == (False, None, 1)
    worst, *others = found["bins"]
    assert (worst["bin"], worst["mean_difference"], worst["std_difference"], worst["std_a"]) == (5, None, None, 0)
    assert {(entry["mean_difference"], entry["std_difference"]) for entry in others} == {(0, 0)}
    result = run(tmp_path / "a", tmp_path / "b", "--tolerance", 1e9)
    assert result.exit_code == 1
    assert "+inf std" in result.stdout


def test_other_features_are_refused_with_the_fields_that_differ(folder):
    result = run(folder, "tests/data/v0.1/features")
    assert result.exit_code == 2
    assert "ConfigMismatchError" in result.stderr
    assert "hop_length: 160 != 100" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--where", "label=mouse"), "must be one of the classes 'cat', 'dog'"),
        (("--where-b", "labels=cat"), "--where-b must be COLUMN=VALUE"),
        (("--where-a", "id=none"), "Received: no clips"),
        (("--tolerance", "-1"), "tolerance"),
        (("--tolerance", "nan"), "tolerance"),
        (("--tolerance", "inf"), "tolerance must be finite. Received: tolerance=inf"),
        (("--import", "no_such_module"), "no_such_module"),
    ],
)
def test_errors_have_an_exit_code_of_their_own(folder, arguments, message):
    result = run(folder, folder, *arguments)
    assert result.exit_code == 2
    assert message in result.stderr


def test_a_missing_set_is_an_error_and_no_difference(folder, tmp_path):
    result = run(folder, tmp_path)
    assert result.exit_code == 2
    assert "IncompleteFeatureSetError" in result.stderr


def test_an_unexpected_failure_is_no_difference_either(folder, monkeypatch):
    def fail(*arguments):
        raise RuntimeError("the storage is gone")

    monkeypatch.setattr(view_statistics, "of_rows", fail)
    assert run(folder, folder).exit_code == 2


def test_a_difference_of_storage_dtypes_is_mentioned(folder, tmp_path):
    clips = {clip["id"]: clip["feature"] for clip in FeatureSet(folder)}
    synthetic_sets.write(tmp_path / "half", clips, dtype="float16")
    result = run(folder, tmp_path / "half", "--tolerance", 0.01)
    assert result.exit_code == 0
    assert "A is stored as float32 and B as float16" in result.stderr


def test_both_can_be_plotted(folder, monkeypatch):
    drawn = []
    monkeypatch.setattr(images, "save_statistics", lambda *arguments, title: drawn.append((*arguments, title)))
    assert run(folder, folder, "--where-b", "label=dog", "--plot", "drift.png").exit_code == 1
    sets = FeatureSet(folder)
    both = {"A": sets.statistics, "B": sets.where(label="dog").statistics}
    assert drawn == [(both, CONFIG, Path("drift.png"), f"A: {folder}\nB: {folder} label=dog")]
