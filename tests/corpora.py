"""A corpus that changes, and the comparison of a feature set with a fresh one."""

import json
import os
import shutil

import numpy as np
import soundfile as sf

from audiopipe import configs
from audiopipe.feature_sets import clip_sums, records, stored_statistics, tfrecords
from audiopipe.feature_sets.description import Description
from audiopipe.feature_sets.file_names import COPIES, DATASET_FILE

RATE = 8000
CONFIG = configs.MelSpectrogram(
    sample_rate=RATE, n_fft=128, hop_length=64, n_mels=8, return_decibel=True, input_data_format="channels_last"
)


def sound(seed, seconds=0.1):
    """Returns noise that depends on the seed, float32 `[samples]`."""
    return np.random.default_rng(seed).uniform(-0.5, 0.5, round(seconds * RATE)).astype(np.float32)


class Corpus:
    """A folder of WAV files and a manifest with metadata.

    Args:
        folder: Folder to create.
    """

    def __init__(self, folder):
        self.folder = folder
        self.rows = {}  # metadata of each clip, by its id
        os.makedirs(folder / "audio", exist_ok=True)

    @property
    def manifest(self):
        return str(self.folder / "clips.jsonl")

    def audio(self, name):
        """Returns the path of the audio of a clip."""
        return self.folder / "audio" / f"{name}.wav"

    def put(self, name, seed, seconds=0.1, **metadata):
        """Adds a clip, or changes its audio."""
        sf.write(self.audio(name), sound(seed, seconds), RATE, subtype="FLOAT")
        self.rows.setdefault(name, {}).update(metadata)

    def remove(self, name):
        """Removes a clip and its audio."""
        del self.rows[name]
        os.remove(self.audio(name))

    def touch(self, name):
        """Gives a file another time."""
        status = self.audio(name).stat()
        os.utime(self.audio(name), ns=(status.st_atime_ns, status.st_mtime_ns + 1_000_000_000))

    def forge(self, name):
        """Replaces the samples of a file but keeps its size and its time, so that only reading it would tell."""
        status = self.audio(name).stat()
        samples, _ = sf.read(self.audio(name), dtype="float32")
        sf.write(self.audio(name), -samples[::-1], RATE, subtype="FLOAT")
        assert self.audio(name).stat().st_size == status.st_size
        os.utime(self.audio(name), ns=(status.st_atime_ns, status.st_mtime_ns))

    def write(self):
        """Writes the manifest and returns its path."""
        with open(self.manifest, "w") as file:
            for name, row in self.rows.items():
                file.write(json.dumps({"id": name, "path": str(self.audio(name)), **row}) + "\n")
        return self.manifest

    def moved(self, folder):
        """Returns a copy in another folder, whose files have new times."""
        shutil.copytree(self.folder, folder, copy_function=shutil.copyfile)
        copy = Corpus(folder)
        copy.rows = {name: dict(row) for name, row in self.rows.items()}
        copy.write()
        return copy


def content(path):
    """Returns the bits and the metadata of every clip of a feature set, by id. Classes are names.

    The statistics of the set, if it has any, must have the sums of these clips.
    """
    description = Description.open(path)
    clips, sums = {}, clip_sums.ClipSums(description.config)
    for shard in description.shards:
        with open(os.path.join(path, shard["name"]), "rb") as file:
            for _, record in tfrecords.read(file):
                found = records.decode(record, description.columns, description.config, description.dtype)
                assert found.shard_id == shard["id"]
                metadata = dict(found.metadata)
                for column, names in description.classes.items():
                    position = metadata[column]
                    metadata[column] = None if position is None else names[position]
                facts = (found.n_frames, found.valid_frames, metadata)
                assert found.id not in clips
                clips[found.id] = (found.feature.tobytes(), *facts)
                sums.add_record(record, found.valid_frames)
    stored = stored_statistics.read(description)
    assert stored is None or stored == sums.sums
    return clips


def files_of(path):
    """Returns the names of all files in a folder but the lock."""
    return sorted(
        os.path.relpath(os.path.join(parent, name), path)
        for parent, _, names in os.walk(path)
        for name in names
        if name != "lock"
    )


def files_of_set(path):
    """Returns the names of the files that a feature set consists of, with the copies for people."""
    return sorted([DATASET_FILE, *COPIES, *Description.open(path).file_names])
