"""Tests of what a job notices about an input that has changed since its plan was written."""

import os

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import soundfile
from planning import write_shard, written

from audiopipe import configs
from audiopipe.inputs import InputOptions, Source, scan
from audiopipe.precompute import differences, holdings, planning
from audiopipe.precompute.listing import listed
from audiopipe.transform import kernel
from audiopipe.transform.segments import Segments

CONFIG = configs.MelSpectrogram(sample_rate=16000, n_mels=8, input_data_format="channels_last")


def found(work, sources):
    """Returns the differences between an unfinished plan and clips of today."""
    with listed(sources, InputOptions()) as listing:
        held = holdings.with_pending(holdings.NOTHING, work)
        columns, _ = planning.columns_of(listing, held, work.segments)
        return differences.find(held, listing, columns)


@pytest.mark.parametrize("finished", [False, True])
def test_an_unchanged_input_has_no_difference(silent_recordings, tmp_path, finished):
    work = written(str(tmp_path / "out"), CONFIG, scan(silent_recordings))
    if finished:
        write_shard(work, 0)
    now = found(work, scan(silent_recordings))
    assert (now.first, now.first_not_failed) == (None, None)
    assert now.compute.tolist() == [not finished] * 3


@pytest.mark.parametrize("finished", [False, True])
def test_a_modified_clip_is_named_with_both_sizes(silent_recordings, tmp_path, finished):
    work = written(str(tmp_path / "out"), CONFIG, scan(silent_recordings))
    if finished:
        write_shard(work, 0)
    soundfile.write(silent_recordings / "b.wav", np.zeros(8000), 16000)
    now = found(work, scan(silent_recordings))
    assert now.first == now.first_not_failed
    assert now.first == "the audio of the clip 'b.wav' has changed (it had 32,044 bytes, and has 16,044 now)"
    assert now.compute.tolist() == [not finished, True, not finished]


def test_a_new_modification_time_is_no_change_if_a_finished_shard_knows_the_digest(silent_recordings, tmp_path):
    work = written(str(tmp_path / "out"), CONFIG, scan(silent_recordings))
    os.utime(silent_recordings / "c.wav", ns=(1, 1))
    assert found(work, scan(silent_recordings)).first == "the audio of the clip 'c.wav' has changed"
    finished = written(str(tmp_path / "out"), CONFIG, scan(silent_recordings))
    write_shard(finished, 0)
    os.utime(silent_recordings / "c.wav", ns=(2, 2))
    now = found(finished, scan(silent_recordings))
    assert (now.first, now.moved.tolist()) == (None, [False, False, True])
    soundfile.write(silent_recordings / "c.wav", np.ones(16000), 16000)
    assert found(finished, scan(silent_recordings)).first == "the audio of the clip 'c.wav' has changed"


def test_added_and_removed_clips_are_named(silent_recordings, tmp_path):
    work = written(str(tmp_path / "out"), CONFIG, scan(silent_recordings))
    (silent_recordings / "d.wav").write_bytes((silent_recordings / "c.wav").read_bytes())
    assert found(work, scan(silent_recordings)).first == "the clip 'd.wav' is new"
    for name in ("a.wav", "d.wav"):
        (silent_recordings / name).unlink()
    now = found(work, scan(silent_recordings))
    assert now.first == "the clip 'a.wav' is not in the input any more"
    assert now.changes.removed == 1


def test_other_metadata_is_a_difference(silent_recordings, tmp_path):
    def sources(label):
        return [Source(name, str(silent_recordings / name), metadata={"label": label}) for name in ("a.wav", "b.wav")]

    work = written(str(tmp_path / "out"), CONFIG, sources("cat"))
    assert found(work, sources("dog")).first == "the clip 'a.wav' has other metadata now"


def failing(monkeypatch, *numbers):
    """Makes the computation of the clips or segments with these numbers fail."""
    compute, calls = kernel.Kernel.clips, iter(range(99))

    def compute_or_fail(self, clips):
        # Clips of a group that fails are computed one by one.
        if len(clips) > 1 or (clips and next(calls) in numbers):
            raise ZeroDivisionError
        return compute(self, clips)

    monkeypatch.setattr(kernel.Kernel, "clips", compute_or_fail)


def test_a_recording_is_tried_again_if_one_of_its_segments_failed(silent_recordings, tmp_path, monkeypatch):
    work = written(str(tmp_path / "out"), CONFIG, scan(silent_recordings), segments=Segments(seconds=0.25))
    failing(monkeypatch, 6)
    assert [failure["id"] for failure in write_shard(work, 0)["failures"]] == ["b.wav#00002"]
    now = found(work, scan(silent_recordings))
    assert (now.first, now.changes.retried, now.compute.tolist()) == (None, 1, [False, True, False])
    soundfile.write(silent_recordings / "b.wav", np.zeros(8000), 16000)
    now = found(work, scan(silent_recordings))
    assert (now.first, now.first_not_failed) == ("the clip 'b.wav', which failed, was modified", None)


@pytest.mark.parametrize("clip_id", ["take#2", "take#00002"])
def test_a_failed_recording_whose_id_looks_like_that_of_a_segment_leaves_others_alone(
    silent_recordings, tmp_path, monkeypatch, clip_id
):
    sources = [Source("take", str(silent_recordings / "a.wav")), Source(clip_id, str(silent_recordings / "b.wav"))]
    work = written(str(tmp_path / "out"), CONFIG, sources, 1, segments=Segments(seconds=1))
    failing(monkeypatch, 1)
    assert [failure["id"] for failure in write_shard(work, 0)["failures"]] == [f"{clip_id}#00000"]
    assert found(work, sources).compute.tolist() == [False, True]


def test_rows_of_a_table_that_name_one_recording_follow_its_repair(silent_recordings, tmp_path):
    table = str(silent_recordings / "t.parquet")
    columns = {"path": ["a.wav", "b.wav", "a.wav"], "id": list("012")}
    pq.write_table(pa.table({**columns, "start": [None, None, 0.5], "end": [None, None, 1.5]}), table)
    work = written(str(tmp_path / "out"), CONFIG, scan(table))
    assert [failure["id"] for failure in write_shard(work, 0)["failures"]] == ["2"]
    soundfile.write(silent_recordings / "a.wav", np.ones(32000), 16000)
    now = found(work, scan(table))
    assert (now.first_not_failed, now.compute.tolist()) == (None, [True, False, True])


def test_rows_of_a_table_that_contain_audio_are_recordings_of_their_own(silent_recordings, tmp_path):
    table, audio = str(silent_recordings / "t.parquet"), (silent_recordings / "a.wav").read_bytes()
    soundfile.write(silent_recordings / "a.wav", np.ones(16000), 16000)

    def scanned(*contents):
        pq.write_table(
            pa.table({"audio": [{"bytes": item, "path": "a.wav"} for item in contents], "id": list("012")}), table
        )
        return scan(table)

    work = written(str(tmp_path / "out"), CONFIG, scanned(audio, audio, b"RIFF"))
    assert [failure["id"] for failure in write_shard(work, 0)["failures"]] == ["2"]
    now = found(work, scanned(audio, audio, audio))
    assert (now.first_not_failed, now.compute.tolist()) == (None, [False, False, True])
    now = found(work, scanned((silent_recordings / "a.wav").read_bytes(), audio, audio))
    assert (now.first_not_failed, now.compute.tolist()) == (
        "the audio of the clip '0' has changed",
        [True, False, True],
    )
