"""Forms of input of a call: elements of `tf.data`, mappings, and rows of datasets."""

import subprocess
import sys
import textwrap

import numpy as np
import pytest
import soundfile
import tensorflow as tf
from transform_examples import DECIBEL_TOLERANCE, FIELDS, FIXED, NOISE, make, pad

from audiopipe import Transform, configs
from audiopipe.errors import ArgumentError

# tf.data


def generated(*elements, signature):
    return tf.data.Dataset.from_generator(lambda: iter(elements), output_signature=signature)


ANY_LENGTH = tf.TensorSpec([None], tf.float32)


def test_tf_data_waveforms_of_several_lengths_share_one_trace(reference):
    mel = make()
    dataset = generated(NOISE[:, 0], NOISE[:400, 1], NOISE[:100, 2], signature=ANY_LENGTH).map(mel)
    assert dataset.element_spec == tf.TensorSpec([None, 129, 1], tf.float32)
    first, second, third = dataset.as_numpy_iterator()
    np.testing.assert_allclose(first, reference(NOISE[:, 0], mel.config), atol=DECIBEL_TOLERANCE)
    np.testing.assert_allclose(second, reference(NOISE[:400, 1], mel.config), atol=DECIBEL_TOLERANCE)
    assert third.shape == (0, 129, 1)
    mel(NOISE[:700, 0]), mel(NOISE[:600]), mel(NOISE[:500, 1]), mel(NOISE[:400])
    assert mel._kernel._of_fitting_clip.experimental_get_tracing_count() == 1
    assert mel._kernel._of_any_clip.experimental_get_tracing_count() == 1


def test_the_map_over_clips_calls_no_function_which_would_take_longer_than_many_operations(mel):
    graph = tf.function(mel).get_concrete_function(tf.TensorSpec([None, 1], tf.float32)).graph
    assert not {operation.type for operation in graph.get_operations()} & {"PartitionedCall", "StatefulPartitionedCall"}


def test_batches_of_tf_data_have_the_bits_of_their_clips_with_and_without_padding(mel, monkeypatch):
    monkeypatch.setattr("audiopipe.transform.kernel.PIECE_SAMPLES", 2000)
    sizes = [900, 900, 900, 900, 900, 300, 900, 0]
    clips = [NOISE[:size, number % 3] for number, size in enumerate(sizes)]
    elements = [{"audio": clip[:, None], "n_samples": len(clip)} for clip in clips]
    signature = {"audio": tf.TensorSpec([None, 1], tf.float32), "n_samples": tf.TensorSpec([], tf.int64)}
    padded = generated(*elements, signature=signature).padded_batch(3).map(mel)
    found = [feature for batch in padded.as_numpy_iterator() for feature in batch["feature"]]
    for clip, feature in zip(clips, found, strict=True):
        alone = mel(clip)
        np.testing.assert_array_equal(feature[: len(alone)], alone)
        np.testing.assert_array_equal(feature[len(alone) :], -50.0)
    for drop_remainder in (False, True):
        whole = tf.data.Dataset.from_tensor_slices(np.stack(clips[:5])[..., None]).batch(5, drop_remainder).map(mel)
        for clip, feature in zip(clips, next(whole.as_numpy_iterator()), strict=False):
            np.testing.assert_array_equal(feature, mel(clip))


def test_the_rest_of_a_tuple_passes_through(mel):
    dataset = tf.data.Dataset.from_tensors((NOISE[:, 0], 7, "text")).map(mel)
    feature, label, text = next(dataset.as_numpy_iterator())
    np.testing.assert_array_equal(feature, mel(NOISE[:, 0]))
    assert (label, text) == (7, b"text")
    assert dataset.element_spec[0].shape == (None, 129, 1)


def test_a_mapping_loses_its_audio_and_gains_the_feature_and_its_frames(mel):
    dataset = tf.data.Dataset.from_tensors({"audio": NOISE[:, 0], "label": 3}).map(mel)
    element = next(dataset.as_numpy_iterator())
    assert element.keys() == {"feature", "n_frames", "label"}
    np.testing.assert_array_equal(element["feature"], mel(NOISE[:, 0]))
    assert (element["n_frames"], element["n_frames"].dtype, element["label"]) == (13, np.int64, 3)


