"""Locations of the paths in a manifest."""

import os

from audiopipe.inputs.scan_report import ScanReport
from audiopipe.storage import files


def located(path: str, folder: str) -> str:
    """Returns the location of a path that is relative to a folder, absolute, remote or below `~/`."""
    if path.startswith("~/"):
        return os.path.expanduser(path)
    return path if files.is_remote(path) or os.path.isabs(path) else files.join(folder, path)


class Locations:
    """Locations of paths that are relative to the manifest or, as Kaldi and lhotse write them, to the working folder.

    The first relative path decides for all: they are relative to the working folder if the file exists there and not
    beside the manifest.

    Args:
        folder: Folder of the manifest.
        report: Gets a note if the paths are relative to the working folder.
    """

    def __init__(self, folder: str, report: ScanReport):
        self._folder = folder
        self._report = report
        self._decided = False

    def of(self, path: str) -> str:
        """Returns the location of a path."""
        place = located(path, self._folder)
        if self._decided or place in (path, os.path.expanduser(path)):
            return place
        self._decided = True
        if not files.exists(place) and os.path.exists(path):
            self._folder = os.getcwd()
            self._report.say(f"the paths are relative to the working folder, {self._folder!r}")
        return located(path, self._folder)
