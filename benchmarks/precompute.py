"""Benchmark of precompute: speed, memory and planning.

    python -m benchmarks.precompute [--parts PART ...] [--quick] [--json FILE] [--folder FOLDER]

The parts are throughput, jobs (whole commands, start and end included), overhead (processor time per clip), memory and
planning. All of them run by default.

The clips are FLAC files with 10 s of synthetic speech at 16 kHz. The feature is `speech-mel-80`. Contenders take turns
in one run. Quote the ratios together with the load of the machine, which includes the load of the benchmark itself.

On two cores, all parts take about 20 minutes, or a third of that with `--quick`, and 4 GB in FOLDER. lhotse is compared
if it is installed (`pip install lhotse`), which needs torch.
"""

import argparse
import dataclasses
import json
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks import costs, jobs, machine, memory, overhead, planning, throughput

MEGABYTE, TERABYTE = 1e6, 1e12
PIPED_WIDTH = 120
FULL: dict[str, dict[str, Any]] = {
    "throughput": {"rounds": 5, "n_clips": 2000, "n_loop_clips": 400},
    "jobs": {"rounds": 3, "counts": [100, 1000, 10_000]},
    "overhead": {"shards": 60},
    "memory": {
        "counts": [100, 400, 1600],
        "sizes": [1_000_000, 16_000_000, 128_000_000],
        "workers": [1, 2],
    },
    "planning": {"counts": [100_000, 1_000_000], "shards": [25_000, 78_000], "in_parts": [1_000_000]},
}
QUICK: dict[str, dict[str, Any]] = {
    "throughput": {"rounds": 3, "n_clips": 1000, "n_loop_clips": 100},
    "jobs": {"rounds": 1, "counts": [100, 1000]},
    "overhead": {"shards": 30},
    "memory": {"counts": [100, 1600], "sizes": [128_000_000], "workers": [2]},
    "planning": {"counts": [100_000], "shards": [10_000], "in_parts": [100_000]},
}


def spread(values: list[float], form: str) -> str:
    """Formats the median, minimum and maximum of values."""
    return f"{statistics.median(values):{form}} ({min(values):{form}} .. {max(values):{form}})"


def show_throughput(found: dict[str, throughput.Speeds], console: Console) -> dict[str, Any]:
    """Prints a table and returns the content of the JSON."""
    table = Table("", "clips", "clips/s", f"relative to {throughput.BARE}", "load", title="throughput")
    for name, measured in found.items():
        ratios = spread(throughput.ratios(found, name), ".2f")
        table.add_row(name, str(measured.clips), spread(measured.speeds, ".0f"), ratios, spread(measured.loads, ".1f"))
    console.print(table)
    steady = found[throughput.STEADY.format(" ".join(["", *throughput.workers(machine.processors())]))]
    show_costs(statistics.median(steady.speeds) / machine.processors(), console)
    return {
        name: {**dataclasses.asdict(measured), "ratios": throughput.ratios(found, name)}
        for name, measured in found.items()
    }


def show_jobs(found: list[jobs.Jobs], console: Console) -> list[dict[str, Any]]:
    """Prints a table and returns the content of the JSON."""
    table = Table("clips", "", "s", "s beyond", "first shard, in imports", "load", title="whole jobs")
    for job in found:
        load = spread(job.loads, ".1f")
        table.add_row(str(job.clips), "import of TensorFlow", spread(job.imports, ".2f"), "", "", load)
        table.add_row("", throughput.BARE, spread(job.bare, ".2f"), "", "", "")
        for name, seconds in job.whole.items():
            beyond, first = spread(job.beyond(name), ".2f"), spread(job.first_in_imports(name), ".2f")
            table.add_row("", name, spread(seconds, ".2f"), beyond, first, "")
    console.print(table)
    console.print(f"beyond: importing TensorFlow, and the clips at {jobs.RATE} of the speed of the bare program")
    return [dataclasses.asdict(job) for job in found]


