"""Benchmark of time and memory by clip length, batch size, mel bands and threads.

    python -m benchmarks.growth [--figures FIGURE ...] [--folder docs/images] [--json FILE]

A separate process measures each point of a figure, so that nothing else has used its memory and TensorFlow has the
requested number of threads. Time is that of the fastest of several calls. Memory is the peak that the first call of the
size adds, after the same graph has computed a clip of one second. All figures together take 15 minutes and 4 GB.
"""

import argparse
import ctypes
import dataclasses
import itertools
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks import growth_plots, machine

COMPUTE, TRANSFORM, LAYER = "Transform.compute", "Transform", "layer in a tf.function"
KERAS = "keras.layers.MelSpectrogram in a tf.function"
BLOCK_SECONDS = 10.0
LEAST_CALLS, SECONDS = 3, 1.0
PIPED_WIDTH = 120
LENGTHS = (1.0, 3.0, 10.0, 30.0, 60.0, 120.0, 300.0, 900.0, 3600.0)
BATCHES = (1, 2, 4, 8, 16, 32, 64)
MELS = (16, 32, 64, 128, 256)


@dataclass(frozen=True)
class Point:
    """Point of a figure, measured by one process.

    Args:
        contender: Name of the contender.
        x: Position on the horizontal axis.
        setting: Name of the feature, see `benchmarks.definitions`.
        clip_seconds: Length of a clip, in seconds.
        batch: Clips per batch.
        n_mels: Number of mel bands. None means that of the setting.
        threads: Number of TensorFlow threads. None means the number of processors.
    """

    contender: str
    x: float
    setting: str = "speech"
    clip_seconds: float = 10.0
    batch: int = 1
    n_mels: int | None = None
    threads: int | None = None


def points() -> dict[str, list[Point]]:
    """Returns the points of each figure."""
    several = (TRANSFORM, LAYER, KERAS)
    return {
        "length": [
            Point(name, length, clip_seconds=length)
            for name, length in itertools.product((COMPUTE, LAYER, KERAS), LENGTHS)
        ],
        "batch": [Point(name, batch, batch=batch) for name, batch in itertools.product(several, BATCHES)],
        "mels": [
            Point(name, n_mels, "music", batch=16, n_mels=n_mels) for name, n_mels in itertools.product(several, MELS)
        ],
        "threads": [
            Point(name, threads, batch=16, threads=threads)
            for name, threads in itertools.product(several, _thread_counts())
        ],
    }


def measure(point: Point) -> dict[str, float]:
    """Measures a point in this process: seconds per call, peak bytes that the first call adds, and the load."""
    from benchmarks import definitions, peers

    peers.set_threads(point.threads or machine.processors())
    config: Any = definitions.SETTINGS[point.setting]
    if point.n_mels is not None:
        config = dataclasses.replace(config, n_mels=point.n_mels)
    take, compute = _function(point, config)
    compute(take(definitions.clips(config, 1.0, 1)))
    block = definitions.clips(config, min(point.clip_seconds, BLOCK_SECONDS), point.batch)
    audio = take(np.tile(block, (1, round(point.clip_seconds * config.sample_rate / block.shape[1]))))
    # Frees the memory of temporary clips. Otherwise the call would reuse it, and the peak would not show it.
    ctypes.CDLL("libc.so.6").malloc_trim(0)
    before = machine.reset_peak()
    compute(audio)
    added = machine.peak() - before
    times: list[float] = []
    while len(times) < LEAST_CALLS or sum(times) < SECONDS:
        started = time.perf_counter()
        compute(audio)
        times.append(time.perf_counter() - started)
    return {"seconds": min(times), "bytes": added, "load": machine.load()}


def _function(point: Point, config: Any) -> tuple[Callable[[np.ndarray], Any], Callable[[Any], Any]]:
    """Returns a function from clips `[batch, time]` to the contender's input, and one that computes it at any size."""
    import tensorflow as tf

    from audiopipe import Transform
    from benchmarks import peers

    if point.contender in (COMPUTE, TRANSFORM):
        transform = Transform(config)
        if point.contender == TRANSFORM:
            return lambda clips: tf.constant(clips[..., None]), transform
        size = round(BLOCK_SECONDS * config.sample_rate)
        return lambda clips: np.split(clips[0][:, None], range(size, clips.shape[1], size)), transform.compute
    contender = peers.of_layer(config) if point.contender == LAYER else peers.of_keras(config)
    sizes = [None, None, 1] if point.contender == LAYER else [None, None]
    signature = [tf.TensorSpec(sizes, tf.float32)]
    return contender.take, tf.function(lambda clips: contender.compute(clips), input_signature=signature)


def _thread_counts() -> list[int]:
    """Returns the powers of two below the number of processors, and that number."""
    powers = itertools.takewhile(lambda count: count < machine.processors(), (2**power for power in range(10)))
    return [*powers, machine.processors()]


def _in_process(point: Point) -> dict[str, float]:
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [sys.executable, "-m", "benchmarks.growth", "--point", json.dumps(dataclasses.asdict(point))]
    # TensorFlow prints to standard error while it starts, which matters only if the process fails.
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    if done.returncode:
        raise RuntimeError(f"The process of {point} failed: {done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])


def show(name: str, measured: list[dict[str, Any]], console: Console) -> None:
    """Prints the numbers of a figure."""
    table = Table("", name, "ms", "ms per clip", "MB", "load", title=f"by {name}")
    for point in measured:
        milliseconds = 1000 * point["seconds"]
        numbers = (f"{value:.2f}" for value in (milliseconds, milliseconds / point["batch"], point["bytes"] / 1e6))
        table.add_row(point["contender"], f"{point['x']:g}", *numbers, f"{point['load']:.1f}")
    console.print(table)


def main() -> None:
    """Measures all points, prints and draws them, and writes them as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--figures", nargs="+", choices=growth_plots.FIGURES, default=list(growth_plots.FIGURES))
    parser.add_argument("--folder", type=Path, default=Path("docs/images"), help="folder for the figures")
    parser.add_argument("--json", type=Path, help="file for all numbers")
    parser.add_argument("--point", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.point:
        print(json.dumps(measure(Point(**json.loads(arguments.point)))))
        return
    console = Console(width=None if sys.stdout.isatty() else PIPED_WIDTH)
    arguments.folder.mkdir(parents=True, exist_ok=True)
    result: dict[str, Any] = {"machine": machine.facts()}
    for name in arguments.figures:
        measured = [{**dataclasses.asdict(point), **_in_process(point)} for point in points()[name]]
        show(name, measured, console)
        growth_plots.draw(name, measured, arguments.folder / f"growth-{name}.svg")
        result[name] = measured
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
