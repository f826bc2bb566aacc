"""Clips per second of precompute, of a bare program, and of other loops."""

import itertools
import queue
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from audiopipe import load
from audiopipe.feature_sets.description import Description
from benchmarks import clips, loops, machine
from benchmarks.served import ONE_THREAD, Served

BARE = "bare, a process a core"
STEADY = "precompute{}"
WHOLE = "precompute{}, start and end included"
CLIPS_PER_SHARD = 20
DISTINCT = 400
TOLERANCE_DECIBEL = 1e-2
EDGE = 0.1  # fraction of the shards at the start and at the end that the steady speed ignores


@dataclass
class Speeds:
    """Measurements of one contender, one value per round.

    Args:
        clips: Number of clips per round.
        speeds: Clips per second.
        loads: Load of the machine before each round.
    """

    clips: int
    speeds: list[float] = field(default_factory=list)
    loads: list[float] = field(default_factory=list)


def measure(folder: Path, rounds: int, n_clips: int, n_loop_clips: int) -> dict[str, Speeds]:
    """Measures all contenders in turn, round by round. Each round starts with another contender.

    All contenders except precompute are started in advance. precompute has two speeds: one of the whole command, and a
    steady one, as of a long job, which ignores the first and the last tenth of the shards.

    Args:
        folder: Folder to write to.
        rounds: Number of measured rounds, after one for warming up.
        n_clips: Clips per round of precompute and of the bare program.
        n_loop_clips: Clips per round of the other loops.

    Returns:
        The measurements by name. lhotse is included if it is installed.
    """
    paths = clips.write(folder / "clips", DISTINCT)
    manifest = clips.write_manifest(folder / "clips.csv", paths, n_clips)
    names = list(itertools.islice(itertools.cycle(map(str, paths)), max(n_clips, n_loop_clips)))
    bare = [Served("bare", ONE_THREAD) for _ in range(machine.processors())]
    served = {name: Served(name) for name in loops.LOOPS if name != "bare" and loops.is_there(name)}
    found: dict[str, Speeds] = {BARE: Speeds(n_clips)}
    # A list holds the options of precompute.
    turns: list[list[str] | str] = [BARE, workers(machine.processors()), workers(1), [], *served]
    try:
        _check(folder, paths[:4], {"bare": bare[0], **served})
        for number in range(rounds + 1):
            first = number % len(turns)
            for turn in turns[first:] + turns[:first]:
                loads = machine.load()
                with tempfile.TemporaryDirectory(dir=folder) as output:
                    if isinstance(turn, list):
                        steady, whole = of_precompute(manifest, f"{output}/features", n_clips, turn)
                        options = " ".join(["", *turn])
                        speeds = {STEADY.format(options): steady, WHOLE.format(options): whole}
                    elif turn == BARE:
                        speeds = {BARE: of_processes(bare, names[:n_clips], output, CLIPS_PER_SHARD)}
                    else:
                        speeds = {turn: of_processes([served[turn]], names[:n_loop_clips], output, n_loop_clips)}
                for name, speed in speeds.items():
                    measured = found.setdefault(name, Speeds(n_loop_clips if name in served else n_clips))
                    if number:
                        measured.speeds.append(speed)
                        measured.loads.append(loads)
    finally:
        for process in [*bare, *served.values()]:
            process.close()
    return found


def workers(count: int) -> list[str]:
    """Returns the options of a job with this number of workers."""
    return ["--workers", str(count)]


def ratios(found: dict[str, Speeds], name: str) -> list[float]:
    """Divides the speed of one contender by that of the bare program, round by round."""
    return [mine / bare for mine, bare in zip(found[name].speeds, found[BARE].speeds, strict=True)]


def _check(folder: Path, paths: list[Path], served: dict[str, Served]) -> None:
    """Raises an error unless the bare program and `hf.map` compute equal bits and the others agree within 0.01 dB.

    lhotse is not checked, because it does not have this feature.
    """
    with tempfile.TemporaryDirectory(dir=folder) as made:
        few = clips.write_manifest(Path(made, "few.csv"), paths, len(paths))
        of_precompute(few, f"{made}/features", 1, workers(1))
        ours = [clip["feature"][..., 0] for clip in load(f"{made}/features").as_numpy_iterator()]
        for name, process in served.items():
            process.run([str(path) for path in paths], f"{made}/{name}")
            if name == loops.LHOTSE:
                continue
            theirs = loops.read_back(name, [str(path) for path in paths], f"{made}/{name}")
            difference = max(float(np.abs(one - other).max()) for one, other in zip(ours, theirs, strict=True))
            if difference > (0 if name in loops.EXACT else TOLERANCE_DECIBEL):
                raise AssertionError(f"The loop {name!r} must agree with precompute. Received: {difference} dB apart.")


def of_processes(processes: list[Served], paths: list[str], output: str, at_once: int) -> float:
    """Returns the clips per second of processes. Each free process takes the next `at_once` clips."""
    waiting: queue.SimpleQueue[int] = queue.SimpleQueue()
    for start in range(0, len(paths), at_once):
        waiting.put(start)

    def work(process: Served) -> None:
        while True:
            try:
                start = waiting.get_nowait()
            except queue.Empty:
                return
            process.run(paths[start : start + at_once], f"{output}/{start}")

    started = time.perf_counter()
    with ThreadPoolExecutor(len(processes)) as threads:
        list(threads.map(work, processes))
    return len(paths) / (time.perf_counter() - started)


def of_precompute(manifest: Path, output: str, n_clips: int, options: list[str]) -> tuple[float, float]:
    """Returns the clips per second of precompute: steady, by the times of finished shards, and of the whole command."""
    shards = max(1, n_clips // CLIPS_PER_SHARD)
    command = [sys.executable, "-m", "audiopipe", "precompute", str(manifest), output, "--config", loops.CONFIG]
    started = time.perf_counter()
    subprocess.run([*command, *options, "--num-shards", str(shards)], check=True, capture_output=True, text=True)
    whole = n_clips / (time.perf_counter() - started)
    made = Description.open(output).shards
    finished = sorted((Path(output, shard["name"]).stat().st_mtime, shard["records"]) for shard in made)
    skipped = int(EDGE * len(finished))
    times = finished[skipped : len(finished) - skipped]
    records = sum(count for _, count in times[1:])
    return records / (times[-1][0] - times[0][0]) if len(times) > 1 else whole, whole
