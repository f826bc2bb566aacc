"""Tests of jobs that end in the middle: the feature set stays whole, and the same command finishes the work."""

import os
import shutil

import pyarrow.parquet as pq
import pytest
from corpora import CONFIG, Corpus, content, files_of
from killing import Steps, survived

from audiopipe import beam
from audiopipe.errors import FeatureSetError, FeatureSetLockedError
from audiopipe.feature_sets.description import Description
from audiopipe.precompute import plan, planning, shard_writer
from audiopipe.storage import locks


@pytest.fixture
def corpus(tmp_path):
    made = Corpus(tmp_path / "corpus")
    for number in range(6):
        made.put(f"c{number}", number, label=["dog", "cat"][number % 2])
    made.write()
    return made


@pytest.fixture
def output(tmp_path):
    return str(tmp_path / "features")


def make(corpus, output, **options):
    options = {"class_columns": ("label",), "num_shards": 3, "keep_old": 0, "max_failure_ratio": 1, **options}
    return beam.precompute(corpus.write(), output, CONFIG, **options)


def fresh(corpus, tmp_path):
    folder = str(tmp_path / "fresh" / str(len(list(tmp_path.rglob("dataset.json")))))
    make(corpus, folder)
    return content(folder)


def steps_of(output, run):
    """Returns the number of steps of a job, which is run in full."""
    with Steps(output, None, None).watched() as steps:
        run()
    return steps.count


def assert_complete(output, expected):
    """Asserts that a folder contains a feature set and nothing else."""
    assert content(output) == expected
    description = Description.open(output)
    description.check_files(checksums=True)
    assert description.statistics_file is not None
    known = {"clips.parquet", "dataset.json", "failures.jsonl", "remarks.jsonl", *description.file_names}
    assert set(files_of(output)) == known


@pytest.mark.faults
@pytest.mark.parametrize("flag", ["update", pytest.param("overwrite", marks=pytest.mark.faults)])
def test_a_job_that_ends_at_any_step_leaves_the_old_set_whole_and_is_repeated(corpus, output, tmp_path, flag):
    make(corpus, output)
    before, old = content(output), shutil.copytree(output, tmp_path / "old")
    corpus.put("c1", 11, seconds=0.2)
    corpus.remove("c2")
    corpus.put("c7", 7, label="cow")
    corpus.rows["c4"]["label"] = "ant"
    expected = fresh(corpus, tmp_path)
    count = steps_of(output, lambda: make(corpus, output, **{flag: True}))
    assert_complete(output, expected)
    published = 0
    for step in range(1, count + 1, 7):
        shutil.rmtree(output)
        shutil.copytree(old, output)
        assert not survived(output, step, lambda: make(corpus, output, **{flag: True}))
        found = content(output)
        published += found == expected
        assert found in (before, expected)
        make(corpus, output, **{flag: True})
        assert_complete(output, expected)
    assert published


@pytest.mark.faults
def test_a_retry_that_ends_before_dataset_json_is_replaced_leaves_the_old_set_whole(corpus, output, tmp_path):
    corpus.audio("c2").write_bytes(b"no audio")
    make(corpus, output)
    before = content(output)
    corpus.put("c2", 2)
    expected = fresh(corpus, tmp_path)
    old = shutil.copytree(output, tmp_path / "old")
    count = steps_of(output, lambda: make(corpus, output, retry_failures=True))
    for step in range(1, count + 1, 4):
        shutil.rmtree(output)
        shutil.copytree(old, output)
        assert not survived(output, step, lambda: make(corpus, output, retry_failures=True))
        assert content(output) in (before, expected)
        make(corpus, output, retry_failures=True)
        assert_complete(output, expected)


def test_an_input_that_changes_while_an_update_is_pending_needs_no_work_twice(corpus, output, tmp_path):
    make(corpus, output)
    corpus.put("c6", 6, label="dog")
    corpus.put("c7", 7, label="dog")
    work = beam.estimate(corpus.write(), CONFIG, output=output, class_columns=("label",), update=True, num_shards=3)
    step = 1
    while _n_finished(output) < work.n_shards:  # nothing is published before all shards are finished
        assert not survived(output, step, lambda: make(corpus, output, update=True))
        step += 1
    corpus.rows["c0"]["label"] = "ant"
    for name in corpus.rows:
        corpus.forge(name)
    changed = make(corpus, output, update=True)
    for name, row in corpus.rows.items():
        seed = int(name[1:])
        corpus.put(name, seed, **row)
    assert_complete(output, fresh(corpus, tmp_path))
    assert changed.counts["clips"] == 8


