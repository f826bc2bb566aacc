"""Processor time of what a worker does for a clip, beside the bare program: one process, one TensorFlow thread.

    python -m benchmarks.overhead FOLDER SHARDS

Shards are written in turn by both, so a busy machine slows both, and processor time does not count what others take.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from benchmarks import clips
from benchmarks.served import ONE_THREAD

CLIPS_PER_SHARD = 20
DISTINCT = 100


def measure(folder: Path, shards: int) -> dict[str, Any]:
    """Milliseconds of processor time a clip, a value a shard, of `bare` and `worker`, and of the latter's `stages`.

    The stages are by the clock, which on a busy machine is more.

    Args:
        folder: Folder to write to.
        shards: Shards that count, after one that does not.
    """
    with tempfile.TemporaryDirectory(dir=folder) as made:
        command = [sys.executable, "-m", "benchmarks.overhead", made, str(shards)]
        environment = {**os.environ, **ONE_THREAD, "TF_CPP_MIN_LOG_LEVEL": "3"}
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=environment)
    return json.loads(done.stdout)


def _measure(folder: str, count: int) -> dict[str, Any]:
    from audiopipe import draft, inputs, registry, shards
    from benchmarks import loops

    paths = clips.write(Path(folder, "clips"), DISTINCT)
    n_clips = CLIPS_PER_SHARD * (count + 1)
    manifest = clips.write_manifest(Path(folder, "clips.csv"), paths, n_clips)
    sources = inputs.scan(str(manifest))
    with draft.draft(f"{folder}/features", registry.get(loops.CONFIG), sources, num_shards=count + 1) as drafted:
        work = drafted.write()
    bare = loops.bare()
    stages: Counter[str] = Counter()
    spent: dict[str, list[float]] = {"bare": [], "worker": []}
    for shard in work.shards():
        first = shard.number * CLIPS_PER_SHARD
        names = [str(paths[clip % DISTINCT]) for clip in range(first, first + CLIPS_PER_SHARD)]
        started = time.process_time()
        bare(names, f"{folder}/bare")
        between = time.process_time()
        sidecar = shards.write_shard(work.clips_file(shard.file), shard.number)
        ended = time.process_time()
        if shard.number:
            spent["bare"].append(1000 * (between - started) / CLIPS_PER_SHARD)
            spent["worker"].append(1000 * (ended - between) / CLIPS_PER_SHARD)
            stages.update(sidecar["seconds_spent"])
    per_clip = {name: 1000 * seconds / (count * CLIPS_PER_SHARD) for name, seconds in stages.items()}
    return {**spent, "stages": per_clip}


if __name__ == "__main__":
    print(json.dumps(_measure(sys.argv[1], int(sys.argv[2]))))
