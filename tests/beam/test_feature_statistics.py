"""Statistics that pipelines combine: the bits of those that precompute stores."""

import pickle
import random

import apache_beam
import numpy as np
import pytest
from computed_clips import clip, element, elements_of, write

from audiopipe import FeatureSet, beam, registry
from audiopipe.beam.feature_statistics import _Sums
from audiopipe.errors import FingerprintError


def statistics(elements, config):
    return elements_of(lambda pipeline: pipeline | apache_beam.Create(elements) | beam.FeatureStatistics(config))


@pytest.mark.parametrize("shuffled", [False, True])
def test_the_bits_are_those_of_precompute(shared_feature_set, shuffled):
    sets = FeatureSet(shared_feature_set)

    def build(pipeline):
        rows = pipeline | beam.ReadFeatureSet(sets)
        return (rows | apache_beam.Reshuffle() if shuffled else rows) | beam.FeatureStatistics(sets.config)

    [found] = elements_of(build)
    assert found == sets.statistics
    assert found.fingerprint == sets.fingerprint


def test_bits_do_not_depend_on_how_clips_are_grouped(config):
    rows = [clip(number, config) for number in range(30)]
    combine, expected = _Sums(config, "feature"), None
    for seed in range(5):
        random.Random(seed).shuffle(rows)
        parts = []
        for start in range(0, len(rows), 1 + seed * 3):
            accumulator = combine.create_accumulator()
            for row in rows[start : start + 1 + seed * 3]:
                accumulator = combine.add_input(accumulator, row)
            parts.append(pickle.loads(pickle.dumps(accumulator)))
        found = combine.extract_output(combine.merge_accumulators(parts)).to_dict()
        expected = expected or found
        assert found == expected


def test_the_mean_is_that_of_numpy(config):
    rows = [clip(number, config) for number in range(10)]
    [found] = statistics(rows, config)
    values = np.concatenate([row["feature"] for row in rows]).astype(np.float64)
    np.testing.assert_allclose(found.mean, values.mean(0), rtol=1e-12)
    np.testing.assert_allclose(found.std, values.std(0), rtol=1e-12)
    np.testing.assert_array_equal(found.count, len(values))


def test_padding_does_not_count():
    config = registry.get("whisper-80")
    feature = np.concatenate([np.ones((100, 80, 1)), np.zeros((2900, 80, 1))]).astype(np.float32)
    [found] = statistics([element("a", feature, config, valid_frames=100)], config)
    assert (found.count.max(), found.min.min()) == (100, 1)
    assert statistics([element("a", feature, config, valid_frames=0)], config) == []


def test_there_is_one_for_each_window(config):
    rows = [apache_beam.window.TimestampedValue(clip(number, config), number) for number in range(4)]
    found = elements_of(
        lambda pipeline: (
            pipeline
            | apache_beam.Create(rows)
            | apache_beam.Map(lambda row: row)
            | apache_beam.WindowInto(apache_beam.window.FixedWindows(2))
            | beam.FeatureStatistics(config)
        )
    )
    assert sorted(int(one.count[0, 0]) for one in found) == [3 + 4, 5 + 6]


def test_no_elements_have_no_statistics(config):
    assert statistics([], config) == []


def test_changed_features_are_refused(config):
    with pytest.raises(FingerprintError, match="'clip-000'"):
        _Sums(config, "feature").add_input(None, {**clip(0, config), "feature": np.zeros((3, config.n_bins, 1), "f4")})


def test_statistics_of_a_written_set_are_those_of_its_elements(config, tmp_path):
    rows = [clip(number, config) for number in range(6)]
    assert statistics(rows, config) == [FeatureSet(write(rows, tmp_path / "features", config)).statistics]
