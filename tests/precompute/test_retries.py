"""Tests of jobs that try failed clips again."""

import os
from pathlib import Path

import numpy as np
import pytest
import soundfile
from corpora import content, files_of, files_of_set
from jobs import CLIPS, contents, interrupted, repair
from parted_jobs import Recording

from audiopipe import Transform, beam
from audiopipe.errors import FeatureSetError, InputChangedError
from audiopipe.feature_sets.description import Description
from audiopipe.precompute import planning
from audiopipe.transform.segments import Segments


def test_a_retry_computes_only_the_clips_that_failed(run, recordings, tmp_path, monkeypatch):
    run()
    assert len((tmp_path / "out" / "failures.jsonl").read_text().splitlines()) == 2
    repair(recordings)
    with pytest.raises(InputChangedError, match=r"'03\.wav', which failed, was modified.*--retry-failures"):
        run()
    read = []
    read_blocks = Transform.read_blocks
    monkeypatch.setattr(
        Transform,
        "read_blocks",
        lambda self, source, **keywords: read.append(Path(source.path).name) or read_blocks(self, source, **keywords),
    )
    again = run(retry_failures=True, keep_old=0)
    assert sorted(read) == ["03.wav", "07.wav"]
    clean = run("clean")
    assert len(read) == 2 + CLIPS
    assert again.counts == clean.counts
    assert content(again.path) == content(clean.path)
    assert (tmp_path / "out" / "failures.jsonl").read_bytes() == b""
    assert files_of(again.path) == files_of_set(again.path)


def test_a_retry_keeps_large_shards_without_failures_as_they_are(run, recordings, tmp_path, monkeypatch):
    monkeypatch.setattr(planning, "MIN_SHARD", 1)
    before = run()
    repair(recordings)
    after = run(retry_failures=True, num_shards=1)
    assert [shard["records"] for shard in after.shards if shard not in before.shards] == [2]
    assert [shard for shard in after.shards if shard in before.shards] == before.shards
    assert content(after.path) == content(run("clean").path)


def test_a_clip_that_fails_again_in_a_retry_is_listed_once(run, recordings, tmp_path):
    before = run()
    stored = content(before.path)
    after = run(retry_failures=True)
    assert (after.counts, after.failures()) == (before.counts, before.failures())
    assert content(after.path) == stored


@pytest.mark.parametrize("complete", [False, True])
def test_a_resumed_job_says_that_clips_which_failed_before_are_not_tried_again(run, monkeypatch, complete):
    run() if complete else interrupted(run, monkeypatch, 5)
    reporter = Recording()
    run(reporter=reporter)
    run(reporter=reporter, retry_failures=True)
    assert [plan.get("failed_before", 0) for plan in reporter.plans] == [2, 0]


def test_if_the_only_clip_failed_the_message_says_so_and_how_to_try_it_again(tmp_path, config):
    (tmp_path / "bad.wav").write_text("no audio")
    for _ in range(2):  # the second run resumes the first
        with pytest.raises(FeatureSetError, match=r"The only clip failed.*Fix the cause.*with --retry-failures\.$"):
            beam.precompute(str(tmp_path / "*.wav"), tmp_path / "out", config)
    soundfile.write(tmp_path / "bad.wav", np.zeros(4000), 8000)
    assert beam.precompute(str(tmp_path / "*.wav"), tmp_path / "out", config, retry_failures=True).counts["clips"] == 1


@pytest.mark.parametrize("after", [0, 1])
def test_an_interrupted_retry_resumes_and_the_old_feature_set_stays_meanwhile(
    run, recordings, tmp_path, monkeypatch, after
):
    monkeypatch.setattr(planning, "MIN_SHARD", 1)
    before = run()
    stored = content(before.path)
    repair(recordings)
    interrupted(run, monkeypatch, after, retry_failures=True, num_shards=2)
    assert Description.open(before.path).generation == 1
    assert content(before.path) == stored
    assert run().counts["failures"] == 0
    assert content(before.path) == content(run("clean").path)


def test_a_retry_refuses_an_input_with_changes_in_other_clips(run, recordings, tmp_path):
    run()
    before = contents(tmp_path / "out")
    soundfile.write(recordings / "05.wav", np.zeros(900), 8000)
    message = r"that failed may.*'05\.wav' has changed \(it had [\d,]+ bytes, and has 1,844 now\).*--update"
    with pytest.raises(InputChangedError, match=message):
        run(retry_failures=True)
    assert contents(tmp_path / "out") == before


def test_a_retry_of_segments_gives_the_records_of_a_clean_run(run, recordings, tmp_path):
    cut = {"segments": Segments(seconds=0.05, last="keep"), "num_shards": 3}
    run(**cut)
    repair(recordings)
    again = run(retry_failures=True, **cut)
    clean = run("clean", **cut)
    assert content(again.path) == content(clean.path)
    assert again.counts == clean.counts


def test_a_retry_restores_shards_that_are_gone(run, recordings, tmp_path, monkeypatch):
    monkeypatch.setattr(planning, "MIN_SHARD", 1)
    first, second, *_ = run().shards
    repair(recordings)
    (tmp_path / "out" / first["name"]).unlink()
    (tmp_path / "out" / second["name"]).write_bytes(b"cut")
    again = run(retry_failures=True)
    assert content(again.path) == content(run("clean").path)


def test_a_job_that_was_killed_while_it_replaced_a_pending_plan_goes_on_with_that_plan(
    run, recordings, tmp_path, monkeypatch, written_shards
):
    run()
    repair(recordings)
    interrupted(run, monkeypatch, 1, retry_failures=True, num_shards=2)
    (recordings / "03.wav").write_bytes((recordings / "05.wav").read_bytes())
    write_bytes = planning.files.write_bytes

    def kill(path, content):
        if path.endswith("plan.json"):
            raise KeyboardInterrupt
        write_bytes(path, content)

    with monkeypatch.context() as patch:
        patch.setattr(planning.files, "write_bytes", kill)
        with pytest.raises(KeyboardInterrupt):
            run(retry_failures=True, num_shards=2)
    repair(recordings)
    written_shards.clear()
    made = run(retry_failures=True, num_shards=1)
    assert len(written_shards) == 1
    assert content(made.path) == content(run("clean").path)
    assert os.listdir(tmp_path / "out" / "plan") == ["lock"]
