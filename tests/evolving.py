"""Corpora of 60 clips that random edits change, in all kinds of inputs, and the comparison with a fresh feature set."""

import contextlib
import io
import json
import os
import random
from pathlib import Path

import datasets
import numpy as np
import pyarrow.parquet as pq
import soundfile as sf
from corpora import CONFIG, RATE, sound

from audiopipe import beam
from audiopipe.feature_sets import clip_sums, file_names, index, records, stored_statistics, tfrecords
from audiopipe.feature_sets.description import Description
from audiopipe.transform.segments import Segments

WORDS = ("cat", "dog", "cow", "ant", "bee", "emu")
COLUMNS = ("age", "gain", "speaker", "tags", "room")
EDITS = ("add", "change", "remove", "relabel", "touch", "rename", "add a column", "remove a column", "damage", "repair")
HALF = Segments(seconds=0.05, last="drop")
PADDED = Segments(seconds=0.04, hop=0.03, last="pad")

# Kind of the input, and the options of its jobs.
CASES = {
    "manifest": ("manifest", {}),
    "float16": ("manifest", {"dtype": "float16"}),
    "dropped ends": ("manifest", {"segments": HALF}),
    "padded ends": ("manifest", {"segments": PADDED, "dtype": "float16"}),
    "stretches": ("stretches", {}),
    "segments of stretches": ("stretches", {"segments": HALF}),
    "table of paths": ("paths", {}),
    "table with audio": ("audio", {}),
    "segments of a table with audio": ("audio", {"segments": PADDED}),
    "folder": ("folder", {}),
}


class ImpossibleEditError(Exception):
    """The corpus does not allow an edit now."""


