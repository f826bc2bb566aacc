"""Tests of `--update`: a feature set that follows its input equals a fresh one, and nothing else is computed."""

import json
import os

import pytest
from corpora import CONFIG, Corpus, content, files_of, files_of_set

from audiopipe import beam
from audiopipe.errors import FeatureSetError, InputChangedError, InputError, TooManyFailuresError
from audiopipe.feature_sets.description import Description
from audiopipe.precompute import completion, job, plan, shard_work


@pytest.fixture
def corpus(tmp_path):
    made = Corpus(tmp_path / "corpus")
    for number in range(6):
        made.put(f"c{number}", number, label=["dog", "cat"][number % 2], speaker=f"s{number // 2}")
    made.write()
    return made


@pytest.fixture
def output(tmp_path):
    return str(tmp_path / "features")


def make(corpus, output, **options):
    """Computes the feature set of a corpus, as the tests do it everywhere."""
    return beam.precompute(corpus.write(), output, CONFIG, class_columns=("label",), num_shards=3, **options)


def update(corpus, output, **options):
    return make(corpus, output, update=True, keep_old=0, **options)


def assert_fresh(corpus, output, tmp_path, **options):
    """Asserts that a feature set has the content of a fresh one."""
    fresh = str(tmp_path / "fresh" / str(len(os.listdir(tmp_path))))
    make(corpus, fresh, **options)
    assert content(output) == content(fresh)
    ours, theirs = Description.open(output).counts, Description.open(fresh).counts
    assert ours == theirs


def changes_of(corpus, output, **options):
    work = beam.estimate(corpus.write(), CONFIG, output=output, class_columns=("label",), update=True, **options)
    return {name: count for name, count in vars(work.changes).items() if count}


def test_new_clips_are_added_and_the_others_are_not_read(corpus, output, tmp_path):
    make(corpus, output)
    before = content(output)
    corpus.forge("c2")
    corpus.put("c9", 9, label="cow", speaker="s9")
    assert changes_of(corpus, output) == {"kept": 6, "added": 1}
    update(corpus, output)
    after = content(output)
    assert after.keys() == {*before, "c9"}
    assert {name: after[name] for name in before} == before
    description = Description.open(output)
    assert description.classes == {"label": ["cat", "dog", "cow"]}
    assert description.generation == 2


def test_changed_audio_is_computed_again(corpus, output, tmp_path):
    make(corpus, output)
    before = content(output)
    corpus.put("c3", 33, seconds=0.2)
    assert changes_of(corpus, output) == {"kept": 5, "changed": 1}
    update(corpus, output)
    assert content(output)["c3"] != before["c3"]
    assert_fresh(corpus, output, tmp_path)


def test_a_removed_clip_and_a_corrected_label_need_no_audio(corpus, output, tmp_path):
    make(corpus, output)
    corpus.remove("c1")
    corpus.rows["c4"]["label"] = "cat"
    fresh = str(tmp_path / "fresh")
    make(corpus, fresh)
    for name in corpus.rows:
        corpus.forge(name)
    assert changes_of(corpus, output) == {"kept": 5, "removed": 1, "relabelled": 1}
    update(corpus, output)
    assert content(output) == content(fresh)


def test_a_metadata_column_can_come_and_go(corpus, output, tmp_path):
    make(corpus, output)
    for number, row in enumerate(corpus.rows.values()):
        row["age"] = number
        del row["speaker"]
    assert changes_of(corpus, output) == {"kept": 6, "relabelled": 6}
    update(corpus, output)
    assert_fresh(corpus, output, tmp_path)


def test_touched_files_and_a_moved_root_count_as_unchanged(corpus, output, tmp_path):
    make(corpus, output)
    shards = Description.open(output).shards
    corpus.touch("c5")
    assert changes_of(corpus, output) == {"kept": 6}
    make(corpus, output)  # the same content needs no --update
    elsewhere = corpus.moved(tmp_path / "elsewhere")
    update(elsewhere, output)
    description = Description.open(output)
    assert description.shards == shards
    assert description.generation == 2
    update(elsewhere, output)  # knows the new places, so there is nothing to do
    assert Description.open(output).generation == 2


