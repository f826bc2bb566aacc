"""Benchmark of `beam.ComputeFeatures` against precompute: clips per second with the same processes and threads.

    python -m benchmarks.building_blocks [--clips 2000] [--rounds 5] [--json FILE] [--folder FOLDER]

The clips are FLAC files with 10 s of synthetic speech at 16 kHz, and the feature is `speech-mel-80`. There are three
cases: one process with one TensorFlow thread, one process with all processors, and a process with one thread for each
processor, which is Beam's mode `multi_processing` and precompute's `--workers`. In the first two, both contenders take
turns in one process, and their processor times are compared as well. precompute writes its features, and the pipeline
counts them.

The speed is the steady one, of a long pipeline or job: the first and the last tenth of the clips are ignored. A ratio
is the speed of the pipeline divided by that of precompute in the same round. Quote the ratios.
"""

import argparse
import dataclasses
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks import clips, counted_features, loops, machine, throughput
from benchmarks.rounds import spread
from benchmarks.served import ONE_THREAD

PRECOMPUTE, PIPELINE = "precompute", "ComputeFeatures"
REQUIRED = 0.9
DISTINCT = 400


@dataclass
class Speeds:
    """Measurements of one contender, one value per round.

    Args:
        speeds: Clips per second.
        milliseconds: Milliseconds of processor time per clip. Empty if they were not measured.
    """

    speeds: list[float] = field(default_factory=list)
    milliseconds: list[float] = field(default_factory=list)


Found = dict[str, Speeds]


def measure(folder: Path, n_clips: int, rounds: int) -> dict[str, Found]:
    """Measures all cases, each with both contenders in turn.

    Args:
        folder: Folder to write to.
        n_clips: Number of clips per round.
        rounds: Number of measured rounds, after one for warming up.
    """
    paths = clips.write(folder / "clips", min(n_clips, DISTINCT))
    manifest = clips.write_manifest(folder / "clips.csv", paths, n_clips)
    n_processors = machine.processors()
    return {
        "one process, one thread": _in_one_process(folder, manifest, rounds, ONE_THREAD),
        f"one process, {n_processors} threads": _in_one_process(folder, manifest, rounds, {}),
        f"{n_processors} processes, one thread each": _in_processes(folder, manifest, n_clips, rounds),
    }


def _in_one_process(folder: Path, manifest: Path, rounds: int, environment: dict[str, str]) -> Found:
    with tempfile.TemporaryDirectory(dir=folder) as output:
        command = [sys.executable, "-m", "benchmarks.building_blocks", "--child", str(manifest), output, str(rounds)]
        variables = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", **environment}
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=variables)
    return {name: Speeds(**values) for name, values in json.loads(done.stdout.splitlines()[-1]).items()}


def _in_this_process(manifest: Path, output: str, rounds: int) -> Found:
    """Runs both contenders in turn in this process."""
    contenders = {PRECOMPUTE: _run_precompute, PIPELINE: counted_features.run}
    found = {name: Speeds() for name in contenders}
    for number in range(rounds + 1):
        for name in list(contenders)[:: 1 if number % 2 else -1]:
            with tempfile.TemporaryDirectory(dir=output) as made:
                wall, processor = counted_features.steady(contenders[name](manifest, made))
            if number:
                found[name].speeds.append(1 / wall)
                found[name].milliseconds.append(1000 * processor)
    return found


def _run_precompute(manifest: Path, output: str) -> list[counted_features.Mark]:
    """Writes the shards of a job as a worker does, and returns a mark for each of them."""
    from audiopipe import inputs
    from audiopipe.precompute import finished_shards, planning, shard_writer
    from audiopipe.precompute.listing import listed
    from audiopipe.precompute.settings import Settings

    sources = inputs.scan(str(manifest))
    n_shards = max(1, len(list(counted_features.rows(manifest))) // throughput.CLIPS_PER_SHARD)
    settings = Settings(output=f"{output}/features", config=loops.config(), num_shards=n_shards)
    with listed(sources, settings.options) as listing:
        plan = planning.draft(settings, listing).write()
    marks, count = [], 0
    for sidecar in shard_writer.write_shards(finished_shards.unfinished(plan)):
        count += sidecar["records"]
        marks.append((count, time.time(), time.process_time()))
    return marks


def _in_processes(folder: Path, manifest: Path, n_clips: int, rounds: int) -> Found:
    found = {PRECOMPUTE: Speeds(), PIPELINE: Speeds()}
    for number in range(rounds):  # every process is new, so there is nothing to warm up
        for name in list(found)[:: 1 if number % 2 else -1]:
            with tempfile.TemporaryDirectory(dir=folder) as output:
                if name == PRECOMPUTE:
                    options = throughput.workers(machine.processors())
                    speed, _ = throughput.of_precompute(manifest, f"{output}/features", n_clips, options)
                else:
                    speed = _of_pipeline(manifest, output)
            found[name].speeds.append(speed)
    return found


def _of_pipeline(manifest: Path, output: str) -> float:
    """Returns the steady clips per second of a pipeline with a process per processor."""
    flags = ["--direct_running_mode=multi_processing", f"--direct_num_workers={machine.processors()}"]
    command = [sys.executable, "-m", "benchmarks.counted_features", str(manifest), output, *flags]
    variables = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", **ONE_THREAD}
    subprocess.run(command, check=True, capture_output=True, env=variables)
    wall, _ = counted_features.steady(counted_features.marks_of(output))
    return 1 / wall


def ratios(found: Found, name: str = "speeds") -> list[float]:
    """Divides the speed of the pipeline by that of precompute, round by round.

    Args:
        found: The measurements of a case.
        name: `"speeds"`, or `"milliseconds"` for the speeds by processor time.
    """
    ours, theirs = getattr(found[PIPELINE], name), getattr(found[PRECOMPUTE], name)
    pairs = zip(ours, theirs, strict=True)
    return [our / their if name == "speeds" else their / our for our, their in pairs]


def show(found: dict[str, Found], console: Console) -> dict[str, Any]:
    """Prints a table and returns the content of the JSON."""
    table = Table("", "precompute, clips/s", "ComputeFeatures, clips/s", "ratio", "ratio of processor times")
    for case, speeds in found.items():
        measured = [spread(speeds[name].speeds, ".0f") for name in (PRECOMPUTE, PIPELINE)]
        processor = ratios(speeds, "milliseconds")
        table.add_row(case, *measured, spread(ratios(speeds)), spread(processor) if processor else "")
    console.print(table)
    worst = min(statistics.median(ratios(speeds)) for speeds in found.values())
    console.print(f"required: {REQUIRED}, smallest median: {worst:.2f}")
    return {
        case: {**{name: dataclasses.asdict(values) for name, values in speeds.items()}, "ratios": ratios(speeds)}
        for case, speeds in found.items()
    }


def main() -> None:
    """Measures and prints a table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--clips", type=int, default=2000, help="clips per round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path, help="file to write the measurements to")
    parser.add_argument("--folder", type=Path, help="folder for temporary files")
    parser.add_argument("--child", nargs=3, metavar=("MANIFEST", "OUTPUT", "ROUNDS"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        manifest, output, rounds = arguments.child
        found = _in_this_process(Path(manifest), output, int(rounds))
        print(json.dumps({name: dataclasses.asdict(values) for name, values in found.items()}))
        return
    console = Console(width=None if sys.stdout.isatty() else 140)
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        measured = measure(Path(folder), arguments.clips, arguments.rounds)
    result = show(measured, console)
    if arguments.json:
        arguments.json.write_text(json.dumps({"machine": machine.facts(), "cases": result}, indent=1))


if __name__ == "__main__":
    main()
