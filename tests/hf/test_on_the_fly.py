"""Features that are computed when rows are read, and ways to store, change and read a mapped dataset."""

import pickle

import datasets
import numpy as np
import pytest
from datasets import Audio, Dataset, DatasetDict

from audiopipe import Transform, fingerprint_of, hf
from audiopipe.errors import ArgumentError, AudioError, FingerprintError

pytestmark = pytest.mark.usefixtures("quiet_bars")

NAMES = ["mono.wav", "stereo.flac", "resampled.wav", "quiet.wav"]


@pytest.fixture(scope="module")
def paths(clips):
    return [str(clips / name) for name in NAMES]


@pytest.fixture(scope="module")
def expected(mel, paths):
    """The features that direct calls of the transform compute."""
    return [mel(mel.read(path))[..., 0] for path in paths]


@pytest.fixture(scope="module")
def rows(paths):
    return Dataset.from_dict({"audio": paths, "label": [5, 6, 7, 8], "name": NAMES})


@pytest.fixture(scope="module")
def mapped(rows, mel):
    return hf.map(rows, mel)


def check(found, expected):
    for row, feature in zip(found, expected, strict=True):
        np.testing.assert_array_equal(np.asarray(row["feature"]), feature)
        assert int(row["n_frames"]) == len(feature)


FORMS = {
    "paths": lambda rows: rows,
    "Audio()": lambda rows: rows.cast_column("audio", Audio()),
    "Audio(decode=False)": lambda rows: rows.cast_column("audio", Audio(decode=False)),
    "in a format": lambda rows: rows.with_format("numpy"),
}


@pytest.mark.parametrize("form", FORMS)
def test_rows_have_the_bits_of_direct_calls(rows, mel, expected, form):
    fly = hf.with_transform(FORMS[form](rows), mel)
    check(fly, expected)
    assert list(fly[1]) == ["label", "name", "feature", "n_frames"]
    assert (fly[1]["label"], fly[1]["name"]) == (6, "stereo.flac")
    batch = fly[[3, 0]]
    assert batch["label"] == [8, 5]
    np.testing.assert_array_equal(batch["feature"][1], expected[0])


def test_nothing_is_computed_before_a_row_is_read(rows, mel, monkeypatch):
    calls = []
    read_blocks = Transform.read_blocks
    monkeypatch.setattr(
        Transform,
        "read_blocks",
        lambda self, value, **options: calls.append(value) or read_blocks(self, value, **options),
    )
    fly = hf.with_transform(rows, mel).select([2, 3])
    assert calls == []
    assert fly[1]["name"] == NAMES[3]
    assert len(calls) == 1


def test_arrays_are_clips(mel, samples):
    clip = samples["mono"].astype(np.float32)
    fly = hf.with_transform(Dataset.from_dict({"audio": [clip, clip[:999]]}), mel)
    check(fly, [mel(clip)[..., 0], mel(clip[:999])[..., 0]])


def test_kept_columns_are_those_named_and_not_removed_later(rows, mel, paths):
    fly = hf.with_transform(rows, mel, keep_columns=["audio", "name"])
    assert list(fly[0]) == ["audio", "name", "feature", "n_frames"]
    assert fly[0]["audio"] == paths[0]
    assert list(fly.remove_columns("name")[0]) == ["audio", "feature", "n_frames"]
    assert list(fly.select_columns("name")[0]) == ["name"]


def test_a_dict_of_splits_is_transformed_and_can_be_pickled(rows, mel, expected):
    fly = hf.with_transform(DatasetDict(test=rows), mel)
    check(pickle.loads(pickle.dumps(fly))["test"], expected)


def test_a_file_that_cannot_be_read_is_named(mel, paths):
    fly = hf.with_transform(Dataset.from_dict({"audio": [paths[0], "gone.wav", None]}), mel)
    assert fly[0]["n_frames"] == 38
    with pytest.raises(AudioError, match=r"Could not read 'gone\.wav'"):
        fly[1]
    with pytest.raises(AudioError, match="The row holds no audio"):
        fly[2]


