"""Benchmark of reading clips against a bare `soundfile.read` with `soxr.resample`, with one and two threads.

    python -m benchmarks.decoding [--seconds 10 60] [--time 3] [--clips 64] [--json FILE]

The bare program reads float32, takes the mean of two channels and resamples. It does not check whether the file is
complete, whether its samples are finite, or whether it changed meanwhile. The benchmark first compares the samples of
both programs. Then they read the same files in turn, round by round. The first table shows processor time, which does
not include that of other programs. The second table shows threads by the clock and needs an otherwise idle machine.
Quote the ratios.
"""

import argparse
import functools
import io
import itertools
import json
import statistics
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import soxr
from rich.console import Console
from rich.table import Table

from audiopipe import audio
from benchmarks import clips, machine, rounds

FORMATS = {"WAV": "PCM_16", "FLAC": "PCM_16", "OGG": "VORBIS", "MP3": "MPEG_LAYER_III"}
RATES = (16000, 44100)  # of the files; all are read at the rate of `clips`
PATH, BYTES = "a path", "bytes"
THREADS = (1, 2)
TOLERANCE = 1e-6  # soundfile.read first seeks to the beginning, which changes the last bits of decoded MP3


def bare(source: str | bytes) -> np.ndarray:
    """Reads a file at the rate of `clips` without any check: float32 `[time]`."""
    opened = io.BytesIO(source) if isinstance(source, bytes) else source
    samples, rate = soundfile.read(opened, dtype="float32")
    if samples.ndim == 2:
        samples = (samples[:, 0] + samples[:, 1]) * np.float32(0.5)  # ten times as fast as samples.mean(axis=1)
    return samples if rate == clips.SAMPLE_RATE else soxr.resample(samples, rate, clips.SAMPLE_RATE)


def ours(source: str | bytes) -> np.ndarray:
    """Reads a file at the rate of `clips` with audiopipe: float32 `[time, 1]`."""
    return audio.read(source, sample_rate=clips.SAMPLE_RATE)


def write(folder: Path, format: str, rate: int, channels: int, seconds: float, number: int = 0) -> Path:
    """Writes a clip unless its file exists, and returns its path."""
    path = folder / f"{rate}-{channels}-{seconds:g}-{number}.{format.lower()}"
    if not path.exists():
        draw = np.random.default_rng(number)
        samples = np.stack([clips.speech_like(draw, seconds) for _ in range(channels)], axis=1)
        if rate != clips.SAMPLE_RATE:
            samples = soxr.resample(samples, clips.SAMPLE_RATE, rate)
        with soundfile.SoundFile(path, "w", rate, channels, FORMATS[format], format=format) as file:
            for start in range(0, len(samples), rate):  # libsndfile crashes if it writes a minute of Vorbis at once
                file.write(samples[start : start + rate])
    return path


def check(source: str | bytes) -> None:
    """Compares the samples that both programs read.

    Raises:
        RuntimeError: If the samples differ.
    """
    expected, found = bare(source), ours(source)[:, 0]
    if expected.shape != found.shape or not np.allclose(expected, found, rtol=0, atol=TOLERANCE):
        raise RuntimeError(f"Both programs must read the same samples. Received: bare={expected}, audiopipe={found}.")


def measure(folder: Path, lengths: list[float], seconds: float) -> list[dict[str, Any]]:
    """Measures the processor time of reading a clip of each kind of file, in seconds, as one mean per round.

    Args:
        folder: Folder to write clips to.
        lengths: Lengths of clips, in seconds.
        seconds: Approximate time to spend on each kind of file.
    """
    found = []
    for length, format, rate, channels in itertools.product(lengths, FORMATS, RATES, (1, 2)):
        path = write(folder, format, rate, channels, length)
        functions: dict[str, Callable[[], Any]] = {}
        sources: dict[str, str | bytes] = {PATH: str(path), BYTES: path.read_bytes()}
        for kind, source in sources.items():
            check(source)
            functions[f"bare, {kind}"] = functools.partial(bare, source)
            functions[f"audiopipe, {kind}"] = functools.partial(ours, source)
        times = rounds.measure(functions, seconds, clock=time.process_time)
        facts = {"format": format, "rate": rate, "channels": channels, "seconds": length}
        found.append({**facts, "times": times})
    return found


