"""Benchmark of `tf.data` pipelines from audio files to padded batches of features, end to end, against peers.

    python -m benchmarks.pipelines [--seconds 0.5 1 2 10] [--settings speech wide] [--unequal] [--quick] [--json FILE]

audiopipe reads with `tfdata.from_audio`. A peer reads with `soundfile.read` in a `numpy_function` and checks nothing.
Every contender runs in the two orders that a user would write, with parallel calls and prefetching: "per clip" maps
clips and then batches them, "per batch" batches waveforms and then maps the batches. Audiopipe also runs as the first
page of the documentation writes it: a map without parallel calls. With `--unequal`, the lengths of clips differ by up
to a quarter, so batches are padded.

The peers are `tf.signal.stft` with a product, Keras's layer, and Kapre if it is installed:
`pip install --no-deps kapre==0.4.1`. Before the measurement, the features of each contender are compared with those of
`Transform`, to 0.01 dB.

All contenders read the same FLAC files in turn, round by round, so that a busy machine slows all of them. A ratio is
the speed of the best order of audiopipe divided by that of the best order of a peer in the same round. The ratio of
processor times, of all threads, depends less on other programs. Quote the ratios. With `--quick` there are fewer
lengths and rounds, and it takes about five minutes, otherwise a quarter of an hour.
"""

import argparse
import dataclasses
import json
import statistics
import tempfile
from pathlib import Path

import numpy as np
import soundfile
import tensorflow as tf
from rich.console import Console
from rich.table import Table

from audiopipe import Transform, tfdata
from benchmarks import clips, definitions, machine, peers
from benchmarks.definitions import Feature
from benchmarks.peers import KAPRE, KERAS, SIGNAL, Contender
from benchmarks.reading import PASSES, Times, measure
from benchmarks.reading import Contender as Pipeline
from benchmarks.rounds import ratios, spread

OURS = "audiopipe"
PEERS = (SIGNAL, KERAS, KAPRE)
PER_CLIP, PER_BATCH, AS_DOCUMENTED = "per clip", "per batch", "map without parallel calls"
BATCH = 16
LENGTHS, QUICK_LENGTHS = (0.5, 1.0, 2.0, 10.0), (1.0, 10.0)
SETTINGS = ("speech", "wide")  # those at the sample rate of `clips`, so that no contender resamples
SECONDS_PER_PASS, CLIPS_PER_PASS = 640, (128, 512)  # starting a pipeline takes as long as tens of clips
BOUNDS = {10.0: 1.1, 1.0: 1.4}  # for the ratio of speeds, by the length of clips
TOLERANCE_DECIBEL = 1e-2
AUTOTUNE = tf.data.AUTOTUNE


def write(folder: Path, seconds: float, count: int, unequal: bool = False) -> list[str]:
    """Writes clips as FLAC files and returns their paths.

    Args:
        folder: Folder to create.
        seconds: Length of a clip.
        count: Number of clips.
        unequal: Whether lengths differ by up to a quarter of `seconds`.
    """
    folder.mkdir(parents=True)
    draw = np.random.default_rng(0)
    paths = [folder / f"{number:05d}.flac" for number in range(count)]
    for path in paths:
        length = seconds * draw.uniform(0.75, 1.25) if unequal else seconds
        soundfile.write(path, clips.speech_like(draw, length), clips.SAMPLE_RATE, "PCM_16")
    return [str(path) for path in paths]


def of_audiopipe(config: Feature, paths: list[str]) -> dict[str, tf.data.Dataset]:
    """Returns the pipelines of audiopipe, whose elements are dicts, by the order of their steps."""
    mel = Transform(config)
    waveforms = tfdata.from_audio(paths, mel)
    return {
        PER_CLIP: tfdata.padded_batch(waveforms.map(mel, num_parallel_calls=AUTOTUNE), BATCH, mel),
        PER_BATCH: waveforms.padded_batch(BATCH).map(mel, num_parallel_calls=AUTOTUNE).prefetch(AUTOTUNE),
        AS_DOCUMENTED: tfdata.padded_batch(waveforms.map(mel), BATCH, mel),
    }


def of_peer(contender: Contender, paths: list[str]) -> dict[str, tf.data.Dataset]:
    """Returns the pipelines of a peer, whose elements are features, by the order of their steps."""
    shape = tuple(contender.take(np.zeros((1, 1), np.float32)).shape[2:])  # () or (1,), an axis of channels

    def read(path: bytes) -> np.ndarray:
        samples, _ = soundfile.read(path.decode(), dtype="float32", always_2d=bool(shape))
        return samples

    def waveform(path: tf.Tensor) -> tf.Tensor:
        return tf.ensure_shape(tf.numpy_function(read, [path], tf.float32), [None, *shape])

    def of_clip(path: tf.Tensor) -> tf.Tensor:
        return contender.compute(waveform(path)[tf.newaxis])[0]

    found = tf.data.Dataset.from_tensor_slices(paths)
    waveforms = found.map(waveform, num_parallel_calls=AUTOTUNE)
    return {
        PER_CLIP: found.map(of_clip, num_parallel_calls=AUTOTUNE).padded_batch(BATCH).prefetch(AUTOTUNE),
        PER_BATCH: waveforms.padded_batch(BATCH).map(contender.compute, num_parallel_calls=AUTOTUNE).prefetch(AUTOTUNE),
    }


