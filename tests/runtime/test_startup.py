"""Tests of `startup.quiet`, which drops the notes that libraries print at import."""

import logging
import os
import subprocess
import sys
import threading

import pytest

from audiopipe.runtime import startup

NOTES = (
    b"WARNING: All log messages before absl::InitializeLog() is called are written to STDERR\n"
    b"I0000 00:00:1700000000.000000  1 port.cc:153] oneDNN custom operations are on.\n"
    b"To enable the following instructions: AVX2 FMA, in other operations, rebuild TensorFlow.\n"
    b"E0000 00:00:1700000000.000000  1 cuda_platform.cc:52] failed call to cuInit: INTERNAL: CUDA error\n"
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


def test_two_threads_that_drop_notes_do_not_lose_what_is_printed_later(capfdbinary):
    first_is_in, first_may_leave = threading.Event(), threading.Event()

    def first():
        with startup.quiet():
            first_is_in.set()
            first_may_leave.wait()

    def second():
        first_is_in.wait()
        with startup.quiet():
            os.write(2, b"from the second\n")

    threads = [threading.Thread(target=work) for work in (first, second)]
    for thread in threads:
        thread.start()
    first_is_in.wait()
    first_may_leave.set()
    for thread in threads:
        thread.join()
    os.write(2, b"later\n")
    assert capfdbinary.readouterr().err == b"from the second\nlater\n"


def test_tensorflow_starts_without_a_line():
    code = "from audiopipe.runtime import startup; startup.tensorflow(); import tensorflow as tf; tf.constant(1) + 1"
    environment = {name: value for name, value in os.environ.items() if name != "TF_CPP_MIN_LOG_LEVEL"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


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
