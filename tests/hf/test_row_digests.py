"""Digests of rows: which operations of `datasets` keep a fingerprint, and which changes of values are found."""

import pickle

import datasets
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tensorflow as tf
from datasets import Dataset, DatasetDict, Features, IterableDataset, IterableDatasetDict, Value
from digest_rows import (
    CONFIG,
    MEL,
    OTHER,
    TWO,
    clips,
    in_double_precision,
    reference,
    scaled,
)

from audiopipe import fingerprint_of, hf, load
from audiopipe.errors import FingerprintError
from audiopipe.feature_sets import digest_checks

pytestmark = [
    pytest.mark.usefixtures("quiet_bars"),
    pytest.mark.filterwarnings("ignore::audiopipe.errors.AudioRemark"),
]

CHANGED = (
    r"Received: row \d+ of shape .* so they were changed\. .*to_tf_dataset\(\.\.\., check=False\).*hf\.with_digests"
)
MISSING = r"without (a|one in the) column .*may have been changed\. Keep the column '\w+_digest'.*hf\.with_digests"
UNTYPED = r"No config was found"


@pytest.fixture(scope="module")
def written(mapped, tmp_path_factory):
    return hf.to_feature_set(mapped, tmp_path_factory.mktemp("sets") / "set")


@pytest.mark.parametrize("transform", [MEL, TWO], ids=["mono", "stereo"])
def test_each_row_has_the_digest_of_its_fingerprint_shape_and_bytes(transform, tmp_path):
    config = transform.config
    rows = Dataset.from_dict({"audio": clips(2, config.channels)})
    mapped = hf.map(rows, transform)
    back = hf.from_feature_set(hf.to_feature_set(mapped, tmp_path / "set"), feature="mel", cache_dir=tmp_path)
    expected = [reference(row["feature"], config.fingerprint) for row in mapped]
    assert mapped["feature_digest"][:] == back["mel_digest"][:] == expected
    streamed = hf.map(rows.to_iterable_dataset(), transform, batch_size=1)
    assert [row["feature_digest"] for row in streamed] == expected
    assert hf.with_digests(mapped.rename_column("feature", "stft"))["stft_digest"][:] == expected


def touched(row):
    row["feature"]
    return {"more": row["label"]}


def in_parquet(rows, folder):
    rows.to_parquet(folder / "rows.parquet")
    return folder / "rows.parquet"


def rewritten_parquet(rows, folder):
    """Writes frames as lists of fixed length and digests as a dictionary, as other programs may."""
    table = pq.read_table(in_parquet(rows, folder))
    for name, column in (
        ("feature", table["feature"].cast(pa.list_(pa.list_(pa.float32(), 9)))),
        ("feature_digest", table["feature_digest"].dictionary_encode()),
    ):
        table = table.set_column(table.schema.get_field_index(name), name, column)
    pq.write_table(table, folder / "rewritten.parquet")
    return folder / "rewritten.parquet"


def streamed(change):
    return lambda rows, _: change(rows.to_iterable_dataset(num_shards=2))


def plain(features):
    """Returns types without the `id` of the column with the digests."""
    return Features(features | {"feature_digest": Value("string")})


