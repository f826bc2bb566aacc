"""Machine records of a feature set in the description of a dataset.

`datasets` keeps the description of a dataset in its cache, through `map`, `filter` and `save_to_disk`, and
`concatenate_datasets` joins those of its parts. Parquet files do not have it. The `id` of a column type is kept
everywhere, but datasets whose ids differ cannot be concatenated, and features of two machines can.
"""

import json
from collections.abc import Iterable
from typing import Any

import datasets

from audiopipe.feature_sets import dataset_json
from audiopipe.transform import probe
from audiopipe.transform.probe_records import ProbeRecord

MARK = "audiopipe machine: "  # starts a line


def info(machines: Iterable[dict[str, Any]], fingerprint: str) -> datasets.DatasetInfo:
    """Returns the info of a dataset whose features some machines computed.

    Args:
        machines: Machine records, as in `dataset.json`.
        fingerprint: Fingerprint of the features.

    Example:
        >>> found = info([{"versions": {"numpy": "2.4.6"}}], "1f3a9c")
        >>> found.description
        'audiopipe machine: {"fingerprint": "1f3a9c", "machine": {"versions": {"numpy": "2.4.6"}}}'
        >>> of_dataset(found, "1f3a9c")
        [{'versions': {'numpy': '2.4.6'}}]
    """
    facts = ({"fingerprint": fingerprint, "machine": machine} for machine in machines)
    return datasets.DatasetInfo(description="\n".join(MARK + json.dumps(fact, sort_keys=True) for fact in facts))


def of_dataset(info: datasets.DatasetInfo, fingerprint: str) -> list[dict[str, Any]]:
    """Returns the machine records of the features with a fingerprint, each once. Lines that are invalid are skipped.

    Args:
        info: Info of a dataset, which a stranger may have made.
        fingerprint: Fingerprint of the features.
    """
    machines: list[dict[str, Any]] = []
    for line in (info.description or "").splitlines():
        if not line.startswith(MARK):
            continue
        try:
            fact = dataset_json.loads(line.removeprefix(MARK).encode())
            machine, versions = fact["machine"], fact["machine"]["versions"]
            is_valid = fact["fingerprint"] == fingerprint and all(
                value is None or isinstance(value, str) for value in versions.values()
            )
            if probe.KEY in machine:
                ProbeRecord.from_dict(machine[probe.KEY])
        except (ValueError, LookupError, TypeError, AttributeError):
            continue
        if is_valid and machine not in machines:
            machines.append(machine)
    return machines
