"""Memory of precompute by number of clips, number of workers and size of shards."""

import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from audiopipe.feature_sets.description import Description
from benchmarks import clips, loops, machine

DISTINCT = 100
BYTES_PER_CLIP = 319_560  # record of a feature of 10 s: 998 frames of 80 float32, and metadata


@dataclass(frozen=True)
class Measured:
    """Memory of one job.

    Args:
        clips: Number of clips of 10 s.
        workers: Number of workers.
        shards: Number of shards.
        shard_bytes: Mean size of a shard, in bytes.
        peak: Maximum of the sum of resident bytes of all processes. Memory that they share counts once.
        worker_peak: Maximum of resident bytes of one worker, shared memory included. A job with one worker has no other
            process.
        load: Load of the machine before the job.
    """

    clips: int
    workers: int
    shards: int
    shard_bytes: int
    peak: int
    worker_peak: int
    load: float


def measure(folder: Path, counts: list[int], sizes: list[int], workers: list[int]) -> list[Measured]:
    """Runs jobs with several numbers of clips, then jobs with the largest number and several shard sizes.

    Args:
        folder: Folder to write to.
        counts: Numbers of clips.
        sizes: Sizes of a shard, in bytes.
        workers: Numbers of workers.
    """
    paths = clips.write(folder / "clips", DISTINCT)
    jobs = [(count, None) for count in counts] + [(max(counts), size) for size in sizes]
    return [run(folder, paths, count, number, size) for number in workers for count, size in jobs]


def run(folder: Path, paths: list[Path], count: int, workers: int, shard_bytes: int | None = None) -> Measured:
    """Runs one job.

    Args:
        folder: Folder to write to.
        paths: Clips of 10 s, which are repeated as needed.
        count: Number of clips of the job.
        workers: Number of workers.
        shard_bytes: Size of a shard, in bytes. None means the default of precompute.
    """
    before = machine.load()
    with tempfile.TemporaryDirectory(dir=folder) as made:
        output = f"{made}/features"
        manifest = clips.write_manifest(Path(made, "clips.csv"), paths, count)
        command = [sys.executable, "-m", "audiopipe", "precompute", str(manifest), output, "--config", loops.CONFIG]
        command += ["--workers", str(workers)]
        if shard_bytes is not None:
            command += ["--num-shards", str(max(1, round(count * BYTES_PER_CLIP / shard_bytes)))]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        memory = machine.Memory(process)
        _, errors = process.communicate()
        memory.join()
        if process.returncode:
            raise RuntimeError(f"The job failed: {errors}")
        shards = len(Description.open(output).shards)
        written = sum(path.stat().st_size for path in Path(output).glob("*.tfrecord"))
        name = "audiopipe.precompute.worker" if workers > 1 else "precompute"
        return Measured(
            clips=count,
            workers=workers,
            shards=shards,
            shard_bytes=written // shards,
            peak=memory.peak,
            worker_peak=max(size for command, size in memory.processes.items() if name in command),
            load=before,
        )
