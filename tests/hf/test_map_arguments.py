"""Arguments of `Dataset.map(transform)`: each is honoured, refused, or costs the types with one warning."""

import warnings

import datasets
import digest_rows
import numpy as np
import pytest
from datasets import Dataset, DatasetDict, Features, IterableDataset, Value

from audiopipe import fingerprint_of, hf
from audiopipe.errors import ArgumentError, UntypedFeatureWarning

pytestmark = pytest.mark.usefixtures("quiet_bars")

MEL, CONFIG = digest_rows.MEL, digest_rows.CONFIG
ADDED = ["feature", "n_frames", "feature_digest"]
NESTED = datasets.List(datasets.List(Value("float64")))


@pytest.fixture
def rows():
    return Dataset.from_dict({"audio": digest_rows.clips(3), "label": [3, 1, 4]})


def both(rows):
    return rows, rows.to_iterable_dataset()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"with_indices": True}, r"with_indices must be False for a transform.* Received: with_indices=True"),
        ({"input_columns": ["label"]}, r"input_columns must be the audio column.* Received: input_columns=\['label'\]"),
        ({"input_columns": []}, r"input_columns must be the audio column"),
        ({"fn_kwargs": {"lengths": [1]}}, r"fn_kwargs must be empty .* Received: fn_kwargs={'lengths': \[1\]}"),
        ({"fn_kwargs": {"sample_rate": 44100}}, r"config: 8000\. Received: fn_kwargs={'sample_rate': 44100}"),
        ({"remove_columns": 5}, r"remove_columns must be the name of a column, or a list of names\. Received: .*=5"),
        ({"remove_columns": [5]}, r"remove_columns must be the name of a column, or a list of names"),
        (
            {"remove_columns": ["feature"]},
            r"remove_columns must name columns of the dataset: audio, label\. .*: feature",
        ),
        ({"input_columns": 5}, r"input_columns must be the name of a column, or a list of names"),
        ({"remove_columns": "labels"}, r"remove_columns must name columns of the dataset: audio, label\. .*: labels"),
        ({"features": Features(feature=NESTED)}, r"Missing in features: audio, label. Unknown: none"),
        (
            {"features": Features(audio=Value("string"), label=Value("int8"), other=Value("string"))},
            r"Missing in features: none. Unknown: other",
        ),
    ],
)
def test_arguments_that_do_not_fit_a_transform_are_refused(rows, arguments, message):
    for dataset in both(rows):
        with pytest.raises(ArgumentError, match=message):
            dataset.map(MEL, **arguments)


def test_ranks_and_splits_are_no_arguments_of_a_transform(rows):
    with pytest.raises(ArgumentError, match=r"with_rank must be False"):
        rows.map(MEL, with_rank=True)
    with pytest.raises(ArgumentError, match=r"A mapping must be the only argument\. Also received: \('train',\)"):
        DatasetDict(train=rows).map(MEL, with_split=True)


def test_columns_that_the_map_would_replace_are_refused_unless_they_are_removed(rows):
    for name in ADDED:
        named = rows.rename_column("label", name)
        for dataset in both(named):
            with pytest.raises(ArgumentError, match=f"Received: {name}. Rename them"):
                dataset.map(MEL)
            assert dataset.map(MEL, remove_columns=[name]).features["feature"].id == CONFIG.stamp()
    with pytest.raises(ArgumentError, match="must have the audio column 'audio'"):
        rows.remove_columns("audio").map(MEL)


def test_arguments_that_a_transform_agrees_with_change_nothing(rows):
    expected = rows.map(MEL)["feature_digest"][:]
    for arguments in (
        {"input_columns": "audio"},
        {"input_columns": ["audio"], "batched": True},
        {"fn_kwargs": {"sample_rate": 8000}},
        {"with_indices": False, "batched": True, "batch_size": None},
        {"fn_kwargs": None, "batched": True, "batch_size": 2},
    ):
        for dataset in both(rows):
            mapped = dataset.map(MEL, **arguments)
            assert fingerprint_of(mapped).fingerprint == CONFIG.fingerprint
            assert [row["feature_digest"] for row in mapped] == expected


