"""Two processes of torch under gloo, with two `DataLoader` workers each, read every record once in an epoch.

`make test-torch` runs this test. It is skipped where torch is not installed.
"""

import json
import sys
from pathlib import Path

import process_groups
import pytest
import synthetic_sets
from synthetic_sets import feature

pytest.importorskip("torch")

RANK = Path(__file__).with_name("rank.py")
CLIPS = 61


def test_torch_drops_and_repeats_no_record_in_an_epoch(tmp_path):
    names = [f"clip-{number:02d}" for number in range(CLIPS)]
    clips = {name: feature(3 + number % 7, seed=number) for number, name in enumerate(names)}
    synthetic_sets.write(tmp_path / "features", clips, shards=[20, 40, 1])
    ranks = []
    try:
        for rank in range(2):
            with open(tmp_path / f"{rank}.log", "wb") as log:
                command = [sys.executable, RANK, tmp_path / "features", tmp_path / "meeting", rank, tmp_path / "found"]
                ranks.append(process_groups.start(command, stdout=log, stderr=log))
        for rank, process in enumerate(ranks):
            assert process.wait(600) == 0, (tmp_path / f"{rank}.log").read_text()[-3000:]
    finally:
        for process in ranks:
            process_groups.kill(process)
    first, second = json.loads((tmp_path / "found").read_text())
    assert len(first) == 5
    for case, (epochs, weight) in first.items():
        count = int(case.split()[0])
        others, other_weight = second[case]
        for mine, yours in zip(epochs, others, strict=True):
            assert sorted(mine + yours) == names[:count], case
            assert abs(len(mine) - len(yours)) <= 1, case
        assert weight == other_weight, case
        assert (epochs[0] != epochs[1]) == ("in shards" not in case or "shuffled" in case), case
