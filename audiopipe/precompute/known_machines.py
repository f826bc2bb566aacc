"""Which machines computed the features that pass through this process, as far as the process itself knows.

An element of a pipeline does not say where its feature was computed, and a description of a machine takes 34 kB. But a
runner fuses the steps that follow one another, so the process that writes a feature usually is the one that computed
it, or read it from a feature set that names its machines. It recognizes the feature by its digest.
"""

import collections
import threading
from collections.abc import Sequence
from typing import Any

from audiopipe.configs.base import Config
from audiopipe.transform import probe

MOST = 1 << 16  # features that are remembered, the last ones

_HERE = object()
_lock = threading.Lock()
_known: collections.OrderedDict[int, Any] = collections.OrderedDict()


def computed_here(digest: str) -> None:
    """Remembers that this process computed a feature.

    Args:
        digest: Digest of the feature, see `audiopipe.feature_sets.row_digests`.
    """
    _remember(digest, _HERE)


def computed_by(digest: str, machines: Sequence[dict[str, Any]]) -> None:
    """Remembers that some of these machines computed a feature.

    Args:
        digest: Digest of the feature.
        machines: Machine records, as in `dataset.json`. The list is kept as it is.
    """
    _remember(digest, machines)


class Machines:
    """Machines that computed some features of a config.

    Args:
        config: The config.

    Attributes:
        are_known: Whether the machines of all features are known.
    """

    def __init__(self, config: Config):
        self._config = config
        self._found: dict[int, Any] = {}
        self.are_known = True

    def add(self, digest: str) -> None:
        """Adds the machines of a feature."""
        with _lock:
            found = _known.get(int(digest, 16))
        if not found:
            self.are_known = False
        else:
            self._found[id(found)] = found

    def to_dict(self) -> dict[str, Any]:
        """Returns the machine records, and whether they are those of all features.

        Computes the probe of this machine, once per process, if this process computed a feature.
        """
        machines: list[dict[str, Any]] = []
        for found in self._found.values():
            machines += [probe.record(self._config)] if found is _HERE else found
        return {"machines": machines, "are_known": self.are_known}


def _remember(digest: str, machines: Any) -> None:
    with _lock:
        _known[int(digest, 16)] = machines
        if len(_known) > MOST:
            _known.popitem(last=False)
