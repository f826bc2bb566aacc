"""Tests of jobs: interruption and resume, retry, the watching of engines, and refused inputs and outputs."""

import dataclasses
import functools
import json
import os
import threading
import time

import numpy as np
import pytest
import soundfile
from corpora import content, files_of, files_of_set
from jobs import CLIPS, contents, interrupted
from planning import write_shard, written

from audiopipe import beam, load
from audiopipe.errors import (
    ConfigMismatchError,
    FeatureSetLockedError,
    InputChangedError,
    StalledError,
    TooManyFailuresError,
)
from audiopipe.feature_sets.description import Description
from audiopipe.inputs import scan
from audiopipe.precompute import job, plan, shard_work, shard_writer
from audiopipe.precompute.progress import Silent
from audiopipe.runtime import stopping
from audiopipe.storage import locks
from audiopipe.transform import kernel
from audiopipe.transform.segments import Segments


@pytest.mark.parametrize("after", [0, 1, 5])
def test_an_interrupted_job_resumes_and_ends_with_the_same_bytes(run, tmp_path, monkeypatch, written_shards, after):
    message = interrupted(run, monkeypatch, after)
    assert "The job stopped: the machine is gone. Run the same command again" in message
    assert not (tmp_path / "out" / "dataset.json").exists()
    written_shards.clear()
    run()
    assert len(written_shards) == 6 - after
    run("clean")
    assert contents(tmp_path / "out") == contents(tmp_path / "clean")


def test_a_resumed_job_removes_temporary_files_of_the_interrupted_run(run, tmp_path, monkeypatch):
    interrupted(run, monkeypatch, 2)
    out = tmp_path / "out"
    for name in (".features-00000001.tfrecord.abc.tmp", ".dataset.json.abc.tmp", "plan/.shard-00001.json.x_1.tmp"):
        (out / name).write_text("left by a killed worker")
    run()
    assert not [path for path in out.rglob("*") if path.name.endswith(".tmp")]


def test_a_job_that_was_killed_while_it_wrote_its_plan_starts_from_scratch(run, tmp_path):
    (tmp_path / "out" / "plan").mkdir(parents=True)
    (tmp_path / "out" / "plan" / "00000-clips-00000.jsonl").write_text("{}\n")
    assert run().counts["clips"] == CLIPS - 2


def test_a_shard_that_was_damaged_after_the_interruption_is_written_again(run, tmp_path, monkeypatch, written_shards):
    interrupted(run, monkeypatch, 5)
    [first, *_] = sorted((tmp_path / "out").glob("*.tfrecord"))
    first.write_bytes(first.read_bytes()[:-1])
    written_shards.clear()
    run()
    assert len(written_shards) == 2
    assert len(list(load(tmp_path / "out"))) == CLIPS - 2


def test_a_complete_feature_set_is_returned_without_any_work(run, tmp_path, written_shards):
    first = Description.open(run().path)
    before = contents(tmp_path / "out")
    written_shards.clear()
    assert Description.open(run().path) == first
    assert written_shards == []
    assert contents(tmp_path / "out") == before


@pytest.mark.cases(3)
@pytest.mark.parametrize("complete", [True, False])
@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"num_shards": 3}, InputChangedError, "num_shards was 6 and is 3 now"),
        ({"dtype": "float16"}, InputChangedError, "dtype was 'float32' and is 'float16' now"),
        ({"segments": Segments(seconds=0.1)}, InputChangedError, "segments was None and is Segments"),
    ],
)
def test_other_settings_are_refused_and_nothing_is_changed(
    run, tmp_path, monkeypatch, complete, change, error, message
):
    run() if complete else interrupted(run, monkeypatch, 3)
    before = contents(tmp_path / "out")
    with pytest.raises(error, match=message):
        run(**change)
    assert contents(tmp_path / "out") == before


