"""The command `audiopipe stats`."""

import json
import subprocess
import sys

import matplotlib.image
import numpy as np
import pytest
import synthetic_sets
from synthetic_sets import CHANNELS_FIRST, COLUMNS, CONFIG, feature
from typer.testing import CliRunner

from audiopipe import FeatureSet, Statistics, cli, configs
from audiopipe.cli import bin_tables
from audiopipe.errors import ArgumentError, FeatureSetError

runner = CliRunner(env={"COLUMNS": "200", "TERM": "dumb"})


def run(*arguments):
    return runner.invoke(cli.app, ["stats", *map(str, arguments)])


def rows_of(text):
    """Returns the cells of each row of the tables."""
    lines = [line.strip("│┃") for line in text.splitlines() if line[:1] in "│┃"]
    return [[cell.strip() for cell in line.replace("┃", "│").split("│")] for line in lines]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("stats") / "features"
    clips = {
        str(number): (feature(10 + number, seed=number) * 5 - 30, {"label": ["cat", "dog"][number % 2], "take": number})
        for number in range(6)
    }
    synthetic_sets.write(path, clips, columns=COLUMNS)
    return path


def test_each_bin_has_a_row_and_the_last_row_pools_all(folder):
    result = run(folder, "--where", "label=dog", "--where", "take=1", "--where", "take=3")
    assert result.exit_code == 0, result.exception
    rows = rows_of(result.stdout)
    facts = {row[0]: row[1] for row in rows if len(row) == 2}
    assert facts["clips"] == "2"
    assert facts["frames"] == "24"
    assert facts["config"] == f"MelSpectrogram {CONFIG.fingerprint[:12]}"
    assert [row[1] for row in rows if row[0] == "where"] == ["label=dog", "take=1", "take=3"]
    values = np.concatenate([clip["feature"] for clip in FeatureSet(folder).select(["1", "3"])]).astype(float)
    header, *bins, total = [row for row in rows if len(row) == 6]
    assert header == ["bin", "frequency (Hz)", "mean", "std", "min", "max"]
    assert [row[0] for row in bins] == [str(number) for number in range(20)]
    for number, row in enumerate(bins):
        assert float(row[1]) == pytest.approx(CONFIG.frequencies()[number], abs=0.5)
        found = values[:, number]
        expected = [found.mean(), found.std(), found.min(), found.max()]
        assert list(map(float, row[2:])) == pytest.approx(expected, rel=1e-4)
    assert total[0] == "0 .. 19"
    expected = [values.mean(), values.std(), values.min(), values.max()]
    assert list(map(float, total[2:])) == pytest.approx(expected, rel=1e-4)


def test_the_json_has_statistics_that_can_be_read_again(folder):
    result = run(folder, "--json", "--where", "take=")
    assert isinstance(result.exception, FeatureSetError)  # no such clip
    result = run(folder, "--json", "--where", "take=2")
    facts = json.loads(result.stdout)
    assert (facts["path"], facts["where"], facts["clips"], facts["dtype"]) == (str(folder), ["take=2"], 1, "float32")
    assert configs.from_dict(facts["config"]) == CONFIG
    assert facts["frequencies"] == CONFIG.frequencies().tolist()
    assert facts["channels"] == [""]
    assert Statistics.from_dict(facts["statistics"]) == FeatureSet(folder).where(take=2).statistics


def test_many_bins_are_shown_in_groups_or_one_by_one(folder, monkeypatch):
    monkeypatch.setattr(bin_tables, "MOST_ROWS", 7)
    groups = [row[0] for row in rows_of(run(folder).stdout) if len(row) == 6][1:]
    assert groups == ["0 .. 2", "3 .. 5", "6 .. 8", "9 .. 11", "12 .. 14", "15 .. 17", "18 .. 19", "0 .. 19"]
    every = [row[0] for row in rows_of(run(folder, "--all-bins").stdout) if len(row) == 6][1:]
    assert every == [*map(str, range(20)), "0 .. 19"]


def test_each_channel_has_its_rows(tmp_path):
    synthetic_sets.write(tmp_path / "features", {"a": feature(4, CHANNELS_FIRST)}, CHANNELS_FIRST, shards=1)
    rows = [row for row in rows_of(run(tmp_path / "features").stdout) if len(row) == 7]
    assert [row[0] for row in rows] == ["channel", *["channel 0"] * 21, *["channel 1"] * 21]


def test_the_plot_is_written_beside_the_output(folder, tmp_path):
    result = run(folder, "--plot", tmp_path / "stats.png")
    assert result.exit_code == 0
    assert matplotlib.image.imread(tmp_path / "stats.png").shape == (480, 1080, 4)
    assert f"{tmp_path / 'stats.png'}: statistics of 6 clips" in result.stderr


def test_wrong_conditions_are_errors_of_the_command(folder):
    assert isinstance(run(folder, "--where", "speakr=anna").exception, ArgumentError)


def test_groups_are_pooled_like_all_their_values():
    random = np.random.default_rng(3)
    values = random.normal(size=(50, 6, 2)) * np.arange(1, 7)[:, None] + np.arange(6)[:, None]
    statistics = Statistics(
        mean=values.mean(axis=0), std=values.std(axis=0), min=values.min(axis=0), max=values.max(axis=0)
    )
    for bins, channels in [(slice(0, 3), slice(1, 2)), (slice(0, 6), slice(0, 2)), (slice(4, 5), slice(0, 1))]:
        found, part = bin_tables.pooled(statistics, bins, channels), values[:, bins, channels]
        assert (found.mean, found.std) == pytest.approx((part.mean(), part.std()), rel=1e-12)
        assert (found.min, found.max) == (part.min(), part.max())


def test_neither_tensorflow_nor_matplotlib_is_imported(folder):
    program = (
        "import sys; from audiopipe.cli import app\n"
        f"try: app(['stats', {str(folder)!r}])\n"
        "except SystemExit: pass\n"
        "sys.exit(any(name in sys.modules for name in ('tensorflow', 'matplotlib')))"
    )
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, check=False).returncode == 0
