"""Statistics that jobs store with feature sets: they are those of the values, with the same bits however they came."""

import json
import math
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
import synthetic_sets
from corpora import CONFIG, Corpus, content
from jobs import interrupted

from audiopipe import FeatureSet, beam, merge
from audiopipe.errors import CorruptFeatureSetError
from audiopipe.feature_sets import file_names, stored_statistics
from audiopipe.feature_sets.description import Description
from audiopipe.feature_sets.stored_statistics import ShardSums
from audiopipe.precompute import merge_plan, planning
from audiopipe.transform import Segments, kernel

NAMES = [f"c{number}" for number in range(6)]


@pytest.fixture
def corpus(tmp_path):
    made = Corpus(tmp_path / "corpus")
    for number, name in enumerate(NAMES):
        made.put(name, number, seconds=seconds(name), label=number % 2)
    return made


def seconds(name):
    return 0.1 + 0.03 * NAMES.index(name)


def make(corpus, output, **options):
    return beam.precompute(corpus.write(), output, CONFIG, **{"max_failure_ratio": 1, **options})


def sums(path):
    """Returns the sums of a feature set, after it was found that they are those of its records."""
    content(path)
    return stored_statistics.read(Description.open(path))


@pytest.mark.cases(2)
@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_statistics_are_those_of_the_values_that_are_read(corpus, tmp_path, dtype):
    made = make(corpus, tmp_path / "out", num_shards=3, dtype=dtype)
    values = np.concatenate([clip["feature"] for clip in made]).astype(np.float64)
    found = sums(made.path).statistics()
    for number in range(CONFIG.n_bins):
        column = values[:, number, 0].tolist()
        mean = math.fsum(column) / len(column)
        deviation = math.sqrt(math.fsum((value - mean) ** 2 for value in column) / len(column))
        assert found.mean[number, 0] == pytest.approx(mean, rel=1e-12)
        assert found.std[number, 0] == pytest.approx(deviation, rel=1e-12)
    np.testing.assert_array_equal(found.min, values.min(axis=0))
    np.testing.assert_array_equal(found.max, values.max(axis=0))


@pytest.mark.parametrize("kind", [{"num_shards": 3}, pytest.param({"workers": 2}, marks=pytest.mark.faults)])
def test_shards_and_workers_change_no_bit(corpus, tmp_path, kind):
    expected = sums(make(corpus, tmp_path / "one", num_shards=1).path)
    assert sums(make(corpus, tmp_path / "other", **kind).path) == expected


@pytest.mark.cases(2)
@pytest.mark.parametrize("seed", range(10))
def test_order_resumes_and_updates_change_no_bit(corpus, tmp_path, monkeypatch, seed):
    expected = sums(make(corpus, tmp_path / "whole", num_shards=2).path)
    monkeypatch.setattr(planning, "SMALL_SHARD", 1)  # so that updates keep shards
    random = np.random.default_rng(seed)
    rows, output = dict(corpus.rows), tmp_path / "out"

    def run(**options):
        return make(corpus, output, **options)

    order = random.permutation(NAMES).tolist()
    changed, broken = order[0], order[1]
    corpus.rows = {name: rows[name] for name in order[:-2]}
    corpus.put(changed, 99)
    audio = corpus.audio(broken).read_bytes()
    corpus.audio(broken).write_bytes(b"no audio")
    options = {"num_shards": int(random.integers(2, 5))}
    interrupted(run, monkeypatch, int(random.integers(0, 2)), **options)
    run(**options)
    corpus.audio(broken).write_bytes(audio)
    corpus.put(changed, NAMES.index(changed), seconds=seconds(changed))
    corpus.rows = {name: rows[name] for name in random.permutation(NAMES)}
    corpus.rows[order[2]] = {"label": 5}
    interrupted(run, monkeypatch, 0, update=True)
    assert sums(run(update=True).path) == expected


