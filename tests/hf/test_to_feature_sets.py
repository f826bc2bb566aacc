"""Tests of `hf.to_feature_set`: `load` and `verify` take its output like that of precompute."""

import dataclasses
import json

import datasets
import numpy as np
import pytest
from datasets import Dataset, DatasetDict

from audiopipe import Transform, beam, fingerprint_of, hf, load
from audiopipe.configs.clip_lengths import fewest_samples
from audiopipe.errors import (
    ArgumentError,
    FeatureSetError,
    FeatureSetLockedError,
    FingerprintError,
    IncompleteFeatureSetError,
    InputError,
)
from audiopipe.feature_sets.description import Description
from audiopipe.feature_sets.fingerprints import Identity
from audiopipe.precompute import sharding
from audiopipe.storage import locks
from audiopipe.verification import set_check

pytestmark = [
    pytest.mark.usefixtures("quiet_bars"),
    pytest.mark.filterwarnings("ignore::audiopipe.errors.MetadataRemark"),
]

NAMES = ["mono", "stereo", "resampled", "quiet"]
FILES = ["mono.wav", "stereo.flac", "resampled.wav", "quiet.wav"]


@pytest.fixture(scope="module")
def rows(clips, metadata):
    """The clips of the manifest, including the broken one, as rows with its metadata."""
    lines = [json.loads(line) for line in (clips / "manifest.jsonl").read_text().splitlines()]
    columns = {name: [line[name] for line in lines] for name in lines[0]}
    paths = [str(clips / path) for path in columns.pop("path")]
    return Dataset.from_dict({"audio": paths, **columns})


@pytest.fixture(scope="module")
def mapped(rows, mel):
    return hf.map(rows, mel, on_error="null")


@pytest.fixture(scope="module")
def written(mapped, tmp_path_factory):
    path = tmp_path_factory.mktemp("sets") / "features"
    hf.to_feature_set(mapped, path)
    return path


def elements(path, **arguments):
    return list(load(path, **arguments).as_numpy_iterator())


def test_it_writes_the_records_that_precompute_writes(written, shared_feature_set, config):
    ours, theirs = elements(written, config=config, check=True), elements(shared_feature_set)
    for found, expected in zip(ours, theirs, strict=True):
        assert found.keys() == expected.keys()
        for name, value in expected.items():
            np.testing.assert_array_equal(found[name], value, strict=True)
    found, expected = Description.open(written), Description.open(shared_feature_set)
    for name in ("clips", "failures", "frames"):
        assert found.counts[name] == expected.counts[name]
    assert found.counts["hours"] == pytest.approx(expected.counts["hours"], rel=0.05)
    assert found.counts["hours"] <= expected.counts["hours"]
    assert found.schema == expected.schema
    assert (found.machines, found.max_error) == ([], 0.0)


def test_verify_compares_it_with_the_audio(written, clips):
    report = set_check.verify(written, clips / "manifest.jsonl", door="hf")
    assert report.ok
    assert [comparison.clips for comparison in report.comparisons] == [4]


def test_it_has_the_fingerprint_of_the_rows(written, mapped, config):
    assert fingerprint_of(str(written)) == fingerprint_of(mapped)
    assert fingerprint_of(str(written)).fingerprint == config.fingerprint


def test_rows_without_a_feature_become_failures_with_their_reason(written, clips):
    [failure] = Description.open(written).failures()
    assert (failure["id"], failure["row"], failure["stage"]) == ("broken", 4, "map")
    assert failure["error"].startswith(f"Could not decode '{clips / 'broken.wav'}'")


def test_clips_without_ids_are_named_by_their_row_numbers(rows, mapped, tmp_path, clips):
    table = rows.select(range(4)).cast_column("audio", datasets.Audio(decode=False)).remove_columns("id")
    table.to_parquet(tmp_path / "rows.parquet")
    hf.to_feature_set(mapped.select(range(4)).remove_columns("id"), tmp_path / "features")
    assert [element["id"] for element in elements(tmp_path / "features")] == [b"%08d" % row for row in range(4)]
    assert set_check.verify(tmp_path / "features", tmp_path / "rows.parquet", door="tfdata").ok


