"""Tests of `merge`: the new feature set has the bits, the metadata and the facts of the sets that it joins."""

import dataclasses
import functools
import json
import os
import shutil

import fsspec
import numpy as np
import pyarrow.parquet as pq
import pytest
import synthetic_sets
from corpora import CONFIG, Corpus, content, files_of
from synthetic_sets import feature

from audiopipe import FeatureSet, beam, load, merge
from audiopipe.errors import (
    ArgumentError,
    ConfigMismatchError,
    CorruptFeatureSetError,
    FeatureSetError,
    FeatureSetLockedError,
    InputChangedError,
)
from audiopipe.feature_sets.description import Description
from audiopipe.inputs.columns import Columns
from audiopipe.precompute import completion, merge_plan, merged_shards, output_folder, plan
from audiopipe.storage import locks
from audiopipe.transform import Segments
from audiopipe.verification import set_check

OLD = "tests/data/v0.1/features"
SPEAKERS = Columns(types={"speaker": "string", "label": "int"}, classes={"label": ["cat", "dog"]})
TAKES = Columns(
    types={"take": "int", "label": "int", "tags": "list<string>"},
    classes={"label": ["cow", "dog", "cat"]},
    fill_values={"take": -1},
)


def write(folder, names, seed=0, **options):
    """Writes a feature set of one clip per name, which is 3 to 5 frames long."""
    clips = {name: feature(3 + number % 3, seed=seed + number) for number, name in enumerate(names)}
    return synthetic_sets.write(folder, clips, **options)


@pytest.fixture
def pair(tmp_path):
    """Two sets with different columns, and shards too large to be joined."""
    clips = {
        "a": (feature(5, seed=1), {"speaker": "Bo", "label": "dog"}),
        "b": (feature(6, seed=2), {"speaker": "café\udce9", "label": "cat"}),
    }
    synthetic_sets.write(tmp_path / "first", clips, columns=SPEAKERS, shards=2)
    clips = {
        "c\udce9": (feature(7, seed=3), {"label": "cow", "take": 7, "tags": ["x"]}),
        "d": (feature(8, seed=4), {"label": "cat", "take": None, "tags": None}),
        "e": (feature(9, seed=5), {"label": "dog", "take": 0, "tags": []}),
    }
    synthetic_sets.write(tmp_path / "second", clips, columns=TAKES, shards=2)
    return [str(tmp_path / "first"), str(tmp_path / "second")]


@pytest.fixture
def apart(monkeypatch):
    """Small shards are not joined."""
    monkeypatch.setattr(merge_plan, "MIN_SHARD", 1)


def contents(folder):
    """Returns the bytes of each file of a feature set by its name."""
    return {name: open(os.path.join(folder, name), "rb").read() for name in files_of(folder)}


def sources(feature_set):
    """Returns what the index says about the audio of each clip."""
    table = pq.read_table(os.path.join(feature_set.path, feature_set.descriptions[0].index["name"]))
    return table.column("source").to_pylist()


def die(*_, **__):
    raise RuntimeError("the machine is gone")


def interrupted(sets, output, monkeypatch, after, **options):
    """Merges until `after` shards are written."""
    write, written = merged_shards.ShardCopier.write, []

    def copy(self, shard):
        if len(written) == after:
            die()
        write(self, shard)
        written.append(shard.number)

    with monkeypatch.context() as patch:
        patch.setattr(merged_shards.ShardCopier, "write", copy)
        with pytest.raises(RuntimeError):
            merge(sets, output, **options)


def test_merged_halves_equal_the_whole(tmp_path):
    corpus = Corpus(tmp_path / "corpus")
    for number in range(6):
        corpus.put(f"c{number}", number, label=["dog", "cat", "cow"][number % 3], take=number)
    corpus.audio("c1").write_bytes(b"no audio")
    options = {"class_columns": ("label",), "num_shards": 2, "max_failure_ratio": 1.0}
    whole = beam.precompute(corpus.write(), tmp_path / "whole", CONFIG, **options)
    rows = dict(corpus.rows)
    sets = []
    for number, names in enumerate((["c0", "c1", "c2"], ["c3", "c4", "c5"])):
        corpus.rows = {name: rows[name] for name in names}
        sets.append(beam.precompute(corpus.write(), tmp_path / f"half{number}", CONFIG, **options).path)
    merged = merge(sets, tmp_path / "merged")
    assert content(merged.path) == content(whole.path)
    assert merged.counts == pytest.approx(whole.counts)
    assert merged.failures() == whole.failures()
    assert merged.machines == whole.machines
    assert merged.options == whole.options
    assert merged.metadata.drop_columns("label").equals(whole.metadata.drop_columns("label"))
    assert sources(merged) == sources(whole)
    assert None not in [source["digest"] for source in sources(merged)]
    set_check.verify(merged.path)
    assert [clip["id"].decode() for clip in load(merged.path, check=True).as_numpy_iterator()] == merged.ids
    corpus.rows = rows
    corpus.put("c6", 6, label="ant", take=6)
    updated = content(beam.precompute(corpus.write(), merged.path, CONFIG, **options, update=True).path)
    assert updated.pop("c6")[-1] == {"label": "ant", "take": 6}
    assert updated == content(whole.path)


