"""Tests of what a job does when its engine fails: it names the cause, and completes if the work was done."""

import pytest
from jobs import CLIPS, contents

from audiopipe.errors import FeatureSetError, OutputError
from audiopipe.precompute import plan, runners, shard_writer, worker_errors

BEAM = {"beam_options": ["--runner=FnApiRunner"]}
LOST = "SDK harness closed connection"


@pytest.fixture
def closing_engine(monkeypatch):
    """An engine that reports only that it lost the connection, whatever its workers report."""

    def closed(*arguments, **keywords):
        result = run(*arguments, **keywords)
        result.wait_until_finish()
        raise RuntimeError(LOST)

    def failing(*arguments, **keywords):
        try:
            return closed(*arguments, **keywords)
        except Exception:
            raise RuntimeError(LOST) from None

    run = runners.beam.Pipeline.run
    monkeypatch.setattr(runners.beam.Pipeline, "run", failing)


def test_the_error_of_a_worker_is_named_if_the_engine_only_lost_the_connection(run, tmp_path, closing_engine):
    blocked = tmp_path / "out" / "features-00000003.tfrecord"
    blocked.mkdir(parents=True)
    with pytest.raises(FeatureSetError, match=r"^The job stopped: Could not write '.*00000003\.tfrecord': Is a direct"):
        run(**BEAM)
    blocked.rmdir()
    assert run().counts["clips"] == CLIPS - 2
    assert [path.name for path in (tmp_path / "out" / plan.FOLDER).iterdir()] == ["lock"]


def test_an_engine_that_fails_after_its_last_shard_does_not_stop_the_job(run, tmp_path, closing_engine):
    assert run(**BEAM).counts["clips"] == CLIPS - 2
    run("clean", workers=1)
    assert contents(tmp_path / "out") == contents(tmp_path / "clean")


def test_a_worker_that_left_no_error_is_reported_as_lost(run, tmp_path, monkeypatch, closing_engine):
    def die(clips_file, shard):
        raise MemoryError

    monkeypatch.setattr(shard_writer, "write_shard", die)
    with pytest.raises(FeatureSetError, match=rf"The engine lost a worker, which was killed, .* \({LOST}\)\. Run the"):
        run(**BEAM)


def test_the_first_recorded_error_is_the_cause_and_damaged_records_are_skipped(tmp_path):
    folder = tmp_path / plan.FOLDER
    folder.mkdir()
    assert worker_errors.first(str(tmp_path)) is None
    for cause in ("the disk is full", "the disk is still full"):
        worker_errors.record(str(folder), OutputError(cause))
    (folder / f"error-{'0' * 32}.json").write_text("{")
    (folder / f"error-{'1' * 32}.json").write_text('{"time": null, "cause": "unknown"}')
    assert worker_errors.first(str(tmp_path)) == "the disk is full"
    worker_errors.forget(str(tmp_path))
    assert list(folder.iterdir()) == []


def test_a_folder_that_cannot_hold_the_record_hides_no_error(tmp_path):
    worker_errors.record(str(tmp_path / "absent" / "\0"), OutputError("the disk is full"))
