"""Tests of jobs that are run again after a recording with several clips was repaired."""

import functools
import json

import numpy as np
import pytest
import soundfile

from audiopipe import Transform, beam, load
from audiopipe.errors import FeatureSetError, InputChangedError, OutputError
from audiopipe.feature_sets.description import Description
from audiopipe.precompute import shard_writer

RATE = 8000
SAMPLES = np.random.default_rng(1).uniform(-0.5, 0.5, 4 * RATE).astype("float32")
REPAIRED = SAMPLES / 2


def store(path, samples):
    soundfile.write(path, samples, RATE, subtype="FLOAT")


def features(folder):
    return {element["id"].decode(): element["feature"] for element in load(folder).as_numpy_iterator()}


@pytest.fixture
def job(tmp_path, config):
    """A function that computes rows `(name, start, end)` as the files `<name>.wav`."""

    def run(rows, **options):
        lines = [
            {"id": f"{name} {start}", "path": f"{name}.wav", **({} if start is None else {"start": start, "end": end})}
            for name, start, end in rows
        ]
        (tmp_path / "m.jsonl").write_text("\n".join(map(json.dumps, lines)))
        return beam.precompute(tmp_path / "m.jsonl", tmp_path / "out", config, max_failure_ratio=1, **options)

    return run


def test_repairing_a_recording_computes_stretches_of_it_in_all_shards_again(tmp_path, config, job):
    store(tmp_path / "cut.wav", SAMPLES[:RATE])
    store(tmp_path / "b.wav", SAMPLES[:RATE])
    # The second shard has a failure of another recording, and a stretch of `cut` that did not fail.
    rows = [("cut", 0.5, 2.5), ("b", 0, 0.5), ("cut", 0, 0.75), ("b", 0.5, 2.0)]
    run = functools.partial(job, rows, num_shards=2)
    made = run()
    assert [shard["records"] for shard in made.shards] == [1, 1]
    assert [failure["id"] for failure in made.failures()] == ["cut 0.5", "b 0.5"]
    store(tmp_path / "cut.wav", REPAIRED)
    again = run(retry_failures=True)
    assert [failure["id"] for failure in again.failures()] == ["b 0.5"]
    mel = Transform(config)
    found = features(again.path)
    np.testing.assert_array_equal(found["cut 0"], mel(REPAIRED[: RATE * 3 // 4]))
    np.testing.assert_array_equal(found["cut 0.5"], mel(REPAIRED[RATE // 2 : RATE * 5 // 2]))
    np.testing.assert_array_equal(found["b 0"], mel(SAMPLES[: RATE // 2]))


def test_a_second_repair_during_an_interrupted_retry_reaches_all_shards(tmp_path, config, job, monkeypatch):
    for name in "ab":
        store(tmp_path / f"{name}.wav", SAMPLES[:RATE])
    rows = [("a", 0.5, 2.5), ("b", 0.5, 2.5), ("a", 0, 0.75), ("b", 0, 0.75), ("c", 0, 0.5)]
    run = functools.partial(job, rows, num_shards=2)
    made = run()
    assert [shard["records"] for shard in made.shards] == [2]  # a shard without records is none
    store(tmp_path / "a.wav", REPAIRED)
    write = shard_writer.write_shards

    def interrupted(elements):
        second = [shard for _, shard in elements].index(3)  # the second shard of the retry
        yield from write(elements[:second])
        raise OutputError("The disk is full.")

    with monkeypatch.context() as patched:
        patched.setattr(shard_writer, "write_shards", interrupted)
        with pytest.raises(FeatureSetError, match="The disk is full"):
            run(retry_failures=True, workers=1)
    assert [shard["records"] for shard in Description.open(made.path).shards] == [2]
    store(tmp_path / "b.wav", REPAIRED)
    again = run(retry_failures=True)
    assert [failure["id"] for failure in again.failures()] == ["c 0"]
    for name in "ab":
        expected = Transform(config)(REPAIRED[: RATE * 3 // 4])
        np.testing.assert_array_equal(features(again.path)[f"{name} 0"], expected)


def test_a_row_of_a_whole_recording_follows_the_repair_of_a_stretch_of_it(tmp_path, config, job):
    store(tmp_path / "cut.wav", SAMPLES[:RATE])
    rows = [("cut", None, None), ("cut", 0.5, 2.5)]
    made = job(rows)
    assert [failure["id"] for failure in made.failures()] == ["cut 0.5"]
    store(tmp_path / "cut.wav", SAMPLES)
    again = job(rows, retry_failures=True)
    assert again.counts["failures"] == 0
    np.testing.assert_array_equal(features(again.path)["cut None"], Transform(config)(SAMPLES))


def test_a_retry_still_refuses_changes_of_recordings_without_failures(tmp_path, job):
    store(tmp_path / "cut.wav", SAMPLES[:RATE])
    store(tmp_path / "b.wav", SAMPLES[:RATE])
    rows = [("cut", 0.5, 2.5), ("b", 0, 0.5)]
    job(rows)
    store(tmp_path / "b.wav", SAMPLES)
    with pytest.raises(InputChangedError, match="the audio of the clip 'b 0' has changed"):
        job(rows, retry_failures=True)