def test_columns_and_classes_are_united_and_what_a_set_lacks_is_missing(pair, tmp_path):
    merged, joined = merge(pair, tmp_path / "merged"), FeatureSet(pair)
    assert merged.ids == joined.ids
    assert merged.class_names("label") == ["cat", "dog", "cow"]
    for ours, theirs in zip(merged, joined, strict=True):
        assert ours.pop("feature").tobytes() == theirs.pop("feature").tobytes()
        assert ours == theirs
    assert merged[0]["take"] is None
    assert merged[2]["label"] == 2
    assert merged[3]["tags"] is None
    assert merged[4]["tags"] == []
    assert merged.metadata.equals(joined.metadata)
    assert merged.counts == joined.counts
    assert [clip["take"] for clip in load(merged.path).as_numpy_iterator()] == [-1, -1, 7, -1, 0]


def test_a_fill_value_is_none_of_the_values_of_any_set(tmp_path):
    for name, take, fill_values in (("a", -1, {}), ("b", None, {"take": -1}), ("c", None, {"take": -7})):
        columns = Columns(types={"take": "int"}, fill_values=fill_values)
        synthetic_sets.write(tmp_path / name, {name: (feature(3), {"take": take})}, columns=columns, shards=1)
    synthetic_sets.write(tmp_path / "d", {"d": feature(3)}, shards=1)
    for names, fill_value in (("ab", -2), ("abc", -7), ("ad", -2), ("bd", -1), ("bcd", -1)):
        merged = merge([tmp_path / name for name in names], tmp_path / f"merged-{names}")
        assert merged.fill_values == {"take": fill_value}
        assert [clip["take"] for clip in merged] == [-1 if name == "a" else None for name in names]


def test_a_prefix_is_put_before_the_ids_of_records_recordings_failures_and_remarks(tmp_path):
    for name in "ab":
        lines = {
            "failures": [{"id": "bad#1", "recording": "bad", "path": "p", "stage": "decode", "error": "e"}],
            "remarks": [{"id": "x#0", "path": "p", "stage": "decode", "remark": "r"}],
        }
        counts = {"clips": 2, "failures": 1, "remarks": 1, "frames": 7, "hours": 0.5, "left_out": 3}
        facts = {}
        for kind, [line] in lines.items():
            file = tmp_path / f"{kind}.jsonl"
            file.write_text(json.dumps(line) + "\n")
            facts[f"{kind}_file"] = {"name": f"{kind}-00000001.jsonl", **synthetic_sets._facts(str(file))}
        described = write(tmp_path / name, ["x#0", "x#1"], segments=Segments(seconds=1.0), **facts)
        for kind in lines:
            shutil.move(tmp_path / f"{kind}.jsonl", tmp_path / name / f"{kind}-00000001.jsonl")
        machines = [{"versions": {"numpy": name}}, {"versions": {}}]
        dataclasses.replace(described, counts=counts, machines=machines, notes=["a note"]).write()
    merged = merge([tmp_path / "a", tmp_path / "b"], tmp_path / "merged", prefix=["a/", "b/"])
    assert merged.ids == ["a/x#0", "a/x#1", "b/x#0", "b/x#1"]
    assert [(line["id"], line["recording"]) for line in merged.failures()] == [
        ("a/bad#1", "a/bad"),
        ("b/bad#1", "b/bad"),
    ]
    assert [line["id"] for line in merged.remarks()] == ["a/x#0", "b/x#0"]
    assert merged.counts == {"clips": 4, "failures": 2, "remarks": 2, "frames": 14, "hours": 1.0, "left_out": 6}
    assert merged.machines == [{"versions": {"numpy": "a"}}, {"versions": {}}, {"versions": {"numpy": "b"}}]
    assert merged.notes == ["a note"]
    assert merged.segments == Segments(seconds=1.0)