def test_wrong_arguments_are_refused(rows, mel):
    with pytest.raises(ArgumentError, match=r"Received: IterableDataset\. A streaming dataset .* audiopipe\.hf\.map"):
        hf.with_transform(rows.to_iterable_dataset(), mel)
    with pytest.raises(ArgumentError, match=r"Received: 'speech-mel-80'\. Make one"):
        hf.with_transform(rows, "speech-mel-80")
    with pytest.raises(ArgumentError, match=r"must have the audio column 'audio'"):
        hf.with_transform(rows.remove_columns("audio"), mel)


def test_datasets_own_set_transform_gives_the_same_bits(rows, mel, expected):
    fly = rows.cast_column("audio", Audio(decode=False))
    fly.set_transform(mel, columns=["audio"], output_all_columns=True)
    check(fly, expected)
    assert fly[2]["label"] == 7
    alone = rows.with_transform(mel)
    check(alone, expected)
    assert list(alone[0]) == ["feature", "n_frames"]


def test_rows_computed_on_the_fly_have_no_fingerprint(rows, mel):
    with pytest.raises(FingerprintError, match="No config was found"):
        fingerprint_of(hf.with_transform(rows, mel))


@pytest.mark.parametrize("kind", ["numpy", "torch", "tf", "jax"])
@pytest.mark.parametrize("streaming", [False, True])
def test_a_format_changes_no_bits(mapped, expected, kind, streaming):
    if kind in ("torch", "jax"):
        pytest.importorskip(kind)
    check((mapped.to_iterable_dataset() if streaming else mapped).with_format(kind), expected)


KEPT = {
    "save_to_disk": lambda mapped, folder: mapped.save_to_disk(folder) or datasets.load_from_disk(folder),
    "Parquet": lambda mapped, folder: (
        mapped.to_parquet(folder / "rows.parquet")
        and Dataset.from_parquet(str(folder / "rows.parquet"), cache_dir=str(folder / "cache"))
    ),
    "streaming Parquet": lambda mapped, folder: (
        mapped.to_parquet(folder / "rows.parquet")
        and datasets.load_dataset("parquet", data_files=str(folder / "rows.parquet"), split="train", streaming=True)
    ),
}


@pytest.mark.parametrize("way", KEPT)
def test_a_stored_dataset_has_the_same_bits_types_and_fingerprint(mapped, mel, expected, tmp_path, way):
    found = KEPT[way](mapped, tmp_path)
    assert found.features == mapped.features
    assert found.features["feature"].id == mapped.features["feature"].id
    check(found.with_format("numpy"), expected)
    check([{**row, "feature": np.float32(row["feature"])} for row in found], expected)
    assert fingerprint_of(found).fingerprint == mel.config.fingerprint


CHANGES = {
    "select": lambda mapped: mapped.select([1, 2]),
    "shuffle": lambda mapped: mapped.shuffle(seed=0),
    "select_columns": lambda mapped: mapped.select_columns(["feature", "feature_digest"]),
    "rename_column": lambda mapped: mapped.rename_column("feature", "mel"),
    "map": lambda mapped: mapped.map(lambda row: {"twice": 2 * row["label"]}),
    "filter": lambda mapped: mapped.filter(lambda row: row["label"] > 5),
    "train_test_split": lambda mapped: mapped.train_test_split(0.5),
    "concatenate": lambda mapped: datasets.concatenate_datasets([mapped, mapped]),
    "with_format": lambda mapped: mapped.with_format("numpy"),
    "streaming": lambda mapped: datasets.IterableDatasetDict(test=mapped.to_iterable_dataset()),
}


@pytest.mark.parametrize("change", CHANGES)
def test_changes_of_the_dataset_keep_the_fingerprint(mapped, mel, change):
    assert fingerprint_of(CHANGES[change](mapped)).fingerprint == mel.config.fingerprint
