"""Benchmark of computing features with audiopipe and with its peers.

    python -m benchmarks.speed [--quick] [--modes MODE ...] [--settings SETTING ...] [--seconds SECONDS ...]
        [--threads COUNT] [--json FILE]

The features are mel spectrograms of three sizes and a log-frequency spectrogram, in decibels. The clips are 0.5 to 60 s
long. All contenders compute the same clips with as many threads, and take turns in one run. Before the measurement, the
output of each contender is compared with the feature in float64. A difference of more than 0.01 dB is an error. Quote
the ratios together with the load of the machine, which includes the load of the benchmark itself.

Short clips depend on the number of threads most, as waking one takes as long as an operation:

    python -m benchmarks.speed --modes tf.function --seconds 0.5 1 2 --threads 1
    python -m benchmarks.speed --modes tf.function --seconds 0.5 1 2 --threads 2

TensorFlow, Keras and librosa are always compared. torch and Kapre are compared if they are installed. Kapre must be
installed without the versions that it requires: `pip install --no-deps kapre==0.4.1`.

The benchmark takes 75 minutes and 8 GB of memory. With `--quick` it measures fewer modes with clips of 10 s, in less
than 10 minutes.
"""

import argparse
import dataclasses
import gc
import itertools
import json
import statistics
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks import definitions, machine, modes, peers, required, rounds
from benchmarks.required import Measured, Row

TOLERANCE_DECIBEL = 1e-2
PIPED_WIDTH = 160
LENGTHS, QUICK_LENGTHS = (0.5, 1.0, 2.0, 10.0, 60.0), (10.0,)
BATCHES = {modes.EAGER: (1, 16), modes.FUNCTION: (1, 16), modes.DATA: (16,), modes.PREDICT: (1, 16)}
QUICK_BATCHES = {modes.EAGER: (1,), modes.FUNCTION: (1, 16), modes.DATA: (16,), modes.PREDICT: (16,)}
# Approximate time of all rounds of a mode. Pipelines need more, because one measurement is a pass over many clips.
SECONDS = {modes.EAGER: 10.0, modes.FUNCTION: 15.0, modes.DATA: 24.0, modes.PREDICT: 10.0}


def measure(setting: str, clip_seconds: float, mode: str, batch: int, threads: int) -> Measured:
    """Checks and measures all contenders of one mode."""
    config = definitions.SETTINGS[setting]
    audio = definitions.clips(config, clip_seconds, batch)
    ways = modes.ways(mode, peers.contenders(config), audio, clip_seconds)
    load = machine.load()
    differences = check(config, audio, ways)
    calls = {name: way.call for name, way in ways.items()}
    others = [name for name, way in ways.items() if not way.contender.in_graph]  # they have separate threads
    times = rounds.measure(calls, SECONDS[mode], settle=mode in modes.CALLS, busy_after=others)
    per_clip = {name: [time / ways[name].clips for time in times[name]] for name in times}
    return Measured(setting, clip_seconds, mode, batch, per_clip, differences, load, threads)


def check(config: definitions.Feature, audio: np.ndarray, ways: dict[str, modes.Way]) -> dict[str, float]:
    """Returns the largest difference of each contender to the feature in float64, in decibels.

    Only the first and the last clip of the batch are compared.

    Raises:
        AssertionError: If a difference exceeds the tolerance, or the shape of a feature is wrong.
    """
    some = [0, -1]
    expected = {
        definition: definition(config, audio[some])
        for definition in {way.contender.definition for way in ways.values()}
    }
    differences = {}
    for name, way in ways.items():
        features, wanted = way.contender.give(way.call())[some], expected[way.contender.definition]
        if features.shape != wanted.shape:
            raise AssertionError(f"{name} must return features of shape {wanted.shape}. Received: {features.shape}.")
        differences[name] = float(np.abs(features - wanted).max())
        if not differences[name] <= TOLERANCE_DECIBEL:
            raise AssertionError(
                f"{name} must differ from the feature in float64 by at most {TOLERANCE_DECIBEL} dB. "
                f"Received: {differences[name]} dB."
            )
    return differences


