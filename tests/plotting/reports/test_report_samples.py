"""Measurements of a sample of clips, and durations."""

import dataclasses

import numpy as np
import pytest
import synthetic_sets
from synthetic_sets import ANY_CHANNELS, CHANNELS_FIRST, CONFIG, feature

from audiopipe import FeatureSet, Statistics
from audiopipe.plotting.reports import durations, samples

DECIBELS = dataclasses.replace(CONFIG, return_decibel=True)
SILENCE = -50.0


def measured(folder, clips, config=DECIBELS, silence=SILENCE, **facts):
    synthetic_sets.write(folder, clips, config, **facts)
    return samples.measure(FeatureSet(folder), silence, 0, lambda *_: None)


def loud(n_frames, seed=0):
    return feature(n_frames, seed=seed) * 5 - 20


def test_silent_frames_are_those_of_digital_silence_and_those_at_the_floor_of_a_clip(tmp_path):
    quiet = np.full((4, 20, 1), SILENCE, np.float32)
    clips = {
        "silent": quiet,
        "loud": loud(10),
        "part": np.concatenate([loud(6), quiet]),
        "floor": np.concatenate([loud(6), quiet + 7]),  # a dynamic range raised it
    }
    sample = measured(tmp_path / "features", clips)
    assert {clip.clip_id: clip.silent for clip in sample.clips} == {"silent": 4, "loud": 0, "part": 4, "floor": 4}
    assert [clip.clip_id for clip in sample.clips if clip.is_silent] == ["silent"]


def test_one_quiet_frame_is_not_silent_because_it_is_the_quietest(tmp_path):
    clip = np.concatenate([loud(6), np.full((1, 20, 1), -45, np.float32)])
    assert measured(tmp_path / "features", {"a": clip}, shards=1).clips[0].silent == 0


def test_padding_does_not_count(tmp_path):
    clip = np.concatenate([loud(6), np.full((9, 20, 1), SILENCE, np.float32)])
    [found] = measured(tmp_path / "features", {"a": clip}, shards=1, valid_frames={"a": 6}).clips
    assert (found.n_frames, found.silent) == (6, 0)
    assert found.level == pytest.approx(clip[:6].mean(), rel=1e-6)


def test_levels_are_means_and_those_of_magnitudes_are_in_decibels(tmp_path):
    values = loud(10)
    assert measured(tmp_path / "a", {"a": values}, shards=1).clips[0].level == pytest.approx(values.mean(), rel=1e-6)
    tenths = np.full((3, 20, 1), 0.1, np.float32)
    [clip] = measured(tmp_path / "b", {"a": tenths}, CONFIG, silence=0.0, shards=1).clips
    assert clip.level == pytest.approx(-20)


@pytest.mark.parametrize("config", [CHANNELS_FIRST, ANY_CHANNELS])
def test_channels_are_measured_as_statistics_arrange_them(tmp_path, config):
    values = feature(8, config, channels=2)
    sample = measured(tmp_path / "features", {"a": values, "b": values + 1}, config, silence=0.0)
    assert sample.statistics == FeatureSet(tmp_path / "features").statistics
    assert sample.clips[0].mean.shape == sample.statistics.mean.shape


def test_the_distance_is_the_root_mean_square_of_standard_scores(tmp_path):
    ones = np.ones((5, 20, 1), np.float32)
    sample = measured(tmp_path / "features", {"near": ones, "far": 4 * ones}, CONFIG, silence=0.0)
    std = np.full(20, 2.0)
    std[10:] = 0  # constant bins do not count
    found = samples.distances(sample, Statistics(mean=np.zeros(20), std=std))
    assert dict(zip([clip.clip_id for clip in sample.clips], found, strict=True)) == {"near": 0.5, "far": 2.0}


def test_a_large_set_is_sampled_and_few_records_are_read(tmp_path, monkeypatch, read_sizes):
    synthetic_sets.write(tmp_path / "features", {str(number): loud(20, number) for number in range(200)}, DECIBELS)
    monkeypatch.setattr(samples, "MOST_CLIPS", 5)
    sets = FeatureSet(tmp_path / "features")
    sample = samples.measure(sets, SILENCE, 0, lambda *_: None)
    assert (len(sample.clips), sample.n_chosen, sample.n_all, sample.is_all) == (5, 5, 200, False)
    assert sum(read_sizes) < 20 * loud(20).nbytes
    again = samples.measure(sets, SILENCE, 0, lambda *_: None)
    assert [clip.clip_id for clip in again.clips] == [clip.clip_id for clip in sample.clips]
    others = samples.measure(sets, SILENCE, 1, lambda *_: None)
    assert [clip.clip_id for clip in others.clips] != [clip.clip_id for clip in sample.clips]


def test_a_stretch_of_a_long_clip_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(samples, "CLIP_BYTES", 4000)
    clips = {"long": np.arange(1000, dtype=np.float32)[:, None, None] + np.zeros((1, 20, 1), np.float32), "b": loud(9)}
    sample = measured(tmp_path / "features", clips)
    frames = {clip.clip_id: clip.n_frames for clip in sample.clips}
    assert 40 < frames["long"] <= 50
    assert frames["b"] == 9
    assert (sample.n_stretches, sample.is_all) == (1, False)


def test_values_that_are_not_finite_are_told_and_are_the_furthest(tmp_path):
    broken = loud(5)
    broken[2, 3] = np.nan
    sample = measured(tmp_path / "features", {"broken": broken, "good": loud(5)})
    assert sample.statistics is None
    assert [clip.is_finite for clip in sample.clips] == [False, True]
    assert samples.distances(sample, Statistics(mean=np.zeros(20), std=np.ones(20)))[0] == np.inf


def test_durations_come_from_the_index_and_unknown_ones_from_the_frames(tmp_path):
    synthetic_sets.write(tmp_path / "features", {"a": loud(10), "b": loud(30)})
    found = durations.of_clips(FeatureSet(tmp_path / "features"))
    assert found.seconds.tolist() == [0.1, 0.3]
    assert (found.estimated, found.median, found.total) == (0, pytest.approx(0.2), pytest.approx(0.4))
    old = durations.of_clips(FeatureSet("tests/data/v0.1/features"))
    config = FeatureSet("tests/data/v0.1/features").config
    assert old.estimated == 3
    assert old.seconds[0] == pytest.approx(38 * config.hop_length / config.sample_rate)


def test_a_steady_sound_is_not_silent_because_its_frames_are_equal(tmp_path):
    steady = np.repeat(loud(1), 6, axis=0)
    [found] = measured(tmp_path / "features", {"a": steady}, shards=1).clips
    assert (found.silent, found.is_silent) == (0, False)


def test_the_frames_of_a_view_are_counted_from_the_index(tmp_path):
    synthetic_sets.write(tmp_path / "features", {"a": loud(6), "b": loud(4)}, config=DECIBELS)
    sets = FeatureSet(tmp_path / "features")
    assert [durations.of_clips(view).n_frames for view in (sets, sets.select(["b"]), sets.select([]))] == [10, 4, 0]
