"""`kill -9` at any moment, of everything or of one process: the same command goes on and ends with the same bytes."""

import os
import random
import signal
import time

import pytest
from running import Run, check_same, finished, temporaries

STARTING = "while it starts"
PLANNING = "around the plan"
WRITING = "while shards are written"
ENDING = "around the end"
# Twenty moments: where to wait for, then at most so many seconds later.
MOMENTS = [(STARTING, 6.0)] * 3 + [(PLANNING, 0.1)] * 3 + [(WRITING, 0.25)] * 12 + [(ENDING, 0.5)] * 2


def kill_and_go_on(work, output, moments, rng, *options):
    """Run the job, and kill it and run it again at each of the moments; then check what is there.

    Returns:
        For each kill the finished shards that it left, and whether it hit a shard that was being written.
    """
    seen = []
    for where, most in moments:
        with Run(work.source, output, work.config, *work.options, *options) as run:
            before = finished(output)
            aim = min(before + rng.randint(0, 2), work.shards)
            reached = {
                STARTING: lambda: True,
                # The first run writes its plan right after it has locked the output, the others look at their input.
                PLANNING: lambda run=run: f'"pid": {run.process.pid},' in lock_of(output),
                # What an earlier run has left half done is removed before "planned".
                WRITING: lambda run=run, aim=aim, before=before: (
                    "planned:" in run.printed and (finished(output) >= aim if aim > before else writing(output))
                ),
                ENDING: lambda: finished(output) == work.shards,
            }[where]
            if run.until(reached):
                time.sleep(rng.uniform(0, most))
            ended = run.process.poll()
            run.kill()
            assert ended in (None, 0), run.printed
            seen.append((finished(output), writing(output)))
    with Run(work.source, output, work.config, *work.options, *options) as run:
        assert run.wait() == 0, run.printed
    check_same(output, work.clean)
    return seen


def writing(output):
    """Whether there are shards that are half written."""
    return any(path.name.startswith(".features-") for path in temporaries(output))


def lock_of(output):
    lock = output / "plan" / "lock"
    return lock.read_text() if lock.exists() else ""


def test_a_job_that_is_killed_twice_ends_with_the_bytes_of_one_that_was_not(small_work, tmp_path):
    moments = [(WRITING, 0.3), (WRITING, 0.3)]
    seen = kill_and_go_on(small_work, tmp_path / "out", moments, random.Random(1), "--workers=1")
    assert any(0 < shards < small_work.shards for shards, _ in seen)


@pytest.mark.faults
@pytest.mark.parametrize("workers", [1, 2])
def test_a_job_that_is_killed_at_twenty_moments_ends_with_the_bytes_of_one_that_was_not(work, tmp_path, workers):
    rng = random.Random(workers)
    first, middle, last = MOMENTS[:4], MOMENTS[4:-2], MOMENTS[-2:]
    rng.shuffle(middle)
    seen = kill_and_go_on(work, tmp_path / "out", [*first, *middle, *last], rng, f"--workers={workers}")
    print(f"finished shards after each kill, and whether one was being written: {seen}")
    counts = [shards for shards, _ in seen]
    assert len(seen) == 20
    assert counts == sorted(counts)
    assert len({count for count in counts if 0 < count < work.shards}) >= 4
    assert sum(writing for _, writing in seen) >= 4


@pytest.mark.faults
def test_engine_and_workers_end_by_themselves_when_only_the_job_is_killed(small_work, tmp_path):
    output = tmp_path / "out"
    with Run(small_work.source, output, small_work.config, *small_work.options, "--workers=2") as run:
        assert run.until(lambda: finished(output))
        assert run.processes("audiopipe.precompute.processes")
        assert len(run.processes("audiopipe.precompute.worker")) == 2
        run.signal(signal.SIGKILL)
        run.process.wait()
        end = time.monotonic() + 10
        while run.processes() and time.monotonic() < end:
            time.sleep(0.1)
        assert run.processes() == []
    assert finished(output) < small_work.shards
    with Run(small_work.source, output, small_work.config, *small_work.options, "--workers=2") as run:
        assert run.wait() == 0, run.printed
    check_same(output, small_work.clean)


@pytest.mark.faults
@pytest.mark.parametrize("module", ["audiopipe.precompute.worker", "audiopipe.precompute.processes"])
def test_a_killed_worker_ends_the_job_with_a_message_and_not_with_a_hang(small_work, tmp_path, module):
    output = tmp_path / "out"
    with Run(small_work.source, output, small_work.config, *small_work.options, "--workers=2") as run:
        assert run.until(lambda: finished(output))
        os.kill(run.processes(module)[0], signal.SIGKILL)
        assert run.wait(20) == 1
        assert "Run the same command again to go on: what is done is kept." in run.printed
        assert "killed by SIGKILL" in run.printed
        assert "Traceback" not in run.printed
        assert run.processes() == []
    assert temporaries(output) == []
    with Run(small_work.source, output, small_work.config, *small_work.options, "--workers=2") as run:
        assert run.wait() == 0, run.printed
    check_same(output, small_work.clean)
