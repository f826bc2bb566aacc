"""Tests of `hf.from_feature_set`, which loads a feature set as a dataset."""

import dataclasses
import json
import math
import os
import shutil
from pathlib import Path

import damage
import datasets
import numpy as np
import pytest

from audiopipe import Transform, beam, configs, fingerprint_of, hf, load
from audiopipe.errors import (
    ArgumentError,
    ConfigMismatchError,
    CorruptFeatureSetError,
    FeatureSetError,
    IncompleteFeatureSetError,
    MachineWarning,
    OutputError,
)
from audiopipe.feature_sets import element_streams
from audiopipe.hf import from_feature_sets

pytestmark = pytest.mark.usefixtures("quiet_bars")


@pytest.fixture(scope="module")
def rows(shared_feature_set, tmp_path_factory):
    return hf.from_feature_set(shared_feature_set, cache_dir=tmp_path_factory.mktemp("cache"))


def same(found, expected):
    """Returns whether two values are equal or both NaN."""
    return found == expected or (isinstance(found, float) and math.isnan(found) and math.isnan(expected))


def test_the_rows_are_the_records_bit_for_bit(rows, shared_feature_set, config):
    assert rows.features["feature"] == hf.feature_type(config)
    for row, record in zip(rows.with_format("numpy"), load(shared_feature_set).as_numpy_iterator(), strict=True):
        np.testing.assert_array_equal(row["feature"], record["feature"][..., 0], strict=True)
    others = rows.remove_columns(["feature", "feature_digest"])
    for row, record in zip(others, load(shared_feature_set).as_numpy_iterator(), strict=True):
        assert (row.pop("age") or -1) == record["age"]
        for name, value in row.items():
            expected = record[name]
            assert same(value, expected.decode() if isinstance(expected, bytes) else expected.item())


def test_columns_have_the_types_of_the_metadata(rows):
    kinds = {name: kind.dtype for name, kind in rows.features.items() if name != "feature"}
    assert kinds == {
        "id": "string",
        "n_frames": "int64",
        "feature_digest": "string",
        "age": "int64",
        "clean": "bool",
        "gain": "float64",
        "note": "string",
        "speaker": "string",
        "take": "int64",
    }


def test_rows_have_the_fingerprint_of_the_feature_set(rows, shared_feature_set):
    assert fingerprint_of(rows) == fingerprint_of(str(shared_feature_set))


@pytest.mark.filterwarnings("ignore::audiopipe.errors.MetadataRemark")
def test_a_round_trip_gives_the_same_records(rows, shared_feature_set, tmp_path):
    hf.to_feature_set(rows, tmp_path / "features")
    pairs = zip(
        load(tmp_path / "features").as_numpy_iterator(), load(shared_feature_set).as_numpy_iterator(), strict=True
    )
    for found, expected in pairs:
        assert found.keys() == expected.keys()
        for name, value in expected.items():
            np.testing.assert_array_equal(found[name], value, strict=True)
    again = hf.from_feature_set(tmp_path / "features", cache_dir=tmp_path)
    assert again.features == rows.features


def test_the_rows_are_in_a_memory_mapped_file(rows):
    [file] = rows.cache_files
    assert Path(file["filename"]).stat().st_size > rows.data.nbytes // 2
    assert type(rows.data).__name__ == "MemoryMappedTable"


def test_a_feature_set_is_converted_once_even_if_it_is_moved(feature_set, tmp_path, monkeypatch):
    calls = []
    elements = element_streams.elements
    monkeypatch.setattr(
        element_streams, "elements", lambda *given, **more: calls.append(given) or elements(*given, **more)
    )
    first = hf.from_feature_set(feature_set, cache_dir=tmp_path)
    moved = shutil.move(feature_set, tmp_path / "moved")
    second = hf.from_feature_set(moved, cache_dir=tmp_path)
    assert second._fingerprint == first._fingerprint
    assert len(calls) == 1
    assert hf.from_feature_set(moved, feature="mel", cache_dir=tmp_path).column_names[1] == "mel"
    assert len(calls) == 2


def test_a_feature_set_that_was_overwritten_is_converted_again(clips, config, tmp_path):
    for hop_length in (100, 50):
        changed = dataclasses.replace(config, hop_length=hop_length)
        beam.precompute(clips / "manifest.jsonl", tmp_path / "features", changed, overwrite=hop_length == 50)
        rows = hf.from_feature_set(tmp_path / "features", cache_dir=tmp_path)
        assert fingerprint_of(rows).fingerprint == changed.fingerprint
        assert rows["n_frames"][0] == changed.n_frames(4000)


def test_records_are_written_in_blocks(shared_feature_set, tmp_path, monkeypatch, rows):
    monkeypatch.setattr(from_feature_sets, "BLOCK_BYTES", 1)
    blocks = hf.from_feature_set(shared_feature_set, cache_dir=tmp_path)
    assert [len(chunk) for chunk in blocks.data.column("id").chunks] == [1, 1, 1, 1]
    assert blocks["id"][:] == rows["id"][:]