def test_a_plan_says_how_many_records_it_copies_and_how_many_clips_it_computes(corpus, output):
    make(corpus, output)
    corpus.put("c9", 9, label="cow", speaker="s9")
    corpus.rows["c4"]["label"] = "dog"
    corpus.rows["c5"]["speaker"] = "s9"
    work = beam.estimate(corpus.write(), CONFIG, output=output, class_columns=("label",), update=True)
    assert (work.n_clips - work.n_copied, work.n_copied) == (1, 6)  # the shards are small, so all are joined
    corpus.remove("c9")
    work = beam.estimate(corpus.write(), CONFIG, output=output, class_columns=("label",), update=True)
    assert (work.n_clips, work.n_copied) == (2, 2)
    assert job.facts(work)["copied"] == 2


def test_an_unchanged_input_writes_nothing(corpus, output):
    make(corpus, output)
    before = {name: os.stat(os.path.join(output, name)).st_mtime_ns for name in files_of(output)}
    update(corpus, output)
    assert {name: os.stat(os.path.join(output, name)).st_mtime_ns for name in files_of(output)} == before


def test_failed_clips_are_tried_again(corpus, output, tmp_path):
    corpus.audio("c2").write_bytes(b"no audio")
    assert make(corpus, output).counts["failures"] == 1
    corpus.put("c2", 2)
    assert changes_of(corpus, output) == {"kept": 5, "retried": 1}
    update(corpus, output)
    assert_fresh(corpus, output, tmp_path)


def test_clips_that_fail_again_do_not_stop_an_update_of_a_large_set(corpus, output, monkeypatch):
    monkeypatch.setattr(shard_work, "FIRST_CLIPS", 2)
    for name in ("c2", "c3"):
        corpus.audio(name).write_bytes(b"no audio")
    make(corpus, output, max_failure_ratio=1.0)  # the job may look when only the shards with failures are finished
    corpus.put("c9", 9, label="dog", speaker="s9")
    assert update(corpus, output, max_failure_ratio=0.34).counts["failures"] == 2  # of 7 clips, and of 3 to compute
    with pytest.raises(TooManyFailuresError, match="2 of 7 clips failed"):
        make(corpus, output, retry_failures=True, max_failure_ratio=0.2)


