"""Jobs in parts: the whole is one feature set, equal to that of a job without parts, whatever happens to the job."""

import functools
import json
import os
import pickle
import resource

import numpy as np
import pytest
import soundfile as sf
from corpora import CONFIG, RATE, sound
from jobs import contents
from parted_jobs import N_PARTS, Recording, clips_of, damage, interrupted, labelled, make, parts_of

from audiopipe import FeatureSet, beam, hf, load, merge
from audiopipe.errors import (
    ArgumentError,
    FeatureSetError,
    InputChangedError,
    InputError,
    TooManyFailuresError,
)
from audiopipe.feature_sets.description import Description
from audiopipe.feature_sets.fingerprints import fingerprint_of
from audiopipe.feature_sets.parted_sets import PartedSet
from audiopipe.precompute import overview, shard_work
from audiopipe.storage import locks
from audiopipe.transform import Segments
from audiopipe.verification import verify


@pytest.fixture
def corpus(tmp_path):
    return labelled(tmp_path / "corpus")


def test_the_whole_equals_one_set_of_the_same_clips(corpus, tmp_path):
    damage(corpus, "c04", "c05")
    whole = make(corpus, tmp_path / "whole", class_columns=["label"], num_shards=2)
    one = make(corpus, tmp_path / "one", class_columns=["label"], parts=None)
    assert clips_of(whole) == clips_of(one)
    assert whole.classes == one.classes == {"label": ["ant", "cat", "dog"]}
    assert whole.counts == {**one.counts, "hours": pytest.approx(one.counts["hours"])}
    assert sorted(failure["id"] for failure in whole.failures()) == ["c04", "c05"]
    assert whole.fingerprint == one.fingerprint == fingerprint_of(tmp_path / "whole").fingerprint
    for name in ("count", "mean", "std", "min", "max"):
        assert np.array_equal(getattr(whole.statistics, name), getattr(one.statistics, name))
    assert whole.path == str(tmp_path / "whole")
    assert len(whole.descriptions) == N_PARTS
    assert all(len(description.shards) for description in whole.descriptions)


def test_everything_that_opens_a_path_opens_the_whole(corpus, tmp_path):
    whole = tmp_path / "whole"
    ids = sorted(make(corpus, whole, class_columns=["label"]).ids)
    assert sorted(clip["id"].decode() for clip in load(whole).as_numpy_iterator()) == ids
    assert sorted(hf.from_feature_set(whole, cache_dir=tmp_path / "cache")["id"]) == ids
    assert sorted(merge([whole], tmp_path / "merged").ids) == ids
    assert clips_of(FeatureSet(tmp_path / "merged")) == clips_of(FeatureSet(whole))
    assert verify(whole).ok
    report = verify(whole, corpus.manifest, door="hf")
    assert report.ok
    assert report.comparisons[0].clips == len(ids)
    facts = overview.overview(str(whole))
    assert (facts["parts"], facts["counts"]["clips"], facts["unfinished"]) == (N_PARTS, len(ids), None)
    assert facts["classes"]["label"] == {"counts": {"ant": 4, "cat": 4, "dog": 4}, "missing": 0}


def test_views_of_the_whole(corpus, tmp_path):
    whole = make(corpus, tmp_path / "whole", class_columns=["label"])
    dogs = whole.where(label="dog")
    assert sorted(dogs.ids) == ["c00", "c03", "c06", "c09"]
    found = pickle.loads(pickle.dumps(dogs))
    assert (found.ids, found.path) == (dogs.ids, whole.path)
    divided = whole.split({"train": 0.5, "test": 0.5}, by="label")
    assert sorted(divided["train"].ids + divided["test"].ids) == sorted(whole.ids)
    assert sorted(whole.shard(0, 2).ids + whole.shard(1, 2).ids) == sorted(whole.ids)
    assert whole["c07"]["take"] == 7
    read = [clip["id"].decode() for clip in load(whole, shuffle=True, seed=0).as_numpy_iterator()]
    assert sorted(read) == sorted(whole.ids)
    with pytest.raises(FeatureSetError, match="different ids"):
        FeatureSet([whole, tmp_path / "whole"])


