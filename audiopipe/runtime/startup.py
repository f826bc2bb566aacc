"""Import of heavy libraries without the notes that they print."""

import contextlib
import logging
import os
import re
import sys
import tempfile
from collections.abc import Iterator

# TensorFlow prints these at every start: notes of level I, their second lines, the line that introduces them, and an
# error where there is no GPU.
_NOTE = re.compile(
    rb"I\d{4} |To enable the following instructions|WARNING: All log messages before absl::Init"
    rb"|E\d{4} .*failed call to cuInit"
)


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Drops the notes that libraries print to standard error inside a `with` block.

    All other lines are printed after the block. The libraries are partly written in C++, so this redirects the file
    descriptor. Warnings that Python libraries log are dropped too, but errors are not.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as held:
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
