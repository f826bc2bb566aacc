"""Random edits of a corpus, each followed by `--update`, with `kill -9` at random moments and at every step."""

import random
import shutil
import time

import pytest
from evolving import CASES, Evolving, differences, leftovers, run, snapshot
from killing import killed_process

from audiopipe import load
from audiopipe.precompute import planning

EDITS = {"manifest": 30}  # number of edits, 10 in the other cases
SMALL_SHARD = 3000  # bytes: some of the shards here are merged with new clips, and some are not


@pytest.fixture(autouse=True)
def small_shards(monkeypatch):
    monkeypatch.setattr(planning, "SMALL_SHARD", SMALL_SHARD)


def fresh(corpus, folder, options):
    """Returns the snapshot of a feature set that is made from scratch."""
    shutil.rmtree(folder, ignore_errors=True)
    run(corpus, str(folder), **options)
    return snapshot(str(folder))


def assert_whole(output, before, after):
    """Asserts that readers see the old feature set or the new one, each with all its clips."""
    found = snapshot(output)
    assert found == before or not differences(found, after)
    assert len(list(load(output).as_numpy_iterator())) == found["counts"]["clips"]


@pytest.mark.faults
@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("seed", [1])
def test_a_corpus_that_is_updated_after_each_of_many_edits_equals_a_fresh_one(tmp_path, case, seed):
    kind, options = CASES[case]
    draw = random.Random(f"{case} {seed}")
    corpus, output = Evolving(tmp_path / "corpus", kind, seed), str(tmp_path / "features")
    run(corpus, output, **options)
    killed, duration = [], 1.0
    for number in range(EDITS.get(case, 10)):
        before, edit = snapshot(output), corpus.edit()
        expected = fresh(corpus, tmp_path / "fresh", options)
        restore = corpus.forge()
        update = {**options, "update": True, "keep_old": 0}
        for _ in range(draw.choice([0, 0, 1, 2])):
            when = {"step": draw.randint(1, 30)} if draw.random() < 0.6 else {"seconds": draw.uniform(0.2, duration)}
            started = time.monotonic()
            if killed_process(corpus, output, update, **when):
                duration = time.monotonic() - started
            else:
                killed.append(f"{edit} {when}")
            assert_whole(output, before, expected)
        run(corpus, output, **update)
        restore()
        assert differences(snapshot(output), expected) == [], f"{case}, seed {seed}, edit {number}: {edit}, {killed}"
        assert leftovers(output) == []
    print(f"{case}, seed {seed}: killed {killed}")
    assert killed


@pytest.mark.faults
@pytest.mark.parametrize("case", ["padded ends"])
def test_an_update_that_is_killed_at_any_step_can_be_repeated(tmp_path, case):
    kind, options = CASES[case]
    corpus, base = Evolving(tmp_path / "corpus", kind, 5), tmp_path / "base"
    run(corpus, str(base), **options)
    before = snapshot(str(base))
    for edit in (corpus.add, corpus.change, corpus.remove, corpus.relabel, corpus.touch, corpus.damage):
        edit()
    corpus.write()
    expected = fresh(corpus, tmp_path / "fresh", options)
    update = {**options, "update": True, "keep_old": 0}
    step, ended = 0, False
    while not ended:
        step += 1
        output = str(shutil.copytree(base, tmp_path / f"killed-{step}"))
        ended = killed_process(corpus, output, update, step=step)
        assert_whole(output, before, expected)
        run(corpus, output, **update)
        assert differences(snapshot(output), expected) == [], step
        assert leftovers(output) == [], step
        shutil.rmtree(output)
    print(f"{case}: killed at each of {step - 1} steps")
    assert step > 30
