"""Two features of the same rows: names of their counts, and readers of either feature."""

import digest_rows
import numpy as np
import pytest
from datasets import Dataset, Value

from audiopipe import Transform, configs, fingerprint_of, hf, load
from audiopipe.errors import ArgumentError, FingerprintError

pytestmark = [
    pytest.mark.usefixtures("quiet_bars"),
    pytest.mark.filterwarnings("ignore::audiopipe.errors.AudioRemark"),  # padded clips are cut
]

MEL, FINE = digest_rows.MEL, digest_rows.FINE
CHUNK = configs.WhisperLogMel(n_mels=2, chunk_seconds=0.1, input_data_format="channels_last")
PADDED = Transform(CHUNK, feature="padded")


@pytest.fixture
def rows():
    return Dataset.from_dict({"audio": digest_rows.clips(6), "label": [3, 1, 4, 1, 5, 9]})


@pytest.fixture
def long_rows():
    noise = np.random.default_rng(4)
    return Dataset.from_dict({"audio": [noise.uniform(-1, 1, 400 * (row + 1)).astype(np.float32) for row in range(3)]})


MAPS = {
    "hf.map": lambda rows, transform: hf.map(rows, transform, keep_columns=rows.column_names),
    "Dataset.map": lambda rows, transform: rows.map(transform),
}


