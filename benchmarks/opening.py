"""Benchmark of opening a large feature set and of random reads: seconds and resident memory.

    python -m benchmarks.opening [--clips 30000000]

The index has one row per clip, with five metadata columns. Its row groups differ in nothing but numbers, ids and
offsets, so it is written in minutes. Only two of the shards exist, those that are read. A new process opens the set and
reads from it, step by step.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from audiopipe import FeatureSet, configs
from audiopipe.feature_sets import file_names, index, records, tfrecords
from audiopipe.feature_sets.description import Description, sha256
from audiopipe.inputs.columns import Columns

CONFIG = configs.MelSpectrogram(
    sample_rate=16000,
    n_fft=400,
    hop_length=160,
    n_mels=80,
    return_decibel=True,
    input_data_format="channels_last",
    output_data_format="channels_last",
)
COLUMNS = Columns(
    types={"speaker": "string", "split": "string", "gain": "float", "label": "int", "text": "string"},
    classes={"label": [f"class {number}" for number in range(50)]},
    fill_values={"label": -1},
)
SHARD_RECORDS = 10_000
FRAMES = 100
GROUP_ROWS = 65_536
RANDOM_READS = 5_000


def write(folder: Path, clips: int) -> None:
    """Writes a feature set of which only the first and the middle shard exist."""
    feature = np.zeros((FRAMES, CONFIG.n_mels, 1), np.float32)
    metadata = {"speaker": "speaker 0000000", "split": "train", "gain": 0.5, "label": 0, "text": "words " * 8}
    encoded = [
        records.encode(f"clip-{number:08d}", feature, CONFIG, metadata, COLUMNS, records.Place(f"{1:016x}", number))[0]
        for number in range(SHARD_RECORDS)
    ]
    frames = [len(record) + tfrecords.FRAME_BYTES for record in encoded]
    offsets = np.cumsum([0, *frames])
    shards: list[dict[str, Any]] = []
    for position in range(-(-clips // SHARD_RECORDS)):
        shards.append(
            {
                "name": file_names.shard_name(position),
                "id": f"{position + 1:016x}",
                "records": min(SHARD_RECORDS, clips - position * SHARD_RECORDS),
                "bytes": int(offsets[-1]),
                "sha256": "0" * 64,
                "max_error": 0.0,
            }
        )
    for position in {0, len(shards) // 2}:
        with tfrecords.Writer(str(folder / shards[position]["name"])) as shard:
            for number, record in enumerate(encoded):
                shard.write(records.moved(record, records.Place(f"{position + 1:016x}", number))[0])
    name = file_names.index_name(1)
    schema = index.schema(COLUMNS)
    with index.Writer(str(folder / name), schema) as out:
        for table in _tables(schema, clips, offsets):
            out.write(table)
    facts = {"name": name, "bytes": (folder / name).stat().st_size, "sha256": sha256(str(folder / name))}
    Description(
        path=str(folder),
        config=CONFIG,
        kernel_version=CONFIG.kernel_version,
        counts={"clips": clips, "failures": 0, "remarks": 0, "frames": clips * FRAMES, "hours": clips / 3600},
        schema=COLUMNS.types,
        classes=COLUMNS.classes,
        fill_values=COLUMNS.fill_values,
        shards=shards,
        machines=[],
        index=facts,
    ).write()


def _tables(schema: pa.Schema, clips: int, offsets: np.ndarray) -> Iterator[pa.Table]:
    """Yields the rows of the index."""
    drawn = np.random.default_rng(0)
    speakers = pa.array([f"speaker {number:07d}" for number in range(20_000)])
    splits = pa.array(["train", "validation", "test"])
    texts = pa.array([" ".join(drawn.choice(["one", "two", "three", "four", "five"], 10)) for _ in range(5_000)])
    for start in range(0, clips, GROUP_ROWS):
        rows = np.arange(start, min(start + GROUP_ROWS, clips))
        n_rows, shard = len(rows), rows // SHARD_RECORDS
        number = rows % SHARD_RECORDS
        size = offsets[number + 1] - offsets[number] - tfrecords.FRAME_BYTES
        frames = pa.array(np.full(n_rows, FRAMES))
        times = pa.array(rows * 1_000_000 + drawn.integers(0, 1_000_000, n_rows))
        paths = pc.binary_join_element_wise("corpus/part/", pa.array(rows).cast(pa.string()), ".wav", "")
        place = {"shard": shard, "number": number, "offset": offsets[number], "bytes": size}
        source = {"path": paths, "size": pa.array(np.full(n_rows, 32_044)), "time": times}
        values = {
            "id": pc.binary_join_element_wise("clip-", pc.utf8_lpad(pa.array(rows).cast(pa.string()), 8, "0"), ""),
            "n_frames": frames,
            "valid_frames": frames,
            "seconds": pa.array(np.full(n_rows, 1.0)),
            "speaker": speakers.take(pa.array(drawn.integers(0, len(speakers), n_rows))),
            "split": splits.take(pa.array(drawn.integers(0, 3, n_rows))),
            "gain": pa.array(drawn.standard_normal(n_rows)),
            "label": pa.array(drawn.integers(0, 50, n_rows)),
            "text": texts.take(pa.array(drawn.integers(0, len(texts), n_rows))),
            "record": _struct(
                schema.field("record").type, {name: pa.array(item) for name, item in place.items()}, n_rows
            ),
            "source": _struct(schema.field("source").type, source, n_rows),
        }
        yield pa.Table.from_arrays([values[name] for name in schema.names], schema=schema)


def _struct(kind: pa.StructType, values: dict[str, pa.Array], n_rows: int) -> pa.StructArray:
    arrays = [
        values[item.name].cast(item.type) if item.name in values else pa.nulls(n_rows, item.type) for item in kind
    ]
    return pa.StructArray.from_arrays(arrays, fields=list(kind))


def measure(folder: str) -> list[tuple[str, float, int]]:
    """Returns the seconds of each step in this process, and the most resident bytes until its end."""
    found: list[tuple[str, float, int]] = [("imports", 0.0, _peak())]

    def step(name: str, function: Callable[[], Any]) -> Any:
        begun = time.perf_counter()
        result = function()
        found.append((name, time.perf_counter() - begun, _peak()))
        return result

    sets = step("open", lambda: FeatureSet(folder))
    middle = len(sets.shards) // 2 * SHARD_RECORDS
    step("sets[0]", lambda: sets[0])
    step("sets[0] again", lambda: sets[0])
    step("sets.read(i, start, stop) in the middle", lambda: sets.read(middle + 5, start=10, stop=60))
    drawn = np.random.default_rng(0)
    rows = middle + drawn.integers(0, SHARD_RECORDS, RANDOM_READS)
    step(f"{RANDOM_READS:,} x sets[i] at random", lambda: sum(sets[row]["n_frames"] for row in rows))
    step(
        f"{RANDOM_READS:,} x sets.read(i, start, stop)",
        lambda: sum(len(sets.read(row, start=10, stop=60)) for row in rows),
    )
    step('where(split="test")', lambda: sets.where(split="test"))
    step('where(label=["class 1", "class 2"])', lambda: sets.where(label=["class 1", "class 2"]))
    step('split(..., by="speaker")', lambda: sets.split({"train": 0.9, "test": 0.1}, by="speaker"))
    step("find(id), which reads all ids", lambda: sets.find(f"clip-{middle:08d}"))
    return found


def _peak() -> int:
    """Returns the most resident bytes of this process. That of `resource` includes those of the process before it."""
    with open("/proc/self/status") as file:
        [line] = [line for line in file if line.startswith("VmHWM:")]
    return int(line.split()[1]) * 1024


def main() -> None:
    """Writes the feature set, measures in a new process, and prints a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=30_000_000)
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        print(json.dumps(measure(arguments.measure)))
        return
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder), arguments.clips)
        command = [sys.executable, "-m", "benchmarks.opening", "--measure", folder]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        size = (Path(folder) / file_names.index_name(1)).stat().st_size
    table = Table(title=f"{arguments.clips:,} clips, index of {size / 2**20:,.0f} MiB")
    for heading in ("step", "seconds", "peak MiB until then"):
        table.add_column(heading, justify="left" if heading == "step" else "right")
    for name, seconds, resident in json.loads(done.stdout.splitlines()[-1]):
        table.add_row(escape(name), f"{seconds:.3f}", f"{resident / 2**20:,.0f}")
    Console().print(table)


if __name__ == "__main__":
    main()