def test_halves_that_are_merged_have_the_sums_of_the_whole(corpus, tmp_path, monkeypatch):
    expected = sums(make(corpus, tmp_path / "whole").path)
    rows, halves = dict(corpus.rows), []
    for part in range(2):
        corpus.rows = {name: rows[name] for name in NAMES[part::2]}
        halves.append(make(corpus, tmp_path / f"half{part}", num_shards=2).path)
    assert sums(merge(halves, tmp_path / "merged").path) == expected
    # Sums that a set of an older release lacks are those of its records.
    without_statistics(halves[0])
    monkeypatch.setattr(merge_plan, "MIN_SHARD", 1)
    assert sums(merge(halves, tmp_path / "again").path) == expected


def test_retried_failures_are_added(corpus, tmp_path, monkeypatch):
    expected = sums(make(corpus, tmp_path / "whole").path)
    audio = corpus.audio("c3").read_bytes()
    corpus.audio("c3").write_bytes(b"no audio")
    make(corpus, tmp_path / "out", num_shards=3)
    corpus.audio("c3").write_bytes(audio)
    monkeypatch.setattr(planning, "SMALL_SHARD", 1)
    made = make(corpus, tmp_path / "out", retry_failures=True)
    assert sums(made.path) == expected
    assert Description.open(made.path).statistics_file["name"] == "statistics-00000002.jsonl"


def test_kept_shards_are_not_read(corpus, tmp_path, monkeypatch):
    output = make(corpus, tmp_path / "out", num_shards=4).path
    monkeypatch.setattr(planning, "SMALL_SHARD", 1)
    first = Path(output, file_names.shard_name(0))
    first.write_bytes(bytes(first.stat().st_size))
    corpus.put("new", 50)
    expected = sums(make(corpus, tmp_path / "fresh").path)
    assert stored_statistics.read(Description.open(make(corpus, output, update=True).path)) == expected


def test_the_padding_of_segments_does_not_count(corpus, tmp_path):
    padded = make(corpus, tmp_path / "out", segments=Segments(seconds=0.09, last="pad"))
    values = [padded.read(number, 0, int(valid)) for number, valid in enumerate(valid_frames(padded))]
    found = sums(padded.path).statistics()
    assert found.count[0, 0] == sum(map(len, values)) < padded.counts["frames"]
    np.testing.assert_allclose(found.mean, np.concatenate(values).mean(axis=0, dtype=np.float64), rtol=1e-12)


def valid_frames(feature_set):
    return [clip["valid_frames"] for clip in feature_set]


def test_each_shard_has_a_line_and_the_last_line_has_plain_statistics(corpus, tmp_path):
    made = make(corpus, tmp_path / "out", num_shards=3)
    description = Description.open(made.path)
    path = Path(made.path, description.statistics_file["name"])
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [line.get("name") for line in lines] == [*(shard["name"] for shard in description.shards), None]
    found = sums(made.path).statistics()
    assert lines[-1]["fingerprint"] == description.fingerprint
    assert lines[-1]["statistics"]["mean"] == found.mean.tolist()
    assert lines[-1]["statistics"]["count"] == found.count.tolist()
    with ShardSums.opened(description) as shards:
        assert sum(shards.of_shard(position).count for position in range(3)) == shards.total().count


@pytest.mark.cases(1)
@pytest.mark.parametrize("damage", ["flipped", "missing", "cut"])
def test_damaged_statistics_are_found_and_named_and_do_not_stop_an_update(corpus, tmp_path, monkeypatch, damage):
    monkeypatch.setattr(planning, "SMALL_SHARD", 1)
    output = make(corpus, tmp_path / "out", num_shards=4).path
    path = Path(output, "statistics-00000001.jsonl")
    data = path.read_bytes()
    if damage == "missing":
        path.unlink()
    else:
        path.write_bytes(data[:-1] if damage == "cut" else data.replace(b"p", b"q", 1))
    with pytest.raises(CorruptFeatureSetError, match="statistics-00000001"):
        stored_statistics.read(Description.open(output))
    assert len(FeatureSet(output)) == len(NAMES)
    corpus.put("new", 50)
    updated = make(corpus, output, update=True)
    assert len(updated) == len(NAMES) + 1
    assert stored_statistics.read(Description.open(output)) is None
    assert any("statistics of clips that were kept were missing or damaged" in note for note in updated.notes)


