"""Classes and events from a manifest or from `datasets` to targets."""

import json

import numpy as np
import pytest
import soundfile
import tensorflow as tf

from audiopipe import FeatureSet, Segments, beam, configs, hf, load, tfdata

CONFIG = configs.StftMagnitude(
    sample_rate=8000, n_fft=64, hop_length=40, input_data_format="channels_last", output_data_format="channels_last"
)
ROWS = {  # 800 samples, 0.1 s, 19 frames that are centred at 4, 9, 14, ... ms
    "two": {"onset": [0, 0.05], "offset": [0.0101, 0.07], "label": ["dog", "cat"], "tags": ["b", "a"]},
    "none": {"onset": [], "offset": [], "label": [], "tags": []},
    "open": {"onset": [0.09], "offset": [float("inf")], "label": ["cat"], "tags": ["b"]},
}
ACTIVE = {"two": {"cat": [9, 10, 11, 12, 13], "dog": [0, 1]}, "none": {}, "open": {"cat": [17, 18]}}


@pytest.fixture(scope="module")
def manifest(tmp_path_factory):
    folder = tmp_path_factory.mktemp("events")
    soundfile.write(folder / "clip.wav", np.linspace(-0.5, 0.5, 800), 8000)
    rows = [json.dumps({"id": name, "path": "clip.wav", "words": row["label"], **row}) for name, row in ROWS.items()]
    (folder / "clips.jsonl").write_text("\n".join(rows))
    return folder / "clips.jsonl"


@pytest.fixture(scope="module")
def sets(manifest, tmp_path_factory):
    path = tmp_path_factory.mktemp("set") / "features"
    return beam.precompute(manifest, path, CONFIG, class_columns=["label", "tags"])


def test_events_of_a_manifest_become_targets(sets):
    dataset = load(sets)
    made = tfdata.frame_targets(dataset, sets, CONFIG)
    made = tfdata.multi_hot(tfdata.multi_hot(made, "tags", sets), "words", ["cow", "dog", "cat"])
    assert sets.classes == {"label": ["cat", "dog"], "tags": ["a", "b"]}
    for element in made.as_numpy_iterator():
        name = element["id"].decode()
        expected = np.zeros((19, 2), np.float32)
        for column, label in enumerate(["cat", "dog"]):
            expected[ACTIVE[name].get(label, []), column] = 1.0
        np.testing.assert_array_equal(element["targets"], expected)
        assert element["tags"].tolist() == [float(tag in ROWS[name]["tags"]) for tag in "ab"]
        assert element["words"].tolist() == [0.0, *[float(word in ROWS[name]["label"]) for word in ("dog", "cat")]]
    assert made.cardinality() == 3


def test_segments_have_the_events_of_their_part_of_the_recording(manifest, tmp_path):
    path = tmp_path / "features"
    beam.precompute(manifest, path, CONFIG, segments=Segments(seconds=0.05))
    made = tfdata.frame_targets(load(path), ["cat", "dog"], CONFIG, origin="start")
    found = {element["id"].decode(): element["targets"] for element in made.as_numpy_iterator()}
    assert {name: np.argwhere(targets).tolist() for name, targets in found.items()} == {
        "two#00000": [[0, 1], [1, 1]],
        "two#00001": [[0, 0], [1, 0], [2, 0], [3, 0]],
        "none#00000": [],
        "none#00001": [],
        "open#00000": [],
        "open#00001": [[7, 0], [8, 0]],
    }


@pytest.mark.usefixtures("quiet_bars")
def test_a_sequence_of_class_labels_keeps_its_classes(tmp_path):
    import datasets

    kind = datasets.Features(
        {
            "feature": hf.feature_type(CONFIG),
            "tags": datasets.Sequence(datasets.ClassLabel(names=["rain", "car"])),
            "label": datasets.ClassLabel(names=["dog", "cat"]),
        }
    )
    rows = {"feature": [np.zeros((2, 33), np.float32)] * 3, "tags": [[1], [], [0, 1]], "label": [0, 1, 1]}
    made = hf.with_digests(datasets.Dataset.from_dict(rows, features=kind))
    hf.to_feature_set(made, tmp_path / "features")
    sets = FeatureSet(tmp_path / "features")
    assert sets.classes == {"label": ["dog", "cat"], "tags": ["rain", "car"]}
    made = tfdata.class_names(tfdata.multi_hot(load(sets), "tags", sets), "label", sets)
    [batch] = made.batch(3).as_numpy_iterator()
    assert batch["tags"].tolist() == [[0, 1], [0, 0], [1, 1]]
    assert batch["label"].tolist() == [b"dog", b"cat", b"cat"]


def test_events_after_the_audio_of_a_clip_that_was_not_cut_are_not_lost_in_silence():
    config = configs.WhisperLogMel(n_mels=4, chunk_seconds=0.25, output_data_format="channels_last")
    clip = {"feature": tf.zeros([25, 4, 1]), "n_frames": 25, "valid_frames": 24, "label": ["dog"], "start": 0.0}
    dataset = tf.data.Dataset.from_tensors({**clip, "onset": [0.26], "offset": [0.3]})
    with pytest.raises(tf.errors.InvalidArgumentError, match="must overlap the clip"):
        list(tfdata.frame_targets(dataset, ["dog"], config))
    [element] = tfdata.frame_targets(dataset, ["dog"], config, origin="start")
    assert not element["targets"].numpy().any()