def test_another_config_is_refused_and_the_error_names_the_field(run, recordings, tmp_path, config, monkeypatch):
    interrupted(run, monkeypatch, 3)
    with pytest.raises(ConfigMismatchError, match=r"(?s)hop_length: 80 != 100.*--overwrite"):
        beam.precompute(recordings, tmp_path / "out", dataclasses.replace(config, hop_length=80))


def test_the_number_of_shards_need_not_be_given_again(run, tmp_path, monkeypatch):
    interrupted(run, monkeypatch, 3)
    assert len(run(num_shards=None).shards) == 6


@pytest.mark.parametrize("complete", [True, False])
def test_a_changed_input_is_refused_with_the_name_of_the_clip_unless_overwrite_is_given(
    run, recordings, tmp_path, monkeypatch, complete
):
    run() if complete else interrupted(run, monkeypatch, 3)
    soundfile.write(recordings / "05.wav", np.zeros(900), 8000)
    changed = r"the clip '05\.wav' has changed \(it had [\d,]+ bytes, and has 1,844 now\)\. "
    message = changed + r"Pass --update .*--retry-failures .*--overwrite"
    with pytest.raises(InputChangedError, match=message):
        run()
    made = run(overwrite=True, keep_old=0)
    clean = run("clean")
    assert content(made.path) == content(clean.path)
    assert made.counts == clean.counts
    assert files_of(made.path) == files_of_set(made.path)


@pytest.fixture
def mostly_bad(tmp_path):
    folder = tmp_path / "bad"
    folder.mkdir()
    for number in range(120):
        soundfile.write(folder / f"{number:03d}.wav", np.zeros(300), 8000)
        if number % 5 == 0:
            (folder / f"{number:03d}.wav").write_text("no audio")
    return folder


def test_too_many_failures_end_the_job_with_the_most_frequent_errors_and_keep_finished_shards(
    mostly_bad, tmp_path, config
):
    with pytest.raises(
        TooManyFailuresError, match=r"(?s)24 of 120 clips failed.* 24 x decode: Could not decode"
    ) as error:
        beam.precompute(mostly_bad, tmp_path / "out", config, num_shards=1)
    assert "--max-failure-ratio 0.05 allows" in str(error.value)
    assert not (tmp_path / "out" / "dataset.json").exists()
    feature_set = beam.precompute(mostly_bad, tmp_path / "out", config, num_shards=1, max_failure_ratio=0.2)
    assert feature_set.counts["failures"] == 24


def test_too_many_failures_end_the_job_before_the_other_shards_are_written(mostly_bad, tmp_path, config, monkeypatch):
    monkeypatch.setattr(shard_work, "FIRST_CLIPS", 10)
    monkeypatch.setattr(shard_work, "LOOK_SECONDS", 0.01)
    write, released = shard_writer.write_shards, threading.Event()

    def write_first_only(elements):
        yield from write(elements[:1])
        released.wait(20)
        yield from write(elements[1:])

    monkeypatch.setattr(shard_writer, "write_shards", write_first_only)
    stop = stopping.stop
    monkeypatch.setattr(stopping, "stop", lambda output: stop(output) or released.set())
    with pytest.raises(TooManyFailuresError, match="6 of 30 clips failed"):
        beam.precompute(mostly_bad, tmp_path / "out", config, num_shards=4)
    assert len(list((tmp_path / "out").glob("*.tfrecord"))) == 1


def test_failures_among_fewer_than_100_clips_do_not_end_the_job(run):
    assert run(max_failure_ratio=0.0).counts["failures"] == 2


def test_a_stall_ends_the_job_with_advice_and_the_job_can_be_resumed(run, monkeypatch):
    write, released = shard_writer.write_shards, threading.Event()
    monkeypatch.setattr(shard_writer, "write_shards", lambda elements: released.wait(20) and write(elements))
    monkeypatch.setattr(stopping, "stop", lambda output: released.set())
    with pytest.raises(StalledError, match=r"No shard was finished for 0\.6 s; 0 of 6 are done.*--stall-timeout"):
        run(stall_timeout=0.6)
    monkeypatch.undo()
    assert run().counts["clips"] == CLIPS - 2