def without_statistics(path):
    """Makes a feature set one of an older release."""
    description = Description.open(path)
    os.remove(os.path.join(path, description.statistics_file["name"]))
    edited = {**vars(description), "statistics_file": None}
    Description(**{name: edited[name] for name in description.__dataclass_fields__}).write()


def test_a_set_of_an_older_release_has_no_statistics_until_all_its_shards_are_written_anew(
    corpus, tmp_path, monkeypatch
):
    monkeypatch.setattr(planning, "SMALL_SHARD", 1)
    output = make(corpus, tmp_path / "out", num_shards=4).path
    without_statistics(output)
    assert stored_statistics.read(Description.open(output)) is None
    corpus.put("new", 50)
    made = make(corpus, output, update=True)
    assert stored_statistics.read(Description.open(made.path)) is None
    assert not list(Path(output).glob("statistics-*"))
    assert sums(make(corpus, output, overwrite=True).path) == sums(make(corpus, tmp_path / "fresh").path)


def test_statistics_of_replaced_generations_are_removed_in_time(corpus, tmp_path):
    output = make(corpus, tmp_path / "out").path
    corpus.put("new", 50)
    make(corpus, output, update=True)
    assert len(list(Path(output).glob("statistics-*"))) == 2
    assert stored_statistics.read(Description.open(output, generation=1)).count > 0
    corpus.put("newer", 51)
    make(corpus, output, update=True, keep_old=0)
    assert [path.name for path in Path(output).glob("statistics-*")] == [file_names.statistics_name(3)]


@pytest.mark.cases(1)
@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_feature_that_is_not_finite_fails(corpus, tmp_path, monkeypatch, value):
    compute = kernel.Kernel.clips

    def broken(self, clips):
        features = [np.array(feature) for feature in compute(self, clips)]
        for feature in features:
            if len(feature) > 20:
                feature[3, 2] = value
        return features

    monkeypatch.setattr(kernel.Kernel, "clips", broken)
    made = make(corpus, tmp_path / "out")
    assert 0 < made.counts["failures"] < len(NAMES)
    assert {failure["stage"] for failure in made.failures()} == {"feature"}
    assert "finite" in made.failures()[0]["error"]
    assert np.isfinite(sums(made.path).statistics().max).all()


def test_a_stored_value_that_is_not_finite_leaves_no_statistics(tmp_path):
    feature = synthetic_sets.feature(5)
    broken = feature.copy()
    broken[2, 1] = math.inf
    synthetic_sets.write(tmp_path / "old", {"a": feature, "b": broken})
    merged = merge([tmp_path / "old"], tmp_path / "merged")
    assert Description.open(merged.path).statistics_file is None


def test_sets_without_any_frame_of_audio_have_no_numbers(tmp_path):
    clips = {"a": synthetic_sets.feature(5), "b": synthetic_sets.feature(4)}
    synthetic_sets.write(tmp_path / "old", clips, valid_frames={"a": 0, "b": 0})
    description = Description.open(merge([tmp_path / "old"], tmp_path / "merged").path)
    assert stored_statistics.read(description).count == 0
    last = Path(description.path, description.statistics_file["name"]).read_text().splitlines()[-1]
    assert json.loads(last)["statistics"] is None


def test_remote_sets_have_statistics(corpus, memory, tmp_path):
    expected = sums(make(corpus, tmp_path / "local").path)
    made = make(corpus, f"{memory}/features")
    assert stored_statistics.read(Description.open(made.path)) == expected


def test_silence_has_a_standard_deviation_of_exactly_0(tmp_path):
    corpus = Corpus(tmp_path / "corpus")
    for name in "ab":
        sf.write(corpus.audio(name), np.zeros(4000), 8000)
        corpus.rows[name] = {}
    found = sums(make(corpus, tmp_path / "out").path).statistics()
    assert (found.std == 0).all()
    assert (found.mean == found.min).all()


def test_a_copied_folder_keeps_its_statistics(corpus, tmp_path):
    made = make(corpus, tmp_path / "out")
    shutil.copytree(made.path, tmp_path / "copy")
    assert sums(tmp_path / "copy") == sums(made.path)
