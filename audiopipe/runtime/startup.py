"""Import heavy libraries without the notes that they print while they start."""

import contextlib
import logging
import os
import re
import sys
import tempfile
from collections.abc import Iterator

# What TensorFlow prints at every start: notes of level I, what goes on from them, and the line that introduces them.
_NOTE = re.compile(rb"I\d{4} |To enable the following instructions|WARNING: All log messages before absl::Init")


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Hold back what is printed to standard error while libraries are imported, then pass on all but the notes.

    The libraries are written in C++ in part, so this works on the file descriptor. Warnings that Python libraries log
    at import are dropped as well; errors are not.
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
