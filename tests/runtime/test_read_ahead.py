"""Tests of iterators that threads consume ahead of their reader."""

import functools
import itertools
import threading

import pytest

from audiopipe.runtime import read_ahead
from audiopipe.runtime.read_ahead import Unit, Waiting

SECONDS = 30  # after which a test would fail that waits for another thread


def read(units, *, most=100, threads=2, weight=lambda item: 1):
    return [item for item in in_order(units, most, threads, weight) if not isinstance(item, Waiting)]


def in_order(units, most=100, threads=2, weight=lambda item: 1):
    return read_ahead.in_order(units, weight, most=most, threads=threads)


def left():
    return [thread for thread in threading.enumerate() if thread.name == "audiopipe-read"]


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_items_come_in_the_order_of_the_units(threads):
    units = [Unit(iter(range(10 * number, 10 * number + number % 4))) for number in range(90)]
    expected = [10 * number + item for number in range(90) for item in range(number % 4)]
    assert read(units, threads=threads, most=7) == expected
    assert left() == []


def test_a_later_unit_is_consumed_while_an_earlier_one_is_slow():
    second_has_ended = threading.Event()

    def slow():
        assert second_has_ended.wait(SECONDS)
        yield "first"

    def fast():
        yield "second"
        second_has_ended.set()

    assert read([Unit(slow()), Unit(fast())]) == ["first", "second"]


def test_one_thread_is_that_of_the_reader_and_consumes_nothing_ahead():
    seen = []

    def noting(number):
        seen.append((number, threading.current_thread()))
        yield number

    items = in_order((Unit(noting(number)) for number in range(3)), threads=1)
    assert next(items) == 0
    assert seen == [(0, threading.current_thread())]


def test_a_unit_that_is_not_for_threads_is_consumed_when_its_turn_comes():
    def current():
        yield threading.current_thread()

    first, second = read([Unit(current(), ahead=False), Unit(current())])
    assert first is threading.current_thread()
    assert second is not first


@pytest.mark.parametrize("threads", [1, 2])
def test_an_error_of_a_unit_comes_after_the_items_before_it_and_ends_the_threads(threads):
    def failing():
        yield "c"
        raise KeyError("d")

    items = in_order([Unit("ab"), Unit(failing()), Unit(itertools.count())], threads=threads, most=4)
    assert list(itertools.islice((item for item in items if not isinstance(item, Waiting)), 3)) == ["a", "b", "c"]
    with pytest.raises(KeyError, match="d"):
        list(items)
    assert left() == []


@pytest.mark.parametrize("threads", [1, 2])
def test_an_error_of_the_units_comes_after_their_items(threads):
    def units():
        yield Unit("ab")
        raise OSError("no more")

    items, found = in_order(units(), threads=threads), []
    with pytest.raises(OSError, match="no more"):
        found.extend(iter(functools.partial(next, items), object()))
    assert [item for item in found if not isinstance(item, Waiting)] == ["a", "b"]


def test_the_total_weight_and_the_share_of_a_later_unit_are_limited():
    produced = [0, 0, 0]
    first_may_end = threading.Event()

    def slow():
        assert first_may_end.wait(SECONDS)
        yield 0

    def many(number):
        for _ in range(50):
            produced[number] += 1
            yield number

    items = in_order([Unit(slow()), Unit(many(1)), Unit(many(2))], most=8, threads=3)
    while produced[1:] != [3, 3]:  # a fourth of 8 in the queue, and the one that the thread holds
        assert isinstance(next(items), Waiting)
    for _ in range(3):
        assert isinstance(next(items), Waiting)
    assert produced[1:] == [3, 3]
    first_may_end.set()
    assert sum(not isinstance(item, Waiting) for item in items) == 101


def test_the_unit_whose_turn_it_is_passes_even_if_it_is_too_heavy_and_others_have_filled_the_queue():
    units = [Unit(iter([number] * 3)) for number in range(20)]
    assert read(units, most=4, threads=4, weight=lambda item: 9) == [number for number in range(20) for _ in range(3)]


def test_units_can_begin_in_order():
    begun = []

    def noting(number):
        begun.append(number)
        yield number

    units = [Unit(noting(number), begins_in_order=True) for number in range(100)]
    assert read(units, threads=8) == list(range(100))
    assert begun == list(range(100))


def test_an_error_of_a_first_item_comes_in_its_place():
    def failing():
        raise KeyError("first")
        yield

    items, found = in_order([Unit("a"), Unit(failing(), begins_in_order=True), Unit("b")]), []
    with pytest.raises(KeyError, match="first"):
        found.extend(iter(functools.partial(next, items), object()))
    assert [item for item in found if not isinstance(item, Waiting)] == ["a"]


def test_closing_ends_the_threads_and_closes_the_units():
    closed = threading.Event()

    def endless():
        try:
            yield from itertools.count()
        finally:
            closed.set()

    items = in_order([Unit(endless()), Unit(endless())], most=4)
    assert next(items) == 0
    items.close()
    assert left() == []
    assert closed.is_set()


def test_closing_does_not_wait_forever_for_a_blocked_thread(monkeypatch):
    monkeypatch.setattr(read_ahead, "CLOSE_SECONDS", 0.05)
    answer = threading.Event()

    def blocked():
        answer.wait(SECONDS)
        yield "late"

    items = in_order([Unit(blocked())])
    assert isinstance(next(items), Waiting)
    items.close()
    [thread] = left()
    answer.set()
    thread.join(SECONDS)
    assert not thread.is_alive()


def test_units_are_requested_only_a_limited_number_ahead():
    requested = []
    items = in_order(Unit(str(requested.append(number) or number)) for number in range(1000))
    next(items)
    assert len(requested) == read_ahead.OPEN_UNITS
    items.close()