@pytest.mark.parametrize("after", [0, 3])
def test_an_interrupted_job_resumes_and_ends_with_the_same_bytes(corpus, tmp_path, monkeypatch, after):
    damage(corpus, "c02")
    run = functools.partial(make, corpus, tmp_path / "out", num_shards=2)
    message = interrupted(run, monkeypatch, after)
    assert "Run the same command again to resume" in message
    assert not (tmp_path / "out/dataset.json").exists()
    unfinished = overview.overview(str(tmp_path / "out"))["unfinished"]
    assert unfinished["parts"] == {"done": after // 2, "total": N_PARTS}
    assert unfinished["clips"]["total"] > 0
    with pytest.raises(FeatureSetError, match=r"has 3 parts\. The job has not finished"):
        FeatureSet(tmp_path / "out")
    reporter = Recording()
    run(reporter=reporter)
    make(corpus, tmp_path / "clean", num_shards=2)
    assert parts_of(tmp_path / "out") == parts_of(tmp_path / "clean")
    assert reporter.plans[0]["clips"] == 12
    assert (reporter.updates[-1][0].clips, reporter.updates[-1][1]) == (12, 12)


def test_progress_is_that_of_all_parts(corpus, tmp_path):
    reporter = Recording()
    make(corpus, tmp_path / "out", num_shards=1, reporter=reporter)
    assert (reporter.plans[0]["clips"], reporter.plans[0]["shards"], len(reporter.plans)) == (12, N_PARTS, 1)
    counts = [done.clips for done, total in reporter.updates]
    assert counts == sorted(counts)
    assert {total for _, total in reporter.updates} == {12}
    assert counts[-1] == 12


def test_a_second_run_computes_nothing(corpus, tmp_path):
    make(corpus, tmp_path / "out")
    before = contents(tmp_path / "out")
    reporter = Recording()
    make(corpus, tmp_path / "out", parts=None, reporter=reporter)
    assert contents(tmp_path / "out") == before
    assert (reporter.plans[0]["clips"], reporter.plans[0]["done_before"], reporter.plans[0]["shards"]) == (12, 12, 0)


def test_an_update_keeps_features_and_gives_new_classes_one_number_in_all_parts(corpus, tmp_path):
    old = make(corpus, tmp_path / "out", class_columns=["label"])
    corpus.remove("c01")
    for number in range(12, 20):
        corpus.put(f"c{number}", number, label="bee" if number % 2 else "eel", take=number)
    new = make(corpus, tmp_path / "out", class_columns=["label"], update=True, parts=None)
    assert {json.dumps(one.classes) for one in new.descriptions} == {'{"label": ["ant", "cat", "dog", "bee", "eel"]}'}
    labels = {clip["id"]: new.class_names("label")[clip["label"]] for clip in new}
    assert labels == {name: row["label"] for name, row in corpus.rows.items()}
    assert sorted(clip["id"] for clip in old) == [f"c{number:02d}" for number in range(12)]  # it can still be read
    fresh = make(corpus, tmp_path / "fresh", class_columns=["label"], parts=None)
    assert {name: bits for name, (bits, _) in clips_of(new).items()} == {
        name: bits for name, (bits, _) in clips_of(fresh).items()
    }
    assert verify(new.path, corpus.manifest, door="hf").ok


def test_readers_see_the_old_whole_until_the_new_one_replaces_it(corpus, tmp_path, monkeypatch):
    before = clips_of(make(corpus, tmp_path / "out"))
    for number in range(12):
        corpus.put(f"c{number:02d}", 100 + number)
    run = functools.partial(make, corpus, tmp_path / "out", update=True, keep_old=0, num_shards=1)
    interrupted(run, monkeypatch, 1)
    generations = [Description.open(folder).generation for folder in PartedSet.read(tmp_path / "out").folders()]
    assert generations == [2, 1, 1]
    assert clips_of(FeatureSet(tmp_path / "out")) == before
    run(update=False)  # all plans are there, so the job resumes without the option
    assert clips_of(FeatureSet(tmp_path / "out")) == clips_of(make(corpus, tmp_path / "fresh", parts=None))
    for folder in PartedSet.read(tmp_path / "out").folders():
        assert len([name for name in os.listdir(folder) if name.startswith("index-")]) == 1  # no old files are left


def test_classes_of_an_update_that_was_given_up_have_one_number_in_all_parts(corpus, tmp_path, monkeypatch):
    run = functools.partial(make, corpus, tmp_path / "out", class_columns=["label"], num_shards=1)
    run()
    for number in range(12, 20):
        corpus.put(f"c{number}", number, label="bee", take=number)
    interrupted(functools.partial(run, update=True), monkeypatch, 1)  # only the first part has the new class
    for number in range(12, 20):
        corpus.remove(f"c{number}")
        corpus.put(f"d{number}", number, label="eel", take=number)
    made = run(update=True)
    assert [one.classes["label"] for one in made.descriptions] == [["ant", "cat", "dog", "bee", "eel"]] * N_PARTS
    labels = {clip["id"]: made.class_names("label")[clip["label"]] for clip in made}
    assert labels == {name: row["label"] for name, row in corpus.rows.items()}


def test_a_changed_input_is_refused_without_update(corpus, tmp_path):
    make(corpus, tmp_path / "out")
    corpus.put("c12", 12, label="ant", take=12)
    with pytest.raises(InputChangedError, match="the clip 'c12' is new"):
        make(corpus, tmp_path / "out")


def test_failed_clips_are_tried_again(corpus, tmp_path):
    good = {name: corpus.audio(name).read_bytes() for name in ("c02", "c08")}
    damage(corpus, *good)
    assert len(make(corpus, tmp_path / "out").failures()) == 2
    for name, data in good.items():
        corpus.audio(name).write_bytes(data)
    made = make(corpus, tmp_path / "out", retry_failures=True)
    assert made.failures() == []
    assert clips_of(made) == clips_of(make(corpus, tmp_path / "one", parts=None))


def test_the_number_of_parts_changes_only_with_overwrite(corpus, tmp_path):
    out = tmp_path / "out"
    before = make(corpus, out)
    with pytest.raises(InputChangedError, match="parts was 3 and is 4 now"):
        make(corpus, out, parts=4)
    made = make(corpus, out, parts=4, overwrite=True)
    assert len(made.descriptions) == 4
    assert clips_of(made) == clips_of(before)  # readers of the old one finish undisturbed
    assert len([name for name in os.listdir(out) if name.startswith("part-")]) == 7
    make(corpus, out, parts=None, keep_old=0)
    assert sorted(name for name in os.listdir(out) if name.startswith("part-")) == [
        f"part-{number:05d}-of-00004" for number in range(4)
    ]


def test_sets_with_and_without_parts_do_not_mix(corpus, tmp_path):
    make(corpus, tmp_path / "one", parts=None)
    with pytest.raises(FeatureSetError, match="has a feature set without parts"):
        make(corpus, tmp_path / "one", overwrite=True)
    make(corpus, tmp_path / "whole")
    with pytest.raises(FeatureSetError, match="must not be a part of a feature set"):
        make(corpus, tmp_path / "whole/part-00000-of-00003", parts=None)
    with pytest.raises(FeatureSetError, match="new or empty folder, or contain a feature set"):
        merge([tmp_path / "one"], tmp_path / "whole", overwrite=True)
    (tmp_path / "whole/notes.txt").write_text("mine")
    with pytest.raises(FeatureSetError, match=r"contains 'notes.txt'"):
        make(corpus, tmp_path / "whole")


@pytest.mark.parametrize("parts", [0, 501, 2.0, True])
def test_a_wrong_number_of_parts_is_refused(corpus, tmp_path, parts):
    with pytest.raises(ValueError, match="parts must be"):
        make(corpus, tmp_path / "out", parts=parts)
    assert not (tmp_path / "out").exists()


def test_more_parts_than_files_that_may_be_open_are_refused(corpus, tmp_path):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    open_now = len(os.listdir("/proc/self/fd"))
    resource.setrlimit(resource.RLIMIT_NOFILE, (open_now + 50, hard))
    try:
        with pytest.raises(ArgumentError, match=r"Received: parts=400\. Use fewer parts, or .*ulimit -n"):
            make(corpus, tmp_path / "out", parts=400)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert not (tmp_path / "out").exists()


def test_equal_ids_in_different_parts_are_an_error(corpus, tmp_path):
    corpus.write()
    with open(corpus.manifest, "a") as file:
        for name in corpus.rows:  # stretches of some recording go where that goes, so some of them go to another part
            file.write(json.dumps({"id": name, "path": str(corpus.audio("c00")), "start": 0.0, "end": 0.05}) + "\n")
    with pytest.raises(InputError, match=r"Two clips of .* have the id 'c"):
        beam.precompute(corpus.manifest, tmp_path / "out", CONFIG, parts=N_PARTS, workers=1)
    assert not (tmp_path / "out").exists()


def test_stretches_of_one_recording_stay_in_one_part(tmp_path):
    rows = []
    for number in range(6):
        sf.write(tmp_path / f"r{number}.wav", sound(number, 1.0), RATE, subtype="FLOAT")
        rows += [
            {"id": f"{number}-{start}", "path": f"r{number}.wav", "start": start / 4, "end": start / 4 + 0.25}
            for start in range(4)
        ]
    (tmp_path / "clips.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    whole = beam.precompute(tmp_path / "clips.jsonl", tmp_path / "out", CONFIG, parts=2, workers=1)
    held = [{name.split("-")[0] for name in FeatureSet(folder).ids} for folder in whole.paths]
    assert all(held)
    assert held[0] | held[1] == set("012345")
    assert not held[0] & held[1]


def test_a_part_may_have_no_clip(corpus, tmp_path):
    for name in list(corpus.rows)[2:]:
        corpus.remove(name)
    damage(corpus, "c01")
    whole = make(corpus, tmp_path / "out", parts=5)
    assert (whole.ids, [failure["id"] for failure in whole.failures()]) == (["c00"], ["c01"])
    assert [len(FeatureSet(folder)) for folder in whole.paths].count(0) == 4
    assert verify(whole.path).ok
    assert [clip["id"] for clip in load(whole.path).as_numpy_iterator()] == [b"c00"]
    assert [clip["id"] for clip in load(whole.path, shuffle=True).as_numpy_iterator()] == [b"c00"]
    corpus.put("c05", 5, label="ant", take=5)
    assert sorted(make(corpus, tmp_path / "out", parts=None, update=True).ids) == ["c00", "c05"]


def test_a_job_whose_clips_all_fail_makes_no_feature_set(corpus, tmp_path):
    damage(corpus, *corpus.rows)
    with pytest.raises(FeatureSetError, match=r"All 12 clips failed, so there is no feature set\. First failure: .*c"):
        make(corpus, tmp_path / "out")
    assert not (tmp_path / "out/dataset.json").exists()


def test_too_many_failures_are_counted_over_all_parts(corpus, tmp_path, monkeypatch):
    monkeypatch.setattr(shard_work, "FIRST_CLIPS", 10)
    damage(corpus, *list(corpus.rows)[::2])
    with pytest.raises(TooManyFailuresError, match=r"of 1\d clips failed"):
        make(corpus, tmp_path / "out", max_failure_ratio=0.4)


def test_segments_of_a_job_in_parts_equal_those_of_one_set(corpus, tmp_path):
    options = {"segments": Segments(seconds=0.05, last="pad"), "dtype": "float16"}
    whole = make(corpus, tmp_path / "whole", **options)
    assert clips_of(whole) == clips_of(make(corpus, tmp_path / "one", parts=None, **options))
    assert len(whole.remarks()) == len(FeatureSet(tmp_path / "one").remarks())


def test_an_estimate_adds_up_all_parts_and_writes_nothing(corpus, tmp_path):
    planned = beam.estimate(corpus.write(), CONFIG, parts=N_PARTS, num_shards=2)
    one = beam.estimate(corpus.manifest, CONFIG)
    assert (planned.n_clips, planned.n_shards) == (12, 2 * N_PARTS)
    assert planned.seconds == pytest.approx(one.seconds)
    assert planned.n_bytes == pytest.approx(one.n_bytes)
    make(corpus, tmp_path / "out")
    corpus.put("c12", 12, label="ant", take=12)
    changes = beam.estimate(corpus.write(), CONFIG, output=tmp_path / "out", update=True).changes
    assert (changes.kept, changes.added) == (12, 1)


def test_a_job_in_parts_on_remote_storage_resumes(corpus, tmp_path, monkeypatch):
    monkeypatch.setattr(locks, "held", functools.partial(locks.held, settle_seconds=0))
    remote = "memory://parts-test/out"
    run = functools.partial(make, corpus, remote, num_shards=2)
    interrupted(run, monkeypatch, 3)
    made = run()
    assert made.path == remote
    assert clips_of(made) == clips_of(make(corpus, tmp_path / "clean", num_shards=2))


@pytest.mark.faults
@pytest.mark.parametrize(
    "engine", [{"workers": 2}, {"workers": None}, {"workers": None, "beam_options": ["--runner=FnApiRunner"]}]
)
def test_every_engine_computes_one_part_after_another(corpus, tmp_path, engine):
    made = make(corpus, tmp_path / "out", num_shards=2, **engine)
    make(corpus, tmp_path / "clean", num_shards=2)
    assert parts_of(tmp_path / "out") == parts_of(tmp_path / "clean")
    assert len(made) == 12
