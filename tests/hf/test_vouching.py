"""`hf.with_digests`: a user vouches for the features of rows."""

import pytest
from datasets import Dataset, DatasetDict
from digest_rows import CONFIG, MEL, OTHER, STEREO, clips, in_double_precision, reference, scaled

from audiopipe import fingerprint_of, hf
from audiopipe.errors import ArgumentError, FingerprintError

pytestmark = [
    pytest.mark.usefixtures("quiet_bars"),
    pytest.mark.filterwarnings("ignore::audiopipe.errors.AudioRemark"),
]


@pytest.mark.parametrize("streaming", [False, True])
def test_a_user_vouches_for_features_of_a_map_of_datasets(mapped, streaming):
    rows = Dataset.from_dict({"audio": clips(6)}).map(MEL, batched=True).with_format("numpy")
    vouched = hf.with_digests(rows.to_iterable_dataset() if streaming else rows, CONFIG)
    assert vouched.features["feature"] == mapped.features["feature"]
    assert fingerprint_of(vouched) == fingerprint_of(mapped)
    assert [str(row["feature_digest"]) for row in vouched] == mapped["feature_digest"][:]
    if not streaming:
        assert vouched.format["type"] == "numpy"
        splits = hf.with_digests(DatasetDict(a=rows, b=rows.select([1])), MEL, feature="feature")
        assert fingerprint_of(splits) == fingerprint_of(mapped)


def test_vouching_replaces_digests_and_names_another_feature_only_on_request(mapped):
    again = hf.with_digests(scaled(mapped).rename_column("feature_digest", "proof"))
    assert again.column_names == ["label", "name", "feature", "n_frames", "feature_digest"]
    assert again["feature_digest"][0] == reference(again[0]["feature"], CONFIG.fingerprint)
    other = hf.with_digests(mapped, OTHER)
    assert fingerprint_of(other).fingerprint == OTHER.fingerprint
    assert other["feature_digest"][0] == reference(mapped[0]["feature"], OTHER.fingerprint)


@pytest.mark.parametrize(
    ("change", "arguments", "error", "message"),
    [
        (lambda rows: rows, (STEREO,), ArgumentError, r"shape \[any, 9, 2\].*row 0 of the column 'feature' .*\[4, 9\]"),
        (lambda rows: rows, ("speech-mel-80",), ArgumentError, r"shape \[any, 80\].*with the shape \[4, 9\]"),
        (in_double_precision, (CONFIG,), ArgumentError, "A feature must be float32"),
        (lambda rows: rows.remove_columns("feature"), (CONFIG,), ArgumentError, "Name it: feature="),
        (lambda rows: rows.remove_columns("feature"), (), FingerprintError, "one column must say"),
        (lambda rows: rows.with_transform(dict), (), FingerprintError, "with_format"),
        (lambda rows: 3, (), ArgumentError, "Received: int"),
    ],
)
def test_wrong_arguments_of_vouching_are_refused(mapped, change, arguments, error, message):
    with pytest.raises(error, match=message):
        hf.with_digests(change(mapped), *arguments)
    with pytest.raises(ArgumentError, match=r"feature must be a column: .*Received: feature='mel'"):
        hf.with_digests(mapped, feature="mel")