def measure_threads(folder: Path, count: int, seconds: float) -> dict[str, dict[str, list[float]]]:
    """Measures the elapsed time of reading many clips of 10 s with one thread and with two, for common kinds of files.

    Args:
        folder: Folder to write clips to.
        count: Number of clips to read.
        seconds: Approximate time to spend on each kind of file.
    """
    from audiopipe import Transform, tfdata

    transform = Transform("speech-mel-80")
    found = {}
    for format, rate in (("FLAC", 16000), ("MP3", 44100)):
        paths = [str(write(folder, format, rate, 1, 10, number)) for number in range(count)]
        functions: dict[str, Callable[[], Any]] = {}
        for threads in THREADS:
            each = ThreadPoolExecutor(threads).map
            dataset = tfdata.from_audio(paths, transform, num_parallel_calls=threads)
            functions[f"bare, {threads}"] = functools.partial(_exhaust, functools.partial(each, bare, paths))
            functions[f"audiopipe, {threads}"] = functools.partial(_exhaust, functools.partial(each, ours, paths))
            functions[f"from_audio, {threads}"] = functools.partial(_exhaust, dataset.__iter__)
        found[f"{format}, {rate} Hz"] = rounds.measure(functions, seconds)
    return found


def _exhaust(begin: Callable[[], Iterable[Any]]) -> None:
    deque(begin(), maxlen=0)


def show(found: list[dict[str, Any]]) -> Table:
    """Returns a table of processor times: milliseconds per clip, and the ratios of audiopipe to the bare program."""
    table = Table("clip", *(f"{who}, {kind}" for kind in (PATH, BYTES) for who in ("bare", "audiopipe")))
    for facts in found:
        times = facts["times"]
        name = f"{facts['format']}, {facts['rate']} Hz, {facts['channels']} ch, {facts['seconds']:g} s"
        row = []
        for kind in (PATH, BYTES):
            row.append(f"{1000 * statistics.median(times[f'bare, {kind}']):.2f} ms")
            mine, others = times[f"audiopipe, {kind}"], times[f"bare, {kind}"]
            row.append(f"{1000 * statistics.median(mine):.2f} ms, {rounds.spread(rounds.ratios(mine, others))}")
        table.add_row(name, *row)
    return table


def show_threads(found: dict[str, dict[str, list[float]]]) -> Table:
    """Returns a table of threads: the speed of two threads divided by the speed of one."""
    table = Table("clips", "bare, two threads", "audio.read, two threads", "from_audio, num_parallel_calls=2")
    for name, times in found.items():
        speeds = (rounds.ratios(times[f"{who}, 1"], times[f"{who}, 2"]) for who in ("bare", "audiopipe", "from_audio"))
        table.add_row(name, *map(rounds.spread, speeds))
    return table


def main() -> None:
    """Runs the benchmark and prints its tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, nargs="+", default=[10.0, 60.0], help="lengths of clips")
    parser.add_argument("--time", type=float, default=3.0, help="approximate seconds to spend on each kind of file")
    parser.add_argument("--clips", type=int, default=64, help="number of clips that the threads read")
    parser.add_argument("--json", type=Path, help="file for all measured values")
    arguments = parser.parse_args()
    console = Console(width=200)
    facts = machine.facts()
    with tempfile.TemporaryDirectory() as folder:
        found = measure(Path(folder), arguments.seconds, arguments.time)
        console.print(show(found))
        threads = measure_threads(Path(folder), arguments.clips, 4 * arguments.time)
        console.print(show_threads(threads))
    console.print(f"load {facts['load']:.1f} .. {machine.load():.1f}", highlight=False)
    if arguments.json:
        arguments.json.write_text(json.dumps({**facts, "decoding": found, "threads": threads}, indent=1))


if __name__ == "__main__":
    main()
