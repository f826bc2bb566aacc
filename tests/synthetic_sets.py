"""Feature sets of given features, without audio."""

import dataclasses

import numpy as np

from audiopipe import configs
from audiopipe.feature_sets import file_names, index, records, tfrecords
from audiopipe.feature_sets.description import Description, sha256
from audiopipe.inputs.columns import Columns

FIXED = {"input_data_format": "channels_last"}
CONFIG = configs.MelSpectrogram(
    sample_rate=16000, n_fft=512, hop_length=160, n_mels=20, output_data_format="channels_last", **FIXED
)
CHANNELS_FIRST = dataclasses.replace(CONFIG, channels=2, output_data_format="channels_first")
ANY_CHANNELS = dataclasses.replace(CONFIG, channels=None)

# Metadata of every type, and a column of classes.
COLUMNS = Columns(
    types={
        "speaker": "string",
        "take": "int",
        "gain": "float",
        "clean": "bool",
        "tags": "list<string>",
        "label": "int",
    },
    classes={"label": ["cat", "dog"]},
    fill_values={"take": -1, "label": -1},
)


def feature(n_frames, config=CONFIG, channels=1, seed=0):
    """Returns random values of the shape of a feature."""
    channels = config.channels or channels
    shape = (n_frames, 20, channels) if config.output_data_format == "channels_last" else (channels, n_frames, 20)
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def write(
    folder,
    clips,
    config=CONFIG,
    columns=None,
    shards=2,
    dtype="float32",
    generation=1,
    first_shard=0,
    valid_frames=None,
    **facts,
):
    """Writes a feature set.

    Args:
        folder: Local folder.
        clips: A dict of features by id, or of pairs of a feature and metadata.
        config: Config of the features.
        columns: The metadata columns.
        shards: Number of shards, or the number of clips in each.
        dtype: Storage dtype.
        generation: Number of the generation, which another one in the folder does not have.
        first_shard: Number in the name of the first shard.
        valid_frames: Number of valid frames of some clips, by id. All frames of the others are valid.
        **facts: Other fields of `Description`.

    Returns:
        The description.
    """
    folder.mkdir(parents=True, exist_ok=True)
    columns = columns or Columns(types={})
    sizes = [len(part) for part in np.array_split(np.arange(len(clips)), shards)] if isinstance(shards, int) else shards
    waiting = iter(clips.items())
    described, rows, frames = [], [], 0
    for position, size in enumerate(sizes):
        number_of_shard = first_shard + position
        name, shard_id = file_names.shard_name(number_of_shard), f"{number_of_shard + 1:016x}"
        with tfrecords.Writer(str(folder / name)) as shard:
            for number in range(size):
                clip_id, content = next(waiting)
                values, metadata = content if isinstance(content, tuple) else (content, {})
                place = records.Place(shard_id, number)
                n_frames = values.shape[config.frame_axis]
                valid = (valid_frames or {}).get(clip_id, n_frames)
                arguments = (clip_id, values, config, metadata, columns, place, dtype)
                record, _ = records.encode(*arguments, valid_frames=valid)
                frames += n_frames
                row = index.Row(
                    id=clip_id,
                    n_frames=n_frames,
                    valid_frames=valid,
                    seconds=n_frames / 100,
                    metadata=metadata,
                    shard=position,
                    number=number,
                    offset=shard.write(record),
                    bytes=len(record),
                )
                rows.append(row)
        path = str(folder / name)
        described.append({"name": name, "id": shard_id, "records": size, **_facts(path), "max_error": 0.0})
    name = file_names.index_name(generation)
    with index.Writer(str(folder / name), index.schema(columns)) as out:
        out.write(index.table(rows, columns))
    description = Description(
        path=str(folder),
        config=config,
        kernel_version=config.kernel_version,
        counts={
            "clips": len(clips),
            "failures": 0,
            "remarks": 0,
            "left_out": 0,
            "frames": frames,
            "hours": frames / 360_000,
        },
        schema=columns.types,
        classes=columns.classes,
        fill_values=columns.fill_values,
        shards=described,
        machines=[],
        dtype=dtype,
        generation=generation,
        next_shard=first_shard + len(described),
        index={"name": name, **_facts(str(folder / name))},
        **facts,
    )
    description.write()
    return description


def _facts(path):
    with open(path, "rb") as file:
        size = len(file.read())
    return {"bytes": size, "sha256": sha256(path)}