def test_arguments_about_files_and_memory_are_those_of_datasets(rows, tmp_path):
    rows.save_to_disk(tmp_path / "rows")
    stored = datasets.load_from_disk(tmp_path / "rows")
    assert stored.map(MEL, keep_in_memory=True, load_from_cache_file=False).cache_files == []
    assert len(stored.map(MEL, writer_batch_size=1).data["feature"].chunks) == 3
    named = stored.map(MEL, cache_file_name=str(tmp_path / "mine.arrow"), desc="mine", disable_nullable=True)
    assert [file["filename"] for file in named.cache_files] == [str(tmp_path / "mine.arrow")]
    assert fingerprint_of(named).fingerprint == CONFIG.fingerprint
    other = stored.map(digest_rows.FINE, cache_file_name=str(tmp_path / "mine.arrow"))
    assert other.column_names == ["audio", "label", "fine", "n_frames", "fine_digest"]
    for arguments in ({"try_original_type": False}, {"on_mixed_types": None}, {"new_fingerprint": "mine"}):
        assert fingerprint_of(stored.map(MEL, **arguments)).fingerprint == CONFIG.fingerprint
    with pytest.raises(ValueError, match="keep_in_memory"):
        stored.map(MEL, keep_in_memory=True, cache_file_name=str(tmp_path / "mine.arrow"))
    splits = DatasetDict(train=stored).map(MEL, cache_file_names={"train": str(tmp_path / "train.arrow")})
    assert (tmp_path / "train.arrow").exists()
    assert fingerprint_of(splits).fingerprint == CONFIG.fingerprint


def test_one_process_is_this_one_and_none_is_none(rows):
    for count in (None, 0, 1):
        assert fingerprint_of(rows.map(MEL, num_proc=count)).fingerprint == CONFIG.fingerprint
    assert fingerprint_of(hf.map(rows, MEL, num_proc=1)).fingerprint == CONFIG.fingerprint


@pytest.mark.faults
@pytest.mark.parametrize("batched", [False, True])
def test_several_processes_give_the_same_types_and_bits(rows, tmp_path, batched):
    rows.save_to_disk(tmp_path / "rows")
    stored = datasets.load_from_disk(tmp_path / "rows")
    MEL(digest_rows.clips(1)[0])  # a fork would fail from here on
    mapped = stored.map(
        MEL, batched=batched, num_proc=2, remove_columns=["label"], suffix_template="-{rank}-{num_proc}"
    )
    assert mapped.column_names == ["audio", *ADDED]
    assert mapped["feature_digest"][:] == rows.map(MEL)["feature_digest"][:]
    assert fingerprint_of(mapped).fingerprint == CONFIG.fingerprint


def test_declared_types_hold_for_kept_columns_and_may_leave_out_the_new_ones(rows):
    clips = datasets.List(Value("float32"))
    for new in ({}, {"feature": datasets.Array2D((None, 9), "float32"), "n_frames": Value("int64")}):
        for dataset in both(rows):
            mapped = dataset.map(MEL, features=Features(audio=clips, label=Value("int8"), **new))
            assert mapped.features["label"] == Value("int8")
            assert fingerprint_of(mapped).fingerprint == CONFIG.fingerprint
            assert [row["label"] for row in mapped] == [3, 1, 4]
    mapped = rows.map(MEL, remove_columns=["audio"], features=rows.map(MEL, remove_columns=["audio"]).features)
    assert fingerprint_of(mapped).fingerprint == CONFIG.fingerprint


@pytest.mark.parametrize("kind", [None, "numpy"])
def test_other_types_of_the_feature_are_honoured_with_one_warning(rows, kind):
    declared = Features(label=Value("int64"), feature=NESTED, n_frames=Value("int64"))
    for dataset in both(rows.with_format(kind)):
        with pytest.warns(UntypedFeatureWarning) as caught:
            mapped = dataset.map(MEL, batched=True, remove_columns=["audio"], features=declared)
        [warning] = caught
        assert "gets no declared type, no digests and no fingerprint" in str(warning.message)
        assert "audiopipe.hf.map(dataset, transform)" in str(warning.message)
        assert warning.filename == __file__
        assert mapped.features == declared
        first = next(iter(mapped))
        np.testing.assert_array_equal(np.float32(first["feature"]), MEL(digest_rows.clips(1)[0])[..., 0])


@pytest.mark.parametrize(
    "declared",
    [{"feature": hf.feature_type(digest_rows.OTHER)}, {"feature_digest": Value("int64")}],
)
def test_types_that_say_what_a_column_does_not_hold_are_refused(rows, declared):
    with pytest.raises(
        ArgumentError, match=r"features must give the new column 'feature.*' the type of audiopipe\.hf\.map"
    ):
        rows.map(MEL, features=Features({**rows.features, **declared}))


def test_another_type_of_the_numbers_of_frames_costs_nothing(rows):
    for dataset in both(rows):
        mapped = dataset.map(MEL, features=Features({**rows.features, "n_frames": Value("int32")}))
        assert mapped.features["n_frames"] == Value("int32")
        assert fingerprint_of(mapped).fingerprint == CONFIG.fingerprint


def test_a_stream_without_types_and_rows_warns_once():
    nothing = IterableDataset.from_generator(lambda: iter(()))
    with pytest.warns(UntypedFeatureWarning, match=r"without rows.*audiopipe\.hf\.map") as caught:
        mapped = nothing.map(MEL)
    assert len(caught) == 1
    assert list(mapped) == []


def test_a_typed_map_does_not_warn(rows):
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        for dataset in both(rows):
            list(dataset.map(MEL))
