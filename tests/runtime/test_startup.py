"""Tests of `startup.quiet`, which drops the notes that libraries print at import."""

import logging
import os

import pytest

from audiopipe.runtime import startup

NOTES = (
    b"WARNING: All log messages before absl::InitializeLog() is called are written to STDERR\n"
    b"I0000 00:00:1700000000.000000  1 port.cc:153] oneDNN custom operations are on.\n"
    b"To enable the following instructions: AVX2 FMA, in other operations, rebuild TensorFlow.\n"
)
OTHERS = b"E0000 00:00:1700000000.000000  1 cuda.cc:1] a real error\nUserWarning: look here\nno end of line"


def test_notes_are_dropped_and_all_other_lines_are_printed(capfdbinary):
    with startup.quiet():
        os.write(2, NOTES + OTHERS)
    assert capfdbinary.readouterr().err == OTHERS


def test_other_lines_are_printed_if_the_block_raises(capfdbinary):
    def fail():
        os.write(2, NOTES + OTHERS)
        raise KeyError("missing")

    with pytest.raises(KeyError, match="missing"), startup.quiet():
        fail()
    assert capfdbinary.readouterr().err == OTHERS


def test_standard_error_works_as_before_afterwards(capfdbinary):
    with startup.quiet():
        pass
    os.write(2, NOTES)
    assert capfdbinary.readouterr().err == NOTES


def test_no_file_is_left_open():
    with startup.quiet():
        pass
    before = len(os.listdir("/proc/self/fd"))
    with startup.quiet():
        pass
    assert len(os.listdir("/proc/self/fd")) == before


def test_logged_warnings_are_dropped_and_errors_are_not(caplog):
    with startup.quiet():
        logging.getLogger("some.library").warning("optional part missing")
        logging.getLogger("some.library").error("broken")
    logging.getLogger("some.library").warning("after")
    assert caplog.messages == ["broken", "after"]
