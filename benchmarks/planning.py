"""Time and memory of listing clips, planning a job and finding its finished shards."""

import functools
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from audiopipe import inputs, registry
from audiopipe.feature_sets import file_names, index
from audiopipe.precompute import completion, finished_shards, listing, plan, planning
from audiopipe.precompute.job import Job
from audiopipe.precompute.parted_job import PartedJob
from audiopipe.precompute.parted_output import PartedOutput
from audiopipe.precompute.settings import Settings
from audiopipe.runtime import machine_facts
from audiopipe.storage import files
from benchmarks import loops, machine

CLIPS_PER_SHARD = 400  # clips of 10 s in a shard of 128 MB
N_PARTS = 12
SECONDS = 10.0


def measure(folder: Path, counts: list[int], shards: list[int], in_parts: list[int]) -> list[dict[str, Any]]:
    """Measures each size in a separate process, so that nothing else has used its memory.

    Args:
        folder: Folder to write to.
        counts: Numbers of lines of a manifest.
        shards: Numbers of shards.
        in_parts: Numbers of lines of a manifest of which a job in parts is planned.
    """
    parts = [("draft", count) for count in counts] + [("finished", count) for count in shards]
    parts += [("parts", count) for count in in_parts]
    return [_in_process(folder, part, count) for part, count in parts]


def measure_draft(folder: str, count: int) -> dict[str, Any]:
    """Measures drafting and writing the plan of a manifest. Its clips do not exist, so no header is read."""
    manifest = _manifest(folder, count)
    before = machine.reset_peak()
    started = time.perf_counter()
    output = f"{folder}/features"
    settings = Settings(output=output, config=registry.get(loops.CONFIG))
    with listing.listed(inputs.scan(str(manifest)), settings.options) as clips:
        drafted = planning.draft(settings, clips)
        listed = time.perf_counter()
        work = drafted.write()
        written = time.perf_counter()
    sizes = files.sizes(f"{output}/{plan.FOLDER}")
    return {
        "clips": count,
        "draft_seconds": listed - started,
        "write_seconds": written - listed,
        "peak_bytes": machine.peak() - before,
        "manifest_bytes": manifest.stat().st_size,
        "plan_bytes": sum(sizes.values()),
        "plan_files": len(sizes),
        "shards": work.n_shards,
    }


def measure_parts(folder: str, count: int) -> dict[str, Any]:
    """Measures planning a job in parts: listing a manifest once, and drafting and writing the plan of every part.

    As in `measure_draft`, the clips do not exist: the job looks each of them up, and no header is read.
    """
    manifest = _manifest(folder, count)
    output = f"{folder}/features"
    made = Job(source=str(manifest), settings=Settings(output=output, config=registry.get(loops.CONFIG)))
    planned = PartedJob(job=made, n_parts=N_PARTS)
    files.make_folder(output)
    before = machine.reset_peak()
    started, processor = time.perf_counter(), time.process_time()
    with made.listed_in_parts({}, N_PARTS) as clips:
        listed, peak_of_listing = time.perf_counter(), machine.peak() - before
        machine.reset_peak()
        works = [part.work for part in planned.plan(PartedOutput(output=output, n_parts=N_PARTS), clips, None)]
        written = time.perf_counter()
    sizes = [size for work in works for size in files.sizes(work.path()).values()]
    clips_of_parts = [work.n_clips for work in works]
    return {
        "clips": count,
        "parts": N_PARTS,
        "smallest_part": min(clips_of_parts),
        "largest_part": max(clips_of_parts),
        "list_seconds": listed - started,
        "plan_seconds": written - listed,
        "processor_seconds": time.process_time() - processor,
        "peak_bytes_of_listing": peak_of_listing,
        "peak_bytes_of_planning": machine.peak() - before,
        "manifest_bytes": manifest.stat().st_size,
        "plan_bytes": sum(sizes),
        "plan_files": len(sizes),
        "shards": sum(work.n_shards for work in works),
    }


def _manifest(folder: str, count: int) -> Path:
    """Writes a manifest of clips that do not exist."""
    manifest = Path(folder, "clips.csv")
    with manifest.open("w") as file:
        file.write("id,path,duration\n")
        file.writelines(f"{number:09d},/absent/speaker/{number:09d}.flac,{SECONDS}\n" for number in range(count))
    return manifest


