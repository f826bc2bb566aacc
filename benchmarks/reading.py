"""Benchmark of reading a feature set with `load` against a bare `TFRecordDataset` over the same files.

    python -m benchmarks.reading [--clips 600] [--seconds 10] [--shards 8] [--rounds 9]

A bare dataset returns serialized records and checks only TensorFlow's checksums. `load` returns float32 features and
metadata, and checks the config, position and size of every record. Both read in the order of the input, or several
shards at once: the bare dataset with `num_parallel_reads`, `load` with `shuffle`. A third contender parses records
without checks, as a user would. All read the same files in turn, round by round in one run, so that a busy machine
slows all of them. Two rounds for warming up bring the files into memory. Quote the ratios.
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import tensorflow as tf
from rich.console import Console
from rich.table import Table

from audiopipe import configs, load
from audiopipe.feature_sets import file_names, records, tfrecords
from audiopipe.feature_sets.description import Description, sha256
from audiopipe.feature_sets.dtypes import DTYPES
from audiopipe.inputs.columns import Columns
from audiopipe.runtime import machine_facts

CONFIG = configs.MelSpectrogram(
    sample_rate=16000, n_fft=400, hop_length=160, n_mels=80, return_decibel=True, input_data_format="channels_last"
)
BARE, BARE_PARALLEL, PARSED = "TFRecordDataset", "TFRecordDataset, num_parallel_reads", "TFRecordDataset, parsed"
COLUMNS = Columns(types={"speaker": "string", "take": "int"})


def write(folder: Path, dtype: str, clips: int, shards: int, seconds: float) -> list[str]:
    """Writes a feature set of noise as precompute would, and returns the paths of its shards."""
    folder.mkdir()
    shape = (CONFIG.framing.n_frames(round(seconds * CONFIG.sample_rate)), CONFIG.n_mels, 1)
    noise = np.random.default_rng(0)
    paths, counts, ids, errors = [], [], [], []
    for shard, clips_of_shard in enumerate(np.array_split(np.arange(clips), shards)):
        paths.append(folder / file_names.shard_name(shard))
        counts.append(len(clips_of_shard))
        shard_id = f"{shard:016x}"
        ids.append(shard_id)
        errors.append(0.0)
        with tfrecords.Writer(str(paths[-1])) as writer:
            for number, clip in enumerate(clips_of_shard):
                feature = noise.uniform(-80, 0, shape).astype(np.float32)
                metadata = {"speaker": f"speaker {clip % 7}", "take": int(clip)}
                place = records.Place(shard_id, number)
                record, error = records.encode(f"{clip}.wav", feature, CONFIG, metadata, COLUMNS, place, dtype)
                writer.write(record)
                errors[-1] = max(errors[-1], error)
    Description(
        path=str(folder),
        config=CONFIG,
        kernel_version=CONFIG.kernel_version,
        counts={"clips": clips, "failures": 0, "frames": clips * shape[0], "hours": clips * seconds / 3600},
        schema=COLUMNS.types,
        shards=[
            {
                "name": path.name,
                "id": shard_id,
                "records": count,
                "bytes": path.stat().st_size,
                "sha256": sha256(str(path)),
                "max_error": error,
            }
            for path, shard_id, count, error in zip(paths, ids, counts, errors, strict=True)
        ],
        machines=[machine_facts.machine()],
        dtype=dtype,
        max_error=max(errors),
    ).write()
    return [str(path) for path in paths]


def contenders(folder: Path, paths: list[str], dtype: str) -> dict[str, tf.data.Dataset]:
    """Returns datasets that yield each clip of a feature set once."""
    spec = {name: tf.io.FixedLenFeature([], tf.string) for name in ("id", "feature", "speaker")}
    spec |= {name: tf.io.FixedLenFeature([], tf.int64) for name in ("n_frames", "take")}
    spec["shape"] = tf.io.FixedLenFeature([3], tf.int64)

    def parse(record: tf.Tensor) -> dict[str, tf.Tensor]:
        parsed = tf.io.parse_single_example(record, spec)
        values = tf.cast(tf.io.decode_raw(parsed["feature"], tf.as_dtype(dtype)), tf.float32)
        return {**parsed, "feature": tf.reshape(values, parsed.pop("shape"))}

    return {
        BARE: tf.data.TFRecordDataset(paths),
        PARSED: tf.data.TFRecordDataset(paths).map(parse, num_parallel_calls=tf.data.AUTOTUNE),
        BARE_PARALLEL: tf.data.TFRecordDataset(paths, num_parallel_reads=tf.data.AUTOTUNE),
        "load": load(folder),
        "load, shuffle=True": load(folder, shuffle=True),
    }


def read(dataset: tf.data.Dataset, clips: int) -> float:
    """Returns the clips per second of one pass.

    Raises:
        AssertionError: If the number of clips is wrong.
    """
    started, found = time.perf_counter(), 0
    for _ in dataset:
        found += 1
    if found != clips:
        raise AssertionError(f"The dataset must have {clips} clips. Received: {found} clips.")
    return found / (time.perf_counter() - started)


def measure(datasets: dict[str, tf.data.Dataset], clips: int, rounds: int) -> dict[str, list[float]]:
    """Returns the clips per second of each dataset in each round. Every round starts with another dataset."""
    speeds: dict[str, list[float]] = {name: [] for name in datasets}
    names = list(datasets)
    for number in range(rounds + 2):
        first = number % len(names)
        for name in names[first:] + names[:first]:
            speed = read(datasets[name], clips)
            if number >= 2:
                speeds[name].append(speed)
    return speeds


def spread(values: list[float], form: str) -> str:
    """Formats the median, minimum and maximum of values."""
    return f"{statistics.median(values):{form}} ({min(values):{form}} .. {max(values):{form}})"


def main() -> None:
    """Runs the benchmark and prints a table for each storage dtype."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=600)
    parser.add_argument("--seconds", type=float, default=10.0, help="length of a clip")
    parser.add_argument("--shards", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=9, help="number of measured rounds")
    arguments = parser.parse_args()
    console = Console()
    with tempfile.TemporaryDirectory(prefix="audiopipe-reading-") as folder:
        for dtype in DTYPES:
            paths = write(Path(folder) / dtype, dtype, arguments.clips, arguments.shards, arguments.seconds)
            speeds = measure(contenders(Path(folder) / dtype, paths, dtype), arguments.clips, arguments.rounds)
            references = (BARE, BARE_PARALLEL, PARSED)
            table = Table("", "clips/s", *(f"relative to {name}" for name in references), title=dtype)
            for name, values in speeds.items():
                ratios = [
                    [mine / bare for mine, bare in zip(values, speeds[bare_name], strict=True)]
                    for bare_name in references
                ]
                table.add_row(name, spread(values, ".0f"), *(spread(ratio, ".2f") for ratio in ratios))
            console.print(table)


if __name__ == "__main__":
    main()
