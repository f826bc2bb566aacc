"""Tests of readers of a feature set that is updated meanwhile, and of how long its old files are kept."""

import os

import pytest
import tensorflow as tf
from corpora import CONFIG, Corpus, content, files_of

from audiopipe import beam, load
from audiopipe.feature_sets import publication, retention
from audiopipe.feature_sets.description import Description
from audiopipe.storage import files

DAY = 86400


@pytest.fixture
def corpus(tmp_path):
    made = Corpus(tmp_path / "corpus")
    for number in range(6):
        made.put(f"c{number}", number, label=["dog", "cat"][number % 2])
    return made


def make(corpus, output, **options):
    return beam.precompute(corpus.write(), output, CONFIG, class_columns=("label",), num_shards=3, **options)


def change_all(corpus):
    for number, name in enumerate(list(corpus.rows)):
        corpus.put(name, 100 + number, label="cow")
    corpus.remove("c0")


@pytest.mark.cases(1)
@pytest.mark.parametrize("how", ["update", "overwrite"])
def test_a_reader_that_is_half_way_when_an_update_ends_finishes_with_the_old_records(corpus, tmp_path, how):
    output = str(tmp_path / "features")
    make(corpus, output)
    before = Description.open(output)
    expected = {name: facts[0] for name, facts in content(output).items()}
    shards = [os.path.join(output, shard["name"]) for shard in before.shards]
    records = list(tf.data.TFRecordDataset(shards).as_numpy_iterator())
    elements = load(output).as_numpy_iterator()
    plain = tf.data.TFRecordDataset(shards, buffer_size=16).as_numpy_iterator()
    found, read = [next(elements)], [next(plain)]
    change_all(corpus)
    make(corpus, output, **{how: True})
    assert content(output).keys() == {f"c{number}" for number in range(1, 6)}
    found += list(elements)
    read += list(plain)
    assert {element["id"].decode(): element["feature"].tobytes() for element in found} == expected
    assert read == records
    again = Description.open(output, generation=1)
    again.check_files(checksums=True)
    assert again.shards == before.shards


def test_old_files_are_removed_by_a_later_run_once_they_are_older_than_keep_old(corpus, tmp_path, monkeypatch):
    output, now = str(tmp_path / "features"), [1_000_000_000.0]
    for module in (publication, retention):
        monkeypatch.setattr(module.time, "time", lambda: now[0])
    make(corpus, output)
    first = set(Description.open(output).file_names)
    change_all(corpus)
    make(corpus, output, update=True)
    second = set(Description.open(output).file_names)
    now[0] += 4 * DAY
    corpus.put("c1", 55)
    make(corpus, output, update=True)
    current = set(Description.open(output).file_names)
    assert first | second | current < set(files_of(output))
    now[0] += 3.5 * DAY  # the first generation was replaced 7.5 days ago, the second one 3.5 days ago
    make(corpus, output, update=True)  # nothing changed
    assert not (first - second - current) & set(files_of(output))
    assert second | current < set(files_of(output))
    make(corpus, output, update=True, keep_old=3)
    assert set(files_of(output)) == current | {"dataset.json", "clips.parquet", "failures.jsonl", "remarks.jsonl"}


@pytest.mark.faults
def test_an_update_of_a_set_in_memory_storage(corpus):
    output = "memory://updated/features"
    make(corpus, output)
    corpus.put("c9", 9, label="cow")
    corpus.rows["c1"]["label"] = "ant"
    corpus.remove("c2")
    make(corpus, output, update=True, keep_old=0)
    found = {element["id"].decode(): int(element["label"]) for element in load(output).as_numpy_iterator()}
    assert found == {"c0": 1, "c1": 2, "c3": 0, "c4": 1, "c5": 0, "c9": 3}
    description = Description.open(output)
    assert description.classes == {"label": ["cat", "dog", "ant", "cow"]}
    description.check_files(checksums=True)
    copies = {"dataset.json", "clips.parquet", "failures.jsonl", "remarks.jsonl"}
    left = {name for name in files.walk(output) if not name.startswith("plan/")}
    assert left == copies | set(description.file_names)
    make(corpus, output, update=True, keep_old=0)
    assert Description.open(output).generation == 2
