"""Numbers of frames of elements: a step that changes one between two building blocks does not go unnoticed."""

import apache_beam
import datasets
import numpy as np
import pytest
from collecting import compute
from computed_clips import element, elements_of, write

from audiopipe import FeatureSet, Transform, beam, configs, hf, registry
from audiopipe.errors import FingerprintError, InputError
from audiopipe.precompute import element_digests
from audiopipe.precompute.computed_clips import ComputedClips

CONFIG = configs.WhisperLogMel(n_mels=4, chunk_seconds=0.5)  # 50 frames of every clip
NOISE = np.random.default_rng(0).uniform(-0.5, 0.5, 4000).astype(np.float32)


@pytest.fixture(scope="module")
def computed():
    [row], _ = compute([{"id": "a", "audio": NOISE}], Transform(CONFIG))
    assert (row["n_frames"], row["valid_frames"]) == (50, 25)
    return row


BLOCKS = {
    "statistics": lambda rows, folder: rows | beam.FeatureStatistics(CONFIG),
    "examples": lambda rows, folder: rows | beam.ToExamples(CONFIG),
    "feature set": lambda rows, folder: rows | beam.WriteFeatureSet(folder / "features", CONFIG),
}


@pytest.mark.parametrize("block", BLOCKS)
def test_another_number_of_frames_with_audio_is_refused_by_every_block(computed, tmp_path, block):
    def build(pipeline):
        rows = pipeline | apache_beam.Create([computed]) | apache_beam.Map(lambda row: {**row, "valid_frames": 50})
        return BLOCKS[block](rows, tmp_path)

    with pytest.raises(FingerprintError, match=r"'a': 'valid_frames' must be 25, the number .* Received: 50"):
        elements_of(build)


@pytest.mark.parametrize(
    ("changes", "kind", "message"),
    [
        ({"valid_frames": 24}, FingerprintError, "'valid_frames' must be 25, .* Received: 24"),
        ({"valid_frames": 0}, FingerprintError, "'valid_frames' must be 25, .* Received: 0"),
        ({"valid_frames": None}, FingerprintError, "'valid_frames' must be 25, .* Received: None"),
        ({"valid_frames": "25"}, InputError, "must be a number of frames, 0 .. 50. Received: '25'"),
        ({"valid_frames": 51}, InputError, "must be a number of frames, 0 .. 50. Received: 51"),
        ({"n_frames": 25}, InputError, "'n_frames' must be the number of frames of its feature, 50. Received: 25"),
        ({"n_frames": None}, InputError, "'n_frames' must be the number of frames of its feature"),
        ({"feature": np.zeros((50, 4, 1), np.float32)}, FingerprintError, "its feature must be the one that"),
    ],
)
def test_changed_numbers_are_refused_with_the_id_and_the_right_number(computed, changes, kind, message):
    assert ComputedClips(CONFIG).read(computed).valid_frames == 25
    with pytest.raises(kind, match=f"The element 'a': .*{message}"):
        ComputedClips(CONFIG).read({**computed, **changes})


def test_a_number_that_a_step_adds_is_refused_unless_it_is_that_of_all_frames(config):
    row = element("a", np.zeros((3, config.n_bins, 1), np.float32), config)
    assert ComputedClips(config).read({**row, "valid_frames": 3}).valid_frames == 3
    with pytest.raises(FingerprintError, match=r"'valid_frames' must be 3, .* Received: 1"):
        ComputedClips(config).read({**row, "valid_frames": 1})


def test_a_number_that_is_not_known_stays_unknown_and_cannot_be_filled_in(config, tmp_path):
    """As in sets of release 0.1, which did not store it."""
    row = element("a", np.zeros((50, 4, 1), np.float32), CONFIG, valid_frames=None)
    made = FeatureSet(write([row], tmp_path / "features", CONFIG))
    [found] = elements_of(lambda pipeline: pipeline | beam.ReadFeatureSet(made))
    assert found["valid_frames"] is None
    assert ComputedClips(CONFIG).read(found).valid_frames is None
    with pytest.raises(FingerprintError, match=r"'valid_frames' must be None, .* Received: 50"):
        ComputedClips(CONFIG).read({**found, "valid_frames": 50})


def test_elements_of_a_padded_set_keep_their_number(computed, tmp_path):
    made = FeatureSet(write([computed], tmp_path / "features", CONFIG))
    [found] = elements_of(lambda pipeline: pipeline | beam.ReadFeatureSet(made))
    assert found["feature_digest"] == computed["feature_digest"]
    with pytest.raises(InputError, match="must have the number of its frames that hold audio"):
        ComputedClips(CONFIG).read({name: value for name, value in found.items() if name != "valid_frames"})


@pytest.mark.usefixtures("quiet_bars")
def test_rows_of_datasets_are_elements_unless_they_are_padded(config):
    rows = datasets.Dataset.from_dict({"audio": [NOISE], "id": ["a"]})
    [row] = hf.map(rows, Transform(config)).with_format("numpy")
    assert ComputedClips(config).read({**row, "id": "a", "n_frames": int(row["n_frames"])}).valid_frames > 1
    [row] = hf.map(rows, Transform(CONFIG)).with_format("numpy")
    with pytest.raises(FingerprintError, match=r"must be 50.* Received: 25.* audiopipe.hf.to_feature_set"):
        ComputedClips(CONFIG).read({**row, "id": "a"})


def test_the_digest_of_a_clip_without_padding_is_that_of_its_feature():
    assert element_digests.digest("68871938ac22f71d", 7, 7) == "68871938ac22f71d"
    others = {element_digests.digest("68871938ac22f71d", 7, valid) for valid in (*range(7), None)}
    assert len(others - {"68871938ac22f71d"}) == 8
    assert element_digests.covered("68871938ac22f71d", "68871938ac22f71d", 7) == (True, 7)
    assert element_digests.covered("0" * 16, "68871938ac22f71d", 7) == (False, None)


def test_bytes_of_feature_sets_of_padded_clips_do_not_depend_on_the_door(tmp_path):
    made = beam.precompute("examples/audio/music", tmp_path / "made", "whisper-80")
    again = tmp_path / "again"
    with apache_beam.Pipeline(runner="FnApiRunner") as pipeline:
        _ = pipeline | beam.ReadFeatureSet(made) | beam.WriteFeatureSet(again, registry.get("whisper-80"))
    assert FeatureSet(again).statistics == made.statistics
    assert [clip["valid_frames"] for clip in FeatureSet(again)] == [clip["valid_frames"] for clip in made]
