"""Helpers of the tests of jobs."""

import pytest

from audiopipe.errors import FeatureSetError
from audiopipe.precompute import shard_writer

CLIPS = 12
BAD = (3, 7)


def overwrite_start(path, start):
    path.write_bytes(start + path.read_bytes()[len(start) :])


def repair(recordings):
    for number in BAD:
        overwrite_start(recordings / f"{number:02d}.wav", b"RIFF")


def contents(folder):
    """Returns the bytes of each file of the feature set, without the plan, whose sidecars contain times."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.parent.name != "plan"
    }


def interrupted(run, monkeypatch, after, **keywords):
    """Runs a job whose worker dies after `after` shards, and returns the error message."""
    write = shard_writer.write_shards

    def die(elements):
        yield from write(elements[:after])
        raise RuntimeError("the machine is gone")

    with monkeypatch.context() as patch:
        patch.setattr(shard_writer, "write_shards", die)
        with pytest.raises(FeatureSetError) as raised:
            run(**keywords)
    return str(raised.value)