KEPT = {
    "select": lambda rows, _: rows.select([4, 2, 2]),
    "slices": lambda rows, _: rows.skip(1).take(3).shard(2, 0).repeat(2),
    "sort": lambda rows, _: rows.sort("label"),
    "shuffle": lambda rows, _: rows.shuffle(seed=0).flatten_indices(),
    "filter": lambda rows, _: rows.filter(lambda row: row["label"] < 5),
    "filter by the feature": lambda rows, _: rows.filter(lambda row: len(row["feature"]) > 5),
    "train_test_split": lambda rows, _: rows.train_test_split(0.5, seed=0),
    "concatenate rows": lambda rows, _: datasets.concatenate_datasets([rows.select([3]), rows]),
    "concatenate columns": lambda rows, _: datasets.concatenate_datasets(
        [rows, Dataset.from_dict({"more": range(6)})], axis=1
    ),
    "interleave": lambda rows, _: datasets.interleave_datasets(
        [rows, rows.select([1])], stopping_strategy="all_exhausted"
    ),
    "add_column": lambda rows, _: rows.add_column("more", [1] * 6),
    "add_item": lambda rows, _: rows.add_item(rows[2]),
    "rename the feature": lambda rows, _: rows.rename_column("feature", "mel"),
    "rename the digests": lambda rows, _: rows.rename_column("feature_digest", "proof"),
    "rename both": lambda rows, _: rows.rename_columns({"feature": "mel", "feature_digest": "proof"}),
    "select_columns": lambda rows, _: rows.select_columns(["feature_digest", "feature"]),
    "remove_columns": lambda rows, _: rows.remove_columns(["label", "n_frames"]),
    "cast_column": lambda rows, _: rows.cast_column("label", Value("float32")),
    "cast the digests": lambda rows, _: rows.cast_column("feature_digest", Value("large_string")),
    "class_encode_column": lambda rows, _: rows.class_encode_column("name"),
    "with_format": lambda rows, _: rows.with_format("numpy", columns=["label"]),
    "map of another column": lambda rows, _: rows.map(lambda row: {"label": row["label"] + 1}),
    "map to another column": lambda rows, _: rows.map(lambda row: {"scaled": np.array(row["feature"]) * 2}),
    "map that reads the feature": lambda rows, _: rows.map(touched),
    "map that returns the rows": lambda rows, _: rows.map(lambda batch: dict(batch), batched=True),
    "map in NumPy format": lambda rows, _: rows.with_format("numpy").map(lambda row: {"feature": row["feature"]}),
    "map in TensorFlow format": lambda rows, _: rows.with_format("tf").map(touched),
    "map to float64": lambda rows, _: rows.map(lambda row: {"feature": np.array(row["feature"], np.float64)}),
    "map in Arrow format": lambda rows, _: rows.with_format("arrow").map(lambda table: table, batched=True),
    "map with types": lambda rows, _: rows.map(touched, features=Features(rows.features | {"more": Value("int64")})),
    "map with types of its own": lambda rows, _: rows.map(
        touched,
        remove_columns="label",
        features=Features(
            {**plain({name: kind for name, kind in rows.features.items() if name != "label"}), "more": Value("int64")}
        ),
    ),
    "map in processes": lambda rows, _: rows.map(touched, num_proc=2),
    "repeated rows of a batch": lambda rows, _: rows.map(
        lambda batch: {name: batch[name] * 2 for name in batch}, batched=True
    ),
    "batch and back": lambda rows, _: (
        rows.batch(4)
        .map(lambda row: row, batched=False)
        .with_format("arrow")
        .map(
            lambda table: pa.table({name: table[name].combine_chunks().flatten() for name in table.column_names}),
            batched=True,
            features=rows.features,
        )
    ),
    "from_generator": lambda rows, folder: Dataset.from_generator(
        rows.__iter__, features=rows.features, cache_dir=str(folder), fingerprint="rows"
    ),
    "pickle": lambda rows, _: pickle.loads(pickle.dumps(rows)),
    "save_to_disk": lambda rows, folder: (
        rows.save_to_disk(folder / "saved") or datasets.load_from_disk(folder / "saved")
    ),
    "from_parquet": lambda rows, folder: Dataset.from_parquet(
        str(in_parquet(rows, folder)), cache_dir=str(folder), columns=["feature", "feature_digest", "label"]
    ),
    "load_dataset": lambda rows, folder: datasets.load_dataset(
        "parquet", data_files=str(in_parquet(rows, folder)), cache_dir=str(folder)
    ),
    "load_dataset, streaming": lambda rows, folder: datasets.load_dataset(
        "parquet", data_files=str(in_parquet(rows, folder)), streaming=True
    ),
    "path of a Parquet file": in_parquet,
    "path of a Parquet file of many groups": lambda rows, folder: (
        rows.repeat(30).to_parquet(folder / "rows.parquet", batch_size=1) and folder / "rows.parquet"
    ),
    "Parquet file of another program": rewritten_parquet,
    "pandas and a cast": lambda rows, _: Dataset.from_pandas(rows.to_pandas()).cast(rows.features),
    "streaming": streamed(lambda rows: rows),
    "streaming filter and shuffle": streamed(lambda rows: rows.filter(lambda row: row["label"] > 1).shuffle(seed=0)),
    "streaming columns": streamed(
        lambda rows: rows.rename_column("feature", "mel").remove_columns("n_frames").cast_column("label", Value("int8"))
    ),
    "streaming select_columns": streamed(lambda rows: rows.select_columns(["feature", "feature_digest"])),
    "streaming slices": streamed(lambda rows: rows.skip(1).take(2).repeat(2)),
    "streaming concatenate": streamed(lambda rows: datasets.concatenate_datasets([rows, rows])),
    "streaming interleave": streamed(lambda rows: datasets.interleave_datasets([rows, rows])),
    "streaming format": streamed(lambda rows: rows.with_format("numpy")),
    "streaming map with types": lambda rows, _: rows.to_iterable_dataset().map(
        touched, features=Features(rows.features | {"more": Value("int64")})
    ),
    "splits": lambda rows, _: DatasetDict(train=rows, test=rows.select([2])),
    "streaming splits": lambda rows, _: IterableDatasetDict(train=rows.to_iterable_dataset()),
    "no rows": lambda rows, _: rows.select([]),
}


