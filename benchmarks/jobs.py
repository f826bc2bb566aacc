"""Whole jobs, from the start of the command to its end, beside importing TensorFlow and a bare program."""

import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from audiopipe.feature_sets.description import Description
from benchmarks import clips, loops, machine, throughput
from benchmarks.served import ONE_THREAD, Served

DEFAULT = "precompute"
RATE = 0.75  # of the bare program; what is beyond it counts as start and end


@dataclass
class Jobs:
    """Measurements of jobs with one number of clips, one value per round.

    Args:
        clips: Number of clips.
        imports: Seconds that a process takes to import TensorFlow and to end.
        bare: Seconds that the bare program takes after its start.
        whole: Seconds that each command takes, by its name.
        first: Seconds until its first shard is finished.
        loads: Load of the machine before each round.
    """

    clips: int
    imports: list[float] = field(default_factory=list)
    bare: list[float] = field(default_factory=list)
    whole: dict[str, list[float]] = field(default_factory=dict)
    first: dict[str, list[float]] = field(default_factory=dict)
    loads: list[float] = field(default_factory=list)

    def first_in_imports(self, name: str) -> list[float]:
        """Returns the time until the first shard of a command is finished, in times of importing TensorFlow."""
        return [first / imported for first, imported in zip(self.first[name], self.imports, strict=True)]

    def beyond(self, name: str) -> list[float]:
        """Returns the seconds of a command beyond importing TensorFlow and computing at `RATE` of the bare program."""
        rounds = zip(self.whole[name], self.imports, self.bare, strict=True)
        return [whole - imported - bare / RATE for whole, imported, bare in rounds]


def measure(folder: Path, rounds: int, counts: list[int]) -> list[Jobs]:
    """Runs jobs with several numbers of clips, each with the default and with one worker per processor.

    Args:
        folder: Folder to write to.
        rounds: Number of measured rounds, after one for warming up.
        counts: Numbers of clips of 10 s.
    """
    paths = clips.write(folder / "clips", min(throughput.DISTINCT, max(counts)))
    commands = {DEFAULT: [], f"{DEFAULT} --workers {machine.processors()}": ["--workers", str(machine.processors())]}
    bare = [Served("bare", ONE_THREAD) for _ in range(machine.processors())]
    found = []
    try:
        for count in counts:
            manifest = clips.write_manifest(folder / f"{count}.csv", paths, count)
            names = [str(paths[number % len(paths)]) for number in range(count)]
            jobs = Jobs(count)
            for number in range(rounds + 1):
                one = _round(folder, manifest, names, bare, commands)
                if number:
                    _append(jobs, one)
            found.append(jobs)
    finally:
        for process in bare:
            process.close()
    return found


def _round(folder: Path, manifest: Path, names: list[str], bare: list[Served], commands: dict[str, list[str]]) -> Jobs:
    """Measures each contender once."""
    one = Jobs(len(names), loads=[machine.load()])
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", "import tensorflow"], check=True, capture_output=True)
    one.imports.append(time.perf_counter() - started)
    with tempfile.TemporaryDirectory(dir=folder) as output:
        speed = throughput.of_processes(bare, names, output, throughput.CLIPS_PER_SHARD)
        one.bare.append(len(names) / speed)
    for name, options in commands.items():
        with tempfile.TemporaryDirectory(dir=folder) as output:
            whole, first = _of_command(manifest, f"{output}/features", options)
        one.whole[name], one.first[name] = [whole], [first]
    return one


def _of_command(manifest: Path, output: str, options: list[str]) -> tuple[float, float]:
    """Returns the seconds that a command takes, and those until its first shard is finished."""
    command = [sys.executable, "-m", "audiopipe", "precompute", str(manifest), output, "--config", loops.CONFIG]
    began, started = time.time(), time.perf_counter()  # files have the time of the clock
    subprocess.run([*command, *options], check=True, capture_output=True)
    whole = time.perf_counter() - started
    finished = [Path(output, shard["name"]).stat().st_mtime for shard in Description.open(output).shards]
    return whole, min(finished) - began


def _append(jobs: Jobs, one: Jobs) -> None:
    for name in ("imports", "bare", "loads"):
        getattr(jobs, name).extend(getattr(one, name))
    for name in ("whole", "first"):
        for command, values in getattr(one, name).items():
            getattr(jobs, name).setdefault(command, []).extend(values)
