"""Benchmark of `audiopipe.merge` against a plain copy of the same files.

    python -m benchmarks.merging [--clips 2000] [--seconds 10] [--shards 8] [--rounds 5]

Two feature sets of noise are merged into a new one, with equal columns, and with a prefix and a column that one of them
lacks. A plain copy with `shutil.copyfile` writes the same bytes, but checks nothing and changes nothing. All run in
turn, round by round in one run, so that a busy machine slows all of them. One round for warming up brings the files
into memory. Quote the ratios.
"""

import argparse
import functools
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from audiopipe import configs, merge
from audiopipe.feature_sets import file_names, index, publication, records, set_files, tfrecords
from audiopipe.feature_sets.clip_sums import ClipSums
from audiopipe.feature_sets.description import Description
from audiopipe.inputs.columns import Columns

CONFIG = configs.MelSpectrogram(
    sample_rate=16000, n_fft=400, hop_length=160, n_mels=80, return_decibel=True, input_data_format="channels_last"
)
COPY = "shutil.copyfile"


def write(folder: Path, columns: Columns, first: int, clips: int, shards: int, seconds: float) -> None:
    """Writes a feature set of noise, whose clips are numbered from `first`."""
    folder.mkdir()
    shape = (CONFIG.framing.n_frames(round(seconds * CONFIG.sample_rate)), CONFIG.n_mels, 1)
    feature = np.random.default_rng(first).uniform(-80, 0, shape).astype(np.float32)
    described, tables, sums = [], [], []
    for position, numbers in enumerate(np.array_split(np.arange(first, first + clips), shards)):
        name, shard_id = file_names.shard_name(position), f"{first + position:016x}"
        rows, found = [], ClipSums(CONFIG)
        with tfrecords.Writer(str(folder / name)) as file:
            for number, clip in enumerate(numbers.tolist()):
                values = {"speaker": f"speaker {clip % 7}", "take": clip, "gain": clip / 7}
                metadata = {column: values[column] for column in columns.types}
                place = records.Place(shard_id, number)
                record, _ = records.encode(f"{clip}.wav", feature, CONFIG, metadata, columns, place)
                found.add(feature, None, "float32")
                rows.append(
                    index.Row(
                        id=f"{clip}.wav",
                        n_frames=shape[0],
                        valid_frames=shape[0],
                        seconds=seconds,
                        metadata=metadata,
                        shard=position,
                        number=number,
                        offset=file.write(record),
                        bytes=len(record),
                    )
                )
        facts = set_files.facts(str(folder), name)
        described.append({**facts, "id": shard_id, "records": len(rows), "max_error": 0.0})
        tables.append(index.table(rows, columns))
        sums.append(found.to_dict())
    description = Description(
        path=str(folder),
        config=CONFIG,
        kernel_version=CONFIG.kernel_version,
        counts={"clips": clips, "failures": 0, "frames": clips * shape[0], "hours": clips * seconds / 3600},
        schema=columns.types,
        shards=described,
        machines=[],
    )
    publication.publish(description, tables, [], [], sums)


def contenders(folder: Path, sets: dict[str, list[str]]) -> dict[str, Callable[[], object]]:
    """Returns functions that write the same records to `folder / "output"`."""
    output = folder / "output"

    def copy() -> None:
        output.mkdir()
        for number, path in enumerate(sets["equal columns"]):
            for file in Path(path).glob("*.tfrecord"):
                shutil.copyfile(file, output / f"{number}-{file.name}")

    return {
        COPY: copy,
        "merge": functools.partial(merge, sets["equal columns"], output),
        "merge, with a prefix and another column": functools.partial(
            merge, sets["other columns"], output, ["a/", "b/"]
        ),
    }


def measure(folder: Path, functions: dict[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """Returns the seconds of each function in each round. Every round starts with another one."""
    seconds: dict[str, list[float]] = {name: [] for name in functions}
    names = list(functions)
    for number in range(rounds + 1):
        first = number % len(names)
        for name in names[first:] + names[:first]:
            started = time.perf_counter()
            functions[name]()
            taken = time.perf_counter() - started
            shutil.rmtree(folder / "output")
            if number:
                seconds[name].append(taken)
    return seconds


def main() -> None:
    """Runs the benchmark and prints a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=2000, help="clips of both sets")
    parser.add_argument("--seconds", type=float, default=10.0, help="length of a clip")
    parser.add_argument("--shards", type=int, default=8, help="shards of both sets")
    parser.add_argument("--rounds", type=int, default=5, help="number of measured rounds")
    arguments = parser.parse_args()
    columns = Columns(types={"speaker": "string", "take": "int"})
    other = Columns(types={"speaker": "string", "take": "int", "gain": "float"})
    half, shards = arguments.clips // 2, arguments.shards // 2
    with tempfile.TemporaryDirectory(prefix="audiopipe-merging-") as name:
        folder = Path(name)
        for set_name, its_columns, first in (("a", columns, 0), ("b", columns, half), ("c", other, half)):
            write(folder / set_name, its_columns, first, half, shards, arguments.seconds)
        paths = {key: str(folder / key) for key in "abc"}
        sets = {"equal columns": [paths["a"], paths["b"]], "other columns": [paths["a"], paths["c"]]}
        size = sum(file.stat().st_size for key in "ab" for file in Path(paths[key]).glob("*.tfrecord"))
        taken = measure(folder, contenders(folder, sets), arguments.rounds)
    title = f"{2 * half} records, {size / 1e6:.0f} MB"
    table = Table("", "records/s", "MB/s", f"time relative to {COPY}", title=title)
    for contender, seconds in taken.items():
        ratios = [mine / plain for mine, plain in zip(seconds, taken[COPY], strict=True)]
        median = statistics.median(seconds)
        spread = f"{statistics.median(ratios):.2f} ({min(ratios):.2f} .. {max(ratios):.2f})"
        table.add_row(contender, f"{2 * half / median:.0f}", f"{size / median / 1e6:.0f}", spread)
    Console().print(table)


if __name__ == "__main__":
    main()