def show_costs(clips_per_second_and_core: float, console: Console) -> None:
    """Prints the estimated cost of many hours at this speed."""
    title = f"estimated for {clips_per_second_and_core:.0f} clips/s per core"
    table = Table("hours", "clips of 10 s", "core-hours", "TB, float32", "TB, float16", "shards", title=title)
    for cost in (costs.of(hours, clips_per_second_and_core) for hours in costs.HOURS):
        sizes = (f"{size / TERABYTE:,.2f}" for size in (cost.float32_bytes, cost.float16_bytes))
        table.add_row(f"{cost.hours:,}", f"{cost.clips:,}", f"{cost.core_hours:,.1f}", *sizes, f"{cost.shards:,}")
    console.print(table)


def show_overhead(found: dict[str, Any], console: Console) -> dict[str, Any]:
    """Prints a table and returns the content of the JSON."""
    ratios = [bare / worker for bare, worker in zip(found["bare"], found["worker"], strict=True)]
    table = Table("", "ms of processor time per clip", title="one process, one TensorFlow thread")
    table.add_row("bare", spread(found["bare"], ".2f"))
    table.add_row("worker of precompute", spread(found["worker"], ".2f"))
    table.add_row("speed of the worker relative to bare", spread(ratios, ".2f"))
    console.print(table)
    console.print(_table_of_steps(found["steps"]))
    show_costs(1000 / statistics.median(found["worker"]), console)
    return {**found, "ratios": ratios}


def _table_of_steps(steps: dict[str, list[float]]) -> Table:
    medians = {name: statistics.median(values) for name, values in steps.items()}
    whole = sum(medians.values())
    table = Table("step", "ms per clip", "share", title="steps of the worker")
    for name in sorted(medians, key=medians.__getitem__, reverse=True):
        table.add_row(name, spread(steps[name], ".3f"), f"{100 * medians[name] / whole:.1f} %")
    table.add_row("all", f"{whole:.3f}", "100 %")
    return table


def show_memory(found: list[memory.Measured], console: Console) -> list[dict[str, Any]]:
    """Prints a table and returns the content of the JSON."""
    table = Table(
        "workers", "clips", "shards", "MB per shard", "MB, all processes", "MB, one worker", "load", title="memory"
    )
    for job in found:
        peaks = (f"{size / MEGABYTE:.0f}" for size in (job.peak, job.worker_peak))
        size = f"{job.shard_bytes / MEGABYTE:.1f}"
        table.add_row(str(job.workers), str(job.clips), str(job.shards), size, *peaks, f"{job.load:.1f}")
    console.print(table)
    return [dataclasses.asdict(job) for job in found]


def show_planning(found: list[dict[str, Any]], console: Console) -> list[dict[str, Any]]:
    """Prints a table for each size and returns the content of the JSON."""
    for facts in found:
        table = Table(show_header=False, title=facts["part"])
        for name, value in facts.items():
            if name != "part":
                table.add_row(name, f"{value:,}" if isinstance(value, int) else f"{value:.3f}")
        console.print(table)
    return found


PARTS: dict[str, tuple[Any, Any]] = {
    "throughput": (throughput.measure, show_throughput),
    "jobs": (jobs.measure, show_jobs),
    "overhead": (overhead.measure, show_overhead),
    "memory": (memory.measure, show_memory),
    "planning": (planning.measure, show_planning),
}


def main() -> None:
    """Runs the chosen parts, prints their tables, and writes all numbers as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--quick", action="store_true", help="fewer and smaller rounds")
    parser.add_argument("--json", type=Path, help="file for all numbers, one value per round")
    parser.add_argument("--folder", type=Path, help="folder to write to (default: a temporary folder)")
    arguments = parser.parse_args()
    console = Console(width=None if sys.stdout.isatty() else PIPED_WIDTH)
    result: dict[str, Any] = {"machine": machine.facts(), "quick": arguments.quick}
    for part in arguments.parts:
        measure, show = PARTS[part]
        with tempfile.TemporaryDirectory(prefix="audiopipe-precompute-", dir=arguments.folder) as folder:
            settings = (QUICK if arguments.quick else FULL)[part]
            result[part] = show(measure(Path(folder), **settings), console)
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
