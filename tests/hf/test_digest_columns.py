"""Columns with digests among other columns: names, several features, and what is returned of them."""

import datasets
import numpy as np
import pytest
from datasets import ClassLabel, Dataset
from digest_rows import CONFIG, FINE, MEL, OTHER, clips, scaled

from audiopipe import fingerprint_of, hf
from audiopipe.errors import ArgumentError, FingerprintError

pytestmark = [
    pytest.mark.usefixtures("quiet_bars"),
    pytest.mark.filterwarnings("ignore::audiopipe.errors.AudioRemark"),
]


def test_two_features_of_a_dataset_are_told_apart_after_any_renaming(mapped, tmp_path):
    fine = hf.map(Dataset.from_dict({"audio": clips(6)}), FINE)
    both = datasets.concatenate_datasets([mapped, fine.remove_columns("n_frames")], axis=1)
    swapped = both.rename_columns({"feature": "x", "fine": "feature"}).rename_column("x", "fine")
    odd = both.rename_columns({"feature_digest": "a", "fine_digest": "b", "fine": "c"})
    for rows, fine in ((both, "fine"), (swapped, "feature"), (odd, "c")):
        with pytest.raises(FingerprintError, match=r"Received: 2 in .*(?s:.)*hop_length"):
            fingerprint_of(rows)
        assert hf.to_feature_set(rows, tmp_path / f"set of {fine}", columns=[fine, "name"]).schema == {"name": "string"}
        assert fingerprint_of(tmp_path / f"set of {fine}").fingerprint == OTHER.fingerprint
    twice = datasets.concatenate_datasets(
        [mapped, mapped.rename_columns({name: f"{name}2" for name in mapped.column_names})], axis=1
    )
    assert fingerprint_of(twice).fingerprint == CONFIG.fingerprint  # `feature2` finds `feature_digest2` by elimination
    with pytest.raises(FingerprintError, match=r"the column 'feature2'.*without a column 'feature2_digest'"):
        fingerprint_of(twice.remove_columns("feature_digest2"))


def test_changed_values_are_batched_on_request(mapped):
    rows = scaled(mapped)
    for form in (rows, rows.remove_columns("feature_digest"), rows.to_iterable_dataset()):
        [batch] = hf.to_tf_dataset(form, check=False, padding_value=0.5).as_numpy_iterator()
        assert "feature_digest" not in batch
        for feature, row in zip(batch["feature"], rows.with_format("numpy"), strict=True):
            np.testing.assert_array_equal(feature[: len(row["feature"])], row["feature"])
            assert (feature[len(row["feature"]) :] == 0.5).all()
    with pytest.raises(ArgumentError, match=r"check must be True or False\. Received: check=0"):
        hf.to_tf_dataset(mapped, check=0)


def test_digests_are_returned_and_stored_only_on_request(mapped, tmp_path):
    [batch] = hf.to_tf_dataset(mapped, columns=["feature_digest"]).as_numpy_iterator()
    assert [text.decode() for text in batch["feature_digest"]] == mapped["feature_digest"][:]
    assert hf.to_feature_set(mapped, tmp_path / "set").schema == {"label": "int", "name": "string"}


def test_a_column_with_the_name_of_the_digests_is_refused(mapped, tmp_path):
    rows = Dataset.from_dict({"audio": clips(1), "feature_digest": ["mine"]})
    assert "feature_digest" in hf.with_transform(rows, MEL)[0]
    with pytest.raises(ArgumentError, match=r"names that the map adds\. Received: feature_digest\. Rename"):
        hf.map(rows, MEL)
    kept = hf.map(rows, FINE)
    made = hf.to_feature_set(kept, tmp_path / "set")
    assert made.schema == {"feature_digest": "string"}
    with pytest.raises(ArgumentError, match=r"'feature' and 'feature_digest', must not.*Choose another name"):
        hf.from_feature_set(made, cache_dir=tmp_path)
    back = hf.from_feature_set(made, feature="fine", cache_dir=tmp_path)
    assert (back["feature_digest"][:], back["fine_digest"][:]) == (["mine"], kept["fine_digest"][:])


def test_class_labels_and_digests_go_together(mapped, tmp_path):
    rows = mapped.cast_column("label", ClassLabel(num_classes=10))
    assert hf.to_feature_set(rows, tmp_path / "set").classes["label"][9] == "9"