def counts(hop):
    """Numbers of whole windows of 16 samples in the clips, which have 40, 48, ... samples."""
    return [1 + (40 + 8 * row - 16) // hop for row in range(6)]


@pytest.mark.parametrize("way", MAPS)
def test_a_second_feature_has_its_own_numbers_of_frames(rows, way):
    both = MAPS[way](MAPS[way](rows, MEL), FINE)
    assert both.column_names[2:] == [
        "feature",
        "n_frames",
        "feature_digest",
        "fine",
        "fine_n_frames",
        "fine_digest",
    ]
    assert both["n_frames"][:] == counts(8)
    assert both["fine_n_frames"][:] == counts(4)
    for name, transform in {"feature": MEL, "fine": FINE}.items():
        one = both.select_columns([name, f"{name}_digest"])
        assert fingerprint_of(one).fingerprint == transform.config.fingerprint


def test_a_second_feature_of_a_stream_and_on_the_fly(rows):
    both = rows.to_iterable_dataset().map(MEL).map(FINE)
    assert list(both.features)[-3:] == ["fine", "fine_n_frames", "fine_digest"]
    assert [row["fine_n_frames"] for row in both] == counts(4)
    fly = hf.with_transform(rows.map(MEL), FINE)
    assert list(fly[0])[-2:] == ["fine", "fine_n_frames"]
    assert fly[0]["n_frames"] == 4


def test_a_function_of_a_users_own_does_not_overwrite_the_first_numbers(rows):
    both = rows.map(MEL).map(lambda row: FINE(row))
    assert both["n_frames"][:] == counts(8)
    assert both["fine_n_frames"][:] == counts(4)
    again = rows.map(MEL).map(lambda batch: MEL(batch), batched=True)
    assert "feature_n_frames" not in again.column_names


def test_numbers_that_are_not_of_a_feature_and_taken_names_are_refused(rows):
    named = rows.rename_column("label", "n_frames")
    with pytest.raises(ArgumentError, match=r"Received: n_frames\. Rename"):
        hf.map(named, FINE)
    taken = rows.rename_column("label", "fine_n_frames").map(MEL)
    with pytest.raises(ArgumentError, match=r"Received: fine_n_frames\. Rename"):
        taken.map(FINE)
    with pytest.raises(ArgumentError, match=r"Received: feature, feature_digest, n_frames\. Rename"):
        rows.map(MEL).map(MEL)


def test_batches_of_a_second_feature_have_its_numbers_of_frames(rows):
    mapped = hf.map(rows.map(MEL), FINE)
    with pytest.raises(FingerprintError, match="name one in columns"):
        hf.to_tf_dataset(mapped)
    [batch] = hf.to_tf_dataset(mapped, columns=["fine", "fine_n_frames", "label"])
    assert list(batch) == ["fine", "n_frames", "label"]
    assert batch["n_frames"].numpy().tolist() == mapped["fine_n_frames"][:]
    [batch] = hf.to_tf_dataset(mapped, columns=["feature", "label"])
    assert batch["n_frames"].numpy().tolist() == mapped["n_frames"][:]
    alone = mapped.remove_columns(["feature", "feature_digest"])
    [batch] = hf.to_tf_dataset(alone)
    assert set(batch) == {"fine", "n_frames", "label"}
    assert batch["n_frames"].numpy().tolist() == mapped["fine_n_frames"][:]


def test_a_padded_second_feature_has_its_own_valid_frames(rows):
    mapped = hf.map(rows.map(MEL), PADDED)
    assert mapped.column_names[-4:] == ["padded", "padded_n_frames", "padded_valid_frames", "padded_digest"]
    valid = [int(CHUNK.valid_frames(40 + 8 * row)) for row in range(6)]  # arrays are at the rate of each config
    assert mapped["padded_valid_frames"][:] == valid
    [batch] = hf.to_tf_dataset(mapped, columns=["padded"])
    assert batch["valid_frames"].numpy().tolist() == valid
    [batch] = hf.to_tf_dataset(mapped, columns=["feature"])
    assert "valid_frames" not in batch


def test_two_padded_features_keep_their_valid_frames_apart(long_rows):
    other = Transform(configs.WhisperLogMel(n_mels=2, chunk_seconds=0.01, input_data_format="channels_last"))
    mapped = long_rows.map(other).map(PADDED)
    assert mapped.column_names[1:] == [
        "feature",
        "n_frames",
        "valid_frames",
        "feature_digest",
        "padded",
        "padded_n_frames",
        "padded_valid_frames",
        "padded_digest",
    ]
    assert mapped["valid_frames"][:] == [1, 1, 1]  # of 10 ms
    assert mapped["padded_valid_frames"][:] == [3, 5, 8]
    for feature, column in {"feature": "valid_frames", "padded": "padded_valid_frames"}.items():
        for dataset in (mapped, mapped.to_iterable_dataset()):
            [batch] = hf.to_tf_dataset(dataset, columns=[feature])
            assert batch["valid_frames"].numpy().tolist() == mapped[column][:]
    renamed = mapped.rename_columns({"padded_valid_frames": "valid", "padded": "other"})
    [batch] = hf.to_tf_dataset(renamed, columns=["other"])
    assert batch["valid"].numpy().tolist() == mapped["padded_valid_frames"][:]


def test_feature_sets_of_either_feature_have_its_numbers_of_frames(rows, tmp_path):
    mapped = hf.map(rows.map(MEL), PADDED)
    first = hf.to_feature_set(mapped, tmp_path / "first", columns=["feature", "label"])
    second = hf.to_feature_set(mapped, tmp_path / "second", columns=["padded", "label"])
    assert first.schema == second.schema == {"label": "int"}
    assert first.metadata["n_frames"].to_pylist() == mapped["n_frames"][:]
    assert second.metadata["n_frames"].to_pylist() == mapped["padded_n_frames"][:]
    assert second.metadata["valid_frames"].to_pylist() == mapped["padded_valid_frames"][:]
    assert [int(clip["valid_frames"]) for clip in load(second)] == mapped["padded_valid_frames"][:]
    alone = mapped.remove_columns(["feature", "feature_digest"])
    third = hf.to_feature_set(alone, tmp_path / "third")
    assert third.schema == {"label": "int"}
    assert third.metadata["valid_frames"].to_pylist() == mapped["padded_valid_frames"][:]


def test_digests_that_are_made_anew_keep_the_valid_frames(rows):
    mapped = rows.map(PADDED).remove_columns("padded_digest")
    again = hf.with_digests(mapped, feature="padded")
    [batch] = hf.to_tf_dataset(again, columns=["padded"])
    assert batch["valid_frames"].numpy().tolist() == mapped["valid_frames"][:]
    other = configs.WhisperLogMel(n_mels=2, chunk_seconds=0.2, input_data_format="channels_last")
    vouched = hf.with_digests(mapped, other, feature="padded")
    [batch] = hf.to_tf_dataset(vouched, columns=["padded"], check=False)
    assert batch["valid_frames"].numpy().tolist() == mapped["valid_frames"][:]


def test_the_valid_frames_of_an_earlier_release_are_found(rows):
    mapped = rows.map(PADDED)
    old = mapped.cast_column("valid_frames", Value("int64", id="audiopipe valid frames"))
    [batch] = hf.to_tf_dataset(old.rename_column("valid_frames", "real"), columns=["padded"])
    assert batch["real"].numpy().tolist() == mapped["valid_frames"][:]
