"""Tests of finished shards: single sidecars, batches of sidecars, and which of them count."""

import os
import tracemalloc
from pathlib import Path

import pytest
from planning import written

from audiopipe import configs
from audiopipe.feature_sets.file_names import shard_name
from audiopipe.inputs import Source
from audiopipe.precompute import finished_shards, plan
from audiopipe.precompute.collected_sidecars import Collected
from audiopipe.precompute.progress import Done

CONFIG = configs.MelSpectrogram(sample_rate=16000, n_mels=40, input_data_format="channels_last")


@pytest.fixture
def work(tmp_path):
    """A plan with ten shards of two clips each."""
    sources = [Source(f"clip-{number}", f"/clips/{number}.wav") for number in range(20)]
    return written(str(tmp_path), CONFIG, sources, 10)


def publish(work, shard, failures=(), **changes):
    """Writes a fake shard with its rows of the index and publishes its sidecar."""
    name = shard_name(shard)
    Path(work.output, name).write_bytes(b"12345")
    Path(work.rows_file(shard)).write_bytes(b"rows")
    sidecar = {
        "shard": shard,
        "digest": work.shards()[shard].digest,
        "name": name,
        "bytes": 5,
        "records": 2 - len(failures),
        "seconds": 3.0,
        "failures": [{"id": name, "stage": "decode", "error": error} for name, error in failures],
        "remarks": [],
    }
    finished_shards.publish(work, {**sidecar, **changes})
    return {**sidecar, **changes}


def look(work):
    found = finished_shards.Finished(work)
    found.refresh()
    return found


def plan_files(work, start):
    return sorted(name for name in os.listdir(Path(work.output, plan.FOLDER)) if name.startswith(start))


def test_shards_with_a_sidecar_are_finished(work):
    assert look(work).missing() == list(range(10))
    publish(work, 2)
    publish(work, 0, [("clip-1", "bad")])
    found = look(work)
    assert found.missing() == [1, 3, 4, 5, 6, 7, 8, 9]
    assert found.done == Done(clips=4, failures=1, seconds=6.0, shards=2)
    assert [sidecar["shard"] for sidecar in found.sidecars()] == [0, 2]


def test_refresh_finds_shards_that_were_finished_later(work):
    found = look(work)
    publish(work, 4)
    found.refresh()
    assert found.done.shards == 1


def test_a_sidecar_of_another_plan_does_not_count(work):
    publish(work, 3, digest="0" * 64)
    assert look(work).missing() == list(range(10))
    assert finished_shards.find(work, 3, work.shards()[3].digest) is None


def test_a_damaged_sidecar_does_not_count_and_is_removed(work):
    publish(work, 3)
    Path(work.path("shard-00003.json")).write_bytes(b'{"shard": 3, "dig')
    found = finished_shards.Finished(work)
    found.check_shards()
    assert found.missing() == list(range(10))
    assert plan_files(work, "shard-") == []


def test_a_shard_that_is_missing_or_has_another_size_or_no_rows_is_not_finished(work):
    for shard in range(5):
        publish(work, shard)
    Path(work.output, shard_name(1)).unlink()
    Path(work.output, shard_name(2)).write_bytes(b"1234")
    Path(work.rows_file(4)).unlink()
    found = finished_shards.Finished(work)
    found.check_shards()
    assert found.missing() == [1, 2, 4, 5, 6, 7, 8, 9]
    assert look(work).missing() == found.missing()


def test_many_sidecars_are_merged_into_batches_and_still_count(work, monkeypatch):
    monkeypatch.setattr(finished_shards, "SIDECARS_PER_BATCH", 4)
    sidecars = {shard: publish(work, shard, [(f"clip-{2 * shard}", "bad")]) for shard in (9, 3, 5, 7)}
    found = look(work)
    assert (len(plan_files(work, "shard-")), len(plan_files(work, "finished-"))) == (0, 1)
    sidecars[1] = publish(work, 1)
    found.refresh()
    for view in (found, look(work)):
        assert view.missing() == [0, 2, 4, 6, 8]
        assert list(view.sidecars()) == [sidecars[shard] for shard in (1, 3, 5, 7, 9)]
        assert view.done == Done(clips=10, failures=4, seconds=15.0, shards=5)
    assert finished_shards.find(work, 7, work.shards()[7].digest) == sidecars[7]
    assert finished_shards.find(work, 8, work.shards()[8].digest) is None
    for shard in (0, 2, 4):
        sidecars[shard] = publish(work, shard)
    found.refresh()
    assert len(plan_files(work, "finished-")) == 2
    assert found.done.shards == look(work).done.shards == 8


def test_a_shard_that_is_published_again_after_its_batch_counts_once(work, monkeypatch):
    monkeypatch.setattr(finished_shards, "SIDECARS_PER_BATCH", 2)
    publish(work, 0)
    publish(work, 1)
    found = look(work)
    publish(work, 0)
    found.refresh()
    assert found.done.shards == look(work).done.shards == 2
    assert len(list(found.sidecars())) == 2


def test_a_shard_of_a_batch_can_be_marked_as_unfinished(work, monkeypatch):
    monkeypatch.setattr(finished_shards, "SIDECARS_PER_BATCH", 3)
    for shard in range(3):
        publish(work, shard)
    found = look(work)
    found.reset({1})
    assert found.missing() == look(work).missing() == [1, 3, 4, 5, 6, 7, 8, 9]
    assert finished_shards.find(work, 1, work.shards()[1].digest) is None
    assert all(plan.FILES.fullmatch(f"plan/{name}") for name in os.listdir(Path(work.output, plan.FOLDER)))


def test_frequent_errors_are_counted_without_paths_and_numbers(work):
    publish(work, 0, [("clip-0", "Could not read '/a b/1.wav': gone."), ("clip-1", "Could not read '/c.wav': gone.")])
    publish(work, 1, [("clip-2", "shorter than one frame: 12 samples")])
    assert look(work).frequent_errors() == [
        ("decode: Could not read ...: gone.", 2),
        ("decode: shorter than one frame: ... samples", 1),
    ]


def test_remarks_of_all_shards_are_counted_and_read_again_but_not_held(work, monkeypatch):
    monkeypatch.setattr(finished_shards, "SIDECARS_PER_BATCH", 4)
    made = {}
    for shard in (9, 3, 5, 7, 1, 2, 4, 6, 0):
        facts = [{"short": True}, {"dropped_seconds": 0.5}, {"padded_seconds": 2.0}] * 500
        made[shard] = [{"id": f"{shard}-{number}", "remark": "x" * 200, **fact} for number, fact in enumerate(facts)]
        publish(work, shard, remarks=made[shard])
    found = look(work)
    publish(work, 8, remarks=[])
    found.refresh()
    tracemalloc.start()
    try:
        collected = Collected(work, found)
        count = sum(1 for _ in collected.remarks())
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert list(collected.remarks()) == [remark for shard in sorted(made) for remark in made[shard]]
    assert (count, collected.n_remarks, collected.n_short) == (13500, 13500, 4500)
    assert collected.ends == {"cut_clips": 4500, "dropped_seconds": 2250.0, "padded_seconds": 9000.0}
    assert peak < 5e6  # those of a shard take 0.8 MB, and all of them 6.9 MB
