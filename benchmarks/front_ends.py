"""Benchmark of the presets of published front ends against the code that they reproduce.

    python -m benchmarks.front_ends [--presets NAME ...] [--seconds 10] [--clock wall] [--json FILE]

For each preset, audiopipe and its reference compute one clip, and a batch of 16 clips as `hf.map` gives it. They take
turns in one run, see `benchmarks.rounds`, after their features were compared. Quote the ratios. On a busy machine, use
`--clock processor`: processor time hardly depends on what other programs do. Several threads that compute at once, or
wait for one another, then count as their sum, so give every library one thread: `OMP_NUM_THREADS=1
OPENBLAS_NUM_THREADS=1 TF_NUM_INTRAOP_THREADS=1 python -m benchmarks.front_ends --clock processor`.

Most references are feature extractors of `transformers`. Those of AST, CLAP, Parakeet and LASR need torch and are left
out without it. Kaldi's features are compared with the function that these extractors call, those of other libraries
with librosa. Whisper has a benchmark of its own. VGGish and YAMNet have none, because their own code is TensorFlow.
"""

import argparse
import importlib.util
import json
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from audiopipe import Transform, registry
from benchmarks import clips, machine, reference_features, rounds
from benchmarks.reference_features import Features

BATCH_SIZE = 16
SECONDS = 3.0  # approximate time of all rounds of two contenders
GOAL, GOALS = 4.0, {"nemo-mel-80": 3.0, "nemo-mel-128": 3.0}
CLOCKS = {"wall": time.perf_counter, "processor": time.process_time}
OURS = "audiopipe"
# float32 allows no agreement in empty bins, so a hundredth of the values may differ by more.
TOLERANCE, COMPARED = 0.01, 0.99


@dataclass(frozen=True)
class Measured:
    """Times of a preset and its reference.

    Args:
        preset: Name of the preset.
        reference: Name of the reference.
        batch: Number of clips per call.
        times: Seconds per clip of each contender, one value per round.
        load: Load average before the measurement.
    """

    preset: str
    reference: str
    batch: int
    times: dict[str, list[float]]
    load: float

    @property
    def ratios(self) -> list[float]:
        """Time of the reference divided by that of audiopipe, round by round."""
        return rounds.ratios(self.times[self.reference], self.times[OURS])


def ours(preset: str, batch: int) -> Features:
    """Returns a function that computes a preset's features `[frames, bins]`: of a clip by a call, of more as rows."""
    transform = Transform(preset)

    def of_rows(waveforms: list[np.ndarray]) -> Sequence[np.ndarray]:
        values = [{"array": clip, "sampling_rate": transform.config.sample_rate} for clip in waveforms]
        return [made[0] for made in transform.rows(values) if isinstance(made, tuple)]

    return of_rows if batch > 1 else lambda waveforms: [transform(clip)[..., 0] for clip in waveforms]


def check(preset: str, found: Sequence[np.ndarray], expected: Sequence[np.ndarray]) -> None:
    """Raises an error unless the features of a preset and its reference agree."""
    for one, other in zip(found, expected, strict=True):
        if one.shape != other.shape:
            raise AssertionError(f"{preset} must have features of shape {other.shape}. Received: {one.shape}.")
        difference = np.quantile(np.abs(one - other), COMPARED)
        if not difference <= TOLERANCE:
            raise AssertionError(f"{preset} must agree with its reference within {TOLERANCE}. Received: {difference}.")


def measure(preset: str, batch: int, seconds: float, clock: Callable[[], float]) -> Measured:
    """Checks and measures a preset and its reference with a number of clips per call."""
    name, reference = reference_features.of_preset(preset)
    draw = np.random.default_rng(0)
    scale = registry.get(preset).sample_rate / clips.SAMPLE_RATE
    waveforms = [clips.speech_like(draw, seconds * scale) for _ in range(batch)]
    functions = {OURS: ours(preset, batch), name: reference}
    check(preset, functions[OURS](waveforms), reference(waveforms))
    load = machine.load()
    calls = {name: _call(function, waveforms) for name, function in functions.items()}
    times = rounds.measure(calls, SECONDS, clock=clock, busy_after=[name])
    return Measured(preset, name, batch, {name: [one / batch for one in times[name]] for name in times}, load)


def _call(function: Features, waveforms: list[np.ndarray]) -> Callable[[], Any]:
    return lambda: function(waveforms)


def table(found: list[Measured]) -> Iterator[str]:
    """Yields the lines of a Markdown table with one row per preset."""
    sizes = sorted({measured.batch for measured in found})
    yield "| preset | reference | " + " | ".join(f"clips/s, {_size(size)} | ratio" for size in sizes) + " | goal |"
    yield "|---|---|" + "---|---|" * len(sizes) + "---|"
    for preset in dict.fromkeys(measured.preset for measured in found):
        rows = sorted((one for one in found if one.preset == preset), key=lambda one: one.batch)
        goal = GOALS.get(preset, GOAL)
        cells = [f"`{preset}`", rows[0].reference]
        for row in rows:
            ratio = rounds.spread(row.ratios, ".1f")
            holds = statistics.median(row.ratios) >= goal
            cells += [f"{1 / statistics.median(row.times[OURS]):.0f}", f"**{ratio}**" if holds else ratio]
        yield f"| {' | '.join(cells)} | {goal:g} |"


def _size(batch: int) -> str:
    return "one clip" if batch == 1 else f"batch of {batch}"


def presets() -> list[str]:
    """Returns the names of the presets whose reference can run here."""
    has_torch = importlib.util.find_spec("torch") is not None
    return [name for name in reference_features.PRESETS if has_torch or name not in reference_features.NEED_TORCH]


def main() -> None:
    """Runs the benchmark, prints a table, and writes all numbers as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--presets", nargs="+", choices=presets(), default=presets())
    parser.add_argument("--batches", nargs="+", type=int, default=[1, BATCH_SIZE], help="numbers of clips per call")
    parser.add_argument("--seconds", type=float, default=10.0, help="length of a clip")
    parser.add_argument("--clock", choices=CLOCKS, default="wall", help="time on the wall, or of the processors")
    parser.add_argument("--json", type=Path, help="file for all numbers, one value per round")
    arguments = parser.parse_args()
    facts = machine.facts()
    print(facts)
    found = []
    for preset in arguments.presets:
        for batch in arguments.batches:
            found.append(measure(preset, batch, arguments.seconds, CLOCKS[arguments.clock]))
            print(preset, batch, rounds.spread(found[-1].ratios, ".1f"), f"load {found[-1].load:.1f}", file=sys.stderr)
    print("\n".join(table(found)))
    if arguments.json is not None:
        numbers = {"machine": facts, "clock": arguments.clock, "measured": [asdict(one) for one in found]}
        arguments.json.write_text(json.dumps(numbers))


if __name__ == "__main__":
    main()
