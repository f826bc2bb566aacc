"""Tests of the map over several values in threads."""

import threading

import pytest
import tensorflow as tf

from audiopipe.runtime import machine_facts, threads


@pytest.fixture
def two_processors(monkeypatch):
    monkeypatch.setattr(machine_facts, "processors", lambda: 2)


def test_results_come_in_the_order_of_the_values(two_processors):
    second_is_ready = threading.Event()

    def slow_first(value):
        assert value > 0 or second_is_ready.wait(timeout=30)
        second_is_ready.set()
        return 10 * value

    assert threads.map_in_order(slow_first, range(5)) == [0, 10, 20, 30, 40]


def test_the_error_of_the_first_failing_value_is_raised(two_processors):
    third_has_failed = threading.Event()

    def failing(value):
        if value == 2:
            third_has_failed.set()
            raise KeyError(value)
        if value == 1:
            assert third_has_failed.wait(timeout=30)
            raise ValueError(value)
        return value

    with pytest.raises(ValueError, match="1"):
        threads.map_in_order(failing, range(3))


@pytest.mark.parametrize("values", [[], [7], iter([7, 8])])
def test_any_number_of_values_in_any_iterable_is_accepted(two_processors, values):
    expected = [] if values == [] else [7] if values == [7] else [7, 8]
    assert threads.map_in_order(lambda value: value, values) == expected


def test_no_thread_is_left_after_the_call(two_processors):
    threads.map_in_order(abs, range(20))
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("audiopipe-rows")]


def test_one_thread_is_used_if_tensorflow_is_limited_to_one(two_processors, monkeypatch):
    monkeypatch.setattr(tf.config.threading, "get_intra_op_parallelism_threads", lambda: 1)
    assert threads.map_in_order(lambda _: threading.current_thread(), range(3)) == 3 * [threading.current_thread()]
