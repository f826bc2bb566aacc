"""Tests of `kill -9` during a job in parts. The same command resumes and ends with the same bytes in every part."""

import pytest
from holding import Hold
from running import Run, failed_ids, temporaries

from audiopipe import FeatureSet, beam

N_PARTS = 3
HOLDS = {
    1: [
        ("published", r"/part-00000-of-00003/plan/plan\.json$"),
        ("publish", r"/part-00002-of-00003/plan/00000-shards\.jsonl$"),
        ("published", r"/part-00000-of-00003/plan/shard-\d+\.json$"),
        ("publish", r"/part-00000-of-00003/dataset\.json$"),
        ("published", r"/part-00001-of-00003/features-[^/]*\.tfrecord$"),
        ("publish", r"/out/dataset\.json$"),
    ],
    2: [("published", r"/part-00001-of-00003/plan/shard-\d+\.json$")],
}


def contents(output):
    """Returns the bytes of the files of all parts, apart from their locks and plans."""
    return {
        str(path.relative_to(output)): path.read_bytes()
        for path in output.glob("part-*/**/*")
        if path.is_file() and path.parent.name != "plan"
    }


@pytest.mark.faults
@pytest.mark.parametrize("workers", [1, 2])
def test_a_job_in_parts_that_is_killed_at_many_points_ends_with_the_bytes_of_one_that_was_not(
    small_work, tmp_path, workers
):
    options = ("--parts", str(N_PARTS), "--num-shards", "3", "--max-failure-ratio", "1", f"--workers={workers}")
    clean, output = tmp_path / "clean", tmp_path / "out"
    beam.precompute(
        small_work.source, clean, small_work.config, parts=N_PARTS, num_shards=3, max_failure_ratio=1, workers=1
    )
    for at, pattern in HOLDS[workers]:
        hold = Hold(at, pattern)
        with Run(small_work.source, output, small_work.config, *options, hold=hold) as run:
            assert run.until(hold.reached, seconds=300), f"The job ended before {hold}:\n{run.printed}"
            run.kill()
        assert not (output / "dataset.json").exists()
    with Run(small_work.source, output, small_work.config, *options) as run:
        assert run.wait(300) == 0, run.printed
    found, expected = contents(output), contents(clean)
    assert found.keys() == expected.keys()
    assert [name for name in expected if found[name] != expected[name]] == []
    assert temporaries(output) == []
    whole = FeatureSet(output)
    failed = [name for folder in output.glob("part-*") for name in failed_ids(folder)]
    assert sorted(whole.ids + failed) == sorted(path.name for path in small_work.source.iterdir())
    assert sorted(failure["id"] for failure in whole.failures()) == sorted(failed)
