"""Whole datasets of features of published front ends, stored by `hf.map` and by `precompute`.

A Parquet dataset and a folder hold the same recordings: shorter than a fixed length, longer, around the number of
frames at which rows are padded, and at another sample rate.
"""

import functools
from pathlib import Path

import datasets
import numpy as np
import pytest
import soundfile

from audiopipe import FeatureSet, Transform, beam, hf, load, registry, tfdata
from audiopipe.verification import set_check
from front_ends import agreement, clips, references

pytestmark = [
    pytest.mark.faults,  # a minute and a half of processor time
    pytest.mark.usefixtures("quiet_bars"),
    pytest.mark.filterwarnings("ignore::audiopipe.errors.AudioRemark"),  # AST leaves out what is beyond 10 s
]

PRESETS = ["ast", "seamless-m4t", "clap-unfused", "nemo-mel-80"]
# The longest clip of CLAP has 10 s.
REFUSED = {"clap-unfused": ["long.flac"]}


@functools.cache
def transform_of(preset):
    return Transform(preset)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Returns a function that returns a folder of recordings for a sample rate."""

    @functools.cache
    def write(sample_rate):
        folder = tmp_path_factory.mktemp(f"recordings-{sample_rate}")
        hop, second = sample_rate // 100, clips.speech_like(sample_rate, sample_rate)
        for name, clip, rate in (
            ("second.flac", second, sample_rate),
            ("even.wav", clips.noise(20 * hop + hop * 3 // 2), sample_rate),
            ("odd.wav", clips.noise(21 * hop + hop * 3 // 2, seed=2), sample_rate),
            ("half.ogg", clips.speech_like(8 * sample_rate // 10, sample_rate), sample_rate),
            ("resampled.wav", clips.speech_like(22050, 22050), 22050),
            ("long.flac", clips.noise(10 * sample_rate + 50 * hop, 0.1), sample_rate),
        ):
            soundfile.write(folder / name, clip, rate)
        return folder

    return write


@pytest.fixture(scope="module", params=PRESETS)
def case(request, folders):
    """Name of a preset, folder of recordings, and the features of the transform by their names."""
    preset = request.param
    transform = transform_of(preset)
    folder = folders(transform.config.sample_rate)
    names = [path.name for path in sorted(folder.iterdir()) if path.name not in REFUSED.get(preset, ())]
    return preset, folder, {name: transform(transform.read(folder / name)) for name in names}


@pytest.fixture(scope="module")
def feature_set(case, tmp_path_factory):
    preset, folder, _ = case
    return beam.precompute(folder, tmp_path_factory.mktemp("features"), preset, num_shards=2, max_failure_ratio=0.5)


@functools.cache
def reference_of(preset, path):
    return references.reference(preset, transform_of(preset).read(path)[:, 0])


def check_bits(found, expected):
    assert sorted(found) == sorted(expected)
    for name, feature in expected.items():
        np.testing.assert_array_equal(found[name].view(np.uint32), feature.view(np.uint32), err_msg=name)


def test_a_parquet_dataset_has_the_bits_of_the_transform_and_the_valid_frames_of_the_reference(case, tmp_path):
    preset, folder, expected = case
    paths = sorted(folder.iterdir())
    stored = [{"bytes": path.read_bytes(), "path": None} for path in paths]
    rows = datasets.Dataset.from_dict({"audio": stored, "name": [path.name for path in paths]})
    rows.to_parquet(tmp_path / "rows.parquet")
    rows = datasets.Dataset.from_parquet(str(tmp_path / "rows.parquet"), cache_dir=str(tmp_path / "cache"))
    mapped = hf.map(rows, transform_of(preset), on_error="null", batch_size=4)
    mapped.to_parquet(tmp_path / "features.parquet")
    found = datasets.Dataset.from_parquet(str(tmp_path / "features.parquet"), cache_dir=str(tmp_path / "cache"))
    errors = found.select_columns(["name", "error"])[:]
    failed = {name for name, error in zip(errors["name"], errors["error"], strict=True) if error is not None}
    assert failed == set(REFUSED.get(preset, ()))
    good = found.select([place for place, name in enumerate(errors["name"]) if name not in failed])
    good = good.with_format("numpy")
    check_bits({row["name"]: row["feature"][..., None] for row in good}, expected)
    for row in good:
        reference = reference_of(preset, folder / str(row["name"]))
        valid = row["valid_frames"] if "valid_frames" in row else row["n_frames"]
        assert (valid, row["n_frames"]) == (reference.valid_frames, len(reference.feature)), row["name"]
        assert agreement.judge(row["feature"], reference) == [], row["name"]


def test_a_feature_set_has_the_bits_of_the_transform_and_the_valid_frames_of_the_reference(case, feature_set):
    preset, folder, expected = case
    check_bits({clip["id"]: clip["feature"] for clip in feature_set}, expected)
    check_bits({clip["id"].decode(): clip["feature"] for clip in load(feature_set).as_numpy_iterator()}, expected)
    assert set_check.verify(feature_set.path, folder).ok
    for clip in feature_set:
        reference = reference_of(preset, folder / clip["id"])
        valid = clip.get("valid_frames", clip["n_frames"])
        assert (valid, clip["n_frames"]) == (reference.valid_frames, len(reference.feature)), clip["id"]


def test_a_refused_clip_is_a_failure_that_says_why(case, feature_set):
    preset, _, _ = case
    failures = (Path(feature_set.path) / "failures.jsonl").read_text()
    assert [name in failures for name in REFUSED.get(preset, ())] == [True] * len(REFUSED.get(preset, ()))
    assert ("10 s" in failures) == (preset in REFUSED)


def test_padded_batches_have_the_masks_of_the_reference_and_its_padding(case, feature_set):
    preset, folder, expected = case
    config = registry.get(preset)
    [batch] = tfdata.padded_batch(load(FeatureSet(feature_set.path)), 8, config, mask=True).as_numpy_iterator()
    longest = max(len(feature) for feature in expected.values())
    for clip_id, feature, mask, n_frames in zip(
        batch["id"], batch["feature"], batch["mask"], batch["n_frames"], strict=True
    ):
        name = clip_id.decode()
        assert mask.tolist() == [place < reference_of(preset, folder / name).valid_frames for place in range(longest)]
        np.testing.assert_array_equal(feature[:n_frames], expected[name])
        beyond = feature[n_frames:]
        np.testing.assert_array_equal(beyond, np.broadcast_to(config.padding_frame(1), beyond.shape))
