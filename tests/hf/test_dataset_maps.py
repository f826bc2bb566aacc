"""`Dataset.map(transform)` of `datasets` itself: types, digests, fingerprint, bits, cache and kinds of datasets."""

import functools
import inspect
import subprocess
import sys
import types

import datasets
import digest_rows
import numpy as np
import pytest
import soundfile
from datasets import Audio, Dataset, DatasetDict, Features, IterableDataset, IterableDatasetDict, Value

from audiopipe import Transform, fingerprint_of
from audiopipe.errors import ArgumentError, AudioError, FingerprintError
from audiopipe.hf import dataset_maps
from audiopipe.transform import dataset_maps as registration

pytestmark = pytest.mark.usefixtures("quiet_bars")

MEL, CONFIG = digest_rows.MEL, digest_rows.CONFIG
ADDED = ["feature", "n_frames", "feature_digest"]
PATHS = Features({"audio": {"bytes": Value("binary"), "path": Value("string")}})


@pytest.fixture
def rows():
    """Six rows of arrays."""
    return Dataset.from_dict({"audio": digest_rows.clips(6), "label": [3, 1, 4, 1, 5, 9]})


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Paths of two files."""
    folder = tmp_path_factory.mktemp("files")
    paths = [str(folder / "a.wav"), str(folder / "b.wav")]
    for path, clip in zip(paths, digest_rows.clips(2), strict=True):
        soundfile.write(path, clip, 8000, subtype="FLOAT")
    return paths


def values(mapped):
    return [np.asarray(row["feature"], np.float32) for row in mapped.with_format("numpy")]


def check(mapped, count=6):
    """Asserts that a mapped dataset has the types, digests and values of `hf.map`."""
    assert {name: mapped.features[name] for name in ADDED} == {
        "feature": datasets.Array2D((None, 9), "float32", id=CONFIG.stamp()),
        "n_frames": Value("int64"),
        "feature_digest": Value("string", id=f"audiopipe digest of {CONFIG.fingerprint}"),
    }
    plain = mapped.with_format(None)
    clips = digest_rows.clips(6)[:count]
    features = values(mapped)
    assert len(features) == count
    for row, feature, clip in zip(plain, features, clips, strict=True):
        np.testing.assert_array_equal(feature, MEL(clip)[..., 0])
        assert row["n_frames"] == len(feature)
        assert row["feature_digest"] == digest_rows.reference(feature, CONFIG.fingerprint)
    assert fingerprint_of(plain).fingerprint == CONFIG.fingerprint


@pytest.mark.parametrize("batched", [False, True])
def test_a_map_has_the_types_digests_and_fingerprint_of_hf_map_and_keeps_all_columns(rows, batched):
    mapped = rows.map(MEL, batched=batched)
    assert mapped.column_names == ["audio", "label", *ADDED]
    assert mapped["audio"][:] == rows["audio"][:]
    assert mapped["label"][:] == rows["label"][:]
    check(mapped)


def test_a_function_that_calls_a_transform_gives_plain_values(rows):
    for function in (lambda batch: MEL(batch), functools.partial(MEL)):
        mapped = rows.map(function, batched=True)
        assert mapped.column_names == ["audio", "label", "feature", "n_frames"]
        assert mapped.features["feature"] == datasets.List(datasets.List(Value("float32")))
        with pytest.raises(FingerprintError):
            fingerprint_of(mapped)


def test_functions_other_than_transforms_reach_datasets_unchanged(rows):
    mapped = rows.map(lambda label, index: {"sum": label + index}, True, input_columns="label")
    assert mapped["sum"][:] == [3, 2, 6, 4, 9, 14]
    assert rows.map(None, batched=True)["label"][:] == rows["label"][:]


def test_columns_are_removed_on_request(rows):
    assert rows.map(MEL, remove_columns="audio").column_names == ["label", *ADDED]
    mapped = rows.map(MEL, batched=True, remove_columns=["label", "audio"])
    assert mapped.column_names == ADDED
    check(mapped)


@pytest.mark.parametrize("kind", [None, "numpy", "tensorflow", "torch", "pandas", "arrow"])
def test_a_format_changes_no_bits_and_stays(rows, kind):
    if kind == "torch":
        pytest.importorskip("torch")
    formatted = rows.with_format(kind)
    mapped = formatted.map(MEL, batched=True)
    assert mapped.format["type"] == kind
    assert mapped.column_names == ["audio", "label", *ADDED]
    check(mapped)


def test_a_format_of_some_columns_covers_the_new_ones_as_in_datasets(rows):
    mapped = rows.with_format("numpy", columns=["label"]).map(MEL)
    assert mapped.format["columns"] == ["label", *ADDED]
    assert mapped[0].keys() == {"label", *ADDED}
    check(mapped.with_format(None))


def test_rows_of_a_function_are_those_that_the_function_shows(rows):
    halved = rows.with_transform(lambda batch: {**batch, "audio": [np.float32(clip) / 2 for clip in batch["audio"]]})
    mapped = halved.map(MEL, remove_columns="label")
    assert mapped.format["type"] == "custom"
    stored = mapped.with_format(None)
    assert stored["audio"][:] == rows["audio"][:]
    for feature, clip in zip(values(stored), digest_rows.clips(6), strict=True):
        np.testing.assert_array_equal(feature, MEL(clip / 2)[..., 0])
    assert fingerprint_of(stored).fingerprint == CONFIG.fingerprint
    silent = rows.with_transform(lambda batch: {"label": batch["label"]})
    with pytest.raises(ArgumentError, match=r"must return the audio column 'audio'\. Received: label"):
        silent.map(MEL)


def test_an_empty_dataset_gets_the_columns_and_types(rows):
    for nothing in (rows.select([]), rows.filter(lambda label: False, input_columns="label")):
        mapped = nothing.map(MEL, remove_columns=["audio"])
        assert mapped.column_names == ["label", *ADDED]
        check(mapped, 0)
    whole = rows.map(MEL)
    check(datasets.concatenate_datasets([rows.select([]).map(MEL), whole]))


def test_a_batch_that_is_dropped_may_be_the_only_one(rows):
    assert len(rows.map(MEL, batched=True, batch_size=4, drop_last_batch=True)) == 4
    assert len(rows.map(MEL, batched=False, batch_size=4, drop_last_batch=True)) == 6  # as in datasets
    mapped = rows.map(MEL, batched=True, drop_last_batch=True)  # fewer than 1000 rows
    assert (len(mapped), mapped.column_names) == (0, ["audio", "label", *ADDED])


def test_selected_and_shuffled_rows_are_mapped(rows):
    mapped = rows.select([4, 0, 2]).map(MEL, batched=True)
    assert mapped["label"][:] == [5, 3, 4]
    np.testing.assert_array_equal(values(mapped)[1], MEL(digest_rows.clips(6)[0])[..., 0])
    assert fingerprint_of(mapped.select([2]).shuffle(seed=1)).fingerprint == CONFIG.fingerprint


def test_types_and_fingerprint_survive_parquet_and_disk(rows, tmp_path):
    mapped = rows.map(MEL, batched=True)
    mapped.save_to_disk(tmp_path / "disk")
    check(datasets.load_from_disk(tmp_path / "disk"))
    mapped.to_parquet(tmp_path / "rows.parquet")
    assert fingerprint_of(tmp_path / "rows.parquet").fingerprint == CONFIG.fingerprint
    check(Dataset.from_parquet(str(tmp_path / "rows.parquet"), cache_dir=str(tmp_path)))


@pytest.mark.parametrize("typed", [True, False])
@pytest.mark.parametrize("arguments", [{}, {"batched": True}, {"batched": True, "batch_size": 4}])
def test_a_streaming_map_declares_the_types_and_has_the_digests(rows, typed, arguments):
    streaming = rows.to_iterable_dataset() if typed else IterableDataset.from_generator(lambda: iter(rows))
    mapped = streaming.map(MEL, **arguments)
    assert isinstance(mapped, IterableDataset)
    assert list(mapped.features) == ["audio", "label", *ADDED]
    assert fingerprint_of(mapped).fingerprint == CONFIG.fingerprint
    check(Dataset.from_list(list(mapped), features=mapped.features))
    removed = streaming.map(MEL, remove_columns=["audio"], **arguments)
    assert list(next(iter(removed))) == list(removed.features) == ["label", *ADDED]


def test_a_stream_is_computed_row_by_row_without_batches(rows, calls):
    def read(**arguments):
        calls.clear()
        next(iter(rows.to_iterable_dataset().map(MEL, **arguments)))
        return len(calls)

    assert read() == 1
    assert read(batched=True, batch_size=2) == 2
    assert read(batched=True) == 6


@pytest.mark.parametrize("kind", ["numpy", "tf", "torch", "arrow"])
def test_a_streaming_map_keeps_a_format(rows, kind):
    if kind == "torch":
        pytest.importorskip("torch")
    mapped = rows.to_iterable_dataset().with_format(kind).map(MEL, batched=True)
    assert fingerprint_of(mapped).fingerprint == CONFIG.fingerprint
    [first] = mapped.take(1)
    feature = first["feature"].to_numpy(zero_copy_only=False)[0] if kind == "arrow" else np.asarray(first["feature"])
    np.testing.assert_array_equal(np.array(list(feature), np.float32), MEL(digest_rows.clips(1)[0])[..., 0])


@pytest.mark.parametrize("streaming", [False, True])
def test_every_split_of_a_dict_is_mapped(rows, streaming):
    splits = {"train": rows, "test": rows.select([0])}
    if streaming:
        mapped = IterableDatasetDict({name: part.to_iterable_dataset() for name, part in splits.items()}).map(MEL)
        assert isinstance(mapped, IterableDatasetDict)
        check(Dataset.from_list(list(mapped["train"]), features=mapped["train"].features))
    else:
        mapped = DatasetDict(splits).map(MEL, batched=True, remove_columns=["label"])
        assert mapped["test"].column_names == ["audio", *ADDED]
        check(mapped["train"])
    assert fingerprint_of(mapped).fingerprint == CONFIG.fingerprint


def test_a_decoding_column_is_read_from_its_bytes_and_stays_one(files):
    rows = Dataset.from_dict({"audio": files}).cast_column("audio", Audio())
    for mapped in (rows.map(MEL), rows.to_iterable_dataset().map(MEL)):  # without torchcodec, unless audio is read
        assert mapped.features["audio"] == Audio()
        assert fingerprint_of(mapped).fingerprint == CONFIG.fingerprint
    check(rows.map(MEL).remove_columns("audio"), 2)


def test_a_second_map_is_found_in_the_cache_whatever_the_batches_until_a_file_changes(files, tmp_path, calls):
    Dataset.from_dict({"audio": files}).save_to_disk(tmp_path / "rows")
    rows = datasets.load_from_disk(tmp_path / "rows")
    first = rows.map(MEL, batched=True)
    assert len(calls) == 2
    second = datasets.load_from_disk(tmp_path / "rows").map(Transform(CONFIG))
    assert len(calls) == 2
    assert second._fingerprint == first._fingerprint
    rows.map(Transform(CONFIG, feature="other"))
    assert len(calls) == 4
    soundfile.write(files[1], digest_rows.clips(2)[0], 8000, subtype="DOUBLE")
    changed = rows.map(MEL)
    assert len(calls) == 6
    assert changed["n_frames"][1] == first["n_frames"][0]


CACHED = """
import sys, datasets
from audiopipe import Transform
datasets.disable_progress_bars()
Transform.read_blocks = None
mapped = datasets.load_from_disk(sys.argv[1]).map(Transform(sys.argv[2]), batched=True)
print(mapped["feature_digest"][:])
"""


@pytest.mark.faults
def test_another_process_finds_the_result_in_the_cache(files, tmp_path):
    Dataset.from_dict({"audio": files}).save_to_disk(tmp_path / "rows")
    (tmp_path / "config.json").write_text(CONFIG.to_json())
    mapped = datasets.load_from_disk(tmp_path / "rows").map(MEL)
    command = [sys.executable, "-c", CACHED, str(tmp_path / "rows"), str(tmp_path / "config.json")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.stdout.strip() == str(mapped["feature_digest"][:]), done.stderr


@pytest.mark.parametrize("batched", [False, True])
def test_an_error_names_the_row_and_the_file(files, batched):
    rows = Dataset.from_dict({"audio": [files[0], "gone.wav"]})
    with pytest.raises(AudioError, match=r"Row 1: Could not read 'gone\.wav'"):
        rows.map(MEL, batched=batched)


@pytest.mark.parametrize("first", ["audiopipe", "datasets"])
@pytest.mark.faults
def test_the_order_of_imports_does_not_matter(first):
    imports = ["from audiopipe import Transform; mel = Transform('speech-mel-80')", "import datasets"]
    if first == "datasets":
        imports.reverse()
    script = "\n".join(
        [*imports, "print(datasets.Dataset.from_dict({'audio': [[0.5] * 4000]}).map(mel).features['feature'].id)"]
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=300)
    assert done.stdout.strip() == Transform("speech-mel-80").config.stamp(), done.stderr


def test_methods_are_replaced_once():
    method = Dataset.map
    dataset_maps.install()
    assert Dataset.map is method
    assert Dataset.map.__doc__ == Dataset.map.audiopipe_original.__doc__
    assert inspect.signature(Dataset.map) == inspect.signature(Dataset.map.audiopipe_original)


def test_a_module_of_the_user_named_datasets_is_left_alone(monkeypatch):
    monkeypatch.delitem(sys.modules, "datasets.arrow_dataset")
    monkeypatch.setitem(sys.modules, "datasets", types.ModuleType("datasets"))
    registration.register()


def test_another_map_of_datasets_gives_plain_values_and_one_warning():
    class Other:
        def map(self, function, batched=False):
            return function, batched

    dataset_maps.install((Other,))
    with pytest.warns(Warning) as caught:  # noqa: PT030 - the messages are checked below
        assert Other().map(MEL, batched=True) == (MEL, True)
    [warning] = caught
    assert warning.category.__name__ == "UntypedFeatureWarning"
    assert "map lacks the arguments batch_size, features" in str(warning.message)
    assert "audiopipe.hf.map(dataset, transform)" in str(warning.message)
    assert Other().map(len) == (len, False)


def test_the_arguments_that_are_translated_exist_in_datasets():
    # If datasets renames one, `dataset_maps._NEEDED` and `map_arguments` have to follow.
    handled = {"with_indices", "input_columns", "batched", "batch_size", "drop_last_batch", "remove_columns"}
    handled |= {"features", "fn_kwargs", "function"}
    for cls in dataset_maps.CLASSES:
        assert handled <= inspect.signature(cls.map).parameters.keys()
    assert {"with_rank", "num_proc", "cache_file_name", "new_fingerprint"} <= inspect.signature(
        Dataset.map
    ).parameters.keys()
    assert inspect.signature(Dataset.map).parameters["batch_size"].default == 1000
