"""Tests of inputs on the command line: several paths, options of manifests, and what the summary says about them."""

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
from typer.testing import CliRunner

from audiopipe import cli, load
from audiopipe.feature_sets import FeatureSet

RATE = 8000
runner = CliRunner(env={"COLUMNS": "200", "TERM": "dumb"})


def run(*arguments):
    return runner.invoke(cli.app, [str(argument) for argument in arguments])


@pytest.fixture
def config_file(tmp_path, config):
    path = tmp_path / "stft.json"
    path.write_text(config.to_json())
    return path


@pytest.fixture
def corpus(tmp_path):
    """A folder of folders of clips, with a file that libsndfile cannot read."""
    for name in ("cat/1.wav", "cat/2.wav", "dog/1.wav"):
        path = tmp_path / "clips" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, np.random.default_rng(0).uniform(-0.5, 0.5, 4000), RATE)
    (tmp_path / "clips" / "dog" / "2.m4a").write_bytes(b"\0\0\0\x20ftypM4A ")
    return tmp_path / "clips"


def ids(folder):
    return [element["id"].decode() for element in load(folder).as_numpy_iterator()]


def test_files_that_look_like_audio_and_are_left_out_are_named_with_the_plan_and_by_inspect(
    corpus, tmp_path, config_file
):
    result = run("precompute", corpus, tmp_path / "out", "--config", config_file)
    assert result.exit_code == 0
    assert result.stderr.count("1 file left out: 1 .m4a") == 1
    assert FeatureSet.open(tmp_path / "out").counts["left_out"] == 1
    assert "1 file left out: 1 .m4a" in run("inspect", tmp_path / "out").stdout
    assert "1 file left out" in run("precompute", corpus, "none", "--config", config_file, "--dry-run").stderr


def test_several_inputs_give_the_clips_and_ids_of_the_quoted_glob(corpus, tmp_path, config_file):
    expanded = sorted(corpus.glob("*/*"))
    assert run("precompute", *expanded, tmp_path / "expanded", "--config", config_file).exit_code == 0
    assert run("precompute", f"{corpus}/*/*", tmp_path / "quoted", "--config", config_file).exit_code == 0
    assert ids(tmp_path / "expanded") == ids(tmp_path / "quoted") == ["cat/1.wav", "cat/2.wav", "dog/1.wav"]


def test_verify_takes_several_inputs_like_precompute(corpus, tmp_path, config_file):
    names = [corpus / "cat" / "1.wav", corpus / "dog" / "1.wav"]
    assert run("precompute", *names, tmp_path / "out", "--config", config_file).exit_code == 0
    command = ("verify", tmp_path / "out", "--door", "tfdata")
    assert run(*command, "--input", names[0], "--input", names[1]).exit_code == 0
    result = run(*command, "--input", names[0], "--input", names[1], "--input", corpus / "cat" / "2.wav")
    assert result.exit_code == 1
    assert "clips in INPUT but not in OUTPUT: 1, the first is cat/2.wav" in result.stderr


def test_flags_of_beam_come_after_several_inputs(corpus, tmp_path, config_file):
    command = ("precompute", corpus / "cat" / "1.wav", corpus / "cat" / "2.wav", tmp_path / "out")
    assert run(*command, "--config", config_file, "--direct_num_workers=1").exit_code == 0
    assert ids(tmp_path / "out") == ["1.wav", "2.wav"]


@pytest.mark.parametrize("words", [["--runner=FnApiRunner"], ["--runner", "FnApiRunner"]])
def test_an_output_is_required_before_the_flags_of_beam(corpus, config_file, words):
    result = run("precompute", corpus, "--config", config_file, *words)
    assert result.exit_code == 2
    assert "INPUT and OUTPUT must come before other options" in result.stderr


def test_labels_come_from_folders_on_request_and_become_classes(corpus, tmp_path, config_file):
    command = ("precompute", corpus, tmp_path / "out", "--config", config_file, "--label-from-folder")
    assert run(*command, "--class-column", "label").exit_code == 0
    made = FeatureSet.open(tmp_path / "out")
    assert made.classes == {"label": ["cat", "dog"]}
    assert "label (int, 2 classes)" in run("inspect", tmp_path / "out").stdout
    assert [element["label"] for element in load(made.path).as_numpy_iterator()] == [0, 0, 1]
    assert run("verify", tmp_path / "out", "--input", corpus, "--door", "tfdata").exit_code == 0


def test_a_manifest_with_other_columns_is_read_and_verified_with_the_same_options(corpus, tmp_path, config_file):
    manifest = corpus / "list.tsv"
    manifest.write_text("clip\tkey\tlabel\ncat/1.wav\tone\tcat\ndog/1.wav\tthree\tdog\n")
    command = ("precompute", manifest, tmp_path / "out", "--config", config_file)
    assert "path_column" in str(run(*command).exception)
    result = run(*command, "--path-column", "clip", "--id-column", "key", "--class-column", "label")
    assert result.exit_code == 0
    assert ids(tmp_path / "out") == ["one", "three"]
    content = json.loads((tmp_path / "out" / "dataset.json").read_text())
    options = {"path_column": "clip", "id_column": "key", "class_columns": ["label"]}
    assert content["input"]["options"] == options
    assert run("verify", tmp_path / "out", "--input", manifest, "--door", "tfdata").exit_code == 0
    assert "path_column='clip'" in run("inspect", tmp_path / "out").stdout


def test_other_options_than_those_of_the_plan_are_refused(corpus, tmp_path, config_file):
    command = ("precompute", corpus, tmp_path / "out", "--config", config_file)
    assert run(*command).exit_code == 0
    assert "other settings: label_from_folder was False and is True now" in str(
        run(*command, "--label-from-folder").exception
    )


def test_remarks_are_summed_up_by_kind(corpus, tmp_path, config_file):
    for path in Path(corpus / "cat").iterdir():
        path.write_bytes(path.read_bytes()[:-2000])
    result = run("precompute", corpus, tmp_path / "out", "--config", config_file, "--accept-truncated")
    assert result.exit_code == 0
    assert "remark: 2 x the data chunk has ... of ... bytes" in result.stderr
    assert any("remarks" in line and "2 (see remarks.jsonl)" in line for line in result.stdout.splitlines())
    assert "2 x the data chunk has" in run("inspect", tmp_path / "out").stdout


def test_the_summary_counts_recordings_shorter_than_a_segment(corpus, tmp_path, config_file):
    soundfile.write(corpus / "dog" / "long.wav", np.zeros(3 * RATE), RATE)
    result = run("precompute", corpus, tmp_path / "out", "--config", config_file, "--segment-seconds", 1)
    assert result.exit_code == 0
    assert any("recordings shorter than a segment" in line and " 3 " in line for line in result.stdout.splitlines())


def test_anything_else_is_refused_before_a_plan_is_written(tmp_path, config_file):
    (tmp_path / "files.txt").write_text("a.wav\n")
    result = run("precompute", tmp_path / "files.txt", tmp_path / "out", "--config", config_file)
    assert "cannot be an input" in str(result.exception)
    assert not (tmp_path / "out").exists()
