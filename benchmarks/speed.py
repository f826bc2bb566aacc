"""How fast features are computed, here and by others.

    python -m benchmarks.speed [--quick] [--modes MODE ...] [--settings SETTING ...] [--json FILE]

Features are mel spectrograms of three sizes and a log-frequency spectrogram, in decibels; clips have 1, 10 and 60 s.
All contenders get the same clips and as many threads as there are processors, and take turns in one run. Each is
compared with the feature in float64 before its time is taken: decibels that differ by more than 0.01 are an error.
Quote ratios, and the load of the machine with them: without other load it is that of the benchmark itself. Fewer
processors are had with `taskset --cpu-list 0`.

TensorFlow, Keras and librosa are there. Kapre is compared where it is installed, which it has to be without the
versions that it asks for (`pip install --no-deps kapre==0.4.1`), and torch where that is installed.

With `--quick` clips have 10 s, some modes are left out, and it takes less than ten minutes. Otherwise it takes three
quarters of an hour, and 8 GB of memory.
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
LENGTHS, QUICK_LENGTHS = (1.0, 10.0, 60.0), (10.0,)
BATCHES = {modes.EAGER: (1, 16), modes.FUNCTION: (1, 16), modes.DATA: (16,), modes.PREDICT: (1, 16)}
QUICK_BATCHES = {modes.EAGER: (1,), modes.FUNCTION: (1, 16), modes.DATA: (16,), modes.PREDICT: (16,)}
# How long the rounds of a mode may take; those of pipelines need more, as a pass of many clips is the least to measure.
SECONDS = {modes.EAGER: 10.0, modes.FUNCTION: 15.0, modes.DATA: 24.0, modes.PREDICT: 10.0}


def measure(setting: str, clip_seconds: float, mode: str, batch: int) -> Measured:
    """Check all contenders of one mode, and measure them."""
    config = definitions.SETTINGS[setting]
    audio = definitions.clips(config, clip_seconds, batch)
    ways = modes.ways(mode, peers.contenders(config), audio, clip_seconds)
    load = machine.load()
    differences = check(config, audio, ways)
    calls = {name: way.call for name, way in ways.items()}
    others = [name for name, way in ways.items() if not way.contender.in_graph]  # with threads of their own
    times = rounds.measure(calls, SECONDS[mode], settle=mode in modes.CALLS, busy_after=others)
    per_clip = {name: [time / ways[name].clips for time in times[name]] for name in times}
    return Measured(setting, clip_seconds, mode, batch, per_clip, differences, load)


def check(config: definitions.Feature, audio: np.ndarray, ways: dict[str, modes.Way]) -> dict[str, float]:
    """Decibels by which each contender is off the feature in float64, in the first clip and the last of a batch.

    Raises:
        AssertionError: If one is off by more than the tolerance, or has other frames.
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
            raise AssertionError(f"{name} gave features of shape {features.shape}, not {wanted.shape}.")
        differences[name] = float(np.abs(features - wanted).max())
        if not differences[name] <= TOLERANCE_DECIBEL:
            raise AssertionError(f"{name} is off by {differences[name]} dB.")
    return differences


def show(measured: Measured, console: Console) -> None:
    """Print a table of one mode."""
    title = f"{definitions.TITLES[measured.setting]}, clips of {measured.clip_seconds:g} s, {measured.mode}"
    title += f", batch {measured.batch}"
    caption = f"{len(next(iter(measured.times.values())))} rounds, load {measured.load:.1f}"
    ours = required.baseline(measured)
    table = Table("", "ms a clip", f"times as long as {ours}", "off by, dB", title=title, caption=caption)
    for name, times in measured.times.items():
        ratios = rounds.spread(rounds.ratios(times, measured.times[ours]))
        milliseconds = f"{1000 * statistics.median(times):.3f}"
        table.add_row(name, milliseconds, ratios, f"{measured.differences[name]:.0e}")
    console.print(table)


def show_required(rows: list[Row], console: Console) -> None:
    """Print what must hold, with what was measured."""
    table = Table("", "setting", "clip", "bound", "by", "measured", "holds", title="what must hold")
    for row in rows:
        for name, ratios in row.ratios.items():
            bound = f"{'at most' if row.at_most else 'at least'} {row.bound}"
            clip, spread = f"{row.clip_seconds:g} s", rounds.spread(ratios)
            table.add_row(row.title, row.setting, clip, bound, name, spread, "yes" if row.holds(name) else "no")
    console.print(table)


def as_json(found: list[Measured], rows: list[Row]) -> dict[str, Any]:
    """All numbers, a value a round."""
    return {
        "modes": [dataclasses.asdict(measured) for measured in found],
        "required": [
            {**dataclasses.asdict(row), "holds": {name: row.holds(name) for name in row.ratios}} for row in rows
        ],
    }


def cases(quick: bool, chosen: list[str], settings: list[str]) -> Iterator[tuple[str, float, str, int]]:
    """Setting, length of a clip, mode and batch of all that is measured."""
    batches = QUICK_BATCHES if quick else BATCHES
    for setting, clip_seconds, mode in itertools.product(settings, QUICK_LENGTHS if quick else LENGTHS, chosen):
        for batch in batches[mode]:
            yield setting, clip_seconds, mode, batch


def main() -> None:
    """Run the benchmark, print its tables, and write all numbers as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="less modes, and clips of 10 s only")
    parser.add_argument("--modes", nargs="+", choices=modes.MODES, default=list(modes.MODES))
    parser.add_argument("--settings", nargs="+", choices=definitions.SETTINGS, default=list(definitions.SETTINGS))
    parser.add_argument("--json", type=Path, help="file for all numbers, a value a round")
    arguments = parser.parse_args()
    peers.set_threads(machine.processors())
    console = Console(width=None if sys.stdout.isatty() else PIPED_WIDTH)
    facts = {**machine.facts(), "peers": peers.versions()}
    console.print(facts)
    found: list[Measured] = []
    for setting, clip_seconds, mode, batch in cases(arguments.quick, arguments.modes, arguments.settings):
        found.append(measure(setting, clip_seconds, mode, batch))
        show(found[-1], console)
        keras.backend.clear_session()
        gc.collect()  # graphs and their constants hang in cycles
    rows = required.rows(found)
    show_required(rows, console)
    if arguments.json is not None:
        arguments.json.write_text(json.dumps({"machine": facts, **as_json(found, rows)}, indent=1) + "\n")


if __name__ == "__main__":
    main()
