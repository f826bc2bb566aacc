"""Processor time per clip of a worker and of the bare program, in one process with one TensorFlow thread.

    python -m benchmarks.precompute --parts overhead

Both write shards in turn, so that a busy machine slows both. Processor time does not include that of other programs. In
each turn, the worker writes another shard with a stopwatch in every step, see `benchmarks.stages`.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import clips, stages
from benchmarks.served import ONE_THREAD

CLIPS_PER_SHARD = 20
DISTINCT = 100
CALL, GRAPH = "the eager calls of the graph", "the graph"


def measure(folder: Path, shards: int) -> dict[str, Any]:
    """Measures milliseconds of processor time per clip, with one value per shard.

    The time of the eager calls of the graph is the time that clips of one frame take, in groups as in the worker.

    Args:
        folder: Folder to write to.
        shards: Number of measured shards, after one for warming up.

    Returns:
        Values of `bare`, of `worker`, and of each of the worker's `steps` by name.
    """
    with tempfile.TemporaryDirectory(dir=folder) as made:
        command = [sys.executable, "-m", "benchmarks.overhead", made, str(shards)]
        environment = {**os.environ, **ONE_THREAD, "TF_CPP_MIN_LOG_LEVEL": "3"}
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=environment)
    return json.loads(done.stdout)


def _measure(folder: str, count: int) -> dict[str, Any]:
    from audiopipe import Transform, inputs
    from audiopipe.precompute import planning, shard_writer
    from audiopipe.precompute.listing import listed
    from audiopipe.precompute.settings import Settings
    from audiopipe.transform.clip_items import Whole
    from benchmarks import loops

    paths = clips.write(Path(folder, "clips"), DISTINCT)
    turns = count + 1  # the first turn warms up
    manifest = clips.write_manifest(Path(folder, "clips.csv"), paths, 2 * turns * CLIPS_PER_SHARD)
    sources = inputs.scan(str(manifest))
    config = loops.config()
    settings = Settings(output=f"{folder}/features", config=config, num_shards=2 * turns)
    with listed(sources, settings.options) as listing:
        work = planning.draft(settings, listing).write()
    bare, transform = loops.bare(), Transform(config)
    frame = np.zeros((config.framing.n_samples(1), 1), np.float32)
    table = work.shards()
    found: dict[str, list[float]] = {"bare": [], "worker": []}
    steps: dict[str, list[float]] = {}

    def spent(function: Callable[..., Any], *arguments: Any) -> float:
        started = time.process_time()
        function(*arguments)
        return 1000 * (time.process_time() - started) / CLIPS_PER_SHARD

    for turn in range(turns):
        plain, watched = table[2 * turn], table[2 * turn + 1]
        first = plain.number * CLIPS_PER_SHARD
        names = [str(paths[clip % DISTINCT]) for clip in range(first, first + CLIPS_PER_SHARD)]
        times = {
            "bare": spent(bare, names, f"{folder}/bare"),
            "worker": spent(shard_writer.write_shard, work.clips_file(plain.file), plain.number),
        }
        stopwatch = stages.Stages()
        with stopwatch.measured(stages.steps()):
            shard_writer.write_shard(work.clips_file(watched.file), watched.number)
        by_step = {name: 1000 * seconds / CLIPS_PER_SHARD for name, seconds in stopwatch.seconds.items()}
        by_step[CALL] = spent(lambda: list(transform.computed(Whole(None, frame) for _ in range(CLIPS_PER_SHARD))))
        by_step[GRAPH] = by_step.pop(stages.FEATURE) - by_step[CALL]
        if turn:
            for name, value in times.items():
                found[name].append(value)
            for name, value in by_step.items():
                steps.setdefault(name, []).append(value)
    return {**found, "steps": steps}


if __name__ == "__main__":
    print(json.dumps(_measure(sys.argv[1], int(sys.argv[2]))))
