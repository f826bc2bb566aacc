"""Tests of Ctrl-C and SIGTERM. The job ends soon, says how to resume, and leaves no partial files."""

import signal

import pytest
from holding import Hold
from running import Run, check_same, finished, temporaries

from audiopipe import beam

SECONDS = 60  # far more than it takes, for slow machines


def stop_and_resume(work, output, number, everyone, workers):
    hold = Hold("published", r"/plan/shard-\d+\.json$", 2)
    with Run(work.source, output, work.config, *work.options, "--workers", workers, hold=hold) as run:
        assert run.until(hold.reached)
        # No process is released, so none can finish its shards before the job has seen the signal.
        run.signal(number, everyone)
        assert run.wait(SECONDS) == 130, run.printed
        assert "Stopped. Run the same command again to resume. Finished shards are kept." in " ".join(
            run.printed.split()
        )
        assert "Traceback" not in run.printed
        assert run.processes() == []
    assert 0 < finished(output) < work.shards
    assert temporaries(output) == []
    assert not (output / "dataset.json").exists()
    beam.precompute(work.source, output, work.config, workers=1)
    check_same(output, work.clean)


@pytest.mark.faults
def test_ctrl_c_ends_a_job_that_can_be_resumed(small_work, tmp_path):
    stop_and_resume(small_work, tmp_path / "out", signal.SIGINT, True, 1)


@pytest.mark.faults
@pytest.mark.parametrize(
    ("number", "everyone", "workers"),
    [(signal.SIGINT, True, 2), (signal.SIGTERM, False, 1), (signal.SIGTERM, False, 2), (signal.SIGTERM, True, 2)],
)
def test_a_signal_ends_a_job_that_can_be_resumed(small_work, tmp_path, number, everyone, workers):
    stop_and_resume(small_work, tmp_path / "out", number, everyone, workers)


@pytest.mark.faults
@pytest.mark.parametrize(("number", "codes"), [(signal.SIGINT, {130}), (signal.SIGTERM, {130, -signal.SIGTERM})])
def test_a_signal_while_the_job_starts_ends_it_without_a_traceback(small_work, tmp_path, number, codes):
    output = tmp_path / "out"
    hold = Hold("import", "^numpy$")
    with Run(small_work.source, output, small_work.config, hold=hold) as run:
        # The process is importing its libraries and has no plan yet, so it prints no advice to resume.
        assert run.until(hold.reached)
        run.signal(number, everyone=True)
        hold.release()
        assert run.wait(SECONDS) in codes, run.printed
        assert "Traceback" not in run.printed
        assert run.processes() == []
    assert not output.exists()
