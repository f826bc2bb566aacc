"""Reading of feature sets without TensorFlow: clips, frames, ids and metadata."""

import dataclasses
import json
import os
import pickle
import subprocess
import sys

import numpy as np
import pyarrow.parquet as pq
import pytest
import synthetic_sets
from synthetic_sets import ANY_CHANNELS, CHANNELS_FIRST, COLUMNS, CONFIG, feature

from audiopipe import FeatureSet, load
from audiopipe.errors import (
    ArgumentError,
    ClipNotFoundError,
    CorruptFeatureSetError,
    FeatureSetError,
    IncompleteFeatureSetError,
)
from audiopipe.feature_sets import index, joined_sets, tfrecords
from audiopipe.feature_sets.description import Description, sha256
from audiopipe.storage import ranges

METADATA = {
    "a": {"speaker": "Zoë", "take": 3, "gain": 0.1, "clean": True, "tags": ["x", "y"], "label": "dog"},
    "b": {"speaker": None, "take": None, "gain": None, "clean": False, "tags": None, "label": None},
    "caf\udce9": {"speaker": "", "take": -(2**62), "gain": 1e-300, "clean": True, "tags": [], "label": "cat"},
    "d": {"speaker": "Bo", "take": 0, "gain": -0.5, "clean": False, "tags": ["y"], "label": "dog"},
    "e": {"speaker": "Bo", "take": 1, "gain": 2.0, "clean": True, "tags": ["z"], "label": "dog"},
}
FEATURES = {name: feature(30 + 7 * number, seed=number) for number, name in enumerate(METADATA)}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("synthetic") / "features"
    synthetic_sets.write(path, {name: (FEATURES[name], METADATA[name]) for name in METADATA}, columns=COLUMNS)
    return path


@pytest.fixture
def sets(folder):
    return FeatureSet(folder)


@pytest.fixture
def reads(monkeypatch):
    """Returns a list to which the size of every read of a local file is appended."""
    sizes = []
    pread = os.pread
    monkeypatch.setattr(os, "pread", lambda number, size, offset: sizes.append(size) or pread(number, size, offset))
    return sizes


def expected(name):
    metadata = {**METADATA[name], "label": {"cat": 0, "dog": 1, None: None}[METADATA[name]["label"]]}
    return {"id": name, "n_frames": len(FEATURES[name]), **metadata}


def test_clips_have_their_id_feature_and_metadata(sets):
    assert len(sets) == 5
    for number, (name, clip) in enumerate(zip(METADATA, sets, strict=True)):
        for found in (clip, sets[number], sets[number - 5], sets[name], sets[np.int64(number)]):
            values = found.pop("feature")
            np.testing.assert_array_equal(values, FEATURES[name])
            assert values.dtype == np.float32
            assert values.flags.writeable
            assert found == expected(name)


@pytest.mark.parametrize("kept", [1 << 27, 0], ids=["ids in memory", "ids on disk"])
def test_ids_are_found_exactly(folder, monkeypatch, kept):
    monkeypatch.setattr(joined_sets, "KEPT_BYTES", kept)
    sets = FeatureSet(folder)
    assert sets.ids == list(METADATA)
    assert [sets.find(name) for name in METADATA] == [0, 1, 2, 3, 4]
    assert "caf\udce9" in sets
    assert r"caf\udce9" not in sets
    assert 0 not in sets
    for missing in ("f", r"caf\udce9", 5, -6):
        with pytest.raises(ClipNotFoundError, match=r"Received: (5|-6)\.$|There is no clip with the id '"):
            sets[missing]
    assert issubclass(ClipNotFoundError, IndexError)
    assert issubclass(ClipNotFoundError, KeyError)
    with pytest.raises(ArgumentError, match=r"clip must be the number or the id of a clip\. Received: clip=1\.5"):
        sets[1.5]


def test_the_metadata_is_a_table_with_types_and_nulls(sets):
    table = sets.metadata
    own = ["id", "n_frames", "valid_frames", "seconds"]
    assert table.column_names == [*own, *sorted(COLUMNS.types)]
    assert table.column("id").to_pylist() == [index.escaped(name) for name in METADATA]
    assert table.column("seconds").to_pylist() == [len(values) / 100 for values in FEATURES.values()]
    for name in COLUMNS.types:
        assert table.column(name).to_pylist() == [expected(clip)[name] for clip in METADATA]
    assert json.loads(table.schema.field("label").metadata[b"classes"]) == ["cat", "dog"]
    assert sets.class_names("label") == ["cat", "dog"]
    with pytest.raises(ArgumentError, match=r"one of \['label'\]"):
        sets.class_names("take")


