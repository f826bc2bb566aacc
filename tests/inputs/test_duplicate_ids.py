"""Duplicate names are found without keeping the names in memory."""

import tracemalloc
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audiopipe.inputs import duplicate_ids


def _repeated(names):
    seen = duplicate_ids.Names()
    for name in names:
        seen.add(name)
    assert len(seen) == len(names)
    return seen.repeated(lambda: iter(names))


@given(st.lists(st.text(st.sampled_from("ab\udc80é"), max_size=3)))
def test_a_name_that_was_added_twice_is_repeated(names):
    twice = {name for name, count in Counter(names).items() if count > 1}
    found = _repeated(names)
    assert found in twice if twice else found is None


def test_the_first_repeated_name_is_returned():
    assert _repeated(["a", "b", "c", "b", "a", "c"]) == "b"


def test_names_are_requested_again_only_if_hashes_are_equal():
    seen = duplicate_ids.Names()
    for number in range(1000):
        seen.add(str(number))
    assert seen.repeated(lambda: pytest.fail("names were requested again")) is None


@pytest.mark.parametrize("suspects", [1, 2, 1000])
def test_different_names_with_equal_hashes_are_not_repeated(monkeypatch, suspects):
    monkeypatch.setattr(duplicate_ids, "SUSPECTS", suspects)
    monkeypatch.setattr(duplicate_ids, "hash", len, raising=False)
    assert _repeated(["a", "b", "ab", "cd", "abc", "bcd"]) is None
    assert _repeated(["a", "b", "ab", "cd", "abc", "cd"]) == "cd"


def test_a_hundred_thousand_names_take_a_megabyte():
    tracemalloc.start()
    try:
        seen = duplicate_ids.Names()
        for number in range(100_000):
            seen.add(f"a folder with a long name/{number}")
        assert seen.repeated(lambda: pytest.fail("names were requested again")) is None
        assert tracemalloc.get_traced_memory()[1] < 1_500_000
    finally:
        tracemalloc.stop()


@given(st.lists(st.text(st.sampled_from("ab\udc80é"), max_size=3)))
def test_names_whose_hashes_are_on_disk_are_compared_as_well(names):
    twice = {name for name, count in Counter(names).items() if count > 1}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(duplicate_ids, "BLOCK", 3)
        found = _repeated(names)
    assert found in twice if twice else found is None


def test_memory_does_not_grow_with_the_number_of_names(monkeypatch):
    monkeypatch.setattr(duplicate_ids, "BLOCK", 20_000)
    tracemalloc.start()
    try:
        seen = duplicate_ids.Names()
        for number in range(400_000):
            seen.add(str(number))
        assert seen.repeated(lambda: pytest.fail("names were requested again")) is None
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()
