"""The command `audiopipe report`."""

import re

from typer.testing import CliRunner

from audiopipe import cli

runner = CliRunner(env={"COLUMNS": "200", "TERM": "dumb"})


def run(*arguments):
    return runner.invoke(cli.app, ["report", *map(str, arguments)])


def test_a_report_is_written_and_its_size_is_told(shared_feature_set, clips, tmp_path):
    path = tmp_path / "report.html"
    result = run(
        *(shared_feature_set, "-o", path, "--clips", 2, "--seed", 3, "--compare", shared_feature_set),
        *("--input", clips / "mono.wav", "--input", clips / "stereo.flac", "--input", clips / "manifest.jsonl"),
    )
    assert result.exit_code == 1  # manifests and audio files are not one input
    result = run(shared_feature_set, "-o", path, "--clips", 2, "--seed", 3, "--input", clips / "manifest.jsonl")
    assert result.exit_code == 0, result.exception
    assert re.fullmatch(rf"{re.escape(str(path))}: \d+\.\d kB", result.stdout.strip().replace("\n", ""))
    assert path.read_text().count("<audio ") == 2 + 2


def test_another_set_is_shown_beside_the_first(shared_feature_set, tmp_path):
    path = tmp_path / "report.html"
    assert run(shared_feature_set, "-o", path, "--clips", 0, "--compare", shared_feature_set).exit_code == 0
    assert "compared with" in path.read_text()


def test_another_file_is_replaced_only_if_that_is_asked_for(shared_feature_set, tmp_path):
    path = tmp_path / "notes.html"
    path.write_text("notes")
    result = run(shared_feature_set, "-o", path, "--clips", 0)
    assert "earlier report" in str(result.exception)
    assert path.read_text() == "notes"
    assert run(shared_feature_set, "-o", path, "--clips", 0, "--overwrite").exit_code == 0
    assert "Feature set report" in path.read_text()


def test_an_output_is_needed(shared_feature_set):
    result = run(shared_feature_set)
    assert result.exit_code == 2
    assert "--output" in result.stderr
