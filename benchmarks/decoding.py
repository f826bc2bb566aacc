"""How fast clips are read, beside a bare `soundfile.read` with `soxr.resample`, and how that grows with threads.

    python -m benchmarks.decoding [--seconds 10 60] [--time 3] [--clips 64] [--json FILE]

The bare program reads float32, takes the mean of two channels and resamples, and checks nothing: not whether the file
is whole, nor whether its samples are finite, nor whether it changed meanwhile. Both read the same files in turn, round
by round, after their results were compared. The first table is of processor time, which does not count what others
take; the second, of threads, is by the clock, and needs a machine that does nothing else. Quote the ratios.
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
RATES = (16000, 44100)  # of the files; they are read at that of `clips`
PATH, BYTES = "a path", "bytes"
THREADS = (1, 2)
TOLERANCE = 1e-6  # soundfile.read seeks to the beginning first, after which MP3 decodes with other last bits


def bare(source: str | bytes) -> np.ndarray:
    """Samples of a file at the rate of `clips`, float32 `[time]`, read without any check."""
    opened = io.BytesIO(source) if isinstance(source, bytes) else source
    samples, rate = soundfile.read(opened, dtype="float32")
    if samples.ndim == 2:
        samples = (samples[:, 0] + samples[:, 1]) * np.float32(0.5)  # samples.mean(axis=1) takes ten times as long
    return samples if rate == clips.SAMPLE_RATE else soxr.resample(samples, rate, clips.SAMPLE_RATE)


def ours(source: str | bytes) -> np.ndarray:
    """The same as audiopipe reads it, `[time, 1]`."""
    return audio.read(source, sample_rate=clips.SAMPLE_RATE)


def write(folder: Path, format: str, rate: int, channels: int, seconds: float, number: int = 0) -> Path:
    """Write a clip, unless it is there, and return its path."""
    path = folder / f"{rate}-{channels}-{seconds:g}-{number}.{format.lower()}"
    if not path.exists():
        draw = np.random.default_rng(number)
        samples = np.stack([clips.speech_like(draw, seconds) for _ in range(channels)], axis=1)
        if rate != clips.SAMPLE_RATE:
            samples = soxr.resample(samples, clips.SAMPLE_RATE, rate)
        with soundfile.SoundFile(path, "w", rate, channels, FORMATS[format], format=format) as file:
            for start in range(
                0, len(samples), rate
            ):  # libsndfile crashes when it is to write a minute of Vorbis at once
                file.write(samples[start : start + rate])
    return path


def check(source: str | bytes) -> None:
    """Compare what both read.

    Raises:
        RuntimeError: If they differ.
    """
    expected, found = bare(source), ours(source)[:, 0]
    if expected.shape != found.shape or not np.allclose(expected, found, rtol=0, atol=TOLERANCE):
        raise RuntimeError(f"The bare program and audiopipe read different samples: {expected}, {found}.")


def measure(folder: Path, lengths: list[float], seconds: float) -> list[dict[str, Any]]:
    """Processor time of reading a clip, in seconds, a mean a round, of each kind of file.

    Args:
        folder: Folder to write clips to.
        lengths: Seconds of audio of a clip.
        seconds: How long each kind of file may take.
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
    """Time that many clips of 10 s take in one thread and in two, by the clock, of the kinds of files that people have.

    Args:
        folder: Folder to write clips to.
        count: Clips that are read.
        seconds: How long each kind of file may take.
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
    """The table of processor times: milliseconds a clip, and of audiopipe its ratios over the bare program."""
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
    """The table of threads: how many times as fast two are as one."""
    table = Table("clips", "bare, two threads", "audio.read, two threads", "from_audio, num_parallel_calls=2")
    for name, times in found.items():
        speeds = (rounds.ratios(times[f"{who}, 1"], times[f"{who}, 2"]) for who in ("bare", "audiopipe", "from_audio"))
        table.add_row(name, *map(rounds.spread, speeds))
    return table


def main() -> None:
    """Measure, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, nargs="+", default=[10.0, 60.0], help="Seconds of audio of a clip.")
    parser.add_argument("--time", type=float, default=3.0, help="Seconds that each kind of file may take.")
    parser.add_argument("--clips", type=int, default=64, help="Clips that the threads read.")
    parser.add_argument("--json", type=Path, help="File to write what was measured to.")
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
