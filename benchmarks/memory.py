"""Memory of precompute by the number of clips, of workers, and the size of shards."""

import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from audiopipe.precompute import plan
from benchmarks import clips, loops, machine

DISTINCT = 100
BYTES_PER_CLIP = 319_560  # of a feature of 10 s, 998 frames of 80 float32, with the rest of its record


@dataclass(frozen=True)
class Measured:
    """Memory of one job.

    Args:
        clips: Its clips of 10 s.
        workers: Its workers.
        shards: Its shards.
        shard_bytes: Mean size of them.
        peak: Most resident bytes of all its processes together at one moment.
        worker_peak: Most resident bytes of one worker; with one worker that is the job itself.
        load: Load of the machine before it.
    """

    clips: int
    workers: int
    shards: int
    shard_bytes: int
    peak: int
    worker_peak: int
    load: float


def measure(folder: Path, counts: list[int], sizes: list[int], workers: list[int]) -> list[Measured]:
    """Run jobs of several numbers of clips, then of the greatest number with several sizes of shards.

    Args:
        folder: Folder to write to.
        counts: Numbers of clips.
        sizes: Bytes of a shard.
        workers: Numbers of workers.
    """
    paths = clips.write(folder / "clips", DISTINCT)
    jobs = [(count, None) for count in counts] + [(max(counts), size) for size in sizes]
    return [run(folder, paths, count, number, size) for number in workers for count, size in jobs]


def run(folder: Path, paths: list[Path], count: int, workers: int, shard_bytes: int | None = None) -> Measured:
    """Run one job.

    Args:
        folder: Folder to write to.
        paths: Clips of 10 s.
        count: Number of clips, of which these are repetitions.
        workers: Number of workers.
        shard_bytes: Bytes of a shard; None leaves it to precompute.
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
        shards = plan.read(output).n_shards
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
