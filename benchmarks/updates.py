"""Time of each kind of update of a feature set, compared with the first run.

    python -m benchmarks.updates [--clips 100000] [--json FILE]

The clips are short noise, so that many of them fit on a disk. Short clips make updates look worse than they are: the
first run computes little for each clip. All runs write to the same folder, one after the other, in one process.

With 100,000 clips the benchmark takes half an hour and 2 GB of disk.
"""

import argparse
import json
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from rich.console import Console
from rich.table import Table

from audiopipe import beam, registry
from audiopipe.feature_sets.description import Description
from benchmarks import loops, machine

SECONDS = 0.5
RATE = 16000
FEW = 100


class Corpus:
    """Clips of noise and a manifest with a label and a speaker for each of them.

    Args:
        folder: Folder to write to.
        n_clips: Number of clips.
    """

    def __init__(self, folder: Path, n_clips: int):
        self._folder = folder
        self.manifest = str(folder / "clips.jsonl")
        self.rows: list[dict[str, Any]] = []
        self._noise = np.random.default_rng(0).normal(0, 0.1, RATE * 60).astype(np.float32)
        self.add(n_clips)

    def add(self, count: int) -> None:
        """Adds clips."""
        length = round(SECONDS * RATE)
        for number in range(len(self.rows), len(self.rows) + count):
            path = self._folder / f"{number // 1000:04d}" / f"{number:07d}.wav"
            path.parent.mkdir(exist_ok=True)
            start = (number * 97) % (len(self._noise) - length)
            soundfile.write(path, self._noise[start : start + length], RATE, subtype="PCM_16")
            self.rows.append(
                {"id": f"{number:07d}", "path": str(path), "label": number % 10, "speaker": f"s{number // 50}"}
            )
        self.write()

    def relabel(self, numbers: np.ndarray) -> None:
        """Corrects the labels of clips."""
        for number in numbers:
            self.rows[number]["label"] += 1
        self.write()

    def add_column(self) -> None:
        """Adds a metadata column to all clips."""
        for number, row in enumerate(self.rows):
            row["split"] = "test" if number % 10 == 0 else "train"
        self.write()

    def remove(self, numbers: np.ndarray) -> None:
        """Removes clips."""
        gone = set(numbers.tolist())
        self.rows = [row for number, row in enumerate(self.rows) if number not in gone]
        self.write()

    def touch(self) -> None:
        """Gives all files another time, as a fresh download does."""
        for row in self.rows:
            os.utime(row["path"])

    def write(self) -> None:
        """Writes the manifest."""
        with open(self.manifest, "w") as file:
            file.writelines(json.dumps(row) + "\n" for row in self.rows)


def measure(folder: Path, n_clips: int) -> list[dict[str, Any]]:
    """Measures the first run and each kind of update.

    Args:
        folder: Folder to write to.
        n_clips: Number of clips.
    """
    corpus = Corpus(folder, n_clips)
    scattered = np.linspace(0, n_clips - 1, FEW).astype(int)
    edits: dict[str, Callable[[], None]] = {
        "first run": lambda: None,
        "nothing changed": lambda: None,
        f"{FEW} clips added": lambda: corpus.add(FEW),
        f"{FEW} neighbouring clips relabelled": lambda: corpus.relabel(np.arange(FEW)),
        f"{FEW} scattered clips relabelled": lambda: corpus.relabel(scattered),
        f"{FEW} neighbouring clips removed": lambda: corpus.remove(np.arange(FEW)),
        "a column added": corpus.add_column,
        "all files touched": corpus.touch,
    }
    found: list[dict[str, Any]] = []
    output = str(folder / "features")
    for name, edit in edits.items():
        edit()
        before = {shard["name"] for shard in Description.open(output).shards} if found else set()
        load, started = machine.load(), time.perf_counter()
        made = beam.precompute(corpus.manifest, output, registry.get(loops.CONFIG), update=bool(found), keep_old=0)
        seconds = time.perf_counter() - started
        written = [shard for shard in made.shards if shard["name"] not in before]
        ratio = seconds / (found[0]["seconds"] if found else seconds)
        facts = {"seconds": seconds, "ratio": ratio, "bytes_written": sum(shard["bytes"] for shard in written)}
        found.append(
            {"update": name, "clips": made.counts["clips"], **facts, "shards_written": len(written), "load": load}
        )
    return found


def main() -> None:
    """Runs the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=100_000, help="number of clips")
    parser.add_argument("--json", type=Path, help="file to write the measurements to")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="audiopipe-") as folder:
        found = measure(Path(folder), arguments.clips)
    table = Table("update", "seconds", "of the first run", "shards written", "MB written", "load")
    for row in found:
        numbers = (f"{row['seconds']:.1f}", f"{row['ratio']:.1%}", str(row["shards_written"]))
        table.add_row(row["update"], *numbers, f"{row['bytes_written'] / 1e6:.0f}", f"{row['load']:.1f}")
    Console().print(table)
    if arguments.json:
        arguments.json.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
