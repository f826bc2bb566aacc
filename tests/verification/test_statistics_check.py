"""`verify` finds statistics that are not those of the records, even if their checksum is right."""

import json
from fractions import Fraction

import pytest
from damage import bless

from audiopipe.errors import CorruptFeatureSetError
from audiopipe.feature_sets import stored_statistics
from audiopipe.feature_sets.description import Description
from audiopipe.feature_sets.stored_statistics import ShardSums
from audiopipe.signal import exact_sums
from audiopipe.verification.set_check import verify


def change(folder, line, edit):
    """Changes a line of the statistics, and `dataset.json` so that the checksum fits."""
    path = folder / Description.open(folder).statistics_file["name"]
    lines = [json.loads(text) for text in path.read_text().splitlines()]
    edit(lines[line])
    path.write_text("".join(json.dumps(content) + "\n" for content in lines))
    bless(folder)


def put(**values):
    return lambda content: content.update(values)


def put_sums(**values):
    return lambda content: content["sums"].update(values)


def more_frames(content):
    content["sums"]["count"] += 1


def other_sum(content):
    content["sums"]["sum"][3] = "7p5"


def other_maximum(content):
    content["sums"]["max"][3] += 0.5


@pytest.mark.parametrize(
    ("line", "edit", "fault"),
    [
        (0, more_frames, "its sums of 'features-00000000.tfrecord' are not those of the records"),
        (1, other_sum, "its sums of 'features-00000001.tfrecord' are not those of the records"),
        (1, other_maximum, "its sums of 'features-00000001.tfrecord' are not those of the records"),
        (0, put(name="features-00000001.tfrecord"), "must be about 'features-00000000.tfrecord' in line 1"),
        (0, put(sums=[]), "must have an object with 'sums' in line 1"),
        (0, put_sums(shape=[10**9, 10**9], count=0), "shape must be"),
        (0, put_sums(square=["1p-999"]), "number for each bin"),
        (-1, more_frames, "its last line does not have the sums of all shards"),
        (-1, put(statistics=None), "its last line does not have the sums of all shards"),
        (-1, put(fingerprint="00"), "its last line does not have the sums of all shards"),
    ],
)
def test_forged_statistics_are_found(feature_set, line, edit, fault):
    change(feature_set, line, edit)
    with pytest.raises(CorruptFeatureSetError, match=fault) as raised:
        verify(feature_set)
    assert "statistics-00000001.jsonl" in str(raised.value)


def test_a_file_with_another_number_of_lines_is_found(feature_set):
    path = feature_set / "statistics-00000001.jsonl"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[1:]))
    bless(feature_set)
    with pytest.raises(CorruptFeatureSetError, match=r"must have 3 lines\. Received: 2"):
        verify(feature_set)


def test_damaged_statistics_do_not_hide_other_damage(feature_set):
    for name in ("statistics-00000001.jsonl", "features-00000001.tfrecord"):
        data = bytearray((feature_set / name).read_bytes())
        data[40] ^= 1
        (feature_set / name).write_bytes(data)
    with pytest.raises(CorruptFeatureSetError, match="has 2 faults") as raised:
        verify(feature_set)
    assert "statistics-00000001" in str(raised.value)
    assert "features-00000001" in str(raised.value)


@pytest.mark.parametrize(("change_of_squares", "is_accepted"), [(1 + 1e-13, True), (1 + 1e-6, False)])
def test_sums_that_were_rounded_in_another_order_are_accepted(feature_set, change_of_squares, is_accepted):
    description = Description.open(feature_set)
    with ShardSums.opened(description) as shards:
        sums = [shards.of_shard(position).to_dict() for position in range(2)]
    squares = [exact_sums.from_text(text, -298) for text in sums[0]["square"]]
    sums[0]["square"] = [exact_sums.to_text(int(Fraction(change_of_squares) * square), -298) for square in squares]
    facts = stored_statistics.write(description, sums)
    assert facts != description.statistics_file
    bless(feature_set)
    if is_accepted:
        assert verify(feature_set).ok
    else:
        with pytest.raises(CorruptFeatureSetError, match="are not those of the records"):
            verify(feature_set)
