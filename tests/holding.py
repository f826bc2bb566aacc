"""Points of a job at which its processes stop and wait, on a machine of any speed."""

import json
import os
import shutil
import tempfile
from pathlib import Path

PROGRAM = Path(__file__).with_name("hold_process.py")


class Hold:
    """A point of a job at which each of its processes stops until it is released.

    Args:
        at: `"import"` (before a module is imported), `"read"` (before a clip is opened for a shard that is being
            written), `"publish"` or `"published"` (before or after a finished file gets its final name).
        pattern: Regular expression that the name of the module or the path matches.
        count: How many times a process gets there before it stops, itself included.
    """

    def __init__(self, at, pattern, count=1):
        self._folder = Path(tempfile.mkdtemp(prefix="hold-"))
        shutil.copy(PROGRAM, self._folder / "sitecustomize.py")
        self._settings = {
            "at": at,
            "pattern": pattern,
            "count": count,
            "reached": str(self._folder / "reached"),
            "released": str(self._folder / "released"),
        }

    def __repr__(self):
        return f"Hold({self._settings['at']!r}, {self._settings['pattern']!r}, {self._settings['count']})"

    def environment(self):
        """Returns the environment variables of a process that is to stop there."""
        path = os.pathsep.join([str(self._folder), *filter(None, [os.environ.get("PYTHONPATH")])])
        return {"AUDIOPIPE_TEST_HOLD": json.dumps(self._settings), "PYTHONPATH": path}

    def reached(self):
        """Returns whether a process has stopped there."""
        return (self._folder / "reached").exists()

    def process(self):
        """Returns the id of the process that has stopped there last."""
        return int((self._folder / "reached").read_text())

    def release(self):
        """Lets all processes continue, now and whenever they get there later."""
        (self._folder / "released").touch()
