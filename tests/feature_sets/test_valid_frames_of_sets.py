"""Numbers of valid frames in clips, elements and indexes of feature sets: there, or absent, and never wrong."""

import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from synthetic_sets import CHANNELS_FIRST, CONFIG, feature, write

from audiopipe import FeatureSet, Segments, Transform, load, merge, tfdata
from audiopipe.errors import ArgumentError
from audiopipe.feature_sets import record_heads, records
from audiopipe.inputs.columns import Columns
from audiopipe.verification import verify

PAD = Segments(seconds=0.1, last="pad")
OLD = Path(__file__).parents[1] / "data/v0.1/segments-float16"


def clips(prefix, *frames, **options):
    return {f"{prefix}{number}": feature(count, **options) for number, count in enumerate(frames)}


def checked(sets, expected, name="valid_frames"):
    """Checks the valid frames of clips that are read one by one, and as a dataset."""
    table = sets.metadata[name].to_pylist()
    assert table == [clip[name] for clip in sets] == [sets[number][name] for number in range(len(sets))] == expected
    assert [int(element[name]) for element in load(sets).as_numpy_iterator()] == expected
    assert all(clip[name] <= clip["n_frames"] == len(clip["feature"]) for clip in sets)


@pytest.fixture(scope="module")
def padded(tmp_path_factory):
    folder = tmp_path_factory.mktemp("padded")
    return write(folder, clips("p", 4, 4, 4), segments=PAD, valid_frames={"p1": 3, "p2": 0}).path


def test_sets_with_padded_segments_have_valid_frames_and_so_have_their_views(padded):
    sets = FeatureSet(padded)
    checked(sets, [4, 3, 0])
    checked(sets.select([2, 1, 1]), [0, 3, 3])
    assert [clip["valid_frames"] for clip in pickle.loads(pickle.dumps(sets.where(valid_frames=[0, 4])))] == [4, 0]
    assert [int(element["valid_frames"]) for element in load(padded).as_numpy_iterator()] == [4, 3, 0]
    with pytest.raises(ArgumentError, match="with feature='valid_frames'"):
        load(padded, Transform(CONFIG, feature="valid_frames"))


@settings(max_examples=8)
@given(st.lists(st.integers(0, 5), min_size=1, max_size=6), st.integers(0, 2**32))
def test_valid_frames_of_any_clips_are_read_as_they_were_written(tmp_path_factory, valid, seed):
    path = write(tmp_path_factory.mktemp("any"), clips("c", *[5] * len(valid), seed=seed), segments=PAD, shards=1,
                 valid_frames={f"c{number}": count for number, count in enumerate(valid)}).path  # fmt: skip
    assert [clip["valid_frames"] for clip in FeatureSet(path)] == valid


def test_all_frames_are_valid_in_a_set_without_padding_that_is_joined_with_one(padded, tmp_path):
    plain = write(tmp_path / "plain", clips("q", 2, 7)).path
    assert "valid_frames" not in FeatureSet(plain)[0]
    assert "valid_frames" not in load(plain).element_spec
    checked(FeatureSet([plain, padded]).select([4, 3, 1, 0]), [0, 3, 7, 2])


def test_a_metadata_column_keeps_its_name(tmp_path):
    columns = Columns(types={"valid_frames": "string", "valid_frames_": "float"})
    content = {name: (values, {"valid_frames": "x", "valid_frames_": 0.5}) for name, values in clips("m", 3, 3).items()}
    facts = {"segments": PAD, "valid_frames": {"m0": 1}}
    sets = FeatureSet(write(tmp_path / "named", content, columns=columns, **facts).path)
    checked(sets, [1, 3], "valid_frames__")
    assert [clip["valid_frames"] for clip in sets] == ["x", "x"]
    assert [element["valid_frames"] for element in load(sets).as_numpy_iterator()] == [b"x", b"x"]
    plain = write(tmp_path / "plain", {"z": feature(6)}, shards=1, segments=PAD, valid_frames={"z": 5})
    checked(FeatureSet([plain.path, sets]), [5, 1, 3], "valid_frames__")


def test_a_metadata_column_is_not_mistaken_for_valid_frames(tmp_path):
    columns = Columns(types={"valid_frames": "int"})
    content = {name: (values, {"valid_frames": 1}) for name, values in clips("m", 3, 5).items()}
    sets = FeatureSet(write(tmp_path / "plain", content, columns=columns).path)
    checked(sets, [3, 5], "valid_frames_")
    [batch] = tfdata.padded_batch(load(sets), 2, CONFIG, mask=True)
    assert batch["mask"].numpy().sum(axis=1).tolist() == [3, 5]


def test_channels_may_come_first(tmp_path):
    content = clips("f", 3, 5, config=CHANNELS_FIRST)
    path = write(tmp_path / "first", content, CHANNELS_FIRST, segments=PAD, valid_frames={"f1": 2}).path
    assert [clip["valid_frames"] for clip in FeatureSet(path)] == [3, 2]
    assert [int(element["valid_frames"]) for element in load(path).as_numpy_iterator()] == [3, 2]


@pytest.mark.filterwarnings("ignore::audiopipe.errors.MachineWarning")
def test_sets_of_format_1_do_not_claim_to_know_the_valid_frames_of_padded_segments(tmp_path):
    old = FeatureSet(OLD)
    assert set(old.metadata["valid_frames"].to_pylist()) == {None}
    assert len(old.where(valid_frames=None)) == len(old)
    merged = merge([OLD], tmp_path / "merged")
    assert merged.counts["unknown_valid_frames"] == len(old)
    again = merge([merged.path, OLD], tmp_path / "again", prefix=["a", "b"])
    assert again.counts["unknown_valid_frames"] == 2 * len(old)
    for sets in (old, merged, again):
        assert "valid_frames" not in sets[0]
        assert "valid_frames" not in load(sets).element_spec
        assert set(sets.metadata["valid_frames"].to_pylist()) == {None}
        assert verify(sets.path).ok


def test_all_frames_of_an_old_set_without_padding_are_valid(tmp_path):
    old = FeatureSet(OLD.with_name("features"))
    assert old.metadata["valid_frames"].equals(old.metadata["n_frames"])
    merged = merge([shutil.copytree(OLD.with_name("features"), tmp_path / "old")], tmp_path / "merged")
    assert merged.metadata["valid_frames"].to_pylist() == old.metadata["n_frames"].to_pylist()
    assert "unknown_valid_frames" not in merged.counts


def test_a_record_can_lack_its_valid_frames():
    config, place = CHANNELS_FIRST, records.Place("00000000000000ab", 0)
    values = np.zeros((2, 3, 20), np.float32)
    record, _ = records.encode("a", values, config, {}, Columns(types={}), place, valid_frames=records.UNKNOWN)
    assert records.decode(record, Columns(types={}), config, "float32").valid_frames is None
    moved, _ = records.moved(record, records.Place("00000000000000cd", 7))
    renamed = records.rewritten(moved, {}, Columns(types={}), place, clip_id="b")
    assert record_heads.head(renamed).valid_frames is None
