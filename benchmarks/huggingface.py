"""Benchmark of features in `datasets`: computing them from every form of audio, reading and converting them.

    python -m benchmarks.huggingface [--clips 200] [--seconds 10]

After the graphs are traced, everything is measured twice in one run, and the shorter time counts. Memory is the peak of
anonymous memory, without mapped files, above the level before. It excludes freed memory that the process reuses.
"""

import argparse
import functools
import os
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import soundfile
from rich.console import Console
from rich.table import Table

from audiopipe import Transform, hf, load
from benchmarks import clips, machine

CONFIG = "speech-mel-80"
DISTINCT = 50
SAMPLE_SECONDS = 0.002
ROUNDS = 2


class Cost:
    """Time and memory of a `with` block.

    Attributes:
        seconds: Duration of the block.
        bytes: Peak memory above the level before the block.
    """

    def __enter__(self) -> "Cost":
        self.bytes = 0
        self._before = machine.status_bytes(os.getpid(), "RssAnon")
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()
        self._began = time.perf_counter()
        return self

    def __exit__(self, *_: object) -> None:
        self.seconds = time.perf_counter() - self._began
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._ended.wait(SAMPLE_SECONDS):
            self.bytes = max(self.bytes, machine.status_bytes(os.getpid(), "RssAnon") - self._before)


def forms(folder: Path, paths: list[Path]) -> dict[str, datasets.Dataset]:
    """Returns datasets of the same clips, one for each form of audio, each stored in separate files."""

    def kept(name: str, column: Callable[[Path], Any]) -> datasets.Dataset:
        def rows() -> Iterator[dict[str, Any]]:
            yield from ({"audio": column(path)} for path in paths)

        return datasets.Dataset.from_generator(rows, cache_dir=str(folder / name))

    def array(path: Path) -> np.ndarray:
        return soundfile.read(path, dtype="float32")[0]

    encoded = kept("encoded", lambda path: {"bytes": path.read_bytes(), "path": path.name})
    encoded.cast_column("audio", datasets.Audio()).to_parquet(folder / "embedded.parquet")
    return {
        "paths": kept("paths", str),
        "a Parquet file with `Audio()`": datasets.Dataset.from_parquet(
            str(folder / "embedded.parquet"), cache_dir=str(folder / "embedded")
        ),
        "dicts with `bytes`": encoded,
        "dicts with `array`": kept("decoded", lambda path: {"array": array(path), "sampling_rate": 16000}),
        "arrays": kept("arrays", array),
    }


def exhaust(rows: Iterable[Any]) -> None:
    """Reads all rows or batches."""
    for _ in rows:
        pass


def readings(mapped: datasets.Dataset, fly: datasets.Dataset, feature_set: Path) -> dict[str, Callable[[], None]]:
    """Returns functions that read all features once."""
    return {
        'rows of `with_format("numpy")`': lambda: exhaust(mapped.with_format("numpy")),
        'rows of `with_format("tf")`': lambda: exhaust(mapped.with_format("tf")),
        "rows without a format, Python lists": lambda: exhaust(mapped),
        "batches of `hf.to_tf_dataset`": lambda: exhaust(hf.to_tf_dataset(mapped)),
        "batches of `datasets`' own `to_tf_dataset`": lambda: exhaust(mapped.to_tf_dataset(batch_size=16)),
        "batches of `hf.to_tf_dataset`, shuffled": lambda: exhaust(hf.to_tf_dataset(mapped, shuffle=True)),
        "`load` of a feature set": lambda: exhaust(load(feature_set)),
        "rows of `hf.with_transform`": lambda: exhaust(fly),
    }


def measure(what: Callable[[], Any]) -> tuple[float, int]:
    """Calls a function several times and returns the shortest time in seconds and the largest memory in bytes."""
    costs = []
    for _ in range(ROUNDS):
        with Cost() as cost:
            what()
        costs.append(cost)
    return min(cost.seconds for cost in costs), max(cost.bytes for cost in costs)


def main() -> None:
    """Runs the benchmark and prints a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=10.0)
    options = parser.parse_args()
    datasets.disable_progress_bars()
    mel = Transform(CONFIG)
    costs: dict[str, tuple[float, int]] = {}
    before = machine.load()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        distinct = clips.write(folder / "clips", min(DISTINCT, options.clips), options.seconds)
        paths = [distinct[number % len(distinct)] for number in range(options.clips)]
        inputs = forms(folder, paths)
        hf.map(inputs["paths"].select(range(min(16, options.clips))), mel)  # traces the graphs
        for form, rows in inputs.items():
            costs[f"`hf.map` over {form}"] = measure(functools.partial(hf.map, rows, mel, load_from_cache_file=False))
        in_memory = datasets.Dataset.from_dict({"audio": list(map(str, paths))})
        costs["`hf.map` over `Dataset.from_dict`"] = measure(lambda: hf.map(in_memory, mel))
        rows = inputs["a Parquet file with `Audio()`"]
        mapped, streaming = hf.map(rows, mel), hf.map(rows.to_iterable_dataset(), mel)
        costs["`hf.map` over a streaming dataset"] = measure(lambda: exhaust(streaming))
        target = folder / "features"
        costs["`hf.to_feature_set`"] = measure(lambda: hf.to_feature_set(mapped, target, overwrite=True))
        caches = iter(str(number) for number in range(ROUNDS))
        costs["`hf.from_feature_set`, the first time"] = measure(
            lambda: hf.from_feature_set(target, cache_dir=folder / "converted" / next(caches))
        )
        costs["`hf.from_feature_set`, again"] = measure(
            lambda: hf.from_feature_set(target, cache_dir=folder / "converted" / "0")
        )
        for what, read in readings(mapped, hf.with_transform(rows, mel), target).items():
            costs[what] = measure(read)
    table = Table("", "ms per clip", "MB", title=f"{options.clips} clips of {options.seconds:g} s, {CONFIG}")
    for what, (seconds, size) in costs.items():
        table.add_row(what, f"{seconds / options.clips * 1000:.2f}", f"{size / 1e6:.0f}")
    Console().print(table)
    print(f"{machine.processors()} processors, load before {before:.1f}")


if __name__ == "__main__":
    main()
