"""Views of feature sets: conditions, selections, parts, and views of views."""

import numpy as np
import pytest
import synthetic_sets
import xxhash
from hypothesis import example, given
from hypothesis import strategies as st
from synthetic_sets import feature

from audiopipe import FeatureSet, Segments
from audiopipe.errors import ArgumentError, ClipNotFoundError
from audiopipe.feature_sets import index, splits
from audiopipe.inputs.columns import Columns

COLUMNS = Columns(
    types={
        "split": "string",
        "take": "int",
        "gain": "float",
        "clean": "bool",
        "tags": "list<string>",
        "label": "int",
        "labels": "list<int>",
        "seconds": "int",
    },
    classes={"label": ["cat", "dog", "caf\udce9"], "labels": ["rain", "car"]},
    fill_values={"take": -1, "label": -1},
)
SIZE = 40


def metadata_of(number):
    return {
        "split": ["train", "test", None, "caf\udce9"][number % 4],
        "take": None if number % 5 == 0 else number,
        "gain": None if number % 7 == 0 else number / 4,
        "clean": number % 2 == 0,
        "tags": [None, [], ["a"], ["a", "b"]][number % 4],
        "label": [None, "cat", "dog", "caf\udce9"][number % 4],
        "labels": [["rain"], ["rain", "car"], None][number % 3],
        "seconds": number,
    }


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("views") / "features"
    values = feature(4)
    clips = {f"clip-{number:02d}": (values, metadata_of(number)) for number in range(SIZE)}
    synthetic_sets.write(path, clips, columns=COLUMNS, shards=3)
    return path


@pytest.fixture(scope="module")
def sets(folder):
    return FeatureSet(folder)


def numbers(view):
    return [int(clip_id.removeprefix("clip-")) for clip_id in view.ids]


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ({"split": "train"}, lambda clip: clip["split"] == "train"),
        ({"split": ["train", "test"]}, lambda clip: clip["split"] in ("train", "test")),
        ({"split": None}, lambda clip: clip["split"] is None),
        ({"split": ["test", None]}, lambda clip: clip["split"] in ("test", None)),
        ({"split": "caf\udce9"}, lambda clip: clip["split"] == "caf\udce9"),
        ({"split": "unknown"}, lambda clip: False),
        ({"split": []}, lambda clip: False),
        ({"take": 3}, lambda clip: clip["take"] == 3),
        ({"take": np.array([3, 4, 5])}, lambda clip: clip["take"] in (3, 4)),
        ({"take": range(10)}, lambda clip: clip["take"] in range(10)),
        ({"gain": 2}, lambda clip: clip["gain"] == 2.0),
        ({"gain": {0.25, 0.5}}, lambda clip: clip["gain"] in (0.25, 0.5)),
        ({"clean": True}, lambda clip: clip["clean"]),
        ({"tags": "a"}, lambda clip: "a" in (clip["tags"] or [])),
        ({"tags": ["b", None]}, lambda clip: clip["tags"] is None or "b" in clip["tags"]),
        ({"label": "dog"}, lambda clip: clip["label"] == "dog"),
        ({"label": ["caf\udce9", 0]}, lambda clip: clip["label"] in ("caf\udce9", "cat")),
        ({"label": None}, lambda clip: clip["label"] is None),
        ({"labels": "car"}, lambda clip: "car" in (clip["labels"] or [])),
        ({"seconds": 5}, lambda clip: clip["seconds"] == 5),
        ({"clean": True, "split": ["train", None]}, lambda clip: clip["clean"] and clip["split"] in ("train", None)),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else "",
)
def test_where_takes_the_clips_with_one_of_the_values(sets, condition, expected):
    matching = [number for number in range(SIZE) if expected(metadata_of(number))]
    assert numbers(sets.where(**condition)) == matching
    backwards = sets[::-1].where(**condition)
    assert numbers(backwards) == matching[::-1]
    assert [clip["id"] for clip in backwards] == backwards.ids