@pytest.mark.cases(3)
@pytest.mark.parametrize(
    ("changes", "dtype"),
    [
        ({"channels": 2}, "float32"),
        ({"channels": 2}, "float16"),
        ({"channels": None}, "float32"),
        ({"channels": 2, "output_data_format": "channels_first"}, "float32"),
        ({"channels": 2, "output_data_format": "channels_first"}, "float16"),
        ({"output_data_format": "channels_first"}, "float32"),
    ],
)
def test_every_layout_and_dtype_has_the_types_and_values_of_hf_map(config, clips, tmp_path, changes, dtype):
    config = dataclasses.replace(config, **changes)
    beam.precompute([clips / "stereo.flac"], tmp_path / "features", config, dtype=dtype)
    rows = hf.from_feature_set(tmp_path / "features", cache_dir=tmp_path)
    mapped = hf.map(datasets.Dataset.from_dict({"audio": [str(clips / "stereo.flac")]}), Transform(config))
    assert rows.features["feature"] == mapped.features["feature"]
    expected = np.asarray(mapped.with_format("numpy")[0]["feature"])
    tolerance = 0.04 if dtype == "float16" else 0
    np.testing.assert_allclose(np.asarray(rows.with_format("numpy")[0]["feature"]), expected, rtol=0, atol=tolerance)


def test_another_config_and_a_taken_feature_name_are_refused(shared_feature_set, config, tmp_path):
    hf.from_feature_set(shared_feature_set, config, cache_dir=tmp_path)
    with pytest.raises(ConfigMismatchError, match="hop_length"):
        hf.from_feature_set(shared_feature_set, dataclasses.replace(config, hop_length=7), cache_dir=tmp_path)
    with pytest.raises(ArgumentError, match=r"Received: feature='speaker'"):
        hf.from_feature_set(shared_feature_set, feature="speaker", cache_dir=tmp_path)


def test_an_unfinished_feature_set_is_refused(feature_set, tmp_path):
    (feature_set / "dataset.json").unlink()
    with pytest.raises(IncompleteFeatureSetError):
        hf.from_feature_set(feature_set, cache_dir=tmp_path)


def test_a_damaged_shard_is_named_and_leaves_no_file_in_the_cache(feature_set, tmp_path):
    shard = sorted(feature_set.glob("*.tfrecord"))[1]
    content = bytearray(shard.read_bytes())
    content[len(content) // 2] ^= 255
    shard.write_bytes(content)
    with pytest.raises(CorruptFeatureSetError, match=rf"Record \d of the shard .*{shard.name} is damaged or missing"):
        hf.from_feature_set(feature_set, cache_dir=tmp_path / "cache")
    assert [path for path in (tmp_path / "cache").rglob("*") if path.is_file()] == []
    with pytest.raises(CorruptFeatureSetError, match=f"{shard.name}.* does not have the checksum"):
        hf.from_feature_set(feature_set, check=True, cache_dir=tmp_path / "cache")
    shard.unlink()
    with pytest.raises(CorruptFeatureSetError, match=f"{shard.name}' is missing"):
        hf.from_feature_set(feature_set, cache_dir=tmp_path / "cache")


def test_an_edited_feature_set_is_refused(feature_set, tmp_path):
    content = json.loads((feature_set / "dataset.json").read_text())
    content["counts"]["clips"] += 1
    (feature_set / "dataset.json").write_text(json.dumps(content))
    with pytest.raises(CorruptFeatureSetError, match="was edited"):
        hf.from_feature_set(feature_set, cache_dir=tmp_path)


def test_features_of_another_machine_raise_a_warning(feature_set, tmp_path):
    damage.edit(feature_set, damage.compute_elsewhere)
    with pytest.warns(MachineWarning, match="TensorFlow 1.15.0 there, .* differs here by at most") as caught:
        hf.from_feature_set(feature_set, cache_dir=tmp_path)
    assert caught[0].filename == __file__


def test_a_cache_that_cannot_be_written_is_named(shared_feature_set, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match=r"Could not write '.*features\.arrow': Not a directory"):
        hf.from_feature_set(shared_feature_set, cache_dir=tmp_path / "file")


def test_names_that_are_not_utf8_are_refused(config, tmp_path):
    folder = tmp_path / "clips"
    folder.mkdir()
    source = Path(__file__).parents[2] / "examples" / "audio" / "chirp.wav"
    shutil.copy(source, os.fsencode(folder) + b"/caf\xe9.wav")
    beam.precompute(folder, tmp_path / "features", configs.StftMagnitude(sample_rate=8000, n_fft=256))
    with pytest.raises(FeatureSetError, match=r"must be UTF-8\. Received: the id b'caf\\xe9\.wav'"):
        hf.from_feature_set(tmp_path / "features", cache_dir=tmp_path)
