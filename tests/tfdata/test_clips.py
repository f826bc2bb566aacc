"""The door `tfdata`: audio files as a `tf.data.Dataset`."""

import dataclasses

import numpy as np
import pytest
import soundfile
import tensorflow as tf

from audiopipe import Segments, Transform, configs, tfdata
from audiopipe.errors import AudioRemark, InputError

pytestmark = pytest.mark.filterwarnings("ignore::audiopipe.errors.MetadataRemark")

GOOD = ["mono.wav", "quiet.wav", "resampled.wav", "stereo.flac"]
TOLERANCE = 1e-2  # decibels; float32 is inaccurate in bands that resampling almost emptied


def paths(clips, names=GOOD):
    return [clips / name for name in names]


def test_clips_are_in_order_and_at_the_sample_rate_of_the_config(clips, samples, config):
    elements = list(tfdata.from_audio(paths(clips), config).as_numpy_iterator())
    assert [element["id"].decode() for element in elements] == [str(path) for path in paths(clips)]
    for name, element in zip(GOOD, elements, strict=True):
        expected = samples[name.partition(".")[0]]
        np.testing.assert_allclose(element["audio"][:, 0], expected, atol=1e-7)
        assert element["n_samples"] == len(expected)


def test_the_ids_of_a_folder_are_relative_paths(clips, config):
    dataset = tfdata.from_audio(clips, config).ignore_errors()
    assert [element["id"].decode() for element in dataset.as_numpy_iterator()] == GOOD


@pytest.mark.parametrize("num_parallel_calls", [1, 4])
def test_the_order_does_not_depend_on_parallel_calls(clips, config, num_parallel_calls):
    dataset = tfdata.from_audio(clips / "manifest.jsonl", config, num_parallel_calls=num_parallel_calls)
    ids = [element["id"].decode() for element in dataset.ignore_errors().as_numpy_iterator()]
    assert ids == ["mono", "stereo", "resampled", "quiet"]


def test_metadata_keeps_its_types_and_values(clips, config, metadata):
    dataset = tfdata.from_audio(clips / "manifest.jsonl", config).ignore_errors()
    assert dataset.element_spec == {
        "audio": tf.TensorSpec([None, 1], tf.float32),
        "id": tf.TensorSpec([], tf.string),
        "n_samples": tf.TensorSpec([], tf.int64),
        "speaker": tf.TensorSpec([], tf.string),
        "note": tf.TensorSpec([], tf.string),
        "take": tf.TensorSpec([], tf.int64),
        "gain": tf.TensorSpec([], tf.float64),
        "age": tf.TensorSpec([], tf.int64),
        "clean": tf.TensorSpec([], tf.bool),
    }
    for element in dataset.as_numpy_iterator():
        known = metadata[element["id"].decode()]
        assert element["speaker"].decode() == known["speaker"]
        assert element["note"].decode() == (known["note"] or "")
        assert (element["take"], element["gain"], element["clean"]) == (known["take"], known["gain"], known["clean"])
        assert element["age"] == (-1 if known["age"] is None else known["age"])


def test_a_file_that_cannot_be_read_raises_with_its_name(clips, config):
    dataset = tfdata.from_audio(paths(clips, ["mono.wav", "broken.wav"]), config)
    with pytest.raises(tf.errors.UnknownError, match=r"AudioError: Could not decode '.*broken\.wav' as audio"):
        list(dataset)


def test_features_of_single_clips_and_of_padded_batches_equal_the_reference(clips, samples, config, reference):
    mel = Transform(config)
    dataset = tfdata.from_audio(paths(clips), config)
    assert dataset.map(mel).element_spec["feature"].shape == (None, 129, 1)
    [batch] = dataset.padded_batch(4).map(mel).as_numpy_iterator()
    for row, (name, element) in enumerate(zip(GOOD, dataset.map(mel).as_numpy_iterator(), strict=True)):
        expected = reference(samples[name.partition(".")[0]], config)
        np.testing.assert_allclose(element["feature"], expected, atol=TOLERANCE)
        assert element["n_frames"] == batch["n_frames"][row] == len(expected)
        np.testing.assert_array_equal(batch["feature"][row, : len(expected)], element["feature"])
        np.testing.assert_array_equal(batch["feature"][row, len(expected) :], -50.0)


def test_channels_are_those_of_the_config(clips):
    def shape(channels):
        config = configs.StftMagnitude(sample_rate=8000, n_fft=256, channels=channels)
        [element] = tfdata.from_audio([clips / "stereo.flac"], config).as_numpy_iterator()
        return element["audio"].shape

    assert [shape(1), shape(2), shape(None)] == [(2500, 1), (2500, 2), (2500, 2)]
    config = configs.StftMagnitude(sample_rate=8000, n_fft=256, channels=2)
    with pytest.raises(tf.errors.UnknownError, match=r"requires 2 channels\. Received: 1"):
        list(tfdata.from_audio([clips / "mono.wav"], config))


def test_a_missing_input_is_refused_at_once(tmp_path, config):
    with pytest.raises(InputError, match=r"There is no '.*nowhere'"):
        tfdata.from_audio(tmp_path / "nowhere", config)


def test_a_batch_of_clips_with_different_channels_is_refused(clips, config):
    keep = Transform(dataclasses.replace(config, channels=None))
    mixed = tfdata.from_audio([clips / "mono.wav", clips / "stereo.flac"], keep)
    assert [int(element["n_channels"]) for element in mixed] == [1, 2]
    with pytest.raises(tf.errors.InvalidArgumentError, match="must have the same number of channels"):
        list(mixed.padded_batch(2).map(keep))
    alone = [element["feature"].numpy() for element in mixed.map(keep)]
    for batch, feature in zip(mixed.padded_batch(1).map(keep), alone, strict=True):
        np.testing.assert_array_equal(batch["feature"][0], feature)


def test_a_recording_that_is_too_short_for_a_segment_gives_a_warning_and_no_clip(tmp_path, config):
    soundfile.write(tmp_path / "long.wav", np.zeros(16000), 8000)
    soundfile.write(tmp_path / "short.wav", np.zeros(4000), 8000)
    clips = tfdata.from_audio(tmp_path, config, segments=Segments(seconds=1))
    with pytest.warns(AudioRemark, match=r"short\.wav.*the recording has 0\.5 s and gives no segment of 1 s"):
        ids = [clip["id"].decode() for clip in clips.as_numpy_iterator()]
    assert ids == ["long.wav#00000", "long.wav#00001"]