def test_keys_can_have_other_names():
    mel = Transform(configs.StftMagnitude(**FIELDS, **FIXED), audio="speech", feature="stft")
    element = next(tf.data.Dataset.from_tensors({"speech": NOISE[:, 0], "audio": 1}).map(mel).as_numpy_iterator())
    assert element.keys() == {"stft", "n_frames", "audio"}
    np.testing.assert_array_equal(element["stft"], mel(NOISE[:, 0]))


def test_a_missing_key_is_an_error_that_names_the_keys(mel):
    with pytest.raises(ArgumentError, match=r"must have the key 'audio'. Received the keys: speech, label"):
        mel({"speech": NOISE[:, 0], "label": 1})


def test_a_padded_batch_of_mappings_has_its_lengths_in_n_samples(mel, reference):
    signature = {"audio": ANY_LENGTH, "n_samples": tf.TensorSpec([], tf.int64)}
    clips = [NOISE[:, 0], NOISE[:700, 1], NOISE[:100, 2]]
    elements = [{"audio": clip, "n_samples": len(clip)} for clip in clips]
    dataset = generated(*elements, signature=signature).map(lambda item: {**item, "audio": item["audio"][:, None]})
    dataset = dataset.padded_batch(3, padding_values={"audio": 1e6, "n_samples": None}).map(mel)
    assert dataset.element_spec["feature"] == tf.TensorSpec([None, None, 129, 1], tf.float32)
    batch = next(dataset.as_numpy_iterator())
    np.testing.assert_array_equal(batch["n_frames"], [13, 5, 0])
    np.testing.assert_allclose(batch["feature"][0], reference(clips[0], mel.config), atol=DECIBEL_TOLERANCE)
    np.testing.assert_allclose(batch["feature"][1, :5], reference(clips[1], mel.config), atol=DECIBEL_TOLERANCE)
    np.testing.assert_array_equal(batch["feature"][1, 5:], -50.0)


def test_without_n_samples_every_sample_of_a_batch_of_mappings_counts(mel):
    dataset = tf.data.Dataset.from_tensors({"audio": NOISE[None, :, :1]}).map(mel)
    batch = next(dataset.as_numpy_iterator())
    np.testing.assert_array_equal(batch["n_frames"], [13])
    np.testing.assert_array_equal(batch["feature"][0], mel(NOISE[:, 0]))


def test_lengths_can_be_given_in_a_tf_data_map(mel):
    batch, lengths = pad(NOISE[:, 0], NOISE[:700, 1])
    dataset = tf.data.Dataset.from_tensors((batch, lengths)).map(lambda clips, n: mel(clips, lengths=n))
    np.testing.assert_array_equal(next(dataset.as_numpy_iterator()), mel(batch, lengths=lengths))


@pytest.mark.parametrize("source", ["known", "unknown"])
def test_a_batch_without_a_channel_axis_is_refused_in_a_tf_data_map(mel, source):
    clips = tf.data.Dataset.from_tensors(NOISE[:, 0]).repeat(2)
    if source == "known":
        with pytest.raises(ArgumentError, match=r"batch\[\.\.\., None\]"):
            clips.batch(16).map(mel)
    else:
        clips = generated(NOISE[:, 0], NOISE[:, 1], signature=ANY_LENGTH)
        with pytest.raises(tf.errors.InvalidArgumentError, match=r"batch\[\.\.\., None\]"):
            next(iter(clips.batch(16).map(mel)))


def test_a_tensor_of_unknown_rank_is_refused_with_advice_to_set_it(mel):
    dataset = generated(NOISE[:, 0], signature=tf.TensorSpec(None, tf.float32))
    with pytest.raises(ArgumentError, match=r"shape=<unknown>; set it with tf\.ensure_shape"):
        dataset.map(mel)


def test_the_element_spec_has_the_number_of_channels_if_it_is_known(kept):
    spec = generated(signature=tf.TensorSpec([None, 3], tf.float32)).map(kept).element_spec
    assert spec.shape == (None, 129, 3)
    first = make(channels=2, output_data_format="channels_first")
    spec = generated(signature=tf.TensorSpec([None, None], tf.float32)).map(first).element_spec
    assert spec.shape == (2, None, 129)


