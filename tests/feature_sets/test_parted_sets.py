"""Feature sets in parts: what the file that names them decides, and what it cannot make a reader open."""

import json
import pickle
import shutil

import numpy as np
import pytest
import synthetic_sets
from synthetic_sets import COLUMNS, feature

from audiopipe import FeatureSet, load
from audiopipe.errors import CorruptFeatureSetError, FeatureSetError, IncompleteFeatureSetError
from audiopipe.feature_sets import dataset_json, file_names, generations, parted_sets
from audiopipe.feature_sets.description import Description
from audiopipe.feature_sets.parted_sets import PartedSet


def write(folder, parts, **facts):
    """Writes a feature set in parts, each given as a dict of clips."""
    found = []
    for number, clips in enumerate(parts):
        name = file_names.part_name(number, len(parts))
        made = synthetic_sets.write(folder / name, clips, **{"shards": 1, **facts})
        found.append(generations.of(made)._replace(path=name))
    whole = PartedSet(path=str(folder), fingerprint=made.fingerprint, parts=found, written=1)
    whole.write()
    return whole


def clips(*names, **metadata):
    return {name: (feature(3, seed=ord(name)), metadata) for name in names}


@pytest.fixture
def whole(tmp_path):
    return write(tmp_path / "whole", [clips("a", "c"), clips("b"), clips("e", "d")])


def test_the_clips_of_all_parts_come_in_the_order_of_the_parts(whole):
    sets = FeatureSet(whole.path)
    assert sets.ids == ["a", "c", "b", "e", "d"]
    assert [sets[name]["feature"].tobytes() for name in "de"] == [feature(3, seed=ord(name)).tobytes() for name in "de"]
    assert [clip["id"] for clip in load(whole.path).as_numpy_iterator()] == [b"a", b"c", b"b", b"e", b"d"]
    assert (sets.path, len(sets.shards), repr(sets)) == (whole.path, 3, f"<FeatureSet {whole.path!r}: 5 clips>")
    assert sets.shards[1]["name"] == "part-00001-of-00003/features-00000000.tfrecord"


def test_ids_of_parts_are_not_compared_again(whole, monkeypatch):
    """Reading all ids of a hundred million clips would take minutes, and the job has compared them."""
    from audiopipe.feature_sets.joined_sets import JoinedSets

    monkeypatch.setattr(JoinedSets, "_check_ids", None)
    sets = FeatureSet(whole.path)
    assert pickle.loads(pickle.dumps(sets.where(id=["a", "d"]))).ids == ["a", "d"]
    assert len(FeatureSet([sets], prefix=["x/"])) == 5
    assert FeatureSet([whole.path, whole.path], prefix=["x/", "y/"]).ids[5:7] == ["y/a", "y/c"]


def test_a_part_that_is_given_twice_has_equal_ids(whole):
    sets = FeatureSet(whole.path)
    with pytest.raises(FeatureSetError, match="different ids"):
        FeatureSet([sets, sets])
    with pytest.raises(FeatureSetError, match="different ids"):
        FeatureSet([sets, FeatureSet(whole.path)[:1]])
    assert FeatureSet([sets[:2], sets[3:]]).ids == ["a", "c", "e", "d"]


def test_the_whole_joins_other_sets(whole, tmp_path):
    synthetic_sets.write(tmp_path / "other", clips("f"), shards=1)
    assert FeatureSet([whole.path, tmp_path / "other"]).ids == ["a", "c", "b", "e", "d", "f"]
    synthetic_sets.write(tmp_path / "same", clips("b"), shards=1)
    with pytest.raises(FeatureSetError, match="the id 'b' in"):
        FeatureSet([whole.path, tmp_path / "same"])


def test_readers_get_the_generation_that_the_whole_names(whole, tmp_path):
    part = tmp_path / "whole/part-00001-of-00003"
    kept = (part / "dataset.json").read_bytes()
    pickled = pickle.dumps(FeatureSet(whole.path))
    synthetic_sets.write(part, clips("x", "y"), shards=1, generation=2, first_shard=1)
    (part / file_names.description_name(1)).write_bytes(kept)
    assert FeatureSet(whole.path).ids == pickle.loads(pickled).ids == ["a", "c", "b", "e", "d"]
    (part / file_names.description_name(1)).unlink()
    with pytest.raises(IncompleteFeatureSetError, match="no longer has generation 1"):
        FeatureSet(whole.path)