def test_facts_of_the_set_are_those_of_dataset_json(sets, folder):
    assert sets.config == CONFIG
    assert sets.fingerprint == CONFIG.fingerprint
    assert sets.counts["clips"] == 5
    assert sets.schema == COLUMNS.types
    assert (sets.path, sets.paths) == (str(folder), [str(folder)])
    assert (sets.failures(), sets.remarks(), sets.machines, sets.segments) == ([], [], [], None)
    sets.expect(CONFIG)
    sets.check_files()
    sets.verify_checksums()
    assert repr(sets[:2]) == f"<FeatureSet {str(folder)!r}: 2 of 5 clips>"


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
@pytest.mark.parametrize("config", [CONFIG, CHANNELS_FIRST, ANY_CHANNELS], ids=["last", "first", "any"])
def test_some_frames_are_those_of_the_whole_feature(tmp_path, config, dtype):
    clips = {f"{channels}": feature(40, config, channels) for channels in (1, 2, 3)}
    synthetic_sets.write(tmp_path / "features", clips, config, dtype=dtype)
    sets = FeatureSet(tmp_path / "features")
    for name in clips:
        whole = sets[name]["feature"]
        assert sets.dtype == dtype
        np.testing.assert_array_equal(sets.read(name), whole)
        for start, stop in ((0, 40), (3, 4), (39, 40), (17, 17), (None, 5), (38, None)):
            crop = sets.read(name, start=start, stop=stop)
            part = slice(start, stop)
            np.testing.assert_array_equal(crop, whole[:, part] if config is CHANNELS_FIRST else whole[part])
            assert crop.dtype == np.float32
            assert crop.flags.writeable
    for start, stop in ((3, 2), (0, 41), (41, 41), (-1, 3)):
        with pytest.raises(ArgumentError, match="start"):
            sets.read(0, start=start, stop=stop)


@pytest.mark.parametrize("config", [CONFIG, CHANNELS_FIRST], ids=["last", "first"])
def test_random_crops_read_less_than_5_percent_of_the_bytes(tmp_path, config, reads):
    values = feature(6000, config)
    description = synthetic_sets.write(
        tmp_path / "features", {f"{number}": values for number in range(50)}, config, shards=5
    )
    sets = FeatureSet(tmp_path / "features")
    reads.clear()
    drawn = np.random.default_rng(1)
    for _ in range(1000):
        start = int(drawn.integers(0, 5901))
        sets.read(int(drawn.integers(0, 50)), start=start, stop=start + 100)
    clip_bytes = sum(shard["bytes"] for shard in description.shards) / 50
    assert sum(reads) < 0.05 * 1000 * clip_bytes
    assert sum(reads) < 1.02 * 1000 * 100 * values.nbytes / 6000


def test_iteration_reads_records_that_are_next_to_each_other_together(folder, reads):
    sets = FeatureSet(folder)
    reads.clear()
    assert len(list(sets)) == 5
    assert len(reads) == 2  # one for each shard
    reads.clear()
    assert [clip["id"] for clip in sets.select([4, 0, 1])] == ["e", "a", "b"]
    assert len(reads) == 2


def test_tensorflow_is_not_imported(folder):
    code = (
        "import sys\nfrom audiopipe import FeatureSet\nsets = FeatureSet(sys.argv[1])\n"
        "sets[0], sets['b'], sets.read(0, start=1, stop=2), sets.metadata, sets.where(take=3).split({'a': 1.0})\n"
        "print({'tensorflow', 'keras', 'apache_beam', 'datasets'} & {*sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", code, str(folder)], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("set()\n", "")


def test_tensorflow_reads_the_same_values(sets, folder):
    for clip, element in zip(sets, load(folder).as_numpy_iterator(), strict=True):
        assert element["id"].decode("utf-8", "surrogateescape") == clip["id"]
        np.testing.assert_array_equal(element["feature"], clip["feature"])


def test_a_set_of_format_1_gets_an_index_from_its_records():
    sets = FeatureSet("tests/data/v0.1/features")
    elements = list(load("tests/data/v0.1/features").as_numpy_iterator())
    assert sets.ids == [element["id"].decode() for element in elements]
    for clip, element in zip(sets, elements, strict=True):
        np.testing.assert_array_equal(clip["feature"], element["feature"])
        np.testing.assert_array_equal(sets.read(clip["id"], start=5, stop=20), element["feature"][5:20])
    assert sets.metadata.column("gain").to_pylist() == [element["gain"] for element in elements]
    assert sets.metadata.column("seconds").null_count == 3
    assert [failure["id"] for failure in sets.failures()] == ["broken"]
    assert pickle.loads(pickle.dumps(sets)).ids == sets.ids