@pytest.mark.faults
def test_tensorflow_does_not_warn_when_tf_data_maps_a_transform():
    program = """
        import tensorflow as tf
        from audiopipe import Transform, configs
        mel = Transform(configs.MelSpectrogram(sample_rate=8000, n_fft=256))
        clips = tf.data.Dataset.from_tensors(tf.zeros([800, 1])).repeat(4)
        clips.map(mel)
        clips.batch(2).map(mel)
        clips.batch(2, drop_remainder=True).map(mel)
        clips.batch(2).map(lambda batch: mel(batch, lengths=[400, 800]))
        clips.map(lambda clip: {"audio": clip, "n_samples": 800}).batch(2).map(mel)
    """
    found = subprocess.run([sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True, check=True)
    assert "WARNING:tensorflow" not in found.stderr


def test_lengths_other_than_integers_are_refused_in_a_tf_data_map(mel):
    dataset = tf.data.Dataset.from_tensors((np.zeros((2, 1500, 1), np.float32), [9.0, 9.5]))
    with pytest.raises(ArgumentError, match=r"lengths must be integers\. Received: dtype=float32"):
        dataset.map(lambda clips, lengths: mel(clips, lengths=lengths))


# Mappings outside of tf.data


def test_an_eager_mapping_of_one_clip_gives_arrays(mel):
    for kind in (np.asarray, np.ndarray.tolist):
        result = mel({"audio": kind(NOISE[:, 0]), "label": 3})
        assert result.keys() == {"feature", "n_frames", "label"}
        np.testing.assert_array_equal(result["feature"], mel(NOISE[:, 0]))
        assert (result["n_frames"], type(result["n_frames"])) == (13, int)


@pytest.mark.parametrize("numbers", [NOISE, NOISE.tolist(), NOISE[None], tf.constant(NOISE)])
def test_eager_mappings_with_numbers_of_another_rank_are_refused_with_advice(mel, numbers):
    with pytest.raises(ArgumentError, match=r"of shape \((1, )?1500, 3\).*audiopipe\.hf\.map\(dataset, transform\)"):
        mel({"audio": numbers})


def test_a_mapping_must_be_the_only_argument(mel):
    with pytest.raises(ArgumentError, match=r"must be the only argument.*Also received: \(3,\)"):
        mel({"audio": NOISE[:, 0]}, 3)
    with pytest.raises(ArgumentError, match=r"must be the only argument.*Also received: \[5\]"):
        mel({"audio": NOISE[:, 0]}, lengths=[5])


def test_rows_of_datasets_are_read_and_mono_features_lose_the_channel_axis(mel, kept, tmp_path, reference):
    path = tmp_path / "clip.wav"
    soundfile.write(path, NOISE, 8000, subtype="FLOAT")
    row = mel({"audio": {"bytes": path.read_bytes(), "path": None}, "label": 3})
    assert row.keys() == {"feature", "n_frames"}
    np.testing.assert_allclose(row["feature"], reference(NOISE.mean(axis=1), mel.config)[..., 0], atol=1e-3)
    batch = kept({"audio": [str(path), path.read_bytes()], "label": [3, 4]})
    assert batch["n_frames"] == [13, 13]
    for feature in batch["feature"]:
        np.testing.assert_allclose(feature, reference(NOISE, kept.config), atol=DECIBEL_TOLERANCE)


def test_rows_and_failures_come_in_order(mel, monkeypatch):
    monkeypatch.setattr("audiopipe.transform.row_features.LONG_SECONDS", 0.1)
    clips = [NOISE[: 300 + 70 * number, :1] for number in range(19)]  # some are longer than LONG_SECONDS
    values = [{"array": clip, "sampling_rate": 8000} for clip in clips]
    values[0], values[8], values[18] = None, {"array": NOISE[0, :1], "sampling_rate": 8000}, {"label": 3}
    made = list(mel.rows(values))
    assert len(made) == 19
    failures = {number: str(row) for number, row in enumerate(made) if not isinstance(row, tuple)}
    assert failures.keys() == {0, 8, 18}
    assert "holds no audio" in failures[0]
    assert "shorter than one frame" in failures[8]
    for number in set(range(19)) - {0, 8, 18}:
        feature, n_frames = made[number]
        assert n_frames == len(feature)
        np.testing.assert_array_equal(feature, mel(clips[number])[..., 0])


def test_the_features_of_rows_are_writable(mel):
    values = [{"array": NOISE[:, 0], "sampling_rate": 8000}] * 3
    for feature in mel({"audio": values})["feature"]:
        feature += 1
    np.testing.assert_array_equal(mel({"audio": values})["feature"][0] + 1, feature)
