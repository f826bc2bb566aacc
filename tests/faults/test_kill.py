"""Tests of `kill -9` at any point, of one process or all. The same command resumes and ends with the same bytes."""

import os
import random
import signal
import time

import pytest
from holding import Hold
from running import Run, check_same, finished, temporaries

CLIP = r"/clips/[^/]*\.wav$"
SHARD = r"/features-[^/]*\.tfrecord$"
SIDECAR = r"/plan/shard-\d+\.json$"


def kill_and_resume(work, output, holds, *options):
    """Runs the job, kills it when it stops at each of the points, and runs it again; then checks the result.

    Returns:
        For each kill the number of finished shards, and whether a shard was partly written.
    """
    seen = []
    for hold in holds:
        with Run(work.source, output, work.config, *work.options, *options, hold=hold) as run:
            assert run.until(hold.reached), f"The job ended before {hold}:\n{run.printed}"
            run.kill()
            seen.append((finished(output), any(path.name.startswith(".features-") for path in temporaries(output))))
    with Run(work.source, output, work.config, *work.options, *options) as run:
        assert run.wait() == 0, run.printed
    check_same(output, work.clean)
    return seen


@pytest.mark.faults
def test_a_job_that_is_killed_twice_ends_with_the_bytes_of_one_that_was_not(small_work, tmp_path):
    holds = [Hold("published", SIDECAR, 2), Hold("read", CLIP, 4)]
    seen = kill_and_resume(small_work, tmp_path / "out", holds, "--workers=1")
    assert any(0 < shards < small_work.shards for shards, _ in seen)


@pytest.mark.faults
@pytest.mark.parametrize("workers", [1, 2])
def test_a_job_that_is_killed_at_twenty_points_ends_with_the_bytes_of_one_that_was_not(work, tmp_path, workers):
    draw = random.Random(workers)
    starting = [Hold("import", rf"^{module}$") for module in ("numpy", r"audiopipe\.precompute\.job")]
    loading = [Hold("import", r"^tensorflow$")]
    planning = [
        Hold("publish", r"/plan/00000-clips-00000\.jsonl$"),
        Hold("publish", r"/plan/plan\.json$"),
        Hold("published", r"/plan/plan\.json$"),
    ]
    # With two workers the first of both to get there stops, so one or two shards are finished between two kills.
    working = [
        hold
        for _ in range(3)
        for hold in (
            Hold("read", CLIP, draw.randint(2, 4)),
            Hold("publish", SHARD, draw.randint(1, 2)),
            Hold("published", SHARD, draw.randint(1, 2)),
            Hold("published", SIDECAR, draw.randint(1, 2)),
        )
    ]
    draw.shuffle(working)
    ending = [Hold("published", r"/failures-\d+\.jsonl$"), Hold("publish", r"/dataset\.json$")]
    # A single worker is the process that plans, and loads TensorFlow after that. Others load it in the meantime.
    begun = [*starting, *planning, *loading] if workers == 1 else [*starting, *loading, *planning]
    holds = [*begun, *working, *ending]
    seen = kill_and_resume(work, tmp_path / "out", holds, f"--workers={workers}")
    print(f"finished shards after each kill, and whether a shard was partly written: {seen}")
    counts = [shards for shards, _ in seen]
    assert len(seen) == 20
    assert counts == sorted(counts)
    assert len({count for count in counts if 0 < count < work.shards}) >= 4
    assert sum(partly for _, partly in seen) >= 4


@pytest.mark.faults
def test_workers_end_by_themselves_when_only_the_job_is_killed(small_work, tmp_path):
    output = tmp_path / "out"
    hold = Hold("published", SIDECAR, 2)
    with Run(small_work.source, output, small_work.config, *small_work.options, "--workers=2", hold=hold) as run:
        assert run.until(hold.reached)
        assert len(run.processes("audiopipe.precompute.worker")) == 3  # the two workers and their parent
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
@pytest.mark.parametrize("which", ["parent of the workers", "worker"])
def test_a_killed_worker_ends_the_job_with_a_message_and_not_with_a_hang(small_work, tmp_path, which):
    output = tmp_path / "out"
    hold = Hold("published", SIDECAR, 2)
    with Run(small_work.source, output, small_work.config, *small_work.options, "--workers=2", hold=hold) as run:
        assert run.until(hold.reached)
        parent, *workers = sorted(run.processes("audiopipe.precompute.worker"))
        os.kill(workers[0] if which == "worker" else parent, signal.SIGKILL)
        assert run.wait(20) == 1
        assert "Run the same command again to resume. Finished shards are kept." in " ".join(run.printed.split())
        assert "killed by SIGKILL" in run.printed
        assert "Traceback" not in run.printed
        assert run.processes() == []
    assert temporaries(output) == []
    with Run(small_work.source, output, small_work.config, *small_work.options, "--workers=2") as run:
        assert run.wait() == 0, run.printed
    check_same(output, small_work.clean)