def parts(source):
    return source.values() if isinstance(source, dict) else [source]


@pytest.mark.cases(12)
@pytest.mark.parametrize("way", KEPT)
def test_operations_that_keep_the_values_keep_the_fingerprint(mapped, tmp_path, way):
    found = KEPT[way](mapped, tmp_path)
    assert fingerprint_of(found).fingerprint == CONFIG.fingerprint
    for rows in parts(found):
        if isinstance(rows, (Dataset, IterableDataset)) and way != "no rows":
            read = list(hf.to_tf_dataset(rows, columns=[], batch_size=4))  # every row is compared
            assert sum(len(batch["n_frames"]) for batch in read) > 0
            assert all("feature_digest" not in batch for batch in read)


def flipped(row):
    """Changes the last bit of the last value."""
    feature = np.array(row["feature"], np.float32)
    feature.view(np.uint32)[-1, -1] ^= 1
    return {"feature": feature}


def edited_parquet(rows, folder):
    table = pq.read_table(in_parquet(rows, folder))
    position = table.schema.get_field_index("feature")
    column = pa.concat_arrays(
        [chunk.storage if isinstance(chunk, pa.ExtensionArray) else chunk for chunk in table["feature"].chunks]
    )
    pq.write_table(
        table.set_column(position, "feature", column.take(pa.array([1, 0, 2, 3, 4, 5]))), folder / "edited.parquet"
    )
    return folder / "edited.parquet"


