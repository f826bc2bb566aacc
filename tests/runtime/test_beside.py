"""Tests of the thread that handles items beside the thread that produces them."""

import threading

import pytest

from audiopipe.runtime.beside import Beside

SECONDS = 30


def weight(item):
    return item


def test_items_are_handled_in_their_order_in_another_thread():
    handled = []
    with Beside(lambda item: handled.append((item, threading.current_thread())), weight, most=3) as beside:
        for item in (1, 0, 2, 3, 1):
            beside.add(item)
    assert [item for item, _ in handled] == [1, 0, 2, 3, 1]
    assert {thread.name for _, thread in handled} == {"audiopipe-beside"}
    assert not any(thread.is_alive() for _, thread in handled)


def test_adding_waits_while_too_much_is_waiting():
    may_go_on, added = threading.Event(), []

    def add_all(beside):
        for item in (2, 2, 0, 1):
            beside.add(item)
            added.append(item)

    with Beside(lambda item: may_go_on.wait(SECONDS), weight, most=4) as beside:
        adding = threading.Thread(target=add_all, args=[beside])
        adding.start()
        while len(added) < 3:
            adding.join(0.01)
        adding.join(0.1)
        assert added == [2, 2, 0]
        may_go_on.set()
        adding.join(SECONDS)
        assert added == [2, 2, 0, 1]


def test_an_item_that_is_too_heavy_is_handled_before_adding_returns():
    handled = []
    with Beside(handled.append, weight, most=4) as beside:
        beside.add(9)
        assert handled == [9]


def test_an_error_ends_the_handling_and_is_raised_by_the_next_call_or_at_the_end():
    handled = []

    def handle(item):
        handled.append(item)
        raise KeyError(item)

    def add(*items):
        with Beside(handle, weight, most=1) as beside:
            for item in items:
                beside.add(item)

    with pytest.raises(KeyError, match="1"):
        add(1, 1, 1)
    with pytest.raises(KeyError, match="0"):
        add(0)
    assert handled == [1, 0]


def test_items_that_wait_are_dropped_if_the_context_ends_by_an_error():
    handled, started, may_go_on = [], threading.Event(), threading.Event()

    def handle(item):
        handled.append(item)
        started.set()
        may_go_on.wait(SECONDS)

    def add_and_fail():
        with Beside(handle, weight, most=9) as beside:
            beside.add(1)
            beside.add(2)
            assert started.wait(SECONDS)
            threading.Timer(0.1, may_go_on.set).start()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        add_and_fail()
    assert handled == [1]
