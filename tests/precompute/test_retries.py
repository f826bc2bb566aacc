"""Tests of jobs that try failed clips again."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
from jobs import CLIPS, contents, interrupted, repair

from audiopipe.errors import InputChangedError
from audiopipe.precompute import shard_writer
from audiopipe.transform.segments import Segments


def test_a_retry_computes_only_the_clips_that_failed(run, recordings, tmp_path, monkeypatch):
    run()
    assert len((tmp_path / "out" / "failures.jsonl").read_text().splitlines()) == 2
    repair(recordings)
    with pytest.raises(InputChangedError, match=r"'03\.wav' was modified.*--retry-failures"):
        run()
    read = []
    read_blocks = shard_writer.Transform.read_blocks
    monkeypatch.setattr(
        shard_writer.Transform,
        "read_blocks",
        lambda self, source, **keywords: read.append(Path(source).name) or read_blocks(self, source, **keywords),
    )
    assert run(retry_failures=True).counts == {**run("clean").counts}
    assert sorted(read[:2]) == ["03.wav", "07.wav"]
    assert len(read) == 2 + CLIPS
    assert contents(tmp_path / "out") == contents(tmp_path / "clean")
    assert not list((tmp_path / "out" / "plan").glob("retry-*"))


def test_a_clip_that_fails_again_in_a_retry_is_listed_once(run, recordings, tmp_path):
    run()
    before = contents(tmp_path / "out")
    run(retry_failures=True)
    assert contents(tmp_path / "out") == before


@pytest.mark.parametrize("after", [0, 1])
def test_an_interrupted_retry_resumes(run, recordings, tmp_path, monkeypatch, after):
    run()
    repair(recordings)
    interrupted(run, monkeypatch, after, retry_failures=True)
    assert not (tmp_path / "out" / "dataset.json").exists()
    run()
    run("clean")
    assert contents(tmp_path / "out") == contents(tmp_path / "clean")


def test_a_retry_refuses_an_input_with_changes_in_other_clips(run, recordings, tmp_path):
    run()
    before = contents(tmp_path / "out")
    soundfile.write(recordings / "05.wav", np.zeros(900), 8000)
    with pytest.raises(InputChangedError, match=r"only clips that failed may have changed.*'05\.wav' was modified"):
        run(retry_failures=True)
    assert contents(tmp_path / "out") == before


def test_a_retry_of_segments_writes_the_bytes_of_a_clean_run(run, recordings, tmp_path):
    cut = {"segments": Segments(seconds=0.05, last="keep"), "num_shards": 3}
    run(**cut)
    repair(recordings)
    run(retry_failures=True, **cut)
    run("clean", **cut)
    assert contents(tmp_path / "out") == contents(tmp_path / "clean")


def test_a_retry_recomputes_a_whole_shard_if_its_file_is_damaged(run, recordings, tmp_path):
    run(num_shards=1)
    repair(recordings)
    shard = tmp_path / "out" / "features-00000000.tfrecord"
    content = bytearray(shard.read_bytes())
    content[100] ^= 1
    shard.write_bytes(bytes(content))
    run(retry_failures=True, num_shards=1)
    run("clean", num_shards=1)
    assert contents(tmp_path / "out") == contents(tmp_path / "clean")
