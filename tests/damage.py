"""Changes to a feature set, with a `dataset.json` that matches them, as after a deliberate edit."""

import dataclasses
import hashlib
import json

import tensorflow as tf

from audiopipe.feature_sets import loading, records
from audiopipe.feature_sets.description import Description, sha256


def edit(folder, change):
    """Changes the content of `dataset.json` and updates its checksum."""
    path = folder / "dataset.json"
    content = json.loads(path.read_text())
    change(content)
    del content["checksum"]
    content["checksum"] = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
    path.write_text(json.dumps(content))


def bless(folder):
    """Makes `dataset.json` match the sizes and the checksums of the shards on disk."""

    def change(content):
        for shard in content["shards"]:
            data = (folder / shard["name"]).read_bytes()
            shard.update(bytes=len(data), sha256=hashlib.sha256(data).hexdigest())

    edit(folder, change)


def store_as(folder, dtype):
    """Rewrites a feature set with another storage dtype and returns it."""
    feature_set = Description.open(folder)
    elements = loading.elements(feature_set).as_numpy_iterator()
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
    return stored
