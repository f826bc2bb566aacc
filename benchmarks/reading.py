"""Benchmark of reading a feature set with `load`, compared with the few lines that a user would write.

    python -m benchmarks.reading [--quick] [--parts PART ...] [--rounds 9] [--clips 600] [--long-clips 600]

The plain pipeline is `TFRecordDataset`, `parse_single_example` and `decode_raw` over the same files, and for batches
`Dataset.padded_batch`. It makes no check but that of the checksums. There is a part for each storage dtype, with clips
of 10 s, and a part `crops`, with clips of 60 s of which 100 frames are used. Crops are read in batches, because
Python's loop over single elements would take longer than reading them. An iterator makes several passes over the clips,
as starting one takes a tenth of a second, which is nothing in an epoch of a training.

All contenders read the same files in turn, round by round in one run, so that a busy machine slows all of them. Every
round starts with another one. Two rounds for warming up bring the files into memory. A ratio is the speed of a
contender divided by that of the plain pipeline in the same round. The ratio of processor times, of all threads, hardly
depends on other programs. Quote the ratios. The benchmark takes 10 minutes and 1.2 GB in the temporary folder.
"""

import argparse
import statistics
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import tensorflow as tf
from rich.console import Console
from rich.table import Table

from audiopipe import load, tfdata
from audiopipe.feature_sets.dtypes import DTYPES
from benchmarks import machine, noise_sets
from benchmarks.noise_sets import CONFIG
from benchmarks.rounds import WARM_UPS, ratios, spread

CLIP_SECONDS, LONG_SECONDS = 10.0, 60.0
SHARDS = 8
BATCH = 16
PASSES = 5
CROP = 100
CROPS = "crops"
PLAIN, PLAIN_BATCHES, PLAIN_CROPS = "plain", "plain, Dataset.padded_batch", "plain, whole clips and slices"
LOAD_CROPS = "load, whole clips and slices"
QUICK = {"clips": 200, "long_clips": 200, "rounds": 5}


@dataclass(frozen=True)
class Contender:
    """A pipeline to measure.

    Args:
        dataset: Dataset that reads every clip once.
        elements: Number of its elements.
        references: Names of the contenders that it is compared with.
        bound: What the ratio to each of them must be at least. None if there is no bound.
    """

    dataset: tf.data.Dataset
    elements: int
    references: tuple[str, ...] = ()
    bound: float | None = None


@dataclass(frozen=True)
class Times:
    """Seconds of each round of a contender."""

    elapsed: list[float]
    processor: list[float]


def plain(paths: list[str], dtype: str) -> tf.data.Dataset:
    """Returns the clips of a feature set, read as a user would read TFRecord files."""
    spec = {name: tf.io.FixedLenFeature([], tf.string) for name in ("id", "feature", "speaker")}
    spec |= {name: tf.io.FixedLenFeature([], tf.int64) for name in ("n_frames", "take")}
    spec["shape"] = tf.io.FixedLenFeature([3], tf.int64)

    def parse(record: tf.Tensor) -> dict[str, tf.Tensor]:
        parsed = tf.io.parse_single_example(record, spec)
        values = tf.cast(tf.io.decode_raw(parsed["feature"], tf.as_dtype(dtype)), tf.float32)
        feature = tf.ensure_shape(tf.reshape(values, parsed.pop("shape")), [None, CONFIG.n_mels, 1])
        return {**parsed, "feature": feature}

    return tf.data.TFRecordDataset(paths).map(parse, num_parallel_calls=tf.data.AUTOTUNE).prefetch(tf.data.AUTOTUNE)


