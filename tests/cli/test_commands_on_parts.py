"""Commands on a feature set in parts."""

import json

import pytest
from corpora import CONFIG, Corpus
from typer.testing import CliRunner

from audiopipe import cli

runner = CliRunner(env={"COLUMNS": "200", "TERM": "dumb"})


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A feature set in parts, with what the command printed."""
    folder = tmp_path_factory.mktemp("parts")
    corpus = Corpus(folder / "corpus")
    for number in range(12):
        corpus.put(f"c{number}", number, label="cat" if number % 2 else "dog")
    corpus.audio("c3").write_bytes(b"no audio")
    (folder / "config.json").write_text(CONFIG.to_json())
    words = [
        "precompute",
        corpus.write(),
        folder / "out",
        "--config",
        folder / "config.json",
        "--class-column",
        "label",
    ]
    done = run(*words, "--parts", 3, "--workers", 1, "--max-failure-ratio", 1)
    assert done.exit_code == 0, done.output
    return folder, corpus.manifest, done.output


def run(*words):
    return runner.invoke(cli.app, [str(word) for word in words])


def test_precompute_shows_the_whole(made):
    printed = made[2]
    assert ["parts", "3"] in [line.replace("│", " ").split() for line in printed.splitlines()]
    assert "1 (see part-*/failures.jsonl)" in printed
    assert "failed: c3 (decode)" in printed


def test_inspect_shows_the_whole(made):
    facts = json.loads(run("inspect", made[0] / "out", "--json").output)
    assert (facts["parts"], facts["format_version"], facts["shards"]) == (3, 3, 3)
    assert facts["counts"]["clips"] == 11
    assert facts["classes"] == {"label": {"counts": {"cat": 5, "dog": 6}, "missing": 0}}
    assert [kind["count"] for kind in facts["failures"]] == [1]
    table = run("inspect", made[0] / "out")
    assert table.exit_code == 0
    assert "parts" in table.output


def test_verify_checks_every_part(made):
    done = run("verify", made[0] / "out")
    assert "shards: 3, with 11 records" in done.output
    part = next((made[0] / "out/part-00002-of-00003").glob("features-*.tfrecord"))
    kept = part.read_bytes()
    part.write_bytes(kept[:-1] + b"x")
    try:
        done = run("verify", made[0] / "out")
        assert (done.exit_code, "part-00002-of-00003" in str(done.exception or done.output)) == (1, True)
    finally:
        part.write_bytes(kept)


def test_other_commands_take_the_whole(made):
    folder, manifest, _ = made
    assert run("stats", folder / "out").exit_code == 0
    assert run("machine", folder / "out").exit_code == 0
    assert CONFIG.fingerprint in run("configs", "show", folder / "out").output
    assert run("merge", folder / "out", folder / "merged").exit_code == 0
    assert json.loads(run("inspect", folder / "merged", "--json").output)["counts"]["clips"] == 11
    planned = run("precompute", manifest, folder / "new", "--config", folder / "config.json", "--parts", 3, "--dry-run")
    assert "planned: 12 clips" in planned.output
    assert "in 3 shards" in planned.output


def test_a_dry_run_plans_the_parts_that_the_output_has(made):
    folder, manifest, _ = made
    words = ["precompute", manifest, folder / "out", "--config", folder / "config.json", "--num-shards", 1, "--dry-run"]
    for options in ([], ["--overwrite"], ["--parts", 3]):
        assert "in 3 shards" in run(*words, *options).output
    assert "in 2 shards" in run(*words, "--overwrite", "--parts", 2).output
    refused = run(*words, "--parts", 4)
    assert "parts was 3 and is 4 now" in str(refused.exception or refused.output)
    assert not (folder / "out/part-00000-of-00004").exists()