class Evolving:
    """A corpus that random edits change.

    Args:
        folder: Folder to create.
        kind: `"manifest"`, `"stretches"` of the recordings of a manifest, `"paths"` or `"audio"` in a Parquet file with
            declared classes, or a `"folder"`, where some names are not UTF-8 and the labels are folders.
        seed: Seed of the edits.
        clips: Number of recordings.
    """

    def __init__(self, folder, kind, seed, clips=60):
        self.folder, self.kind = Path(folder), kind
        self.draw = random.Random(seed)
        self.columns = ["label", "age", "gain", "speaker"] if kind != "folder" else ["label"]
        self.recordings = {}  # metadata of each recording, by its file name, in the order of the input
        self.names = {}  # id of each recording, by its file name
        self.classes = ["cat", "dog"]
        self.made = 0
        self.edited = set()  # recordings that the last edit may have changed
        (self.folder / "audio").mkdir(parents=True)
        for _ in range(clips):
            self.add()
        self.damage()
        self.write()

    @property
    def options(self):
        """Options of jobs that the input needs."""
        if self.kind == "folder":
            return {"class_columns": ("label",), "label_from_folder": True}
        return {} if self.kind in ("paths", "audio") else {"class_columns": self._class_columns()}

    @property
    def source(self):
        """INPUT of jobs."""
        if self.kind == "folder":
            return str(self.folder / "audio")
        return str(self.folder / ("clips.parquet" if self.kind in ("paths", "audio") else "clips.jsonl"))

    def edit(self):
        """Makes a random edit and returns its name."""
        self.edited.clear()
        while True:
            name = self.draw.choice(EDITS)
            with contextlib.suppress(ImpossibleEditError):
                getattr(self, name.replace(" ", "_"))()
                self.write()
                return name

    def add(self):
        self.made += 1
        name = f"{self._label()}/c{self.made:03d}.wav"
        if self.kind == "folder" and self.made % 5 == 0:
            name = os.fsdecode(os.fsencode(name.replace(".wav", "")) + b"\xe9.wav")
        items = list(self.recordings.items())
        items.insert(self.draw.randint(0, len(items)), (name, self._metadata()))
        self.recordings = dict(items)
        self.names[name] = f"clip{self.made}"
        self.edited.add(name)
        self._sound(name)

    def change(self):
        self._sound(self._any())

    def remove(self):
        name = self._any()
        if len(self.recordings) < 40:
            raise ImpossibleEditError
        del self.recordings[name]
        os.remove(self._path(name))

    def relabel(self):
        name = self._any()
        if self.draw.random() < 0.3 and self.kind != "folder":
            self.classes = sorted({*self.classes, self.draw.choice(WORDS)}, key=lambda _: self.draw.random())
        metadata = self._metadata()
        if self.kind == "folder":
            self._move(name, f"{metadata['label']}/{os.path.basename(name)}")
            return
        column = self.draw.choice(self.columns)
        self.recordings[name] = {**self.recordings[name], column: metadata[column]}

    def touch(self):
        self._newer(self._any())

    def rename(self):
        name = self._any()
        self.made += 1
        self._move(name, name.replace(".wav", f"-{self.made}.wav"))

    def add_a_column(self):
        absent = [column for column in COLUMNS if column not in self.columns]
        if not absent or self.kind == "folder":
            raise ImpossibleEditError
        column = self.draw.choice(absent)
        self.columns.append(column)
        for name, metadata in self.recordings.items():
            self.recordings[name] = {**metadata, column: self._metadata()[column]}

    def remove_a_column(self):
        if len(self.columns) < 3 or self.kind == "folder":
            raise ImpossibleEditError
        column = self.draw.choice([column for column in self.columns if column != "label"])
        self.columns.remove(column)
        for metadata in self.recordings.values():
            del metadata[column]

    def damage(self):
        """Makes recordings that fail, lack their last samples, or are too short for a segment or a frame."""
        name = self._any()
        path = self._path(name)
        how = self.draw.choice(["broken", "cut", "short"])
        if how == "broken":
            path.write_bytes(b"no audio" * self.draw.randint(1, 9))
        elif how == "cut":
            self._sound(name, 0.2)
            os.truncate(path, path.stat().st_size - 8)
        else:
            self._sound(name, 0.005)
        self._newer(name)

    def repair(self):
        if not self._bad():
            raise ImpossibleEditError
        name = self.draw.choice(self._bad())
        self.edited.add(name)
        self._sound(name)

    def forge(self, count=9):
        """Replaces the audio of recordings that the last edit did not change, but keeps sizes and times.

        Returns:
            A function that restores them.
        """
        kept = {}
        names = [] if self.kind == "audio" else sorted(self.recordings.keys() - self.edited - set(self._bad()))
        for name in names[:: max(1, len(names) // count)]:
            path, status = self._path(name), self._path(name).stat()
            kept[path] = path.read_bytes(), status
            path.write_bytes(bytes(status.st_size))
            os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))

        def restore():
            for path, (content, status) in kept.items():
                path.write_bytes(content)
                os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))

        return restore

    def write(self):
        """Writes the manifest or the table."""
        rows = []
        for name, metadata in self.recordings.items():
            row = {"id": self.names[name], "path": str(self._path(name)), **metadata}
            if self.kind != "stretches":
                rows.append(row)
                continue
            for number, (start, end) in enumerate([(0.0, 0.06), (0.03, 0.1), (0.06, None)]):
                times = {"start": start} if end is None else {"start": start, "end": end}
                rows.append({**row, "id": f"{row['id']}-{number}", **times})
        if self.kind in ("manifest", "stretches"):
            Path(self.source).write_text("".join(json.dumps(row) + "\n" for row in rows))
        elif self.kind != "folder":
            self._write_table(rows)

    def _write_table(self, rows):
        for row in rows:
            if self.kind == "audio":
                path = Path(row.pop("path"))
                row["audio"] = {"bytes": path.read_bytes(), "path": path.name}
        values = {column: [row[column] for row in rows] for column in rows[0]}
        kinds = {
            "id": datasets.Value("string"),
            "path": datasets.Value("string"),
            "audio": {"bytes": datasets.Value("binary"), "path": datasets.Value("string")},
            "label": datasets.ClassLabel(names=self.classes),
            "age": datasets.Value("int64"),
            "gain": datasets.Value("float64"),
            "speaker": datasets.Value("string"),
            "room": datasets.Value("string"),
            "tags": datasets.Sequence(datasets.Value("string")),
        }
        features = datasets.Features({column: kinds[column] for column in values})
        datasets.Dataset.from_dict(values, features).to_parquet(self.source)

    def _class_columns(self):
        return ("label", "tags") if "tags" in self.columns else ("label",)

    def _label(self):
        return self.draw.choice(self.classes)

    def _metadata(self):
        draw = self.draw
        values = {
            "label": None if draw.random() < 0.1 else self._label(),
            "age": None if draw.random() < 0.2 else draw.randint(-3, 99),
            "gain": None if draw.random() < 0.2 else draw.random(),
            "speaker": None if draw.random() < 0.2 else f"speaker {draw.randint(0, 9)}",
            "tags": None if draw.random() < 0.2 else [self._label() for _ in range(draw.randint(0, 3))],
            "room": f"room {draw.randint(0, 3)}",
        }
        if self.kind == "folder":
            return {"label": self._label()}
        return {column: values[column] for column in self.columns}

    def _bad(self):
        """Returns the recordings without a feature. They are read again in every update."""
        return [name for name in sorted(self.recordings) if self._path(name).stat().st_size < 1000]

    def _any(self):
        name = self.draw.choice(sorted(self.recordings))
        self.edited.add(name)
        return name

    def _path(self, name):
        return self.folder / "audio" / name

    def _sound(self, name, seconds=None):
        path = self._path(name)
        path.parent.mkdir(exist_ok=True)
        content = io.BytesIO()
        length = seconds or self.draw.choice([0.1, 0.1, 0.12, 0.15])
        sf.write(content, sound(self.draw.randint(0, 2**31), length), RATE, subtype="FLOAT", format="WAV")
        before = path.stat().st_mtime_ns if path.exists() else None
        path.write_bytes(content.getvalue())
        if before is not None:
            os.utime(path, ns=(before + 10**9, before + 10**9))

    def _newer(self, name):
        path = self._path(name)
        time = path.stat().st_mtime_ns + 10**9
        os.utime(path, ns=(time, time))

    def _move(self, name, new):
        if new == name or self._path(new).exists():
            raise ImpossibleEditError
        self._path(new).parent.mkdir(exist_ok=True)
        os.rename(self._path(name), self._path(new))
        self.edited.add(new)
        self.names[new] = self.names.pop(name)
        self.recordings = {new if key == name else key: value for key, value in self.recordings.items()}