def test_an_update_with_other_options_does_not_go_on_with_the_pending_plan(corpus, output, tmp_path, monkeypatch):
    corpus.audio("c2").write_bytes(corpus.audio("c2").read_bytes()[:1800])
    with monkeypatch.context() as patched:
        patched.setattr(completion, "finish", lambda *_, **__: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            make(corpus, output)
    assert update(corpus, output, accept_truncated=True).counts["failures"] == 0
    assert_fresh(corpus, output, tmp_path, accept_truncated=True)


def test_an_update_in_which_all_clips_fail_leaves_the_old_set(corpus, output, tmp_path):
    before = content(make(corpus, output).path)
    audio = {name: corpus.audio(name).read_bytes() for name in corpus.rows}
    for name in corpus.rows:
        corpus.audio(name).write_bytes(b"no audio")
    with pytest.raises(FeatureSetError, match=r"All 6 clips failed.*The old feature set in .* stays"):
        update(corpus, output)
    assert content(output) == before
    for name, content_of_file in audio.items():
        corpus.audio(name).write_bytes(content_of_file)
    assert update(corpus, output).counts["failures"] == 0
    assert content(output) == before


def test_shards_that_are_gone_are_restored_by_the_same_command(corpus, output, tmp_path):
    [first, *_] = make(corpus, output).shards
    os.remove(os.path.join(output, first["name"]))
    make(corpus, output)
    assert_fresh(corpus, output, tmp_path)


def test_a_damaged_plan_can_be_overwritten(corpus, output, tmp_path):
    make(corpus, output)
    (tmp_path / "features" / "plan" / "plan.json").write_text("no JSON")
    make(corpus, output, overwrite=True)
    assert_fresh(corpus, output, tmp_path)


def test_a_missing_file_that_failed_does_not_count_as_changed(corpus, output):
    os.remove(corpus.audio("c2"))
    assert make(corpus, output).counts["failures"] == 1
    assert make(corpus, output).counts["failures"] == 1
    corpus.put("c2", 2)
    with pytest.raises(InputChangedError, match="'c2', which failed, was modified"):
        make(corpus, output)
    assert make(corpus, output, retry_failures=True).counts["failures"] == 0


def test_clips_that_fail_again_alone_make_no_new_generation(corpus, output):
    corpus.audio("c2").write_bytes(b"no audio")
    make(corpus, output)
    before = {name: os.stat(os.path.join(output, name)).st_mtime_ns for name in files_of(output)}
    assert update(corpus, output).counts["failures"] == 1
    assert {name: os.stat(os.path.join(output, name)).st_mtime_ns for name in files_of(output)} == before
    corpus.audio("c2").write_bytes(b"other bytes that are no audio")
    update(corpus, output)
    assert Description.open(output).generation == 2


def test_a_column_whose_type_changed_is_refused_with_both_types(corpus, output):
    for number, row in enumerate(corpus.rows.values()):
        row["age"] = number
    make(corpus, output)
    for row in corpus.rows.values():
        row["age"] = "young"
    with pytest.raises(InputError, match=r"'age' of type string.* type int"):
        update(corpus, output)


def test_without_update_a_changed_input_is_refused_and_the_message_names_it(corpus, output):
    make(corpus, output)
    corpus.put("c7", 7, label="dog", speaker="s")
    with pytest.raises(InputChangedError, match=r"'c7' is new.*--update"):
        make(corpus, output)
    assert not plan.exists(output)


def test_no_file_is_left_over(corpus, output):
    make(corpus, output)
    corpus.put("c3", 33, seconds=0.2)
    corpus.remove("c0")
    update(corpus, output)
    assert files_of(output) == files_of_set(output)


def test_files_of_the_old_generation_stay_for_its_readers(corpus, output):
    make(corpus, output)
    before = Description.open(output)
    corpus.put("c3", 33, seconds=0.2)
    make(corpus, output, update=True)
    names = set(files_of(output))
    assert {shard["name"] for shard in before.shards} <= names
    assert "dataset-00000001.json" in names
    described = Description.open(output, generation=1)
    assert described.shards == before.shards
    make(corpus, output, update=True, keep_old=0)
    assert "dataset-00000001.json" not in files_of(output)


def damage_first_record(shard):
    with open(shard, "r+b") as file:
        file.seek(100)
        byte = file.read(1)[0]
        file.seek(100)
        file.write(bytes([byte ^ 1]))


def test_records_that_turn_out_to_be_damaged_are_computed_again(corpus, output, tmp_path):
    [first, *_] = make(corpus, output).shards
    damage_first_record(os.path.join(output, first["name"]))
    corpus.put("c9", 9, label="cat", speaker="s9")
    update(corpus, output)
    assert_fresh(corpus, output, tmp_path)


def test_a_damaged_record_of_a_stretch_is_computed_again_beside_a_new_stretch_of_the_recording(tmp_path):
    corpus = Corpus(tmp_path / "corpus")
    corpus.put("a", 1, seconds=0.4)

    def run(output, count, **options):
        rows = [{"id": str(n), "path": "audio/a.wav", "start": n / 10, "end": (n + 1) / 10} for n in range(count)]
        (corpus.folder / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
        return beam.precompute(corpus.folder / "rows.jsonl", tmp_path / output, CONFIG, **options)

    [shard] = run("out", 2).shards
    damage_first_record(tmp_path / "out" / shard["name"])
    made = run("out", 3, update=True)
    assert content(made.path) == content(run("fresh", 3).path)
