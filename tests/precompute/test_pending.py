"""Progress of an unfinished feature set, for those who only look."""

import pytest
from jobs import CLIPS, interrupted

from audiopipe.precompute import finished_shards, pending, plan


@pytest.fixture
def output(run, monkeypatch, tmp_path):
    """The folder of a job of six shards that was interrupted after the second."""
    interrupted(run, monkeypatch, 2)
    return str(tmp_path / "out")


@pytest.mark.parametrize("finishes", [False, True])
def test_files_that_a_running_job_removes_during_a_look_do_no_harm(output, finishes, monkeypatch):
    find, looks = finished_shards.Finished.find, []

    def vanish(self):
        looks.append(self)
        if len(looks) == 1:
            if finishes:
                plan.remove(output)
            raise FileNotFoundError("plan/shard-00003.json")
        find(self)

    monkeypatch.setattr(finished_shards.Finished, "find", vanish)
    found = pending.progress_of(output)
    if finishes:
        assert found is None
    else:
        assert (found.work.n_clips, found.work.n_shards, found.done.shards) == (CLIPS, 6, 2)
        assert len(looks) == 2


def test_there_is_no_progress_without_a_plan(tmp_path):
    assert pending.progress_of(str(tmp_path)) is None
