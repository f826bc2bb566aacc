"""Tests of writing records in the order of the clips."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audiopipe.errors import OutputError
from audiopipe.inputs import Source
from audiopipe.precompute import ordered_records
from audiopipe.precompute.ordered_records import OrderedRecords, Record

SOURCE = Source("a", "a.wav")


@given(st.data(), st.integers(1, 8), st.sampled_from([0, 10, 1 << 20]))
def test_records_come_in_the_order_of_the_clips_whatever_order_they_are_computed_in(data, n_clips, held_bytes):
    order = data.draw(st.permutations(range(n_clips)))
    sizes = data.draw(st.lists(st.lists(st.integers(0, 20), max_size=3), min_size=n_clips, max_size=n_clips))
    made = {
        number: [
            Record(bytes([number]) * size, place, SOURCE, size, size, float(number))
            for place, size in enumerate(sizes[number])
        ]
        for number in range(n_clips)
    }
    written = []
    before = ordered_records.HELD_BYTES
    ordered_records.HELD_BYTES = held_bytes
    try:
        with OrderedRecords(lambda number, record: written.append((number, record))) as ordered:
            for number in order:
                for record in made[number]:
                    ordered.add(number, record)
                ordered.finish(number)
    finally:
        ordered_records.HELD_BYTES = before
    assert written == [(number, record) for number in range(n_clips) for record in made[number]]


def test_a_record_whose_turn_has_come_does_not_wait():
    written = []
    with OrderedRecords(lambda number, record: written.append(record)) as ordered:
        ordered.add(0, Record(b"a", 0, SOURCE, 1, 1, 1.0))
        assert [record.content for record in written] == [b"a"]
        ordered.add(1, Record(b"b", 1, SOURCE, 1, 1, 1.0))
        assert len(written) == 1
        ordered.finish(0)
        assert [record.content for record in written] == [b"a", b"b"]


def test_a_full_disk_is_an_error_of_the_job_and_not_of_the_clip(monkeypatch):
    with OrderedRecords(lambda number, record: None) as ordered:

        def full(_):
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(ordered._file, "write", full)
        with pytest.raises(OutputError, match=r"No space left on device\. Free some space"):
            ordered.add(1, Record(b"b", 1, SOURCE, 98, 98, 2.0))
