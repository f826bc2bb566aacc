"""Content and validation of `dataset.json` and `failures.jsonl`."""

import dataclasses
import hashlib
import json
import platform
import re
import shutil
from pathlib import Path

import damage
import numpy as np
import pytest
import soundfile
import soxr
import tensorflow as tf

from audiopipe import load
from audiopipe.errors import (
    ArgumentError,
    ConfigMismatchError,
    CorruptFeatureSetError,
    FeatureSetError,
    IncompleteFeatureSetError,
)
from audiopipe.feature_sets.description import Description, sha256
from audiopipe.identity import kernel_versions
from audiopipe.inputs.columns import Columns
from audiopipe.transform import probe

OLD = Path(__file__).parents[1] / "data/v0.1"
KERNEL_VERSION = kernel_versions.VERSIONS["StftMagnitude"]


def edit(folder, change):
    path = folder / "dataset.json"
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def test_dataset_json_has_every_field(shared_feature_set, config, samples):
    content = json.loads((shared_feature_set / "dataset.json").read_text())
    frames = sum((len(clip) - 156) // 100 for clip in samples.values())
    (machine,), shards = content.pop("machines"), content.pop("shards")
    checksum, fingerprinted = content.pop("checksum"), content.pop("fingerprinted")
    covered = {**content, "machines": [machine], "shards": shards, "fingerprinted": fingerprinted}
    assert checksum == hashlib.sha256(json.dumps(covered, sort_keys=True).encode()).hexdigest()
    assert hashlib.sha256(fingerprinted.encode()).hexdigest() == config.fingerprint
    assert [len(bytes.fromhex(shard["id"])) for shard in shards] == [8, 8]
    for field, name, copy in (
        ("index", "index-00000001.parquet", "clips.parquet"),
        ("failures", "failures-00000001.jsonl", "failures.jsonl"),
        ("remarks", "remarks-00000001.jsonl", "remarks.jsonl"),
    ):
        data = (shared_feature_set / name).read_bytes()
        digest = hashlib.sha256(data).hexdigest()
        assert content.pop(field) == {"name": name, "bytes": len(data), "sha256": digest}
        assert (shared_feature_set / copy).read_bytes() == data
    data = (shared_feature_set / "statistics-00000001.jsonl").read_bytes()
    digest = hashlib.sha256(data).hexdigest()
    assert content.pop("statistics") == {"name": "statistics-00000001.jsonl", "bytes": len(data), "sha256": digest}
    [note] = content["input"].pop("notes")
    assert note.startswith("The column 'age' has missing integers")
    assert content == {
        "format_version": 2,
        "generation": 1,
        "next_shard": 2,
        "obsolete": [],
        "config": json.loads(config.to_json()),
        "fingerprint": config.fingerprint,
        "kernel_version": config.kernel_version,
        "segments": None,
        "storage": {"dtype": "float32", "max_error": 0.0},
        "input": {"options": {}, "accept_truncated": False},
        "counts": {
            "clips": 4,
            "failures": 1,
            "remarks": 0,
            "left_out": 0,
            "frames": frames,
            "hours": pytest.approx(sum(map(len, samples.values())) / 8000 / 3600),
        },
        "metadata": {
            "age": "int",
            "clean": "bool",
            "gain": "float",
            "note": "string",
            "speaker": "string",
            "take": "int",
        },
        "classes": {},
        "fill_values": {"age": -1},
        "schema": {
            "id": "bytes: UTF-8",
            "feature": "bytes: float32, little-endian, C order; the last bytes of the record",
            "shape": "int64[3]: of the feature",
            "n_frames": "int64",
            "valid_frames": "int64: number of frames that hold audio, at most n_frames",
            "fingerprint": "bytes: the first 8 of the fingerprint",
            "shard_id": "bytes: the id of its shard",
            "record": "int64: its number in the shard, from 0",
            "age": "int64; no entry if missing",
            "clean": "int64: 0 or 1; no entry if missing",
            "gain": "bytes: float64, little-endian; no entry if missing",
            "note": "bytes: UTF-8; no entry if missing",
            "speaker": "bytes: UTF-8; no entry if missing",
            "take": "int64; no entry if missing",
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
    assert machine == probe.record(config)
    assert [shard["name"] for shard in shards] == sorted(path.name for path in shared_feature_set.glob("*.tfrecord"))
    for shard in shards:
        data = (shared_feature_set / shard["name"]).read_bytes()
        assert shard["bytes"] == len(data)
        assert shard["sha256"] == hashlib.sha256(data).hexdigest()
    assert [shard["records"] for shard in shards] == [2, 2]


def test_open_reads_the_content_of_the_file(shared_feature_set, config):
    feature_set = Description.open(shared_feature_set)
    assert feature_set.config == config
    assert feature_set.fingerprint == config.fingerprint
    assert feature_set.counts["clips"] == 4
    feature_set.check_files(checksums=True)


def test_failures_are_read_with_their_cause(shared_feature_set, clips):
    [failure] = Description.open(shared_feature_set).failures()
    assert failure["id"] == "broken"
    assert failure["path"] == str(clips / "broken.wav")
    assert failure["stage"] == "decode"
    assert "broken.wav" in failure["error"]


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_the_storage_dtype_is_recorded_and_does_not_change_the_fingerprint(feature_set, config, dtype):
    before = json.loads((feature_set / "dataset.json").read_text())
    written = damage.store_as(feature_set, dtype)
    content = json.loads((feature_set / "dataset.json").read_text())
    assert content["storage"] == {"dtype": dtype, "max_error": written.max_error}
    assert content["fingerprint"] == before["fingerprint"] == config.fingerprint
    entries = {
        "feature": f"bytes: {dtype}, little-endian, C order; the last bytes of the record",
        "dtype": f"bytes: {dtype}",
    }
    assert content["schema"] == {**before["schema"], **entries}
    assert Description.open(feature_set) == written


def test_a_dataset_json_without_a_storage_dtype_is_float32(feature_set):
    damage.edit(feature_set, lambda content: content.pop("storage"))
    assert Description.open(feature_set).dtype == "float32"


def test_classes_and_fill_values_are_read_from_dataset_json(feature_set):
    classes, fill_values = {"take": ["Zoë", "caf\udce9"]}, {"take": -1}
    dataclasses.replace(Description.open(feature_set), classes=classes, fill_values=fill_values).write()
    read = Description.open(feature_set)
    assert (read.classes, read.fill_values) == (classes, fill_values)
    assert read.columns == Columns(types=read.schema, classes=classes, fill_values=fill_values)


def test_a_dataset_json_of_an_older_release_has_no_classes_and_fill_values(feature_set):
    damage.edit(feature_set, lambda content: (content.pop("classes"), content.pop("fill_values")))
    read = Description.open(feature_set)
    assert (read.classes, read.fill_values) == ({}, {})


@pytest.mark.parametrize(
    "change",
    [
        {"classes": {"take": ["a", "a"]}},
        {"classes": {"speaker": ["a"]}},
        {"classes": []},
        {"fill_values": {"take": 0.5}},
        {"fill_values": {"other": 1}},
        {"metadata": {"take": "int8"}},
    ],
)
def test_classes_and_fill_values_that_do_not_fit_the_columns_are_refused(feature_set, change):
    damage.edit(feature_set, lambda content: content.update(change))
    with pytest.raises(CorruptFeatureSetError, match=r"is not a valid dataset\.json"):
        Description.open(feature_set)


def test_an_unknown_storage_dtype_is_refused(feature_set):
    with pytest.raises(ArgumentError, match="Received: dtype='int8'"):
        dataclasses.replace(Description.open(feature_set), dtype="int8")
    damage.edit(feature_set, lambda content: content["storage"].update(dtype="int8"))
    with pytest.raises(CorruptFeatureSetError, match=r"is not a valid dataset\.json.*dtype='int8'"):
        Description.open(feature_set)


@pytest.mark.parametrize(
    "name",
    [
        "../other/features-00000000.tfrecord",
        "{other}/features-00000000.tfrecord",
        "features-00000000.tfrecord/../../other/features-00000000.tfrecord",
        "features-00000000.tfrecord\n",
        "dataset.json",
        "",
    ],
)
def test_a_shard_outside_the_folder_is_refused(feature_set, tmp_path, name):
    other = tmp_path / "other"
    other.mkdir()
    (feature_set / "features-00000000.tfrecord").rename(other / "features-00000000.tfrecord")
    damage.edit(feature_set, lambda content: content["shards"][0].update(name=name.format(other=other)))
    message = r"'name' of a shard must be a name like 'features-00000012\.tfrecord'\. Received: '.*'"
    with pytest.raises(CorruptFeatureSetError, match=message):
        Description.open(feature_set)


def test_writing_an_opened_feature_set_gives_the_same_bytes(feature_set):
    before = (feature_set / "dataset.json").read_bytes()
    Description.open(feature_set).write()
    assert (feature_set / "dataset.json").read_bytes() == before


@pytest.mark.parametrize(("field", "value"), [("hop_length", 101), ("channels", None), ("resampler_quality", "VHQ")])
def test_an_edited_config_is_refused(feature_set, config, field, value):
    edit(feature_set, lambda content: content["config"].update({field: value}))
    with pytest.raises(CorruptFeatureSetError, match=rf"was edited.*{config.fingerprint}"):
        Description.open(feature_set)


def test_an_edited_kernel_version_is_refused(feature_set, config):
    edit(feature_set, lambda content: content.update(kernel_version=9))
    with pytest.raises(CorruptFeatureSetError, match=rf"was edited.*{config.fingerprint}"):
        Description.open(feature_set)


def test_an_invalid_config_is_refused(feature_set):
    edit(feature_set, lambda content: content["config"].update(hop_length=0))
    with pytest.raises(FeatureSetError, match=r"(?s)dataset\.json' was edited.*hop_length: 0 != 100"):
        Description.open(feature_set)


def test_a_newer_format_is_refused_with_the_version_that_wrote_it(feature_set):
    def change(content):
        content["format_version"] = 4
        content["machines"][0]["versions"] = {"audiopipe": "9.1"}

    edit(feature_set, change)
    with pytest.raises(CorruptFeatureSetError, match=r"must have a format_version of 1 \.\. 3\. Received: 4\..*9\.1"):
        Description.open(feature_set)


@pytest.mark.parametrize("text", ["", "{", "[]", "3", "null", "{}", '{"format_version": 1}', "\xff"])
def test_an_invalid_dataset_json_is_refused(feature_set, text):
    (feature_set / "dataset.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(CorruptFeatureSetError, match=r"dataset\.json' is not a valid dataset\.json"):
        Description.open(feature_set)


@pytest.mark.parametrize("make", [lambda path: path.mkdir(), lambda path: None])
def test_a_folder_without_dataset_json_and_a_missing_folder_are_incomplete(tmp_path, make):
    make(tmp_path / "empty")
    with pytest.raises(IncompleteFeatureSetError, match=r"no dataset\.json in '.*empty'.*audiopipe precompute"):
        Description.open(tmp_path / "empty")


def test_features_of_an_earlier_kernel_version_are_refused(feature_set, config, monkeypatch):
    before = config.kernel_version
    monkeypatch.setattr(type(config), "kernel_version", before + 1)
    found = Description.open(feature_set)
    assert found.fingerprint == config.fingerprint_at(before)
    later = type(config)(**{name: value for name, value in config.to_dict().items() if name != "feature"})
    with pytest.raises(ConfigMismatchError, match=f"kernel_version: {before + 1} != {before}"):
        found.expect(later)


def test_sha256_covers_the_whole_file(tmp_path):
    content = np.random.default_rng(5).bytes(2_500_000)
    (tmp_path / "file").write_bytes(content)
    assert sha256(str(tmp_path / "file")) == hashlib.sha256(content).hexdigest()


FAULTS = {
    "missing": (None, "is missing"),
    "invalid JSON": (b"this is no JSON\n", "is not valid"),
    "invalid UTF-8": (b"\xff\xfe\n", "is not valid"),
    "not an object": (b"[1, 2]\n", "is not valid"),
    "missing fields": (b'{"id": "a"}\n', "must have the fields error, id, path, stage in each line"),
    "missing line": (b"", r"must have 1 lines\. Received: 0"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_missing_or_damaged_failures_file_is_found(feature_set, fault):
    content, message = FAULTS[fault]
    path = feature_set / "failures-00000001.jsonl"
    path.unlink() if content is None else path.write_bytes(content)
    opened = Description.open(feature_set)
    opened.check_files()
    found = rf"{path.name}' (is missing|must have \d+ bytes\. Received: \d+)"
    for read in (opened.failures, lambda: opened.check_files(checksums=True), lambda: load(feature_set, check=True)):
        with pytest.raises(CorruptFeatureSetError, match=found):
            read()
    if content is not None:
        facts = {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        damage.edit(feature_set, lambda written: written["failures"].update(facts))
        with pytest.raises(CorruptFeatureSetError, match=rf"{path.name}' {message}"):
            Description.open(feature_set).failures()


def test_a_flipped_byte_in_the_failures_is_found_by_its_checksum(feature_set):
    path = feature_set / "failures-00000001.jsonl"
    path.write_bytes(path.read_bytes().replace(b"decode", b"Decode"))
    with pytest.raises(CorruptFeatureSetError, match=rf"{path.name}' does not have the checksum in dataset\.json"):
        load(feature_set, check=True)


def test_an_earlier_generation_is_opened_as_long_as_its_files_are_kept(feature_set):
    before = Description.open(feature_set)
    shutil.copy(feature_set / "dataset.json", feature_set / "dataset-00000001.json")
    dataclasses.replace(before, generation=2, notes=["updated"]).write()
    assert Description.open(feature_set).generation == Description.open(feature_set, 2).generation == 2
    assert Description.open(feature_set, 1) == before
    (feature_set / "dataset-00000001.json").unlink()
    with pytest.raises(IncompleteFeatureSetError, match=r"no longer has generation 1 .* Received: generation 2\. Open"):
        Description.open(feature_set, 1)


def test_a_feature_set_of_format_1_is_described_alike(tmp_path):
    made = Description.open(OLD / "features")
    assert (made.format_version, made.generation, made.index) == (1, 0, None)
    assert [shard["id"] for shard in made.shards] == [f"{made.set_id}:{number}" for number in range(2)]
    assert made.file_names[-1] == "failures.jsonl"
    made.check_files(checksums=True)
    with pytest.raises(FeatureSetError, match=r"Received: .* of format 1\. Update it with .* --update"):
        dataclasses.replace(made, path=str(tmp_path)).write()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("change", "difference"),
    [
        (lambda content: content["config"].update(n_fft=0), "n_fft: 0 != 256"),
        (lambda content: content["config"].update(decoder="ffmpeg"), "decoder: 'ffmpeg' != 'soundfile'"),
        (lambda content: content["config"].update(channels=65), "channels: 65 != 1"),
        (lambda content: content["config"].update(feature="Stft"), "feature: 'Stft' != 'StftMagnitude'"),
        (lambda content: content["config"].pop("n_fft"), r"n_fft: '\(no such field\)' != 256"),
        (lambda content: content.update(kernel_version=9), f"kernel_version: 9 != {KERNEL_VERSION}"),
        (lambda content: content.update(kernel_version="1"), f"kernel_version: '1' != {KERNEL_VERSION}"),
        (lambda content: content.update(kernel_version=True), f"kernel_version: True != {KERNEL_VERSION}"),
        (lambda content: content.update(kernel_version=None), f"kernel_version: None != {KERNEL_VERSION}"),
        (
            lambda content: content["config"].update(n_fft=512, pad_end=True),
            "n_fft: 512 != 256\npad_end: True != False",
        ),
    ],
)
def test_edited_fields_of_the_config_are_listed_even_if_the_config_is_invalid(feature_set, config, change, difference):
    damage.edit(feature_set, change)
    with pytest.raises(
        CorruptFeatureSetError, match=rf"dataset\.json' was edited: .*:\n{difference}\nRecompute"
    ) as caught:
        Description.open(feature_set)
    content = json.loads((feature_set / "dataset.json").read_text())
    later = ("channel", "standardization")
    fields = {name: value for name, value in content["config"].items() if name not in later}
    identity = {"config": fields, "kernel_version": content["kernel_version"]}
    text = json.dumps(identity, sort_keys=True, separators=(",", ":"))
    assert f"left, fingerprint {hashlib.sha256(text.encode()).hexdigest()}" in str(caught.value)
    assert f"right, fingerprint {config.fingerprint}" in str(caught.value)


@pytest.mark.parametrize("name", ["fingerprint", "fingerprinted"])
def test_an_edited_fingerprint_alone_is_reported(feature_set, config, name):
    def change(content):
        content[name] = "0" * 64 if name == "fingerprint" else content[name].replace('"n_fft":256', '"n_fft":512')

    damage.edit(feature_set, change)
    with pytest.raises(CorruptFeatureSetError, match=rf"was edited: only the field {name} was changed"):
        Description.open(feature_set)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda content: content["counts"].update(clips=3), "Received: 4 records, 3 clips"),
        (
            lambda content: content["counts"].update(clips="4"),
            "'clips' of 'counts' of dataset.json must be an integer of .* Received: '4'",
        ),
        (lambda content: content["counts"].pop("frames"), "'counts' of dataset.json must have a field 'frames'"),
        (lambda content: content["shards"][0].update(records=1), "Received: 3 records, 4 clips"),
        (
            lambda content: content["shards"][0].update(bytes=None),
            "'bytes' of a shard must be an integer of .*Received: None",
        ),
        (lambda content: content["machines"][0].pop("versions"), "must have a field 'versions'"),
        (lambda content: content["machines"][0]["probe"].update(digest="0" * 64), "The digest of a probe must be"),
        (lambda content: content.update(machines=7), "'machines' of dataset.json must be a list. Received: 7"),
    ],
)
def test_an_edit_with_a_matching_checksum_is_found_by_its_inconsistency(feature_set, change, message):
    damage.edit(feature_set, change)
    with pytest.raises(CorruptFeatureSetError, match=rf"(?s)dataset\.json'.*{message}"):
        load(feature_set)


def test_a_duplicate_key_is_refused(feature_set):
    path = feature_set / "dataset.json"
    path.write_text(re.sub(r'("kernel_version": \d+,)', r"\1 \1", path.read_text()))
    with pytest.raises(CorruptFeatureSetError, match=r"each key once\. Received twice: kernel_version"):
        Description.open(feature_set)
