"""Stops a process at a point of its work, so that a test can disturb it there on a machine of any speed.

`Hold` copies this file to a folder on PYTHONPATH as sitecustomize.py, which Python imports when a process starts. The
environment variable AUDIOPIPE_TEST_HOLD says where to stop. A process that gets there writes its id to the file
`reached` and waits until the file `released` exists or the job was asked to stop.
"""

import json
import os
import re
import sys
import time


def install(at, pattern, count, reached, released):
    """Wraps the calls that the process stops at."""
    passed = 0
    writing = False  # whether this process has created the temporary file of a shard and not published it yet

    def asked_to_stop():
        stopping = sys.modules.get("audiopipe.runtime.stopping")
        return stopping is not None and bool(stopping._stopped)

    def stop(name):
        nonlocal passed
        if not re.search(pattern, name):
            return
        passed += 1
        if passed != count:
            return
        with open(f"{reached}.{os.getpid()}", "w") as file:
            file.write(str(os.getpid()))
        replace(file.name, reached)
        while not os.path.exists(released) and not asked_to_stop():
            time.sleep(0.01)

    replace, open_file = os.replace, os.open

    def watched_replace(source, target, **kwargs):
        nonlocal writing
        if at == "publish":
            stop(os.fspath(target))
        replace(source, target, **kwargs)
        writing = writing and not os.path.basename(target).startswith("features-")
        if at == "published":
            stop(os.fspath(target))

    def watched_open(path, flags, *arguments, **kwargs):
        nonlocal writing
        if at == "read" and writing and isinstance(path, (str, os.PathLike)):
            stop(os.fspath(path))
        descriptor = open_file(path, flags, *arguments, **kwargs)
        writing = writing or os.path.basename(str(path)).startswith(".features-")
        return descriptor

    class Finder:
        """Finds nothing. It only sees which modules are about to be imported."""

        def find_spec(self, name, path=None, target=None):
            stop(name)

    os.replace, os.open = watched_replace, watched_open
    if at == "import":
        sys.meta_path.insert(0, Finder())


if "AUDIOPIPE_TEST_HOLD" in os.environ:
    install(**json.loads(os.environ["AUDIOPIPE_TEST_HOLD"]))