REVEALED = {
    "scaled": lambda rows, _: scaled(rows),
    "scaled as Python lists": lambda rows, _: rows.map(
        lambda row: {"feature": (np.array(row["feature"]) / 2).astype("float32")}
    ),
    "scaled in batches": lambda rows, _: rows.map(
        lambda batch: {"feature": [np.float32(one) * 2 for one in batch["feature"]]}, batched=True
    ),
    "scaled with types": lambda rows, _: scaled(rows, features=rows.features),
    "last bit": lambda rows, _: rows.map(flipped),
    "cut": lambda rows, _: rows.with_format("numpy").map(lambda row: {"feature": row["feature"][1:]}),
    "other rows": lambda rows, _: datasets.concatenate_datasets(
        [rows.select_columns(["feature"]).select([1, 0]), rows.remove_columns("feature").select([0, 1])], axis=1
    ),
    "other feature": lambda rows, _: rows.cast_column("feature", hf.feature_type(OTHER)),
    "other digests": lambda rows, _: rows.map(lambda row: {"feature_digest": "0" * 16}),
    "before save_to_disk": lambda rows, folder: (
        scaled(rows).save_to_disk(folder / "saved") or datasets.load_from_disk(folder / "saved")
    ),
    "path of a Parquet file": lambda rows, folder: in_parquet(scaled(rows), folder),
    "Parquet file of another program": edited_parquet,
    "added row": lambda rows, _: rows.select([0]).add_item(rows[1] | {"feature": rows[2]["feature"]}),
    "streaming": lambda rows, _: scaled(rows).to_iterable_dataset(),
    "streaming map with types": lambda rows, _: rows.to_iterable_dataset().map(flipped, features=rows.features),
    "one split": lambda rows, _: DatasetDict(train=rows, test=scaled(rows)),
}


@pytest.mark.cases(8)
@pytest.mark.parametrize("way", REVEALED)
def test_changed_values_have_no_fingerprint(mapped, written, tmp_path, way):
    found = REVEALED[way](mapped, tmp_path)
    with pytest.raises(FingerprintError, match=CHANGED):
        fingerprint_of(found)
    with pytest.raises(FingerprintError, match=CHANGED):
        load(written, config=found)
    if isinstance(found, Dataset):
        with pytest.raises(FingerprintError, match=CHANGED):
            hf.to_feature_set(found, tmp_path / "set")
        assert not (tmp_path / "set").exists()
        with pytest.raises(FingerprintError, match=CHANGED):
            hf.to_tf_dataset(found)
    if isinstance(found, IterableDataset):
        with pytest.raises((FingerprintError, tf.errors.OpError), match=CHANGED):
            list(hf.to_tf_dataset(found))


def lost(rows):
    return rows.remove_columns("feature_digest")


DROPPED = {
    "remove_columns": lambda rows, _: lost(rows),
    "select_columns": lambda rows, _: rows.select_columns(["feature", "label"]),
    "set to null": lambda rows, _: rows.map(lambda row: {"feature_digest": None}, features=rows.features),
    "concatenate with rows without": lambda rows, _: datasets.concatenate_datasets([rows, lost(rows)]),
    "shuffled with rows without": lambda rows, _: datasets.concatenate_datasets([rows, lost(rows)]).shuffle(seed=1),
    "batch": lambda rows, _: rows.batch(2),
    "Parquet": lambda rows, folder: in_parquet(lost(rows), folder),
    "streaming": lambda rows, _: lost(rows).to_iterable_dataset(),
    "made by the user": lambda rows, _: Dataset.from_dict(
        {"feature": rows["feature"][:]}, features=Features(feature=rows.features["feature"])
    ),
}


@pytest.mark.parametrize("way", DROPPED)
def test_features_without_digests_have_no_fingerprint(mapped, tmp_path, way):
    found = DROPPED[way](mapped, tmp_path)
    with pytest.raises(FingerprintError, match=MISSING):
        fingerprint_of(found)
    if isinstance(found, Dataset):
        with pytest.raises(FingerprintError, match=MISSING):
            hf.to_feature_set(found, tmp_path / "set")
        with pytest.raises(FingerprintError, match=MISSING):
            hf.to_tf_dataset(found)


FORGOTTEN = {
    "cast": lambda rows: rows.cast_column("feature", datasets.Array2D((None, 9), "float32")),
    "cast to half": lambda rows: rows.cast_column("feature", datasets.Array2D((None, 9), "float16")),
    "float64 under the id": in_double_precision,
    "pandas": lambda rows: Dataset.from_pandas(rows.to_pandas()),
    "streaming map": lambda rows: rows.to_iterable_dataset().map(lambda row: {"feature": row["feature"]}),
    "map of a function": lambda rows: Dataset.from_dict({"audio": clips(2)}).map(lambda row: MEL(row)),
}