def test_the_index_from_records_is_the_one_that_was_written(sets):
    [description] = sets.descriptions
    made = index.of_records(description)
    [stored] = index.opened(description).tables()
    for name in stored.column_names:
        if name != "seconds":
            assert made.column(name).combine_chunks() == stored.column(name).combine_chunks(), name


def test_descriptors_are_closed_and_few(tmp_path, monkeypatch):
    monkeypatch.setattr(ranges, "OPEN_FILES", 2)
    synthetic_sets.write(tmp_path / "features", {f"{number}": feature(3) for number in range(8)}, shards=8)
    before = len(os.listdir("/proc/self/fd"))
    sets = FeatureSet(tmp_path / "features")
    for number in (*range(8), *range(8)):
        sets[number]
    assert len(os.listdir("/proc/self/fd")) <= before + 2
    del sets
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_pickle_opens_the_generation_that_its_sender_saw(tmp_path):
    folder = tmp_path / "features"
    before, after = {"a": feature(3), "b": feature(4)}, {"b": feature(4, seed=1), "c": feature(5)}
    synthetic_sets.write(folder, before)
    sets = FeatureSet(folder)
    read = iter(sets.select([0, 1]))
    assert next(read)["id"] == "a"
    pickled = pickle.dumps(sets[1:])
    (folder / "dataset.json").rename(folder / "dataset-00000001.json")
    synthetic_sets.write(folder, after, generation=2, first_shard=2)
    for clip in (next(read), pickle.loads(pickled)[0]):
        np.testing.assert_array_equal(clip["feature"], before["b"])
    assert FeatureSet(folder).ids == ["b", "c"]
    (folder / "dataset-00000001.json").unlink()
    with pytest.raises(IncompleteFeatureSetError, match="no longer has generation 1"):
        pickle.loads(pickled)


def test_a_set_that_was_made_anew_is_not_taken_for_the_pickled_one(tmp_path):
    synthetic_sets.write(tmp_path / "features", {"a": feature(3), "b": feature(4)})
    pickled = pickle.dumps(FeatureSet(tmp_path / "features")[1:])
    assert pickle.loads(pickled).ids == ["b"]
    synthetic_sets.write(tmp_path / "features", {"c": feature(3), "d": feature(4), "e": feature(3)}, shards=3)
    with pytest.raises(FeatureSetError, match="features"):
        pickle.loads(pickled)


# Damage


def damaged_set(tmp_path, change):
    """Writes a set, changes its index, and makes `dataset.json` match the file."""
    folder = tmp_path / "features"
    description = synthetic_sets.write(folder, {name: feature(20, seed=number) for number, name in enumerate("abcd")})
    path = folder / description.index["name"]
    table = pq.read_table(path)
    rows = list(index.rows(table, description.columns))
    with index.Writer(str(path), index.schema(description.columns)) as out:
        out.write(index.table(change(rows), description.columns))
    facts = {**description.index, "bytes": path.stat().st_size, "sha256": sha256(str(path))}
    dataclasses.replace(description, index=facts).write()
    return folder


def changed(row, **facts):
    return dataclasses.replace(row, **facts)


@pytest.mark.parametrize(
    "change",
    [
        lambda rows: [rows[1], rows[0], *rows[2:]],
        lambda rows: [rows[2], rows[3], rows[0], rows[1]],
        lambda rows: [changed(rows[0], offset=-1), *rows[1:]],
        lambda rows: [changed(rows[0], offset=2**62), *rows[1:]],
        lambda rows: [changed(rows[0], bytes=2**62), *rows[1:]],
        lambda rows: [changed(rows[0], bytes=2**31), *rows[1:]],
        lambda rows: [changed(rows[0], bytes=0), *rows[1:]],
        lambda rows: [changed(rows[0], n_frames=-1), *rows[1:]],
    ],
    ids=["rows", "shards", "negative", "beyond", "too long", "long", "empty", "frames"],
)
def test_an_index_that_cannot_fit_the_shards_is_named(tmp_path, change):
    sets = FeatureSet(damaged_set(tmp_path, change))
    for read in (lambda: sets[3], lambda: sets.read(2, start=1, stop=2), lambda: list(sets)):
        with pytest.raises(CorruptFeatureSetError, match=r"index-00000001.parquet' does not fit the shards"):
            read()


