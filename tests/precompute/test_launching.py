"""Tests of the start of the process that loads TensorFlow and then forks workers."""

import signal
import sys

import pytest

from audiopipe.errors import FeatureSetError
from audiopipe.precompute import launching


def test_a_process_that_was_started_ahead_is_taken_once():
    with launching.ahead():
        first, second = launching.launched(), launching.launched()
        assert first is not second
        assert (first.process.poll(), second.process.poll()) == (None, None)
    assert first.process.poll() is None  # it belongs to whoever took it
    for taken in (first, second):
        taken.end(10)
        assert taken.process.returncode == -signal.SIGKILL


def test_a_process_that_nobody_took_ends_with_the_context():
    with launching.ahead():
        [waiting] = launching._ahead
    assert waiting.process.wait(10) == -signal.SIGKILL
    assert launching._ahead == []


def test_a_process_that_cannot_be_started_is_an_error_of_the_job(monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    with pytest.raises(FeatureSetError, match=r"Could not start a worker process: No such file or directory\."):
        launching.launched()
