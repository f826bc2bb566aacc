"""The command `audiopipe inspect`."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from audiopipe import Statistics, beam, cli, configs
from audiopipe.errors import FeatureSetError
from audiopipe.precompute import shard_writer
from audiopipe.verification import verify

runner = CliRunner(env={"COLUMNS": "200", "TERM": "dumb"})


def shown(*arguments):
    """Returns the rows of the table, by title. A title that occurs twice has the value of its last row."""
    result = runner.invoke(cli.app, ["inspect", *map(str, arguments)])
    assert result.exit_code == 0, result.exception
    lines = [[cell.strip() for cell in line.strip("│").split("│")] for line in result.stdout.splitlines()]
    return {cells[0]: cells[1] for cells in lines if len(cells) == 2}


def facts(folder):
    result = runner.invoke(cli.app, ["inspect", str(folder), "--json"])
    assert result.exit_code == 0, result.exception
    return json.loads(result.stdout)


def test_inspect_shows_the_normalization_of_a_config_in_a_few_words(clips, config, tmp_path):
    statistics = Statistics(mean=np.zeros(config.n_bins), std=np.ones(config.n_bins))
    normalized = config.normalized(statistics)
    beam.precompute(clips / "stereo.flac", tmp_path / "features", normalized)
    assert shown(tmp_path / "features")["standardization"] == repr(normalized.standardization)
    assert configs.from_dict(facts(tmp_path / "features")["config"]) == normalized


@pytest.fixture
def unfinished(clips, config, tmp_path, monkeypatch):
    """Returns a folder with the first of two shards, whose job was interrupted."""
    write = shard_writer.write_shards

    def die_at_the_second(elements):
        yield from write([element for element in elements if element[1] == 0])
        raise RuntimeError("the machine is gone")

    with monkeypatch.context() as patch:
        patch.setattr(shard_writer, "write_shards", die_at_the_second)
        with pytest.raises(FeatureSetError):
            beam.precompute(clips / "manifest.jsonl", tmp_path / "out", config, num_shards=2)
    return tmp_path / "out"


def test_inspect_shows_config_counts_metadata_and_machine(shared_feature_set, config):
    rows = shown(shared_feature_set)
    assert rows["fingerprint"] == config.fingerprint
    assert rows["feature"] == "StftMagnitude"
    assert rows["hop_length"] == "100"
    assert rows["clips"] == "4, and 1 failure"
    assert rows["failure"].startswith("1 x decode: Could not decode ... as audio")
    assert rows["remarks"] == "0"
    assert rows["frames"] == "112"
    assert rows["audio"] == "1.5 s"
    assert rows["shards"].startswith("2, ")
    assert rows["statistics"] == "stored"
    assert rows["stored as"] == "float32"
    assert rows["metadata"].startswith("age (int, missing: -1), clean (bool), gain (float), note (string)")
    assert rows["numpy"] == np.__version__


def test_the_json_has_the_facts_of_the_table(shared_feature_set, config):
    found = facts(shared_feature_set)
    assert (found["complete"], found["unfinished"]) == (True, None)
    assert (found["fingerprint"], found["kernel_version"]) == (config.fingerprint, config.kernel_version)
    assert found["config"] == config.to_dict()
    assert found["counts"]["clips"] == 4
    assert found["counts"]["frames"] == 112
    assert found["counts"]["short_recordings"] is None
    assert (found["dtype"], found["max_error"]) == ("float32", 0.0)
    assert (found["format_version"], found["generation"], found["shards"]) == (2, 1, 2)
    assert found["bytes"] == sum(path.stat().st_size for path in shared_feature_set.glob("*.tfrecord"))
    assert (shared_feature_set / found["statistics"]).is_file()
    assert found["metadata"]["gain"] == "float"
    [failures] = found["failures"]
    assert (failures["count"], failures["kind"][:7]) == (1, "decode:")
    assert found["remarks"] == []
    assert found["machines"][0]["versions"]["numpy"] == np.__version__


def test_durations_and_class_counts_are_shown(clips, config, tmp_path):
    labels = {"mono": "[noise]", "stereo": "caf\udce9", "resampled": "[noise]", "quiet": None}
    paths = {"mono": "mono.wav", "stereo": "stereo.flac", "resampled": "resampled.wav", "quiet": "quiet.wav"}
    rows = [{"id": name, "path": str(clips / path), "label": labels[name]} for name, path in paths.items()]
    (tmp_path / "manifest.jsonl").write_text("\n".join(map(json.dumps, rows)))
    beam.precompute(tmp_path / "manifest.jsonl", tmp_path / "out", config, class_columns=["label"])
    found = facts(tmp_path / "out")
    assert found["seconds"] == {"min": 1000 / 8000, "max": 4500 / 8000}
    assert found["classes"] == {"label": {"counts": {"[noise]": 2, "caf\udce9": 1}, "missing": 1}}
    rows = shown(tmp_path / "out")
    assert rows["clips last"] == "0.125 s to 0.562 s"
    assert rows["classes of label"] == r"2 x [noise], 1 x caf\udce9, 1 missing"
    assert rows["metadata"] == "label (int, 2 classes, missing: -1)"


def test_the_documentation_describes_every_key_of_the_json(shared_feature_set):
    page = (Path(__file__).parents[2] / "docs" / "concepts" / "command-line.md").read_text()
    assert not [key for key in facts(shared_feature_set) if f"`{key}`" not in page]


def test_a_set_stored_as_float16_shows_its_error(clips, config, tmp_path):
    beam.precompute(clips / "quiet.wav", tmp_path / "out", config, dtype="float16")
    found = facts(tmp_path / "out")
    assert found["dtype"] == "float16"
    assert 0 < found["max_error"] < 0.1
    assert shown(tmp_path / "out")["stored as"] == f"float16, off by at most {found['max_error']:g}"


def test_an_unfinished_set_shows_its_progress_and_the_same_keys(unfinished, shared_feature_set, config):
    before = sorted((path, path.stat().st_mtime_ns) for path in unfinished.rglob("*"))
    found = facts(unfinished)
    assert list(found) == list(facts(shared_feature_set))
    assert (found["complete"], found["counts"], found["max_error"]) == (False, None, None)
    assert found["config"] == config.to_dict()
    assert found["metadata"]["gain"] == "float"
    assert found["unfinished"]["shards"] == {"done": 1, "total": 2}
    assert found["unfinished"]["clips"] == {"done": 2, "total": 5}
    assert found["unfinished"]["seconds"]["done"] == pytest.approx(6500 / 8000)
    rows = shown(unfinished)
    assert rows["clips done"] == "2 of 5"
    assert rows["shards done"] == "1 of 2"
    assert rows["fingerprint"] == config.fingerprint
    assert sorted((path, path.stat().st_mtime_ns) for path in unfinished.rglob("*")) == before


def test_an_interrupted_update_shows_the_old_set_and_what_it_changes(clips, config, tmp_path, monkeypatch):
    (tmp_path / "clips").mkdir()
    shutil.copy(clips / "quiet.wav", tmp_path / "clips" / "a.wav")
    beam.precompute(tmp_path / "clips", tmp_path / "out", config)
    shutil.copy(clips / "mono.wav", tmp_path / "clips" / "b.wav")
    monkeypatch.setattr(shard_writer, "write_shards", lambda elements: 1 / 0)
    with pytest.raises(FeatureSetError):
        beam.precompute(tmp_path / "clips", tmp_path / "out", config, update=True)
    found = facts(tmp_path / "out")
    assert (found["complete"], found["generation"], found["counts"]["clips"]) == (True, 1, 1)
    assert found["unfinished"]["changes"]["added"] == 1
    assert found["unfinished"]["shards"]["done"] == 0
    rows = shown(tmp_path / "out")
    assert rows["unfinished"] == "an update"
    assert "1 added" in rows["changes"]
    assert verify(tmp_path / "out").ok


def test_a_complete_set_with_an_unreadable_old_plan_is_shown(feature_set):
    (feature_set / "plan").mkdir(exist_ok=True)
    (feature_set / "plan" / "plan.json").write_text('{"format_version": 1}')
    assert facts(feature_set)["complete"]
    (feature_set / "dataset.json").unlink()
    result = runner.invoke(cli.app, ["inspect", str(feature_set)])
    assert "was written by another version of audiopipe" in str(result.exception)