def test_where_knows_our_own_columns_beside_those_of_the_user(sets):
    assert numbers(sets.where(seconds_=0.04, id=["clip-07", "clip-01"])) == [1, 7]
    assert len(sets.where(n_frames=4, valid_frames=4)) == SIZE
    rows = []
    sets[3:5].where(rows.append)
    assert rows == [
        {
            "id": f"clip-{number:02d}",
            "n_frames": 4,
            "valid_frames": 4,
            "seconds_": 0.04,
            **metadata_of(number),
            "split": {3: r"caf\udce9", 4: "train"}[number],
            "label": {3: 2, 4: None}[number],
            "labels": {3: [0], 4: [0, 1]}[number],
        }
        for number in (3, 4)
    ]
    assert numbers(sets.where(lambda clip: clip["seconds"] > 36, clean=True)) == [38]


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        ({"unknown": 1}, r"There is no column 'unknown'. The columns are id, n_frames, .*, split"),
        ({"split": 1}, r"split must be a value of type string, or a list of these. Received: split=1"),
        ({"take": "1"}, r"take must be a value of type int"),
        ({"take": True}, r"take must be a value of type int"),
        ({"take": 2**63}, r"take must be an integer of 64 bits"),
        ({"clean": 1}, r"clean must be a value of type bool"),
        ({"label": "cow"}, r"label must be one of the classes 'cat', 'dog', .*. Received: label='cow'"),
        ({"label": 1.5}, r"label must be a class"),
        ({"tags": 1}, r"tags must be a value of type string"),
    ],
)
def test_a_condition_that_cannot_be_met_by_mistake_is_refused(sets, condition, message):
    with pytest.raises(ArgumentError, match=message):
        sets.where(**condition)


def test_views_read_only_what_they_contain(sets, monkeypatch):
    view = sets.where(take=[3, 31])
    read = []
    stored = sets._sets._sets[0]
    monkeypatch.setattr(
        stored._folder, "read", lambda *args: read.append(args) or type(stored._folder).read(stored._folder, *args)
    )
    assert [clip["take"] for clip in view] == [3, 31]
    assert len(read) == 2
    assert sum(size for _, *ranges in read for _, size in ranges) < 2.1 * sets._sets._sets[0].place(3).size


def test_select_takes_numbers_and_ids_in_any_order(sets):
    assert numbers(sets.select([5, -1, "clip-02", 5])) == [5, 39, 2, 5]
    assert numbers(sets.select(np.array([5, -1, 2]))) == [5, 39, 2]
    assert numbers(sets.select([])) == []
    view = sets.select([5, 3, 9])
    assert [view.find("clip-03"), view["clip-09"]["take"], view[-1]["take"]] == [1, 9, 9]
    assert numbers(view.select([2, 0])) == [9, 5]
    for wrong in ([40], np.array([-41]), ["clip-40"]):
        with pytest.raises(ClipNotFoundError):
            sets.select(wrong)
    with pytest.raises(
        ClipNotFoundError, match=r"There is no clip with the id 'clip-04' in <FeatureSet .*: 3 of 40 clips>"
    ):
        view["clip-04"]
    assert "clip-04" not in view
    with pytest.raises(ArgumentError, match=r"numpy\.flatnonzero"):
        sets.select(np.arange(40) > 3)


@given(st.slices(SIZE), st.integers(1, SIZE + 1))
@example(slice(None), SIZE + 1)
def test_shards_are_consecutive_and_contain_every_clip_once(sets, part, count):
    view = sets[part]
    parts = [view.shard(index, count) for index in range(count)]
    assert [number for part in parts for number in numbers(part)] == list(range(SIZE))[part]
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


def test_shards_that_do_not_exist_are_refused(sets):
    for index_, count in ((3, 3), (-1, 3), (0, 0)):
        with pytest.raises(ArgumentError):
            sets.shard(index_, count)


