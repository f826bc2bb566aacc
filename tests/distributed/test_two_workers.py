"""Two processes under `tf.distribute.MultiWorkerMirroredStrategy` read every record once in an epoch."""

import json
import random
import socket
import sys
from pathlib import Path

import process_groups
import pytest
import synthetic_sets
from synthetic_sets import feature

WORKER = Path(__file__).with_name("worker.py")
CLIPS = 61
SECONDS = 900


def free_ports(count):
    """Returns ports that nobody listens on. The system gives no port of this range to other programs."""
    ports = []
    while len(ports) < count:
        port = random.SystemRandom().randrange(15_000, 32_000)
        with socket.socket() as one:
            if port not in ports and one.connect_ex(("127.0.0.1", port)):
                ports.append(port)
    return ports


def run_workers(folder, results):
    """Runs a worker for each file of results, to its end."""
    cluster = {"worker": [f"127.0.0.1:{port}" for port in free_ports(len(results))]}
    workers = []
    try:
        for index, result in enumerate(results):
            place = json.dumps({"cluster": cluster, "task": {"type": "worker", "index": index}})
            with open(f"{result}.log", "wb") as log:
                command = [sys.executable, WORKER, folder, result]
                workers.append(process_groups.start(command, {"TF_CONFIG": place}, stdout=log, stderr=log))
        for worker, result in zip(workers, results, strict=True):
            assert worker.wait(SECONDS) == 0, Path(f"{result}.log").read_text()[-3000:]
    finally:
        for worker in workers:
            process_groups.kill(worker)


@pytest.mark.faults
def test_no_record_is_dropped_or_repeated_in_an_epoch(tmp_path):
    names = [f"clip-{number:02d}" for number in range(CLIPS)]
    clips = {name: feature(3 + number % 7, seed=number) for number, name in enumerate(names)}
    synthetic_sets.write(tmp_path / "features", clips, shards=[20, 40, 1])
    results = [tmp_path / f"worker-{index}.json" for index in range(2)]
    run_workers(tmp_path / "features", results)
    first, second = (json.loads(result.read_text()) for result in results)
    assert len(first) == 8
    for case, one in first.items():
        other, count = second[case], one["expected"]
        for epoch, (mine, yours) in enumerate(zip(one["epochs"], other["epochs"], strict=True)):
            assert sorted(mine + yours) == names[:count], (case, epoch)
            assert len(mine) >= count // 3, (case, epoch)
            assert len(yours) >= count // 3, (case, epoch)
        assert one["clips"] == other["clips"] == 2 * count, case
        assert one["weight"] == other["weight"] != 1.0, case
        assert (one["epochs"][0] != one["epochs"][1]) == ("shuffled" in case), case
        if "shards" in case:
            assert sorted(one["epochs"][0]) == names[: count // 2], case