def pipelines(config: Feature, paths: list[str]) -> dict[str, tf.data.Dataset]:
    """Returns the pipelines of all installed contenders by name, and compares their features.

    Raises:
        AssertionError: If features differ.
    """
    expected = [Transform(config).read(path) for path in paths[:BATCH]]
    features = [Transform(config)(samples) for samples in expected]
    found = {f"{OURS}, {order}": dataset for order, dataset in of_audiopipe(config, paths).items()}
    for name, dataset in found.items():
        check(name, next(iter(dataset))["feature"].numpy()[..., 0], features)
    for contender in peers.contenders(config):
        if contender.name not in PEERS:
            continue
        for order, dataset in of_peer(contender, paths).items():
            name = f"{contender.name}, {order}"
            # Keras centres its frames, and limits the dynamic range of a batch, not that of a clip.
            if contender.name != KERAS:
                check(name, contender.give(next(iter(dataset))), features)
            found[name] = dataset
    return found


def check(name: str, batch: np.ndarray, features: list[np.ndarray]) -> None:
    """Compares the first batch of a pipeline, `[batch, frames, bands]`, with the features of its clips.

    Raises:
        AssertionError: If they differ by more than the tolerance.
    """
    if len(batch) != len(features):
        raise AssertionError(f"{name} must return a batch of {len(features)} clips. Received: {len(batch)}.")
    for found, feature in zip(batch, features, strict=True):
        difference = np.abs(found[: len(feature)] - feature[..., 0]).max()
        if not difference <= TOLERANCE_DECIBEL:
            raise AssertionError(
                f"{name} must differ from the transform by at most {TOLERANCE_DECIBEL} dB. Received: {difference} dB."
            )


def best(times: dict[str, Times], owner: str) -> str | None:
    """Returns the fastest pipeline of a contender by the median of its rounds. None if it was not measured."""
    own = [name for name in times if name.startswith(f"{owner}, ")]
    return min(own, key=lambda name: statistics.median(times[name].elapsed)) if own else None


def table(title: str, times: dict[str, Times], clips_per_round: int, bound: float | None) -> Table:
    """Returns a table of speeds, and of ratios of the best pipeline of audiopipe to the best one of each peer.

    Ratios that meet the bound are bold.
    """
    made = Table(
        "", "clips/s", "processor ms/clip", "speed of audiopipe, relative", "processor time, relative", title=title
    )
    ours = times[best(times, OURS) or ""]
    for name, mine in times.items():
        speed = spread([clips_per_round / seconds for seconds in mine.elapsed], ".0f")
        processor = spread([1000 * seconds / clips_per_round for seconds in mine.processor])
        row = ["", ""]
        if any(name == best(times, peer) for peer in PEERS):
            speedups = ratios(mine.elapsed, ours.elapsed)
            text = spread(speedups)
            holds = bound is not None and statistics.median(speedups) >= bound
            row = [f"[bold]{text}[/bold]" if holds else text, spread(ratios(ours.processor, mine.processor))]
        made.add_row(name, speed, processor, *row)
    return made


def main() -> None:
    """Runs the benchmark and prints a table for each setting and length of clips."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, nargs="+", help=f"lengths of clips (default: {LENGTHS})")
    parser.add_argument("--settings", nargs="+", choices=SETTINGS, default=SETTINGS[:1])
    parser.add_argument("--unequal", action="store_true", help="let the lengths of clips differ by up to a quarter")
    parser.add_argument("--quick", action="store_true", help=f"clips of {QUICK_LENGTHS} s and 5 rounds")
    parser.add_argument("--clips", type=int, help=f"number of clips (default: of {SECONDS_PER_PASS} s, 128 to 512)")
    parser.add_argument("--rounds", type=int, help="number of measured rounds (default: 11)")
    parser.add_argument("--json", type=Path, help="file for all measured values")
    arguments = parser.parse_args()
    console = Console(width=180)
    number = arguments.rounds or (5 if arguments.quick else 11)
    found = []
    for seconds in arguments.seconds or (QUICK_LENGTHS if arguments.quick else LENGTHS):
        count = arguments.clips or int(np.clip(SECONDS_PER_PASS / seconds, *CLIPS_PER_PASS))
        with tempfile.TemporaryDirectory(prefix="audiopipe-pipelines-") as folder:
            paths = write(Path(folder) / "clips", seconds, count, arguments.unequal)
            for setting in arguments.settings:
                datasets = pipelines(definitions.SETTINGS[setting], paths)
                load = machine.load()
                times = measure(
                    {name: Pipeline(dataset, -(-count // BATCH)) for name, dataset in datasets.items()}, number
                )
                kind = "clips of unequal lengths, about" if arguments.unequal else "clips of"
                title = f"{definitions.TITLES[setting]}: {count} {kind} {seconds:g} s, load of the machine {load:.1f}"
                console.print(table(title, times, PASSES * count, BOUNDS.get(seconds)))
                measured = {name: dataclasses.asdict(of_one) for name, of_one in times.items()}
                found.append({"setting": setting, "seconds": seconds, "clips": count, "load": load, "times": measured})
    if arguments.json:
        arguments.json.write_text(json.dumps({**machine.facts(), "pipelines": found}, indent=1))


if __name__ == "__main__":
    main()
