"""Tests of the number of threads."""

import pytest
import tensorflow as tf

from audiopipe.runtime import machine_facts, threads


@pytest.mark.parametrize(("processors", "expected"), [(1, 1), (2, 2), (64, threads.MAX_THREADS)])
def test_there_is_a_thread_for_each_processor_up_to_a_limit(monkeypatch, processors, expected):
    monkeypatch.setattr(machine_facts, "processors", lambda: processors)
    assert threads.available() == expected


def test_one_thread_is_used_if_tensorflow_is_limited_to_one(monkeypatch):
    monkeypatch.setattr(machine_facts, "processors", lambda: 2)
    monkeypatch.setattr(tf.config.threading, "get_intra_op_parallelism_threads", lambda: 1)
    assert threads.available() == 1


def test_one_thread_is_used_if_the_environment_says_so_as_that_of_a_worker_of_a_job_does(monkeypatch):
    monkeypatch.setattr(machine_facts, "processors", lambda: 2)
    monkeypatch.setenv("TF_NUM_INTRAOP_THREADS", "1")
    assert threads.available() == 1
    monkeypatch.setenv("TF_NUM_INTRAOP_THREADS", "0")
    assert threads.available() == 2
