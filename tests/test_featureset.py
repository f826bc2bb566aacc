"""`dataset.json`: what is in it, and what is refused."""

import hashlib
import json
import platform

import numpy as np
import pytest
import soundfile
import soxr
import tensorflow as tf

from audiopipe.errors import (
    ConfigMismatchError,
    CorruptFeatureSetError,
    FeatureSetError,
    IncompleteFeatureSetError,
)
from audiopipe.featureset import FeatureSet, sha256


def edit(folder, change):
    path = folder / "dataset.json"
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def test_dataset_json_holds_what_the_design_lists(shared_feature_set, config, samples):
    content = json.loads((shared_feature_set / "dataset.json").read_text())
    frames = sum((len(clip) - 156) // 100 for clip in samples.values())
    (machine,), shards = content.pop("machines"), content.pop("shards")
    checksum, fingerprinted = content.pop("checksum"), content.pop("fingerprinted")
    covered = {**content, "machines": [machine], "shards": shards, "fingerprinted": fingerprinted}
    assert checksum == hashlib.sha256(json.dumps(covered, sort_keys=True).encode()).hexdigest()
    assert hashlib.sha256(fingerprinted.encode()).hexdigest() == config.fingerprint
    assert content == {
        "format_version": 1,
        "config": json.loads(config.to_json()),
        "fingerprint": config.fingerprint,
        "kernel_version": 1,
        "segments": None,
        "counts": {
            "clips": 4,
            "failures": 1,
            "frames": frames,
            "hours": pytest.approx(sum(map(len, samples.values())) / 8000 / 3600),
        },
        "metadata": {
            "age": "float",
            "clean": "bool",
            "gain": "float",
            "note": "string",
            "speaker": "string",
            "take": "int",
        },
        "schema": {
            "id": "bytes: UTF-8",
            "feature": "bytes: float32, little-endian, C order",
            "shape": "int64[3]: of the feature",
            "n_frames": "int64",
            "fingerprint": "bytes: the first 8 of the fingerprint",
            "record": "int64[2]: number of its shard, and its number in the shard, both from 0",
            "age": "bytes: float64, little-endian",
            "clean": "int64: 0 or 1",
            "gain": "bytes: float64, little-endian",
            "note": "bytes: UTF-8",
            "speaker": "bytes: UTF-8",
            "take": "int64",
        },
    }
    versions = machine["versions"]
    assert versions["tensorflow"] == tf.__version__
    assert versions["numpy"] == np.__version__
    assert versions["soundfile"] == soundfile.__version__
    assert versions["libsndfile"] == soundfile.__libsndfile_version__
    assert versions["soxr"] == soxr.__version__
    assert "audiopipe" in versions
    assert machine["cpu_family"].startswith(platform.machine())
    assert isinstance(machine["onednn"], bool)
    assert [shard["name"] for shard in shards] == sorted(path.name for path in shared_feature_set.glob("*.tfrecord"))
    for shard in shards:
        data = (shared_feature_set / shard["name"]).read_bytes()
        assert shard["bytes"] == len(data)
        assert shard["sha256"] == hashlib.sha256(data).hexdigest()
    assert [shard["records"] for shard in shards] == [2, 2]


def test_an_opened_feature_set_says_what_is_in_the_file(shared_feature_set, config):
    feature_set = FeatureSet.open(shared_feature_set)
    assert feature_set.config == config
    assert feature_set.fingerprint == config.fingerprint
    assert feature_set.counts["clips"] == 4
    feature_set.check_files(checksums=True)


def test_failures_are_read_with_their_cause(shared_feature_set, clips):
    [failure] = FeatureSet.open(shared_feature_set).failures()
    assert failure["id"] == "broken"
    assert failure["path"] == str(clips / "broken.wav")
    assert failure["stage"] == "decode"
    assert "broken.wav" in failure["error"]


def test_writing_what_was_opened_gives_the_same_bytes(feature_set):
    before = (feature_set / "dataset.json").read_bytes()
    FeatureSet.open(feature_set).write()
    assert (feature_set / "dataset.json").read_bytes() == before


@pytest.mark.parametrize(("field", "value"), [("hop_length", 101), ("channels", None), ("resampler_quality", "VHQ")])
def test_an_edited_config_is_refused(feature_set, config, field, value):
    edit(feature_set, lambda content: content["config"].update({field: value}))
    with pytest.raises(CorruptFeatureSetError, match=rf"was edited.*{config.fingerprint}"):
        FeatureSet.open(feature_set)


def test_an_edited_kernel_version_is_refused(feature_set, config):
    edit(feature_set, lambda content: content.update(kernel_version=2))
    with pytest.raises(CorruptFeatureSetError, match=rf"was edited.*{config.fingerprint}"):
        FeatureSet.open(feature_set)


def test_an_invalid_config_is_refused(feature_set):
    edit(feature_set, lambda content: content["config"].update(hop_length=0))
    with pytest.raises(FeatureSetError, match=r"dataset\.json.*hop_length must be at least 1"):
        FeatureSet.open(feature_set)


def test_a_newer_format_is_refused_with_the_version_that_wrote_it(feature_set):
    def change(content):
        content["format_version"] = 2
        content["machines"][0]["versions"] = {"audiopipe": "9.1"}

    edit(feature_set, change)
    with pytest.raises(CorruptFeatureSetError, match=r"must have format_version 1\. Received: 2\..*9\.1"):
        FeatureSet.open(feature_set)


@pytest.mark.parametrize("text", ["", "{", "[]", "3", "null", "{}", '{"format_version": 1}', "\xff"])
def test_what_is_no_dataset_json_is_refused(feature_set, text):
    (feature_set / "dataset.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(CorruptFeatureSetError, match=r"dataset\.json' is not what audiopipe writes"):
        FeatureSet.open(feature_set)


@pytest.mark.parametrize("make", [lambda path: path.mkdir(), lambda path: None])
def test_a_folder_without_the_file_or_no_folder_is_incomplete(tmp_path, make):
    make(tmp_path / "empty")
    with pytest.raises(IncompleteFeatureSetError, match=r"no dataset\.json in '.*empty'.*audiopipe precompute"):
        FeatureSet.open(tmp_path / "empty")


def test_features_of_an_earlier_kernel_are_refused(feature_set, config, monkeypatch):
    monkeypatch.setattr(type(config), "kernel_version", 2)
    found = FeatureSet.open(feature_set)
    assert found.fingerprint == config.fingerprint_at(1)
    later = type(config)(**{name: value for name, value in config.to_dict().items() if name != "feature"})
    with pytest.raises(ConfigMismatchError, match="kernel_version: 2 != 1"):
        found.expect(later)


def test_the_checksum_is_that_of_the_whole_file(tmp_path):
    content = np.random.default_rng(5).bytes(2_500_000)
    (tmp_path / "file").write_bytes(content)
    assert sha256(str(tmp_path / "file")) == hashlib.sha256(content).hexdigest()