def test_sets_that_do_not_fit_are_refused_with_the_difference(tmp_path):
    def refused(error, match, *options, **facts):
        write(tmp_path / f"set{len(os.listdir(tmp_path))}", ["b"], **facts)
        sets = [tmp_path / "set0", tmp_path / f"set{len(os.listdir(tmp_path)) - 1}"]
        with pytest.raises(error, match=match):
            merge(sets, tmp_path / "merged", *options)
        assert not (tmp_path / "merged").exists()

    write(tmp_path / "set0", ["a"], columns=Columns(types={"take": "int"}, fill_values={"take": -1}))
    refused(
        ConfigMismatchError, "hop_length: 160 != 80", config=dataclasses.replace(synthetic_sets.CONFIG, hop_length=80)
    )
    refused(FeatureSetError, "float32 in .*set0' and float16 in .*set2'", dtype="float16")
    refused(FeatureSetError, "'take'.* int in .* and string in .*", columns=Columns(types={"take": "string"}))
    refused(FeatureSetError, "whole recordings in .* and Segments.*seconds=2", segments=Segments(seconds=2.0))
    refused(ArgumentError, "prefix must be a text for each", ["a/"])
    with pytest.raises(FeatureSetError, match=r"the id 'a' in .*set0' and in .*set0'"):
        merge([tmp_path / "set0"] * 2, tmp_path / "merged")
    with pytest.raises(ArgumentError, match="must not be one of the sets"):
        merge([tmp_path / "set0", tmp_path / "set5"], tmp_path / "x" / ".." / "set5")
    with pytest.raises(ArgumentError, match="a list of folders"):
        merge(str(tmp_path / "set0"), tmp_path / "merged")


def test_an_interrupted_merge_resumes_and_keeps_its_finished_shards(pair, tmp_path, monkeypatch, apart):
    merge(pair, tmp_path / "whole")
    output = tmp_path / "merged"
    interrupted(pair, output, monkeypatch, after=2)
    kept = {
        name: os.stat(output / name).st_mtime_ns for name in ("features-00000000.tfrecord", "plan/shard-00001.json")
    }
    assert not (output / "dataset.json").exists()
    (output / ".features-00000002.tfrecord.abc.tmp").write_bytes(b"partly written")
    with pytest.raises(FeatureSetError, match=r"merge into .* is not finished"):
        beam.precompute("examples/audio", output, CONFIG)
    with pytest.raises(InputChangedError, match="merge of other feature sets"):
        merge(pair, output, prefix=["x", "y"])
    interrupted(pair, output, monkeypatch, after=1)
    assert {name: os.stat(output / name).st_mtime_ns for name in kept} == kept
    merge(pair, output)
    assert contents(output) == contents(tmp_path / "whole")


def test_what_is_not_finished_is_overwritten_on_request(pair, tmp_path, monkeypatch, apart):
    output = tmp_path / "merged"
    interrupted(pair, output, monkeypatch, after=2)
    corpus = Corpus(tmp_path / "corpus")
    corpus.put("c", 0)
    with monkeypatch.context() as patch:
        patch.setattr(completion, "finish", die)
        with pytest.raises(RuntimeError):
            beam.precompute(corpus.write(), output, CONFIG, overwrite=True)
    assert "plan/merge.json" not in files_of(output)
    with pytest.raises(FeatureSetError, match="contains another feature set"):
        merge(pair, output)
    interrupted(pair, output, monkeypatch, after=1, overwrite=True)
    assert "plan/plan.json" not in files_of(output)
    merge(pair[:1], output, overwrite=True)
    assert FeatureSet(output).ids == ["a", "b"]
    expected = {"index-00000001.parquet", "failures-00000001.jsonl", "remarks-00000001.jsonl", "dataset.json"}
    expected |= {"statistics-00000001.jsonl", "clips.parquet", "failures.jsonl", "remarks.jsonl"}
    assert set(files_of(output)) == expected | {shard["name"] for shard in FeatureSet(output).shards}


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_merge_that_was_interrupted_after_its_publication_is_complete(pair, tmp_path, monkeypatch, overwrite):
    output = tmp_path / "merged"
    with monkeypatch.context() as patch:
        patch.setattr(plan, "remove", lambda folder: die() if (output / "dataset.json").exists() else None)
        with pytest.raises(RuntimeError):
            merge(pair, output, overwrite=overwrite)
    (output / "clips.parquet").unlink()  # as if the copies for people were not written yet
    merge(pair, output, overwrite=overwrite)
    described = Description.open(output)
    assert described.generation == 1
    assert "clips.parquet" in files_of(output)
    assert not [name for name in files_of(output) if name.startswith("plan")]
    before = {name: os.stat(output / name).st_mtime_ns for name in files_of(output)}
    merge(pair, output)
    assert {name: os.stat(output / name).st_mtime_ns for name in files_of(output)} == before


