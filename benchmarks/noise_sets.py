"""Feature sets of noise, as `precompute` writes them, without audio."""

from pathlib import Path
from typing import Any

import numpy as np

from audiopipe import configs
from audiopipe.feature_sets import file_names, index, records, tfrecords
from audiopipe.feature_sets.description import Description, sha256
from audiopipe.inputs.columns import Columns
from audiopipe.runtime import machine_facts

CONFIG = configs.MelSpectrogram(
    sample_rate=16000, n_fft=400, hop_length=160, n_mels=80, return_decibel=True, input_data_format="channels_last"
)
COLUMNS = Columns(types={"speaker": "string", "take": "int"})
GENERATION = 1


def write(folder: Path, dtype: str, clips: int, shards: int, seconds: float) -> list[str]:
    """Writes a feature set with an index.

    Args:
        folder: Folder to make.
        dtype: Storage dtype.
        clips: Number of clips, all of the same length.
        shards: Number of shards.
        seconds: Length of a clip.

    Returns:
        The paths of the shards.
    """
    folder.mkdir()
    n_frames = CONFIG.framing.n_frames(round(seconds * CONFIG.sample_rate))
    noise = np.random.default_rng(0)
    described: list[dict[str, Any]] = []
    rows: list[index.Row] = []
    for shard, numbers in enumerate(np.array_split(np.arange(clips), shards)):
        path, shard_id, max_error = folder / file_names.shard_name(shard), f"{shard:016x}", 0.0
        with tfrecords.Writer(str(path)) as writer:
            for number, clip in enumerate(numbers.tolist()):
                feature = noise.uniform(-80, 0, (n_frames, CONFIG.n_mels, 1)).astype(np.float32)
                metadata = {"speaker": f"speaker {clip % 7}", "take": clip}
                place = records.Place(shard_id, number)
                record, error = records.encode(f"{clip}.wav", feature, CONFIG, metadata, COLUMNS, place, dtype)
                max_error = max(max_error, error)
                row = index.Row(
                    id=f"{clip}.wav",
                    n_frames=n_frames,
                    valid_frames=n_frames,
                    seconds=seconds,
                    metadata=metadata,
                    shard=shard,
                    number=number,
                    offset=writer.write(record),
                    bytes=len(record),
                )
                rows.append(row)
        described.append({"id": shard_id, "records": len(numbers), "max_error": max_error, **_facts(path)})
    index_path = folder / file_names.index_name(GENERATION)
    with index.Writer(str(index_path), index.schema(COLUMNS)) as out:
        out.write(index.table(rows, COLUMNS))
    Description(
        path=str(folder),
        config=CONFIG,
        kernel_version=CONFIG.kernel_version,
        counts={"clips": clips, "failures": 0, "frames": clips * n_frames, "hours": clips * seconds / 3600},
        schema=COLUMNS.types,
        shards=described,
        machines=[machine_facts.machine()],
        dtype=dtype,
        max_error=max(shard["max_error"] for shard in described),
        generation=GENERATION,
        next_shard=shards,
        index=_facts(index_path),
    ).write()
    return [str(folder / shard["name"]) for shard in described]


def _facts(path: Path) -> dict[str, Any]:
    return {"name": path.name, "bytes": path.stat().st_size, "sha256": sha256(str(path))}
