"""Benchmark of Whisper's log-mel spectrogram against `transformers.WhisperFeatureExtractor`.

    python -m benchmarks.whisper [--clips 500] [--seconds 10] [--n-mels 80]
    python -m benchmarks.whisper --clips 48

All contenders compute the same feature, padded to 30 s, from the same clips. They take turns with each batch in one
run, so that a busy machine slows all of them. audiopipe receives its batches in the form that `hf.map` uses. Quote the
ratios. The extractor has a NumPy and a torch implementation; the latter is measured if torch is installed. Memory is
the peak that `hf.map` adds to a process at its default batch size, after a map of one batch.
"""

import argparse
import contextlib
import inspect
import itertools
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from unittest import mock

import datasets
import numpy as np
import transformers
from rich.console import Console
from rich.table import Table
from transformers.models.whisper import feature_extraction_whisper

from audiopipe import Transform, hf
from benchmarks import clips, machine, rounds

BATCH_SIZE = inspect.signature(hf.map).parameters["batch_size"].default
DISTINCT = 50
TOLERANCE = 1e-4
OURS = "audiopipe, as in hf.map"

Contender = Callable[[list[np.ndarray]], Sequence[np.ndarray]]


def contenders(n_mels: int) -> dict[str, Contender]:
    """Returns functions that compute a batch of features: `[frames, n_mels]` by audiopipe, else `[n_mels, frames]`."""
    transform = Transform(f"whisper-{n_mels}")
    extractor = transformers.WhisperFeatureExtractor(feature_size=n_mels)

    def extract(batch: list[np.ndarray]) -> Sequence[np.ndarray]:
        return extractor(batch, sampling_rate=extractor.sampling_rate, return_tensors="np").input_features

    def in_numpy(batch: list[np.ndarray]) -> Sequence[np.ndarray]:
        with mock.patch.object(feature_extraction_whisper, "is_torch_available", return_value=False):
            return extract(batch)

    def one_by_one(function: Contender) -> Contender:
        return lambda batch: [function([clip])[0] for clip in batch]

    def in_rows(batch: list[np.ndarray]) -> Sequence[np.ndarray]:
        values = [{"array": clip, "sampling_rate": extractor.sampling_rate} for clip in batch]
        return [made[0] for made in transform.rows(values) if isinstance(made, tuple)]

    found: dict[str, Contender] = {OURS: in_rows}
    if feature_extraction_whisper.is_torch_available():
        found["WhisperFeatureExtractor, torch, in batches"] = extract
        found["WhisperFeatureExtractor, torch, one by one"] = one_by_one(extract)
    found["WhisperFeatureExtractor, NumPy"] = in_numpy
    return found


def check(functions: dict[str, Contender], batch: list[np.ndarray]) -> None:
    """Raises an error unless all contenders agree."""
    ours = [feature.T for feature in functions[OURS](batch)]
    for name, function in functions.items():
        if name != OURS and (difference := np.abs(np.subtract(function(batch), ours)).max()) > TOLERANCE:
            raise AssertionError(f"{name} must agree with audiopipe within {TOLERANCE}. Received: {difference} apart.")


def measure(functions: dict[str, Contender], batches: Iterator[list[np.ndarray]]) -> dict[str, list[float]]:
    """Measures the seconds per clip of each function for each batch. Every batch starts with another function."""
    times: dict[str, list[float]] = {name: [] for name in functions}
    names = list(functions)
    for number, batch in enumerate(batches):
        first = number % len(names)
        for name in names[first:] + names[:first]:
            time.sleep(rounds.PAUSE_SECONDS)
            started = time.perf_counter()
            functions[name](batch)
            times[name].append((time.perf_counter() - started) / len(batch))
    return times


def added_memory(paths: list[Path], count: int, n_mels: int) -> None:
    """Prints the peak memory that `hf.map` over FLAC files adds to this process, in bytes, and its seconds."""
    transform = Transform(f"whisper-{n_mels}")

    def mapped(number: int) -> None:
        chosen = [str(path) for path in itertools.islice(itertools.cycle(paths), number)]
        # Without a cache file, datasets would keep the result in memory, whatever the batch size.
        cache = str(paths[0].parent / f"{number}.arrow")
        hf.map(datasets.Dataset.from_dict({"audio": chosen}), transform, cache_file_name=cache)

    mapped(BATCH_SIZE)
    before = machine.status_bytes(os.getpid(), "VmRSS")
    started = time.perf_counter()
    mapped(count)
    seconds = time.perf_counter() - started
    print(machine.status_bytes(os.getpid(), "VmHWM") - before, seconds)


def main() -> None:
    """Runs the benchmark and prints a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=500, help="number of clips")
    parser.add_argument("--seconds", type=float, default=10.0, help="length of a clip")
    parser.add_argument("--n-mels", type=int, default=80, choices=[80, 128], help="number of mel bands")
    parser.add_argument("--memory-of", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.memory_of:
        added_memory(sorted(arguments.memory_of.glob("*.flac")), arguments.clips, arguments.n_mels)
        return
    console = Console()
    draw = np.random.default_rng(0)
    distinct = [clips.speech_like(draw, arguments.seconds) for _ in range(min(DISTINCT, arguments.clips))]
    endless = itertools.cycle(distinct)
    sizes = [min(BATCH_SIZE, arguments.clips - start) for start in range(0, arguments.clips, BATCH_SIZE)]
    functions = contenders(arguments.n_mels)
    check(functions, distinct[:BATCH_SIZE])
    before = machine.load()
    times = measure(functions, ([next(endless) for _ in range(size)] for size in sizes))
    title = f"{arguments.clips} clips of {arguments.seconds:g} s, {arguments.n_mels} mels, padded to 30 s"
    caption = f"{machine.processors()} processors, load {before:.1f} before and {machine.load():.1f} after"
    table = Table("", "clips per second", "time relative to audiopipe", title=title, caption=caption)
    for name, seconds in times.items():
        ratios = sorted(other / mine for other, mine in zip(seconds, times[OURS], strict=True))
        spread = f"{statistics.median(ratios):.1f}x ({ratios[0]:.1f} .. {ratios[-1]:.1f})"
        table.add_row(name, f"{1 / statistics.median(seconds):.1f}", spread)
    console.print(table)
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(Path(__file__).parents[1]):
        clips.write(Path(folder, "clips"), len(distinct), arguments.seconds)
        command = [sys.executable, "-m", "benchmarks.whisper", "--memory-of", f"{folder}/clips"]
        command += ["--clips", str(arguments.clips), "--n-mels", str(arguments.n_mels)]
        cache = {**os.environ, "HF_DATASETS_CACHE": f"{folder}/cache"}
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=cache)
    added, took = map(float, done.stdout.split()[-2:])
    console.print(
        f"hf.map over FLAC files, {BATCH_SIZE} rows at a time: {added / 1e6:.0f} MB of added memory, "
        f"{arguments.clips / took:.0f} clips per second, including decoding and writing"
    )


if __name__ == "__main__":
    main()