def test_columns_selects_the_metadata(mapped, tmp_path):
    feature_set = hf.to_feature_set(mapped, tmp_path / "features", columns=["take", "error"])
    assert feature_set.schema == {"take": "int", "error": "string"}


def test_many_rows_go_into_shards_of_similar_size_in_order(mel, tmp_path, monkeypatch):
    monkeypatch.setattr(sharding, "MIN_SHARD", 100_000)
    clip = np.random.default_rng(0).uniform(-1, 1, 3000).astype(np.float32)
    mapped = hf.map(Dataset.from_dict({"audio": [clip[: 1500 + 10 * row] for row in range(150)]}), mel)
    feature_set = hf.to_feature_set(mapped, tmp_path / "features")
    sizes = [shard["bytes"] for shard in feature_set.shards]
    assert len(sizes) > 5
    assert max(sizes) < 1.3 * min(sizes)
    assert sorted(path.name for path in (tmp_path / "features").glob("*.tfrecord")) == [
        shard["name"] for shard in feature_set.shards
    ]
    found = elements(tmp_path / "features", check=True)
    assert [element["id"] for element in found] == [b"%08d" % row for row in range(150)]
    for element, row in zip(found, mapped.with_format("numpy"), strict=True):
        np.testing.assert_array_equal(element["feature"][..., 0], row["feature"])


def test_equal_rows_give_equal_bytes_and_other_rows_another_shard_id(mapped, written, tmp_path):
    hf.to_feature_set(mapped.with_format("numpy"), tmp_path / "again")
    for file in written.iterdir():
        if file.is_file():
            assert (tmp_path / "again" / file.name).read_bytes() == file.read_bytes()
    other = hf.to_feature_set(mapped.select([0, 1]), tmp_path / "other")
    assert other.shards[0]["id"] != Description.open(written).shards[0]["id"]


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_features_are_stored_in_the_given_dtype(mapped, written, tmp_path, dtype):
    feature_set = hf.to_feature_set(mapped, tmp_path / "features", dtype=dtype)
    largest = max(
        np.abs(found["feature"] - exact["feature"]).max()
        for found, exact in zip(elements(tmp_path / "features"), elements(written), strict=True)
    )
    assert feature_set.dtype == dtype
    assert 0 < largest == feature_set.max_error


def test_a_row_with_values_beyond_the_dtype_becomes_a_failure(config, tmp_path):
    types = datasets.Features(feature=hf.feature_type(config))
    rows = Dataset.from_dict({"feature": [np.full((2, 129), 7e4, "float32"), np.ones((3, 129), "float32")]}, types)
    feature_set = hf.to_feature_set(hf.with_digests(rows), tmp_path / "features", dtype="float16")
    assert (feature_set.counts["clips"], feature_set.counts["frames"]) == (1, 3)
    assert "float16 holds values up to 65504" in feature_set.failures()[0]["error"]
    assert fewest_samples(config, 3) / 8000 / 3600 == feature_set.counts["hours"]


@pytest.mark.parametrize(
    "changes", [{"channels": 2}, {"channels": None}, {"channels": 1, "output_data_format": "channels_first"}]
)
def test_other_layouts_give_the_records_of_precompute(config, clips, tmp_path, changes):
    config = dataclasses.replace(config, **changes)
    (tmp_path / "clips").mkdir()
    (tmp_path / "clips" / "a.flac").symlink_to(clips / "stereo.flac")
    beam.precompute(tmp_path / "clips", tmp_path / "theirs", config)
    rows = Dataset.from_dict({"audio": [str(clips / "stereo.flac")], "id": ["a.flac"]})
    hf.to_feature_set(hf.map(rows, Transform(config)), tmp_path / "ours")
    [found], [expected] = elements(tmp_path / "ours"), elements(tmp_path / "theirs")
    np.testing.assert_array_equal(found["feature"], expected["feature"], strict=True)