def show(measured: Measured, console: Console) -> None:
    """Prints a table of one mode."""
    title = f"{definitions.TITLES[measured.setting]}, clips of {measured.clip_seconds:g} s, {measured.mode}"
    title += f", batch {measured.batch}, {measured.threads} threads"
    caption = f"{len(next(iter(measured.times.values())))} rounds, load {measured.load:.1f}"
    ours = required.baseline(measured)
    table = Table("", "ms per clip", f"relative to {ours}", "largest error, dB", title=title, caption=caption)
    for name, times in measured.times.items():
        ratios = rounds.spread(rounds.ratios(times, measured.times[ours]))
        milliseconds = f"{1000 * statistics.median(times):.3f}"
        table.add_row(name, milliseconds, ratios, f"{measured.differences[name]:.0e}")
    console.print(table)


def show_required(rows: list[Row], console: Console) -> None:
    """Prints the required ratios and their measured values."""
    table = Table("", "setting", "clip", "bound", "contender", "measured", "holds", title="required ratios")
    for row in rows:
        for name, ratios in row.ratios.items():
            bound = f"{'at most' if row.at_most else 'at least'} {row.bound}"
            clip, spread = f"{row.clip_seconds:g} s", rounds.spread(ratios)
            table.add_row(row.title, row.setting, clip, bound, name, spread, "yes" if row.holds(name) else "no")
    console.print(table)


def as_json(found: list[Measured], rows: list[Row]) -> dict[str, Any]:
    """Returns all numbers, with one value per round."""
    return {
        "modes": [dataclasses.asdict(measured) for measured in found],
        "required": [
            {**dataclasses.asdict(row), "holds": {name: row.holds(name) for name in row.ratios}} for row in rows
        ],
    }


def cases(
    quick: bool, chosen: list[str], settings: list[str], lengths: list[float] | None = None
) -> Iterator[tuple[str, float, str, int]]:
    """Yields the setting, clip length, mode and batch size of each measurement."""
    batches = QUICK_BATCHES if quick else BATCHES
    of_clips = lengths or (QUICK_LENGTHS if quick else LENGTHS)
    for setting, clip_seconds, mode in itertools.product(settings, of_clips, chosen):
        for batch in batches[mode]:
            yield setting, clip_seconds, mode, batch


def main() -> None:
    """Runs the benchmark, prints its tables, and writes all numbers as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer modes, and only clips of 10 s")
    parser.add_argument("--modes", nargs="+", choices=modes.MODES, default=list(modes.MODES))
    parser.add_argument("--settings", nargs="+", choices=definitions.SETTINGS, default=list(definitions.SETTINGS))
    parser.add_argument("--seconds", nargs="+", type=float, help="lengths of the clips")
    parser.add_argument("--threads", type=int, default=machine.processors(), help="default: one per processor")
    parser.add_argument("--json", type=Path, help="file for all numbers, one value per round")
    arguments = parser.parse_args()
    peers.set_threads(arguments.threads)
    console = Console(width=None if sys.stdout.isatty() else PIPED_WIDTH)
    facts = {**machine.facts(), "peers": peers.versions()}
    console.print(facts)
    found: list[Measured] = []
    for case in cases(arguments.quick, arguments.modes, arguments.settings, arguments.seconds):
        found.append(measure(*case, arguments.threads))
        show(found[-1], console)
        keras.backend.clear_session()
        gc.collect()  # graphs and their constants are in reference cycles
    rows = required.rows(found)
    show_required(rows, console)
    if arguments.json is not None:
        arguments.json.write_text(json.dumps({"machine": facts, **as_json(found, rows)}, indent=1) + "\n")


if __name__ == "__main__":
    main()