def run(corpus, output, **options):
    """Runs a job that makes or updates the feature set of a corpus."""
    return precompute(corpus.source, output, {**corpus.options, **options})


def precompute(source, output, options):
    """Runs a job in which all clips may fail."""
    return beam.precompute(source, output, CONFIG, **{"num_shards": 5, "max_failure_ratio": 1.0, **options})


def snapshot(path):
    """Returns everything that a feature set says about its clips, by id, with the names of classes.

    Returns:
        The clips, failures, remarks, counts, types of columns, and sums. A clip has its bits, metadata, and row of the
        index.
    """
    description = Description.open(path)
    description.check_files(checksums=True)
    layout = index.Layout(description.columns).own
    rows = pq.read_table(os.path.join(path, description.index["name"])).to_pylist()
    clips, sums = {}, clip_sums.ClipSums(description.config)
    for position, shard in enumerate(description.shards):
        with open(os.path.join(path, shard["name"]), "rb") as file:
            for number, (offset, record) in enumerate(tfrecords.read(file)):
                found = records.decode(record, description.columns, description.config, description.dtype)
                row = rows[len(clips)]
                place = row.pop(layout["record"])
                assert (found.shard_id, found.number) == (shard["id"], number)
                assert (place["shard"], place["number"], place["offset"]) == (position, number, offset)
                assert place["bytes"] == len(record)
                for column in description.schema:
                    assert _same(row.pop(column), found.metadata[column])
                assert found.id not in clips
                sums.add_record(record, found.valid_frames)
                metadata = {name: _named(description, name, value) for name, value in found.metadata.items()}
                bits = found.feature.tobytes()
                clips[found.id] = (bits, found.feature.shape, found.valid_frames, repr(metadata), repr(row))
    assert len(rows) == len(clips)
    statistics = stored_statistics.read(description)
    assert statistics == sums.sums
    return {
        "clips": clips,
        "failures": _sorted(description.failures()),
        "remarks": _sorted(description.remarks()),
        "counts": description.counts,
        "schema": description.schema,
        "statistics": statistics.to_dict(),
    }


def differences(found, expected):
    """Describes how two snapshots differ, for the message of a failed test."""
    texts = []
    for name, value in expected.items():
        if name == "clips":
            texts += [f"missing {sorted(value.keys() - found[name].keys())}"] * bool(value.keys() - found[name].keys())
            texts += [f"too many {sorted(found[name].keys() - value.keys())}"] * bool(found[name].keys() - value.keys())
            for clip in value.keys() & found[name].keys():
                pairs = zip(found[name][clip], value[clip], strict=True)
                texts += [f"{clip!r}: {str(one)[:900]} != {str(two)[:900]}" for one, two in pairs if one != two]
        elif found[name] != value:
            texts.append(f"{name}: {found[name]} != {value}")
    return texts


def leftovers(path):
    """Returns the files in a folder that no complete feature set has, but for the lock."""
    description = Description.open(path)
    expected = {"dataset.json", *file_names.COPIES, *description.file_names, "plan/lock"}
    found = {os.path.relpath(os.path.join(parent, name), path) for parent, _, names in os.walk(path) for name in names}
    return sorted(found ^ expected)


def _named(description, column, value):
    names = description.classes.get(column)
    if names is None or value is None:
        return value
    return [names[item] for item in value] if isinstance(value, list) else names[value]


def _same(one, other):
    return one == other or (isinstance(one, float) and np.isnan(one) and np.isnan(other))


def _sorted(facts):
    return sorted(facts, key=lambda fact: json.dumps(fact, sort_keys=True))
