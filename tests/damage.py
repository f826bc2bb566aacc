"""Changes to a feature set, with a `dataset.json` that matches them, as after a deliberate edit."""

import dataclasses
import hashlib
import json
import shutil

import numpy as np
import pyarrow.parquet as pq
import tensorflow as tf

from audiopipe.feature_sets import (
    clip_sums,
    element_streams,
    index,
    record_heads,
    records,
    stored_statistics,
    tfrecords,
)
from audiopipe.feature_sets.description import Description, sha256
from audiopipe.transform.probe_records import ProbedFile, ProbeRecord

COPIES = {"index": "clips.parquet", "failures": "failures.jsonl", "remarks": "remarks.jsonl"}


def serialized(example):
    """Serializes a `tf.train.Example` as a record, whose last bytes are the values of its feature."""
    last = tf.train.Example()
    last.features.feature["feature"].CopyFrom(example.features.feature["feature"])
    del example.features.feature["feature"]
    return example.SerializeToString(deterministic=True) + last.SerializeToString()


def edit(folder, change):
    """Changes the content of `dataset.json` and updates its checksum."""
    path = folder / "dataset.json"
    content = json.loads(path.read_text())
    change(content)
    del content["checksum"]
    content["checksum"] = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
    path.write_text(json.dumps(content))


def compute_elsewhere(content, difference=1e-3, name="voice.flac"):
    """Makes another machine of the one that computed a feature set, with other values of the feature of one probe."""
    [machine] = content["machines"]
    machine["versions"]["tensorflow"] = "1.15.0"
    record = ProbeRecord.from_dict(machine["probe"])
    file = record.files[name]
    other = ProbedFile({**file.digests, "feature": "0" * 16}, file.values + np.float32(difference))
    machine["probe"] = ProbeRecord(record.fingerprint, {**record.files, name: other}).to_dict()


def bless(folder):
    """Makes `dataset.json` match the files on disk that it names, and the copies match these."""

    def change(content):
        listed = [(content[name], copy) for name, copy in COPIES.items() if content.get(name)]
        others = [content["statistics"]] if content.get("statistics") else []
        for facts in (*content["shards"], *(facts for facts, _ in listed), *others):
            data = (folder / facts["name"]).read_bytes()
            facts.update(bytes=len(data), sha256=hashlib.sha256(data).hexdigest())
        for facts, copy in listed:
            shutil.copy(folder / facts["name"], folder / copy)

    edit(folder, change)


def reindex(folder):
    """Makes the index, the statistics and `dataset.json` match the shards on disk. Durations and sources are kept."""
    bless(folder)
    description = Description.open(folder)
    if description.statistics_file is not None:
        write_statistics(folder)
    path = folder / description.index["name"]
    before, now = pq.read_table(path), index.of_records(description)
    for name in ("seconds", "source"):
        position = now.schema.get_field_index(name)
        now = now.set_column(position, now.schema.field(name), before[name].cast(now.schema.field(name).type))
    write_index(folder, now)
    edit(folder, lambda content: content["counts"].update(frames=sum(now["n_frames"].to_pylist())))


def write_statistics(folder):
    """Replaces the statistics by those of the records, and makes `dataset.json` match them."""
    description = Description.open(folder)
    sums = [clip_sums.ClipSums(description.config) for _ in description.shards]
    for shard, found in zip(description.shards, sums, strict=True):
        with open(folder / shard["name"], "rb") as file:
            for _, record in tfrecords.read(file, shard["name"]):
                found.add_record(record, record_heads.head(record).valid_frames)
    stored_statistics.write(description, [found.to_dict() for found in sums])
    bless(folder)


def write_index(folder, table):
    """Replaces the index, and makes `dataset.json` match it."""
    path = folder / Description.open(folder).index["name"]
    with index.Writer(str(path), table.schema) as writer:
        writer.write(table)
    bless(folder)


def store_as(folder, dtype):
    """Rewrites a feature set with another storage dtype and returns it."""
    feature_set = Description.open(folder)
    elements = element_streams.elements(feature_set).as_numpy_iterator()
    shards, max_error = [], 0.0
    for shard in feature_set.shards:
        encoded = []
        for place in range(shard["records"]):
            element = next(elements)
            metadata = feature_set.columns.metadata(element)
            values = {name: value.decode() if isinstance(value, bytes) else value for name, value in metadata.items()}
            record, error = records.encode(
                element["id"].decode(),
                element["feature"],
                feature_set.config,
                values,
                feature_set.columns,
                records.Place(shard["id"], place),
                dtype,
            )
            encoded.append(record)
            max_error = max(max_error, error)
        shards.append((str(folder / shard["name"]), encoded))
    for path, encoded in shards:
        with tf.io.TFRecordWriter(path) as writer:
            for record in encoded:
                writer.write(record)
    facts = [
        {**shard, "bytes": (folder / shard["name"]).stat().st_size, "sha256": sha256(str(folder / shard["name"]))}
        for shard in feature_set.shards
    ]
    stored = dataclasses.replace(feature_set, shards=facts, dtype=dtype, max_error=max_error)
    stored.write()
    reindex(folder)
    return Description.open(folder)