def test_a_part_that_was_replaced_is_found(whole, tmp_path):
    part = tmp_path / "whole/part-00001-of-00003"
    shutil.rmtree(part)
    with pytest.raises(IncompleteFeatureSetError, match="part-00001-of-00003"):
        FeatureSet(whole.path)
    synthetic_sets.write(part, clips("b", "x"), shards=1)
    with pytest.raises(CorruptFeatureSetError, match=r"was replaced by another feature set, so .* is not whole"):
        FeatureSet(whole.path)


def test_columns_of_all_parts_are_one(tmp_path):
    metadata = {"speaker": "Zoë", "take": None, "gain": 0.5, "clean": True, "tags": ["x"], "label": "dog"}
    whole = write(tmp_path / "whole", [clips("a", **metadata), clips("b", **metadata)], columns=COLUMNS)
    sets = FeatureSet(whole.path)
    assert sets.classes == {"label": ["cat", "dog"]}
    assert sets.fill_values == COLUMNS.fill_values
    assert [clip["take"] for clip in load(whole.path).as_numpy_iterator()] == [-1, -1]


NAMES = [
    "../part-00000-of-00001",
    "/part-00000-of-00001",
    "part-00000-of-00001/../../outside",
    "part-00000-of-00002",
    "part-00001-of-00001",
    "memory://part-00000-of-00001",
    "part-0000\u0660-of-00001",
    "part-00000-of-00001\n",
    "outside",
    "..",
    "",
    None,
    7,
]


@pytest.mark.parametrize("name", NAMES)
def test_a_name_that_leads_out_of_the_folder_is_refused(tmp_path, name):
    synthetic_sets.write(tmp_path / "outside", clips("a"), shards=1)
    whole = write(tmp_path / "whole", [clips("a")])
    path = tmp_path / "whole/dataset.json"
    content = json.loads(path.read_text())
    del content["checksum"]
    content["parts"][0]["name"] = name
    path.write_bytes(dataset_json.dump(content))
    with pytest.raises(CorruptFeatureSetError, match=r"not a valid dataset\.json"):
        FeatureSet(whole.path)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("parts", []),
        ("parts", None),
        ("generation", 0),
        ("fingerprint", "x"),
        ("written", -1),
        ("obsolete", [{"replaced": 1, "parts": ["../x"]}]),
        ("machines", [1]),
    ],
)
def test_other_wrong_values_are_refused(whole, tmp_path, field, value):
    path = tmp_path / "whole/dataset.json"
    content = {**json.loads(path.read_text()), field: value}
    path.write_text(json.dumps(content))
    with pytest.raises(CorruptFeatureSetError, match="was edited"):
        FeatureSet(whole.path)
    del content["checksum"]
    path.write_bytes(dataset_json.dump(content))
    with pytest.raises(CorruptFeatureSetError, match=r"not a valid dataset\.json"):
        FeatureSet(whole.path)


def test_a_part_that_is_a_link_out_of_the_folder_is_not_opened(whole, tmp_path):
    part = tmp_path / "whole/part-00001-of-00003"
    part.rename(tmp_path / "elsewhere")
    part.symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    with pytest.raises(CorruptFeatureSetError, match=r"is a link to .* outside the feature set"):
        FeatureSet(whole.path)


def test_a_whole_cannot_contain_a_whole(tmp_path):
    write(tmp_path / "whole", [clips("a")])
    inner = tmp_path / "whole/part-00000-of-00001"
    shutil.copy(tmp_path / "whole/dataset.json", inner / "dataset.json")
    with pytest.raises(FeatureSetError, match="names the parts of a feature set"):
        FeatureSet(tmp_path / "whole")


def test_the_description_of_a_whole_says_how_to_open_it(whole):
    with pytest.raises(FeatureSetError, match=r"Open the folder with audiopipe\.FeatureSet"):
        Description.open(whole.path)


def test_statistics_of_parts_without_stored_sums_are_those_of_their_clips(whole):
    values = np.concatenate([feature(3, seed=ord(name))[..., 0] for name in "acbed"]).astype(np.float64)
    found = FeatureSet(whole.path).statistics
    assert found.count[0, 0] == 15
    assert found.mean[:, 0] == pytest.approx(values.mean(0), rel=1e-12)


def test_part_names_ignores_other_folders(whole, tmp_path):
    (tmp_path / "whole/part-1-of-3").mkdir()
    assert parted_sets.part_names(whole.path) == [f"part-{number:05d}-of-00003" for number in range(3)]
