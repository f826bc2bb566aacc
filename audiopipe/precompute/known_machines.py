"""Which machines computed the features that pass through this process, as far as the process itself knows.

An element of a pipeline does not say where its feature was computed, and a description of a machine takes 34 kB. But a
process recognizes the features that it computed itself, or read from a feature set that names its machines, by their
digests. A runner fuses the steps that follow one another, so it usually writes what it computed. After a `Reshuffle`,
other processes write it. Each process therefore reports the digests of all features that it knows, with the files that
it writes, and the step that sorts the clips compares these reports.
"""

import base64
import itertools
import json
import threading
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from audiopipe.configs.base import Config
from audiopipe.transform import probe

MOST = 1 << 18  # features that are remembered, the last ones; 30 MB
MOST_RUNS = 16  # whose reports are remembered

_HERE = object()
_lock = threading.Lock()
_known: dict[int, Any] = {}
_n_added = 0
_reported: dict[str, int] = {}  # by the id of a run: how many features had been added at its last report


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
        run: Id of the run that writes the features.
    """

    def __init__(self, config: Config, run: str):
        self._config = config
        self._run = run
        self._found: dict[int, Any] = {}
        self._recognized: set[int] = set()
        self._unknown: list[int] = []

    def add(self, digest: str) -> None:
        """Adds the machines of a feature."""
        number = int(digest, 16)
        with _lock:
            found = _known.get(number)
        if not found:
            self._unknown.append(number)
        else:
            self._found[id(found)] = found
            self._recognized.add(number)

    def to_dict(self) -> dict[str, Any]:
        """Returns what this process knows about the machines, for JSON.

        Computes the probe of this machine, once per process, if this process computed a feature.

        Returns:
            `machines`: the records of machines that computed these features. `unknown`: the digests of those features
            whose machines this process does not know. `others`: for other features that it knows and has not yet
            reported in this run, their `digests` and `machines`.
        """
        others: dict[int, tuple[Any, list[int]]] = {}
        for number, found in self._unreported():
            if number not in self._recognized:
                others.setdefault(id(found), (found, []))[1].append(number)
        return {
            "machines": [machine for found in self._found.values() for machine in self._records(found)],
            "unknown": _packed(self._unknown),
            "others": [
                {"machines": self._records(found), "digests": _packed(numbers)} for found, numbers in others.values()
            ],
        }

    def _records(self, found: Any) -> list[dict[str, Any]]:
        return [probe.record(self._config)] if found is _HERE else list(found)

    def _unreported(self) -> list[tuple[int, Any]]:
        """Returns what this process knows since the last report of the run."""
        with _lock:
            count = _n_added - _reported.pop(self._run, 0)
            _reported[self._run] = _n_added
            while len(_reported) > MOST_RUNS:
                del _reported[next(iter(_reported))]
            # Features of sets that name no machines are known to be unknown.
            return [item for item in itertools.islice(reversed(_known.items()), count) if item[1]]


def joined(reports: Iterable[dict[str, Any]]) -> tuple[list[dict[str, Any]], bool]:
    """Joins what the processes of a pipeline know.

    Args:
        reports: What `Machines.to_dict` returned.

    Returns:
        The machines that computed the features, each once, sorted, and whether they are those of all features. Memory
        holds 8 bytes for each digest in the reports.
    """
    machines: dict[str, dict[str, Any]] = {}
    unknown: list[np.ndarray] = []
    known: list[np.ndarray] = []
    records: list[list[dict[str, Any]]] = []
    for report in reports:
        machines |= {json.dumps(machine, sort_keys=True): machine for machine in report["machines"]}
        unknown.append(_unpacked(report["unknown"]))
        for other in report["others"]:
            known.append(_unpacked(other["digests"]))
            records.append(other["machines"])
    missing = np.unique(np.concatenate([*unknown, _unpacked("")]))
    # Without `kind`, NumPy 2.0 fails on integers of 64 bits.
    for digests, of_digests in zip(known, records, strict=True):
        if np.isin(digests, missing, kind="sort").any():
            machines |= {json.dumps(machine, sort_keys=True): machine for machine in of_digests}
    are_known = bool(np.isin(missing, np.concatenate([*known, _unpacked("")]), kind="sort").all())
    return [machines[text] for text in sorted(machines)], are_known


def _remember(digest: str, machines: Any) -> None:
    global _n_added
    number = int(digest, 16)
    with _lock:
        _known.pop(number, None)  # the last ones are reported, so it has to become one of them
        _known[number] = machines
        _n_added += 1
        if len(_known) > MOST:
            del _known[next(iter(_known))]


def _packed(numbers: Sequence[int]) -> str:
    return base64.b64encode(np.array(numbers, "<u8").tobytes()).decode()


def _unpacked(text: str) -> np.ndarray:
    return np.frombuffer(base64.b64decode(text), "<u8")
