"""Test of a job's memory, which depends neither on its number of clips nor on the size of its shards.

Run it with `make test-long`.
"""

import sys

import pytest

from benchmarks import clips, memory

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")]

TOLERANCE = 1.1
SMALL, MIDDLE, LARGE = 1_000_000, 16_000_000, 128_000_000  # bytes of a shard


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    return clips.write(tmp_path_factory.mktemp("memory") / "clips", 100)


@pytest.mark.parametrize("workers", [1, 2])
def test_memory_is_the_same_for_100_to_1600_clips_and_all_sizes_of_shards(paths, tmp_path, workers):
    jobs = [(100, SMALL), (400, MIDDLE), (1600, SMALL), (1600, MIDDLE), (1600, LARGE)]
    measured = [memory.run(tmp_path, paths, count, workers, size) for count, size in jobs]
    for job in measured:
        print(job)
    # The shards must really have different sizes.
    assert [job.shards for job in measured] == [32, 8, 511, 32, 4]
    assert max(job.peak for job in measured) <= TOLERANCE * min(job.peak for job in measured)
    assert max(job.worker_peak for job in measured) <= TOLERANCE * min(job.worker_peak for job in measured)
