"""Import of heavy libraries without the notes that they print."""

import contextlib
import logging
import os
import re
import sys
import tempfile
import threading
from collections.abc import Iterator

# TensorFlow prints these at every start: notes of level I, their second lines, the line that introduces them, and an
# error if the machine has CUDA but no GPU.
_NOTE = re.compile(
    rb"I\d{4} |To enable the following instructions|WARNING: All log messages before absl::Init"
    rb"|E\d{4} .*failed call to cuInit"
)

_ONE_AT_A_TIME = threading.RLock()  # threads that redirect standard error crosswise would lose it


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Drops the notes that libraries print to standard error inside a `with` block.

    All other lines are printed after the block. The libraries are partly written in C++, so this redirects the file
    descriptor. Warnings that Python libraries log are dropped too, but errors are not.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    sys.stderr.flush()
    with _ONE_AT_A_TIME, tempfile.TemporaryFile() as held:
        kept = os.dup(2)
        os.dup2(held.fileno(), 2)
        level = logging.root.manager.disable
        logging.disable(max(level, logging.WARNING))
        try:
            yield
        finally:
            logging.disable(level)
            sys.stderr.flush()
            os.dup2(kept, 2)
            os.close(kept)
            held.seek(0)
            for line in held:
                if not _NOTE.match(line):
                    os.write(2, line)


def tensorflow() -> None:
    """Imports TensorFlow without its notes, also those that it prints when it looks for GPUs.

    Does nothing if it was imported before.
    """
    if "tensorflow" in sys.modules:
        return
    with quiet():
        import tensorflow as tf

        tf.config.list_physical_devices()