def _interrupt(corpus, output):
    """Ends the first run when two of three shards are finished."""
    for step in range(10, 30):
        shutil.rmtree(output, ignore_errors=True)
        assert not survived(output, step, lambda: make(corpus, output))
        if _n_finished(output) == 2:
            return
    raise AssertionError("It never had two finished shards.")


def _n_finished(output):
    return sum(name.startswith("plan/shard-") for name in files_of(output))


@pytest.mark.cases(1)
@pytest.mark.parametrize("flag", ["update", "retry_failures"])
def test_an_unfinished_first_run_keeps_its_shards(corpus, output, tmp_path, flag):
    corpus.audio("c0").write_bytes(b"no audio")
    _interrupt(corpus, output)
    assert plan.exists(output)
    rows = [name for name in files_of(output) if name.startswith("plan/rows-")]
    finished = [clip["id"] for name in rows[:2] for clip in pq.read_table(os.path.join(output, name)).to_pylist()]
    assert len(finished) >= 2
    corpus.put("c0", 0)
    if flag == "update":
        corpus.put("c9", 9, label="cow")
        corpus.remove("c5")
        corpus.rows["c1"]["label"] = "bee"
    expected = fresh(corpus, tmp_path)
    for name in set(finished) & corpus.rows.keys():
        corpus.forge(name)
    make(corpus, output, **{flag: True})
    assert_complete(output, expected)


@pytest.mark.cases(1)
@pytest.mark.parametrize("complete", [False, True])
def test_a_shard_that_a_pending_plan_keeps_is_restored_if_it_is_gone(corpus, output, tmp_path, monkeypatch, complete):
    monkeypatch.setattr(planning, "SMALL_SHARD", 0)
    if complete:
        make(corpus, output)
    else:
        _interrupt(corpus, output)
    corpus.put("c9", 9, label="cow")
    expected = fresh(corpus, tmp_path)
    with monkeypatch.context() as patched:
        patched.setattr(shard_writer, "write_shards", lambda _: 1 / 0)
        with pytest.raises(FeatureSetError):
            make(corpus, output, update=True)
    kept = plan.read(output).kept()
    os.remove(os.path.join(output, kept[0]["name"]))
    make(corpus, output, update=True)
    assert_complete(output, expected)


@pytest.mark.faults
def test_a_plan_that_was_half_replaced_does_not_mix_with_the_one_before(corpus, output, tmp_path):
    _interrupt(corpus, output)
    old = shutil.copytree(output, tmp_path / "old")
    expected = fresh(corpus, tmp_path)
    rows = {name: dict(row) for name, row in corpus.rows.items()}
    corpus.rows["c0"]["label"] = "ant"
    corpus.put("c9", 9, label="cow")
    changed = {name: dict(row) for name, row in corpus.rows.items()}
    also_expected = fresh(corpus, tmp_path)
    for step in range(1, 8):
        shutil.rmtree(output)
        shutil.copytree(old, output)
        corpus.rows = {name: dict(row) for name, row in changed.items()}
        survived(output, step, lambda: make(corpus, output, update=True))
        again = str(shutil.copytree(output, tmp_path / f"again-{step}"))
        make(corpus, again, update=True)
        assert_complete(again, also_expected)
        corpus.rows = {name: dict(row) for name, row in rows.items()}
        make(corpus, output, update=True)
        assert_complete(output, expected)


def test_a_dry_run_beside_a_running_job_removes_nothing(corpus, output):
    _interrupt(corpus, output)
    with open(os.path.join(output, "plan", "shard-00009.json"), "w") as file:
        file.write("not written by this plan")
    before = files_of(output)
    corpus.put("c9", 9, label="cow")
    beam.estimate(corpus.write(), CONFIG, output=output, class_columns=("label",), update=True)
    assert files_of(output) == before


def test_a_second_job_is_refused_while_one_updates(corpus, output):
    make(corpus, output)
    corpus.put("c9", 9, label="cow")
    with locks.held(output), pytest.raises(FeatureSetLockedError):
        make(corpus, output, update=True)
    make(corpus, output, update=True)
    assert "c9" in content(output)
