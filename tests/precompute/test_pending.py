"""Progress of an unfinished feature set, for those who only look."""

import pytest
from jobs import CLIPS, interrupted

from audiopipe import beam
from audiopipe.precompute import finished_shards, pending, plan


@pytest.fixture
def output(run, monkeypatch, tmp_path):
    """The folder of a job of six shards that was interrupted after the second."""
    interrupted(run, monkeypatch, 2)
    return str(tmp_path / "out")


@pytest.fixture
def vanishing(monkeypatch):
    """A list that gets an element per look at finished shards. At the first one, a file vanishes."""
    find, looks = finished_shards.Finished.find, []

    def vanish(self):
        looks.append(self)
        if len(looks) == 1:
            raise FileNotFoundError("plan/shard-00003.json")
        find(self)

    monkeypatch.setattr(finished_shards.Finished, "find", vanish)
    return looks


def test_files_that_a_running_job_removes_during_a_look_do_no_harm(output, vanishing):
    found = pending.progress_of(output)
    assert (found.work.n_clips, found.work.n_shards, found.done.shards) == (CLIPS, 6, 2)
    assert len(vanishing) == 2


def test_a_job_that_ends_during_a_look_leaves_no_progress(output, monkeypatch):
    def end(self):
        plan.remove(output)
        raise FileNotFoundError("plan/shard-00003.json")

    monkeypatch.setattr(finished_shards.Finished, "find", end)
    assert pending.progress_of(output) is None


def test_a_dry_run_beside_a_running_job_looks_again(output, vanishing, recordings, config):
    (recordings / "00.wav").unlink()
    work = beam.estimate(recordings, config, output=output, update=True)
    assert work.changes.removed == 1
    assert len(vanishing) == 2


def test_there_is_no_progress_without_a_plan(tmp_path):
    assert pending.progress_of(str(tmp_path)) is None