def test_another_feature_set_is_only_overwritten_on_request_and_its_readers_finish(pair, tmp_path, monkeypatch, apart):
    output = tmp_path / "merged"
    write(output, ["old"])
    old = FeatureSet(output)
    with pytest.raises(FeatureSetError, match=r"contains another feature set.*--overwrite"):
        merge(pair, output)
    interrupted(pair, output, monkeypatch, after=3, overwrite=True)
    assert FeatureSet(output).ids == ["old"]
    merge(pair, output, overwrite=True)
    merged = FeatureSet(output)
    assert len(merged) == 5
    assert merged.descriptions[0].generation == 2
    assert {shard["name"] for shard in merged.shards}.isdisjoint(shard["name"] for shard in old.shards)
    assert old["old"]["n_frames"] == 3


def test_a_folder_that_another_run_writes_to_is_refused(pair, tmp_path):
    with output_folder.locked(str(tmp_path / "merged")), pytest.raises(FeatureSetLockedError, match="Another run"):
        merge(pair, tmp_path / "merged")


def test_a_damaged_or_foreign_record_is_named_and_nothing_is_published(pair, tmp_path, apart):
    path = tmp_path / "second" / "features-00000001.tfrecord"
    data = bytearray(path.read_bytes())
    data[-20] ^= 1
    path.write_bytes(data)
    with pytest.raises(CorruptFeatureSetError, match=r"The record at byte 0 of .*second/features-00000001.tfrecord"):
        merge(pair, tmp_path / "merged")
    shutil.copy(tmp_path / "first" / "features-00000001.tfrecord", path)
    with pytest.raises(CorruptFeatureSetError, match=r"Record 0 of the shard .*second/features-00000001.tfrecord"):
        merge(pair, tmp_path / "merged")
    path.unlink()
    with pytest.raises(CorruptFeatureSetError, match=r"second/features-00000001.tfrecord' is missing"):
        merge(pair, tmp_path / "merged")
    assert not (tmp_path / "merged" / "dataset.json").exists()


def test_old_and_remote_sets_are_merged(tmp_path, monkeypatch):
    monkeypatch.setattr(output_folder.locks, "held", functools.partial(locks.held, settle_seconds=0))
    memory = fsspec.filesystem("memory")
    memory.put(OLD, "/merging/old", recursive=True)
    merged = merge(["memory://merging/old", OLD], "memory://merging/merged", prefix=["", "b/"])
    old = FeatureSet(OLD)
    assert merged.ids == [*old.ids, *(f"b/{name}" for name in old.ids)]
    for name in old.ids:
        clip, expected = merged[f"b/{name}"], old[name]
        np.testing.assert_array_equal(clip.pop("feature"), expected.pop("feature"))
        assert clip | {"id": name} == expected
    assert [line["id"] for line in merged.failures()] == ["broken", "b/broken"]
    assert merged.machines == old.machines
    again = merge(["memory://merging/merged", OLD], tmp_path / "again", prefix=["c/", ""])
    assert len(again) == 9
    memory.rm("/merging", recursive=True)


def test_segments_of_an_old_set_name_their_recording(tmp_path):
    old = "tests/data/v0.1/segments-float16"
    merged = merge([old], tmp_path / "merged", prefix=["a/"])
    recordings = [name.rpartition("#")[0] for name in merged.ids]
    assert all(name.startswith("a/") for name in recordings)
    assert [source["id"] for source in sources(merged)] == recordings
    assert (merged.dtype, merged.max_error) == ("float16", FeatureSet(old).max_error)
    assert merged.metadata["seconds"].null_count == len(merged)
    assert merged.counts["hours"] == FeatureSet(old).counts["hours"]
    set_check.verify(merged.path)


def test_small_shards_are_joined_and_large_ones_are_not(tmp_path):
    write(tmp_path / "a", [f"a{number}" for number in range(4)], shards=4)
    write(tmp_path / "b", ["b0"], shards=1)
    synthetic_sets.write(tmp_path / "c", {"c0": np.zeros((13000, 20, 1), np.float32)}, shards=1)
    merged = merge([tmp_path / name for name in "acb"], tmp_path / "merged")
    assert [shard["records"] for shard in merged.shards] == [4, 1, 1]
    assert merged.ids == ["a0", "a1", "a2", "a3", "c0", "b0"]
