"""Fixtures that tests of jobs share."""

import numpy as np
import pytest
import soundfile
from jobs import BAD, CLIPS, overwrite_start

from audiopipe import beam
from audiopipe.precompute import shard_writer


@pytest.fixture
def recordings(tmp_path):
    """A folder of clips, two of which are not audio."""
    folder = tmp_path / "clips"
    folder.mkdir()
    noise = np.random.default_rng(0)
    for number in range(CLIPS):
        soundfile.write(folder / f"{number:02d}.wav", noise.uniform(-1, 1, 1000 + 300 * number), 8000)
    for number in BAD:
        overwrite_start(folder / f"{number:02d}.wav", b"none")
    return folder


@pytest.fixture
def silent_recordings(tmp_path):
    """A folder of three clips of a second of silence."""
    folder = tmp_path / "clips"
    folder.mkdir()
    for name in ("a.wav", "b.wav", "c.wav"):
        soundfile.write(folder / name, np.zeros(16000), 16000)
    return folder


@pytest.fixture
def run(recordings, tmp_path, config):
    """Returns a function that runs the job with six shards and writes to a folder of the given name."""

    def run(name="out", **keywords):
        return beam.precompute(recordings, tmp_path / name, config, **{"num_shards": 6, **keywords})

    return run


@pytest.fixture
def written_shards(monkeypatch):
    """Numbers of the shards that are written, in the order of writing."""
    found = []
    write = shard_writer.write_shards

    def noted(elements):
        found.extend(shard for _, shard in elements)
        return write(elements)

    monkeypatch.setattr(shard_writer, "write_shards", noted)
    return found
