"""Elements that `ReadFeatureSet` reads: they are those that were written."""

import apache_beam
import numpy as np
import pytest
import soundfile as sf
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from computed_clips import clip, contents, elements_of, write

from audiopipe import FeatureSet, Statistics, beam, registry
from audiopipe.beam import read_feature_set
from audiopipe.errors import ArgumentError, ConfigMismatchError, IncompleteFeatureSetError
from audiopipe.feature_sets import row_digests
from audiopipe.precompute import element_digests
from audiopipe.transform.segments import Segments


def read(source, *args, **options):
    found = elements_of(lambda pipeline: pipeline | beam.ReadFeatureSet(source, *args, **options))
    return sorted(found, key=lambda row: row["id"])


def test_elements_are_those_of_the_pipeline_that_wrote_the_set(config, tmp_path, monkeypatch):
    rows = [clip(number, config, take=number, label="dog" if number % 2 else "cat", note=None) for number in range(20)]
    write(rows, tmp_path / "features", config, class_columns=("label",))
    monkeypatch.setattr(read_feature_set, "RANGE_BYTES", 20_000)
    found = read(tmp_path / "features")
    assert list(found[0]) == ["id", "label", "note", "take", "feature", "n_frames", "feature_digest", "remarks"]
    for one, row in zip(found, rows, strict=True):
        assert one["feature"].tobytes() == row["feature"].tobytes()
        assert {**one, "feature": None} == {**row, "feature": None}


def test_a_set_that_is_read_and_written_again_is_the_same(config, tmp_path):
    rows = [clip(number, config, label="dog", gain=0.5) for number in range(5)]
    first = write(rows, tmp_path / "first", config, class_columns=("label",), failures=[])
    with apache_beam.Pipeline(runner=FnApiRunner()) as pipeline:
        found = pipeline | beam.ReadFeatureSet(first)
        failures = pipeline | apache_beam.Create([])
        _ = (found, failures) | beam.WriteFeatureSet(tmp_path / "second", config, class_columns=["label"])
    assert contents(tmp_path / "second") == contents(first)


def test_sets_of_precompute_are_read_with_valid_frames_and_remarks(tmp_path):
    made = beam.precompute("examples/audio/music", tmp_path / "features", "whisper-80")
    found = read(made.path, "whisper-80", feature="mel")
    assert [row["valid_frames"] for row in found] == [row["valid_frames"] for row in made]
    assert sorted(row["id"] for row in found for _ in row["remarks"]) == sorted(row["id"] for row in made.remarks())
    for row, expected in zip(found, made, strict=True):
        np.testing.assert_array_equal(row["mel"], expected["feature"])
        of_feature = row_digests.digest(expected["feature"], made.fingerprint)
        assert row["mel_digest"] == element_digests.digest(of_feature, row["n_frames"], row["valid_frames"])


def test_remarks_about_recordings_are_in_their_first_segments_and_stay_when_they_are_written_again(config, tmp_path):
    sf.write(tmp_path / "a.wav", np.random.default_rng(0).uniform(-0.5, 0.5, 5000), 8000)
    segments = Segments(seconds=0.25)
    made = beam.precompute(tmp_path / "a.wav", tmp_path / "features", config, segments=segments)
    [remark] = made.remarks()
    found = read(made.path)
    assert [row["id"] for row in found] == ["a.wav#00000", "a.wav#00001"]
    assert found[0]["remarks"] == [{**remark, "id": "a.wav#00000", "recording": "a.wav"}]
    assert found[1]["remarks"] == []
    with apache_beam.Pipeline(runner=FnApiRunner()) as pipeline:
        _ = pipeline | beam.ReadFeatureSet(made.path) | beam.WriteFeatureSet(tmp_path / "second", config)
    second = FeatureSet(tmp_path / "second")
    for name in ("remarks", "cut_clips", "dropped_seconds"):
        assert second.counts[name] == made.counts[name] > 0
    assert read(second.path)[0]["remarks"] == found[0]["remarks"]


def test_views_and_several_sets_are_read(config, tmp_path):
    one = FeatureSet(write([clip(number, config, take=number) for number in range(4)], tmp_path / "one", config))
    other = FeatureSet(write([clip(number, config, take=number) for number in range(9, 11)], tmp_path / "two", config))
    assert [row["take"] for row in read([one.where(take=[1, 3]), other])] == [1, 3, 9, 10]


def test_another_config_is_refused_and_its_normalization_is_applied(config, tmp_path):
    made = FeatureSet(write([clip(0, config)], tmp_path / "features", config))
    with pytest.raises(ConfigMismatchError):
        beam.ReadFeatureSet(made.path, registry.get("speech-mel-80"))
    statistics = Statistics(mean=np.full(config.n_bins, 1.0), std=np.full(config.n_bins, 2.0))
    normalized = config.normalized(statistics)
    [row] = read(made.path, normalized)
    np.testing.assert_allclose(row["feature"], (clip(0, config)["feature"] - 1) / 2, rtol=1e-6)
    assert row["feature_digest"] == row_digests.digest(row["feature"], normalized.fingerprint)


def test_missing_sets_and_taken_names_are_refused(config, tmp_path):
    with pytest.raises(IncompleteFeatureSetError):
        beam.ReadFeatureSet(tmp_path)
    write([clip(0, config, mel="yes")], tmp_path / "features", config)
    with pytest.raises(ArgumentError, match="Received: mel in"):
        beam.ReadFeatureSet(tmp_path / "features", feature="mel")
