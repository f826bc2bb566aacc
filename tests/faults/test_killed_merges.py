"""Tests of `kill -9` during a merge. The same command resumes and ends with the same bytes."""

import numpy as np
import pytest
import synthetic_sets
from holding import Hold
from running import Command, contents, finished, temporaries

from audiopipe import FeatureSet, merge

SHARD = r"/features-[^/]*\.tfrecord$"
SIDECAR = r"/plan/shard-\d+\.json$"
LARGE = 13_000  # frames of a record of more than 1 MB, so that its shard is not joined with others


@pytest.mark.faults
def test_a_merge_that_is_killed_at_many_points_ends_with_the_bytes_of_one_that_was_not(tmp_path):
    draw = np.random.default_rng(0)
    for name in "ab":
        clips = {f"{name}{number}": draw.standard_normal((LARGE, 20, 1)).astype(np.float32) for number in range(3)}
        synthetic_sets.write(tmp_path / name, clips, shards=3)
    words = ("merge", tmp_path / "a", tmp_path / "b")
    clean, output = tmp_path / "clean", tmp_path / "merged"
    merge([tmp_path / "a", tmp_path / "b"], clean)
    holds = [
        Hold("import", r"^audiopipe\.precompute\.merging$"),
        Hold("publish", r"/plan/merge\.json$"),
        Hold("published", r"/plan/merge\.json$"),
        Hold("publish", SHARD, 2),
        Hold("published", SHARD, 2),
        Hold("published", SIDECAR, 1),
        Hold("published", r"/plan/rows-\d+\.parquet$", 2),
        Hold("published", SIDECAR, 1),
        Hold("publish", r"/index-00000001\.parquet$"),
        Hold("publish", r"/dataset\.json$"),
        Hold("published", r"/dataset\.json$"),
        Hold("published", r"/clips\.parquet$"),
    ]
    counts = []
    for hold in holds:
        with Command(output, *words, output, hold=hold) as run:
            assert run.until(hold.reached), f"The merge ended before {hold}:\n{run.printed}"
            run.kill()
        counts.append(finished(output) if output.exists() else 0)
    print(f"finished shards after each kill: {counts}")
    assert counts == [0, 0, 0, 1, 2, 3, 4, 5, 6, 6, 6, 6]
    with Command(output, *words, output) as run:
        assert run.wait() == 0, run.printed
    assert contents(output) == contents(clean)
    assert temporaries(output) == []
    assert [path.name for path in (output / "plan").iterdir()] == ["lock"]
    assert FeatureSet(output).ids == ["a0", "a1", "a2", "b0", "b1", "b2"]