@pytest.mark.parametrize(
    "change",
    [
        lambda rows: [changed(rows[0], offset=rows[1].offset), *rows[1:]],
        lambda rows: [changed(rows[0], offset=1), *rows[1:]],
        lambda rows: [changed(rows[0], bytes=rows[0].bytes - 80), *rows[1:]],
        lambda rows: [changed(rows[0], n_frames=19), *rows[1:]],
        lambda rows: [changed(rows[0], n_frames=2**40), *rows[1:]],
    ],
    ids=["another record", "offset", "bytes", "frames", "many frames"],
)
def test_a_row_that_does_not_fit_its_record_is_named(tmp_path, change):
    sets = FeatureSet(damaged_set(tmp_path, change))
    for read in (lambda: sets[0], lambda: sets.read(0, start=1, stop=2), lambda: list(sets)):
        with pytest.raises(CorruptFeatureSetError, match=r"Record 0 of the shard '.*features-00000000.tfrecord'"):
            read()


def test_an_index_with_ids_of_other_records_is_named(tmp_path):
    sets = FeatureSet(
        damaged_set(tmp_path, lambda rows: [changed(rows[0], id="b"), changed(rows[1], id="a"), *rows[2:]])
    )
    with pytest.raises(CorruptFeatureSetError, match=r"the record of 'b' is that of 'a'"):
        sets["a"]


def test_sizes_beyond_the_file_take_no_memory(tmp_path, reads):
    folder = damaged_set(tmp_path, lambda rows: [*rows[:3], changed(rows[3], bytes=2**31 - 1)])
    description = Description.open(folder)
    shards = [description.shards[0], {**description.shards[1], "bytes": 2**40}]
    dataclasses.replace(description, shards=shards).write()
    sets = FeatureSet(folder)
    for read in (lambda: sets[3], lambda: sets.read(3, start=0, stop=1)):
        with pytest.raises(CorruptFeatureSetError, match=r"Record 1 of the shard .*features-00000001"):
            read()
    assert max(reads) < 20_000


def test_a_missing_or_damaged_file_is_named(tmp_path):
    folder = tmp_path / "features"
    synthetic_sets.write(folder, {name: feature(20, seed=number) for number, name in enumerate("abcd")})
    shards = sorted(folder.glob("*.tfrecord"))
    good = [path.read_bytes() for path in shards]
    shards[0].write_bytes(good[0][:-500] + b"\0" + good[0][-499:])
    sets = FeatureSet(folder)
    with pytest.raises(
        CorruptFeatureSetError, match=r"Record 1 of the shard '.*features-00000000.tfrecord' is damaged"
    ):
        sets["b"]
    with pytest.raises(CorruptFeatureSetError, match=r"features-00000000.tfrecord' does not have the checksum"):
        sets.verify_checksums()
    shards[0].write_bytes(good[1])
    shards[1].write_bytes(good[0])
    sets = FeatureSet(folder)
    for read in (lambda: sets["a"], lambda: sets.read(0, start=1, stop=2)):
        with pytest.raises(
            CorruptFeatureSetError, match=r"Record 0 of the shard .* belongs to another shard: files were"
        ):
            read()
    shards[0].write_bytes(good[0][:-1])
    with pytest.raises(CorruptFeatureSetError, match="the file ends within it"):
        FeatureSet(folder)["b"]
    shards[0].unlink()
    with pytest.raises(CorruptFeatureSetError, match=r"The shard '.*features-00000000.tfrecord' is missing"):
        FeatureSet(folder)["a"]
    path = folder / "index-00000001.parquet"
    data = path.read_bytes()
    path.write_bytes(data[:40] + bytes([data[40] ^ 1]) + data[41:])
    with pytest.raises(
        CorruptFeatureSetError, match=r"index-00000001.parquet' is not valid: it does not have the checksum"
    ):
        FeatureSet(folder)
    path.unlink()
    with pytest.raises(CorruptFeatureSetError, match=r"index-00000001.parquet' is missing"):
        FeatureSet(folder)
    (folder / "dataset.json").unlink()
    with pytest.raises(IncompleteFeatureSetError):
        FeatureSet(folder)


def test_a_partial_read_notices_a_frame_that_is_not_where_it_should_be(tmp_path):
    folder = tmp_path / "features"
    synthetic_sets.write(folder, {name: feature(20, seed=number) for number, name in enumerate("abcd")})
    path = folder / "features-00000000.tfrecord"
    data = bytearray(path.read_bytes())
    second = len(data) // 2
    data[second : second + tfrecords.HEADER_BYTES] = bytes(tfrecords.HEADER_BYTES)
    path.write_bytes(data)
    sets = FeatureSet(folder)
    assert sets.read(0, start=1, stop=2).shape == (1, 20, 1)
    with pytest.raises(CorruptFeatureSetError, match=r"Record 1 of the shard .* is damaged: its length"):
        sets.read(1, start=1, stop=2)