def measure_finished(folder: str, count: int) -> dict[str, Any]:
    """Measures merging sidecars as they arrive, finding them as a job and a worker do, and finishing the job."""
    sources = (inputs.Source(f"{number:09d}", f"/absent/{number:09d}.flac") for number in range(count))
    settings = Settings(output=f"{folder}/features", config=registry.get(loops.CONFIG), num_shards=count)
    with listing.listed(sources, settings.options) as clips:
        work = planning.draft(settings, clips).write()
    table, _ = work.shards(), _machine()
    for shard in table:
        pq.write_table(_rows(work, shard), work.rows_file(shard.number))
    before = machine.reset_peak()
    job = finished_shards.Finished(work)
    merging = 0.0
    for first in range(0, count, finished_shards.SIDECARS_PER_BATCH):
        for shard in table[first : first + finished_shards.SIDECARS_PER_BATCH]:
            Path(work.path(f"shard-{shard.number:05d}.json")).write_bytes(plan.to_line(_sidecar(work, shard)))
        merging += _seconds(job.refresh)
    result = {
        "shards": count,
        "sidecar_bytes": len(plan.to_line(_sidecar(work, table[-1]))),
        "put_together_seconds": merging,
        "look_seconds": _seconds(lambda: _look(job)),
        "read_again_seconds": _seconds(finished_shards.Finished(work).refresh),
        "find_one_seconds": _seconds(lambda: finished_shards.find(work, table[-1].number, table[-1].digest)),
        "find_next_seconds": _seconds(lambda: finished_shards.find(work, table[0].number, table[0].digest)),
        "peak_bytes_of_looking": machine.peak() - before,
        "finish_seconds": _seconds(lambda: completion.finish(work)),
        "peak_bytes_of_finishing": machine.peak() - before,
    }
    sizes = files.sizes(work.path())
    return {**result, "plan_files": len(sizes), "plan_bytes": sum(sizes.values())}


def _look(job: finished_shards.Finished) -> None:
    job.refresh()
    assert job.done.shards == job.done.clips


@functools.cache
def _machine() -> dict[str, Any]:
    return machine_facts.machine()


def _sidecar(work: plan.Plan, shard: plan.Shard) -> dict[str, Any]:
    """Returns the sidecar that a worker would write for a shard of 128 MB."""
    return {
        "shard": shard.number,
        "digest": shard.digest,
        "name": file_names.shard_name(shard.number),
        "id": shard.id,
        "records": CLIPS_PER_SHARD,
        "clips": CLIPS_PER_SHARD,
        "seconds": CLIPS_PER_SHARD * SECONDS,
        "max_error": 0.0,
        "bytes": 128_000_000,
        "sha256": shard.digest,
        "failures": [],
        "remarks": [],
        "seconds_spent": {"read": 1.0, "feature": 1.0, "record": 1.0},
        "machine": _machine(),
    }


def _rows(work: plan.Plan, shard: plan.Shard) -> pa.Table:
    """Returns the rows of the index that a worker would write for a shard of 128 MB."""
    n_frames = int(work.config.n_frames(round(SECONDS * work.config.sample_rate)))
    size = 128_000_000 // CLIPS_PER_SHARD
    rows = [
        index.Row(
            id=f"{shard.number:05d}-{number:05d}",
            n_frames=n_frames,
            valid_frames=n_frames,
            seconds=SECONDS,
            metadata={},
            shard=0,
            number=number,
            offset=number * size,
            bytes=size - 16,
            source=index.SourceFacts(path=f"/absent/speaker/{number:09d}.flac", size=320_000, time=1, digest=bytes(16)),
        )
        for number in range(CLIPS_PER_SHARD)
    ]
    return index.table(rows, work.columns)


def _seconds(function: Callable[[], Any]) -> float:
    started = time.perf_counter()
    function()
    return time.perf_counter() - started


def _in_process(folder: Path, part: str, count: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(dir=folder) as made:
        command = [sys.executable, "-m", "benchmarks.planning", part, made, str(count)]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return {"part": part, **json.loads(done.stdout)}


if __name__ == "__main__":
    measures = {"draft": measure_draft, "finished": measure_finished, "parts": measure_parts}
    measured = measures[sys.argv[1]](sys.argv[2], int(sys.argv[3]))
    print(json.dumps(measured))