def of_clips(folder: Path, paths: list[str], dtype: str, clips: int) -> dict[str, Contender]:
    """Returns contenders that read whole clips."""
    batches = -(-clips // BATCH)
    padded = plain(paths, dtype).padded_batch(BATCH).prefetch(tf.data.AUTOTUNE)
    shuffled = tfdata.padded_batch(load(folder, shuffle=True), BATCH, CONFIG)
    return {
        PLAIN: Contender(plain(paths, dtype), clips),
        "load": Contender(load(folder), clips, (PLAIN,), 0.75),
        "load(shuffle=True)": Contender(load(folder, shuffle=True), clips, (PLAIN,), 0.75),
        PLAIN_BATCHES: Contender(padded, batches),
        "padded_batch(load)": Contender(
            tfdata.padded_batch(load(folder), BATCH, CONFIG), batches, (PLAIN_BATCHES,), 0.75
        ),
        "padded_batch(load(shuffle=True))": Contender(shuffled, batches, (PLAIN_BATCHES,)),
    }


def of_crops(folder: Path, paths: list[str], clips: int) -> dict[str, Contender]:
    """Returns contenders that give some frames of each clip."""

    def sliced(clip: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        start = tf.random.uniform([], maxval=tf.shape(clip["feature"])[0] - CROP + 1, dtype=tf.int32)
        return {**clip, "feature": clip["feature"][start : start + CROP]}

    whole = {PLAIN_CROPS: plain(paths, "float32"), LOAD_CROPS: load(folder)}
    made = {name: dataset.map(sliced, num_parallel_calls=tf.data.AUTOTUNE) for name, dataset in whole.items()}
    crops, shuffled = load(folder, crop_frames=CROP), load(folder, crop_frames=CROP, shuffle=True)
    both = (PLAIN_CROPS, LOAD_CROPS)

    def batched(dataset: tf.data.Dataset, references: tuple[str, ...] = (), bound: float | None = None) -> Contender:
        return Contender(dataset.batch(BATCH).prefetch(tf.data.AUTOTUNE), -(-clips // BATCH), references, bound)

    return {
        **{name: batched(dataset) for name, dataset in made.items()},
        f"load(crop_frames={CROP})": batched(crops, both, 4.0),
        f"load(crop_frames={CROP}, shuffle=True)": batched(shuffled, both, 4.0),
    }


def read(contender: Contender) -> None:
    """Iterates over several passes of a dataset.

    Raises:
        AssertionError: If the number of elements is wrong.
    """
    found, expected = sum(1 for _ in contender.dataset.repeat(PASSES)), PASSES * contender.elements
    if found != expected:
        raise AssertionError(f"The dataset must have {expected} elements. Received: {found} elements.")


def measure(contenders: dict[str, Contender], rounds: int) -> dict[str, Times]:
    """Returns the times of each contender in each round. Every round starts with another contender."""
    times = {name: Times([], []) for name in contenders}
    names = list(contenders)
    for number in range(-WARM_UPS, rounds):
        first = number % len(names)
        for name in names[first:] + names[:first]:
            began, began_processor = time.perf_counter(), time.process_time()
            read(contenders[name])
            if number >= 0:
                times[name].elapsed.append(time.perf_counter() - began)
                times[name].processor.append(time.process_time() - began_processor)
    return times


def table(title: str, contenders: dict[str, Contender], times: dict[str, Times], clips: int) -> Table:
    """Returns a table of speeds and ratios. Those that meet their bound are bold."""
    made = Table("", "clips/s", "speed, relative to", "ratio", "bound", "processor time, ratio", title=title)
    for name, contender in contenders.items():
        mine = times[name]
        speed = spread([PASSES * clips / seconds for seconds in mine.elapsed], ".0f")
        if not contender.references:
            made.add_row(name, speed)
        for reference in contender.references:
            speedups = ratios(times[reference].elapsed, mine.elapsed)
            text, bound = spread(speedups), ""
            if contender.bound is not None:
                bound = f"{contender.bound:.2f}"
                text = f"[bold]{text}[/bold]" if statistics.median(speedups) >= contender.bound else text
            made.add_row(
                name, speed, reference, text, bound, spread(ratios(mine.processor, times[reference].processor))
            )
    return made


def main() -> None:
    """Runs the chosen parts and prints a table for each of them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer clips and rounds, less than two minutes")
    parser.add_argument("--parts", nargs="+", choices=[*DTYPES, CROPS], default=[*DTYPES, CROPS])
    parser.add_argument("--clips", type=int, help=f"number of clips of {CLIP_SECONDS:.0f} s (default: 600)")
    parser.add_argument("--long-clips", type=int, help=f"number of clips of {LONG_SECONDS:.0f} s (default: 600)")
    parser.add_argument("--rounds", type=int, help="number of measured rounds (default: 9)")
    arguments = parser.parse_args()
    chosen = {"clips": 600, "long_clips": 600, "rounds": 9} | (QUICK if arguments.quick else {})
    chosen |= {name: value for name in chosen if (value := getattr(arguments, name)) is not None}
    console = Console(width=160)
    for part in arguments.parts:
        is_crops = part == CROPS
        clips, seconds = (chosen["long_clips"], LONG_SECONDS) if is_crops else (chosen["clips"], CLIP_SECONDS)
        with tempfile.TemporaryDirectory(prefix="audiopipe-reading-") as temporary:
            folder = Path(temporary) / "set"
            paths = noise_sets.write(folder, "float32" if is_crops else part, clips, SHARDS, seconds)
            contenders = of_crops(folder, paths, clips) if is_crops else of_clips(folder, paths, part, clips)
            load_before = machine.load()
            times = measure(contenders, chosen["rounds"])
        title = f"{part}: {clips} clips of {seconds:.0f} s, load of the machine {load_before:.1f}"
        console.print(table(title, contenders, times, clips))


if __name__ == "__main__":
    main()