def test_it_has_the_kernel_version_of_the_rows(mapped, tmp_path, monkeypatch, config):
    version = config.kernel_version
    monkeypatch.setattr(type(config), "kernel_version", version + 1)
    feature_set = hf.to_feature_set(mapped, tmp_path / "features")
    expected = Identity(config=config, kernel_version=version, frozen=True)
    assert (feature_set.kernel_version, feature_set.fingerprint) == (version, expected.fingerprint)
    assert len(elements(tmp_path / "features")) == 4
    back = hf.from_feature_set(tmp_path / "features", cache_dir=tmp_path)
    assert fingerprint_of(back) == expected


def test_it_writes_to_remote_storage(mapped, written):
    hf.to_feature_set(mapped, "memory://hf-to-sets/features")
    assert len(elements("memory://hf-to-sets/features", check=True)) == 4


def test_existing_files_are_kept_unless_overwrite_allows_to_replace_them(mapped, tmp_path):
    path = tmp_path / "features"
    hf.to_feature_set(mapped, path)
    before = {file.name: file.read_bytes() for file in path.iterdir() if file.is_file()}
    with pytest.raises(FeatureSetError, match=r"new or empty folder.*or pass overwrite=True"):
        hf.to_feature_set(mapped.select([0]), path)
    assert {file.name: file.read_bytes() for file in path.iterdir() if file.is_file()} == before
    assert hf.to_feature_set(mapped.select([0]), path, overwrite=True).counts["clips"] == 1
    assert len(elements(path, check=True)) == 1
    (path / "thesis.txt").write_text("not ours")
    with pytest.raises(FeatureSetError, match=r"contains 'thesis\.txt'.*Choose another folder\.$"):
        hf.to_feature_set(mapped, path, overwrite=True)


def test_a_folder_that_a_job_has_locked_is_refused(mapped, tmp_path):
    with locks.held(str(tmp_path / "features")), pytest.raises(FeatureSetLockedError):
        hf.to_feature_set(mapped, tmp_path / "features")


def test_an_interrupted_write_leaves_no_feature_set(mapped, tmp_path, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(Description, "write", interrupted)
    with pytest.raises(KeyboardInterrupt):
        hf.to_feature_set(mapped, tmp_path / "features")
    with pytest.raises(IncompleteFeatureSetError):
        load(tmp_path / "features")
    monkeypatch.undo()
    assert hf.to_feature_set(mapped, tmp_path / "features").counts["clips"] == 4


@pytest.mark.parametrize(
    ("change", "arguments", "error", "message"),
    [
        (lambda rows: DatasetDict(a=rows), {}, ArgumentError, "Received: DatasetDict"),
        (lambda rows: rows.to_iterable_dataset(), {}, ArgumentError, "Save a streaming dataset first"),
        (lambda rows: rows, {"dtype": "int8"}, ArgumentError, "Received: dtype='int8'"),
        (lambda rows: rows, {"columns": ["takes"]}, ArgumentError, r"Received: columns=\['takes'\]"),
        (lambda rows: rows.remove_columns("feature"), {}, FingerprintError, "one column must say"),
        (lambda rows: rows.select([4]), {}, FeatureSetError, "must have a feature. Received: 1 row without one"),
        (lambda rows: rows.select([]), {}, FeatureSetError, "must have a feature. Received: 0 rows without one"),
        (lambda rows: rows.select([0, 0]), {}, InputError, "Received twice: 'mono'"),
        (lambda rows: rows.select([0]).add_column("x", [{"a": 1}]), {}, InputError, r"Row 0: metadata must be text"),
        (lambda rows: rows.select([0]).rename_column("take", "shape"), {}, InputError, "'shape' is reserved"),
        (
            lambda rows: rows.select([0]).remove_columns("id").add_column("id", [""]),
            {},
            InputError,
            "must not be empty",
        ),
    ],
)
def test_wrong_arguments_and_rows_are_refused_before_the_folder_is_touched(
    mapped, tmp_path, change, arguments, error, message
):
    with pytest.raises(error, match=message):
        hf.to_feature_set(change(mapped), tmp_path / "features", **arguments)
    assert not (tmp_path / "features").exists()