@pytest.mark.parametrize("way", FORGOTTEN)
def test_columns_that_lost_their_type_claim_nothing(mapped, way):
    with pytest.raises(FingerprintError, match=UNTYPED):
        fingerprint_of(FORGOTTEN[way](mapped))


def test_what_a_function_shows_instead_of_the_stored_rows_has_no_fingerprint(mapped, tmp_path):
    shown = mapped.with_transform(lambda batch: {"feature": [np.array(one) * 2 for one in batch["feature"]]})
    message = r"a function of with_transform or set_transform returns.*dataset\.with_format\(None\)"
    for use in (fingerprint_of, hf.to_tf_dataset, lambda rows: hf.to_feature_set(rows, tmp_path / "set")):
        with pytest.raises(FingerprintError, match=message):
            use(shown)
    assert fingerprint_of(shown.with_format(None)).fingerprint == CONFIG.fingerprint


@pytest.fixture(scope="module")
def many(mapped):
    return mapped.select(np.arange(100) % 6).remove_columns("label").add_column("id", [*map(str, range(100))])


def test_a_single_changed_row_is_found_where_all_rows_are_read(many, tmp_path):
    def changed(number):
        return many.map(
            lambda row, place: flipped(row) if place == number else {"feature": np.float32(row["feature"])},
            with_indices=True,
        )

    assert 1 not in digest_checks.spaced(100, digest_checks.ROWS)
    second = changed(1)
    assert fingerprint_of(second).fingerprint == CONFIG.fingerprint  # of 32 other rows
    with pytest.raises(FingerprintError, match="row 1 of shape"):
        hf.to_feature_set(second, tmp_path / "set")
    batches = iter(hf.to_tf_dataset(second, batch_size=10))
    with pytest.raises(tf.errors.OpError, match="row 1 of shape"):
        next(batches)
    for number in (0, 99):
        with pytest.raises(FingerprintError, match=f"row {number} of shape"):
            fingerprint_of(changed(number))


def test_a_single_row_without_a_digest_is_found_among_all(many):
    lacking = many.map(
        lambda row, number: {"feature_digest": None if number == 1 else row["feature_digest"]}, with_indices=True
    )
    with pytest.raises(
        FingerprintError, match="row 1 of the column 'feature' without one in the column 'feature_digest'"
    ):
        fingerprint_of(lacking)
    with pytest.raises(FingerprintError, match="row 5 of the column 'feature' without"):
        fingerprint_of(lacking.select([9, 8, 7, 6, 5, 1]))
    assert fingerprint_of(lacking.select([0, 2, 3])).fingerprint == CONFIG.fingerprint


def test_rows_without_a_feature_need_no_digest(tmp_path):
    rows = Dataset.from_dict({"audio": [None, *clips(2)]})
    mapped = hf.map(rows, MEL, on_error="null")
    assert [digest is None for digest in mapped["feature_digest"]] == [True, False, False]
    for source in (mapped, mapped.select([0]), mapped.to_iterable_dataset(), in_parquet(mapped, tmp_path)):
        assert fingerprint_of(source).fingerprint == CONFIG.fingerprint
    [batch] = hf.to_tf_dataset(mapped).as_numpy_iterator()
    assert batch["n_frames"].tolist() == [0, *map(CONFIG.n_frames, (40, 48))]
    assert len(hf.to_feature_set(mapped, tmp_path / "set")) == 2
    with pytest.raises(FingerprintError, match="row 1 of shape"):
        fingerprint_of(hf.with_digests(mapped, OTHER).cast_column("feature", hf.feature_type(CONFIG)))