def test_ctrl_c_stops_after_the_current_clip_and_keeps_finished_shards(run, tmp_path, monkeypatch):
    class Interrupting(Silent):
        def update(self, done, total_clips):
            if done.shards:
                raise KeyboardInterrupt

    monkeypatch.setattr(shard_work, "LOOK_SECONDS", 0.01)
    compute = kernel.Kernel.clips
    monkeypatch.setattr(
        kernel.Kernel, "clips", lambda self, clips: time.sleep(0.05 * len(clips)) or compute(self, clips)
    )
    with pytest.raises(KeyboardInterrupt):
        run(reporter=Interrupting())
    done = len(list((tmp_path / "out").glob("*.tfrecord")))
    assert 1 <= done < 6
    assert not [path for path in (tmp_path / "out").rglob("*") if path.name.endswith(".tmp")]
    monkeypatch.undo()
    run()
    run("clean")
    assert contents(tmp_path / "out") == contents(tmp_path / "clean")


def test_a_second_job_on_the_same_output_is_refused_and_changes_nothing(run, tmp_path):
    run()
    before = contents(tmp_path / "out")
    with locks.held(str(tmp_path / "out")), pytest.raises(FeatureSetLockedError, match="Another run writes to"):
        run(overwrite=True)
    assert contents(tmp_path / "out") == before


def test_the_plan_and_the_progress_are_reported(run, tmp_path, monkeypatch):
    class Recording(Silent):
        def __init__(self):
            self.events = []

        def planned(self, **facts):
            self.events.append(facts)

        def update(self, done, total_clips):
            self.events.append((done, total_clips))

    interrupted(run, monkeypatch, 2)
    by_size = sorted(plan.read(str(tmp_path / "out")).shards(), key=lambda shard: -shard.n_bytes)
    reporter = Recording()
    run(reporter=reporter)
    planned, *_, (done, total) = reporter.events
    assert planned["done_before"] == sum(shard.clips for shard in by_size[:2])
    assert (planned["clips"], planned["shards"]) == (CLIPS, 6)
    assert (done.clips, done.failures, done.shards, total) == (CLIPS, 2, 6, CLIPS)


def test_finished_shards_of_an_older_plan_do_not_count(run, recordings, tmp_path, config):
    other = dataclasses.replace(config, hop_length=80)
    (tmp_path / "out").mkdir()
    unfinished = written(str(tmp_path / "out"), other, scan(recordings), 6)
    write_shard(unfinished, 0)
    made = run(overwrite=True)
    assert content(made.path) == content(run("clean").path)
    assert files_of(made.path) == files_of_set(made.path)


def test_a_job_on_remote_storage_resumes(run, recordings, config, tmp_path, monkeypatch):
    monkeypatch.setattr(locks, "held", functools.partial(locks.held, settle_seconds=0))
    remote = "memory://job-test/out"

    def run_remote(**keywords):
        return beam.precompute(recordings, remote, config, num_shards=6, **keywords)

    interrupted(run_remote, monkeypatch, 3)
    run_remote()
    run("clean")
    local = contents(tmp_path / "clean")
    for name, expected in local.items():
        assert job.files.read_bytes(f"{remote}/{name}") == expected
    names = set(job.files.walk(remote))
    assert {name for name in names if not name.startswith("plan/")} == set(local)


def test_an_estimate_writes_nothing(recordings, config, tmp_path):
    before = sorted(os.listdir(tmp_path))
    estimated = beam.estimate(recordings, config)
    assert (estimated.n_clips, estimated.exact, estimated.headers) == (CLIPS, False, CLIPS - 2)
    assert sorted(os.listdir(tmp_path)) == before


def test_a_complete_feature_set_has_no_plan(run, tmp_path):
    run()
    assert os.listdir(tmp_path / "out" / "plan") == ["lock"]
    assert json.loads((tmp_path / "out" / "dataset.json").read_text())["counts"]["clips"] == CLIPS - 2