@given(st.data())
def test_a_view_of_a_view_is_what_a_list_would_be(sets, data):
    view, expected = sets, list(range(SIZE))
    for _ in range(data.draw(st.integers(1, 4))):
        step = data.draw(st.sampled_from(["slice", "select", "where", "shard"]))
        if step == "slice":
            part = data.draw(st.slices(len(expected)))
            view, expected = view[part], expected[part]
        elif step == "select" and expected:
            chosen = data.draw(st.lists(st.integers(-len(expected), len(expected) - 1), max_size=8))
            view, expected = view.select(chosen), [expected[place] for place in chosen]
        elif step == "where":
            clean = data.draw(st.booleans())
            view, expected = view.where(clean=clean), [number for number in expected if (number % 2 == 0) == clean]
        elif step == "shard":
            count = data.draw(st.integers(1, 3))
            size = len(expected)
            view, expected = view.shard(0, count), expected[: size // count]
    assert len(view) == len(expected)
    assert numbers(view) == expected
    assert view.metadata.column("seconds").to_pylist() == expected
    assert [clip["seconds"] for clip in view] == expected


# Splits

FRACTIONS = {"train": 0.7, "validation": 0.2, "test": 0.1}


def test_the_part_of_a_clip_follows_from_the_documented_formula(sets):
    parts = sets.split(FRACTIONS)
    for name, low, high in (("train", 0, 0.7), ("validation", 0.7, 0.9), ("test", 0.9, 1)):
        hashes = {clip_id: xxhash.xxh3_64_intdigest(clip_id.encode()) / 2**64 for clip_id in sets.ids}
        assert parts[name].ids == [clip_id for clip_id, value in hashes.items() if low <= value < high]
    assert parts["train"].ids[:4] == sets.split(FRACTIONS)["train"].ids[:4]
    others = sets.split(FRACTIONS, seed=1)
    value = xxhash.xxh3_64_intdigest(b"clip-00", 1) / 2**64
    assert ("clip-00" in others["train"]) == (value < 0.7)


@pytest.mark.parametrize("by", ["split", "take", "gain", "clean", "label", "seconds"])
def test_no_group_is_in_two_parts(sets, by):
    parts = sets.split(FRACTIONS, by=by)
    groups = [set(part.metadata.column(by).to_pylist()) for part in parts.values()]
    assert sum(map(len, groups)) == len(set.union(*groups))
    assert sum(map(len, parts.values())) == SIZE


@given(st.sets(st.integers(0, SIZE - 1), min_size=1), st.sampled_from([None, "split", "take", "label"]))
def test_a_clip_stays_in_its_part_when_the_set_grows(sets, before, by):
    small = sets.select(sorted(before)).split(FRACTIONS, by=by)
    large = sets.split(FRACTIONS, by=by)
    for name in FRACTIONS:
        assert set(small[name].ids) == set(large[name].ids) & {f"clip-{number:02d}" for number in before}


@given(st.lists(st.floats(0.01, 1), min_size=1, max_size=6), st.lists(st.integers(0, 2**64 - 1), min_size=1))
def test_every_hash_has_a_part(weights, values):
    fractions = {str(number): weight / sum(weights) for number, weight in enumerate(weights)}
    found = splits.Parts(fractions).of_hashes(np.array(values, np.uint64))
    ends = np.cumsum(list(fractions.values()))
    for value, part in zip(values, found, strict=True):
        assert ends[part] - fractions[str(part)] - 1e-6 <= value / 2**64 <= ends[part] + 1e-6


def test_the_sizes_of_parts_are_near_the_fractions():
    hashes = splits.hashes.of_texts(f"speaker {number}".encode() for number in range(20_000))
    sizes = np.bincount(splits.Parts(FRACTIONS).of_hashes(hashes)) / 20_000
    np.testing.assert_allclose(sizes, [0.7, 0.2, 0.1], atol=0.01)


def test_segments_of_a_recording_are_in_one_part(tmp_path):
    clips = {f"rec{number}#{part:05d}": feature(2) for number in range(12) for part in range(3)}
    synthetic_sets.write(tmp_path / "features", clips, segments=Segments(seconds=1.0))
    parts = FeatureSet(tmp_path / "features").split({"a": 0.5, "b": 0.5})
    recordings = [{clip_id.partition("#")[0] for clip_id in part.ids} for part in parts.values()]
    assert not recordings[0] & recordings[1]
    assert all(recordings)
    for part in parts.values():
        assert len(part) == 3 * len({clip_id.partition("#")[0] for clip_id in part.ids})


@pytest.mark.parametrize(
    ("fractions", "by", "message"),
    [
        ({"train": 0.8, "test": 0.1}, None, r"must have the sum 1\. Received: .*, with the sum 0\.9"),
        ({"train": 1.5, "test": -0.5}, None, r"fractions\['train'\] must be at most 1"),
        ({}, None, "fractions must be a dict of parts"),
        ([0.5, 0.5], None, "fractions must be a dict of parts"),
        (
            {"a": 1},
            "tags",
            r"by must be a metadata column without lists, one of \['clean', .*, 'take'\]\. Received: by='tags'",
        ),
        ({"a": 1}, "speaker", "by must be a metadata column"),
    ],
)
def test_a_wrong_split_is_refused(sets, fractions, by, message):
    with pytest.raises(ArgumentError, match=message):
        sets.split(fractions, by=by)


def test_rows_are_gathered_in_any_order_from_parts():
    starts = np.array([0, 3, 3, 7])
    parts = [list("abc"), [], list("defg")]
    read = []

    def take(part, rows):
        read.append(part)
        return index.gathering.pick(index.gathering.pa.array(parts[part]), rows)

    kind = index.gathering.pa.string()
    assert index.gather(range(2, 5), starts, take, kind).to_pylist() == list("cde")
    assert index.gather(np.array([6, 0, 6, 3]), starts, take, kind).to_pylist() == list("gagd")
    assert read == [0, 2, 0, 2]
    assert index.gather(range(4, 2), starts, take, kind).to_pylist() == []
