"""Tests of `Transform`: values, forms of input, refusals, pickling and threads."""

import pickle
import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor

import librosa
import numpy as np
import pytest
import soundfile
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from audiopipe import Transform, configs
from audiopipe.errors import ArgumentError, AudioError

NOISE = np.random.default_rng(3).uniform(-0.5, 0.5, (1500, 3)).astype(np.float32)
FIELDS = {"sample_rate": 8000, "n_fft": 256, "hop_length": 100, "return_decibel": True}
FIXED = {"input_data_format": "channels_last", "output_data_format": "channels_last"}
DECIBEL_TOLERANCE = 1e-3


def make(**fields):
    return Transform(configs.StftMagnitude(**{**FIELDS, **FIXED, **fields}))


@pytest.fixture(scope="module")
def mel():
    """A transform to mono decibels, shared by the tests that do not count traces."""
    return make()


@pytest.fixture(scope="module")
def kept():
    """A transform that keeps all channels."""
    return make(channels=None)


def pad(*clips):
    """Returns a batch `[batch, time, channels]`, padded with loud samples or NaN, and the lengths of its clips."""
    clips = [clip[:, None] if clip.ndim == 1 else clip for clip in clips]
    lengths = np.array([len(clip) for clip in clips])
    batch = np.full((len(clips), lengths.max(), clips[0].shape[1]), np.nan, np.float32)
    batch[::2] = 1e6
    for row, clip in zip(batch, clips, strict=True):
        row[: len(clip)] = clip
    return batch, lengths


# Values


def test_one_clip_has_the_values_of_the_reference(mel, reference):
    feature = mel(NOISE[:, 0])
    assert isinstance(feature, np.ndarray)
    assert feature.dtype == np.float32
    np.testing.assert_allclose(feature, reference(NOISE[:, 0], mel.config), atol=DECIBEL_TOLERANCE)


def test_a_registered_config_has_the_values_of_librosa():
    power = librosa.feature.melspectrogram(
        y=NOISE[:, 0], sr=16000, n_fft=400, hop_length=160, n_mels=80, center=False, power=1.0
    )
    decibels = 10 * np.log10(np.maximum(power, 1e-5))
    np.testing.assert_allclose(Transform("speech-mel-80")(NOISE[:, 0])[..., 0], decibels.T, atol=DECIBEL_TOLERANCE)


def test_stereo_is_mixed_to_the_mean_of_its_channels(mel, reference):
    np.testing.assert_allclose(
        mel(NOISE), reference(NOISE.mean(axis=1, dtype=np.float64), mel.config), atol=DECIBEL_TOLERANCE
    )


def test_all_channels_are_kept_if_the_config_says_so(kept, reference):
    for channels in (1, 2, 3):
        clip = NOISE[:, :channels]
        feature = kept(clip)
        assert feature.shape == (13, 129, channels)
        np.testing.assert_allclose(feature, reference(clip, kept.config), atol=DECIBEL_TOLERANCE)


def test_channels_first_output_holds_the_same_values(reference):
    feature = make(channels=None, output_data_format="channels_first")(NOISE)
    assert feature.shape == (3, 13, 129)
    expected = np.moveaxis(reference(NOISE, configs.StftMagnitude(**FIELDS, channels=None)), -1, 0)
    np.testing.assert_allclose(feature, expected, atol=DECIBEL_TOLERANCE)


@pytest.mark.parametrize("dtype", [np.float64, np.float16])
def test_other_floats_are_computed_as_their_float32_values(mel, dtype):
    clip = NOISE[:, 0].astype(dtype)
    np.testing.assert_array_equal(mel(clip), mel(clip.astype(np.float32)))


def test_a_tensor_gives_a_tensor_of_the_same_values(mel):
    feature = mel(tf.constant(NOISE[:, 0]))
    assert tf.is_tensor(feature)
    np.testing.assert_array_equal(feature, mel(NOISE[:, 0]))


def test_a_list_of_floats_is_a_clip(mel):
    np.testing.assert_array_equal(mel(NOISE[:400, 0].tolist()), mel(NOISE[:400, 0]))


# Batches


@settings(max_examples=15, deadline=None)
@given(lengths=st.lists(st.integers(0, 1500), min_size=1, max_size=5), seed=st.integers(0, 99))
def test_each_clip_of_a_batch_equals_the_clip_alone(mel, lengths, seed):
    noise = np.random.default_rng(seed).uniform(-1, 1, (len(lengths), max(lengths), 2)).astype(np.float32)
    batch, lengths = pad(*(clip[:length] for clip, length in zip(noise, lengths, strict=True)))
    features = mel(batch, lengths=lengths)
    for feature, clip, length in zip(features, noise, lengths, strict=True):
        n_frames = max(0, (length - 156) // 100)
        np.testing.assert_array_equal(feature[:n_frames], mel(clip[:length]))
        np.testing.assert_array_equal(feature[n_frames:], 0.0)


def test_a_batch_has_the_values_of_the_reference(kept, reference):
    batch, lengths = pad(NOISE, NOISE[300:1000])
    features = kept(batch, lengths=lengths)
    assert features.shape == (2, 13, 129, 3)
    np.testing.assert_allclose(features[0], reference(NOISE, kept.config), atol=DECIBEL_TOLERANCE)
    np.testing.assert_allclose(features[1, :5], reference(NOISE[300:1000], kept.config), atol=DECIBEL_TOLERANCE)


def test_a_quiet_clip_is_unchanged_by_a_loud_neighbour(mel):
    quiet = 1e-4 * NOISE[:, 0]
    batch, lengths = pad(1e5 * NOISE[:, 1], quiet, np.full(900, np.nan, np.float32))
    np.testing.assert_array_equal(mel(batch, lengths=lengths)[1], mel(quiet))


def test_the_dynamic_range_is_relative_to_the_maximum_of_each_clip(reference):
    mel = make(db_dynamic_range=10.0)
    batch, lengths = pad(NOISE[:, 0], 1e-3 * NOISE[:700, 1])
    features = mel(batch, lengths=lengths)
    assert features[0].min() == pytest.approx(features[0].max() - 10)
    assert features[1, :5].min() == pytest.approx(features[1, :5].max() - 10)
    np.testing.assert_allclose(features[1, :5], reference(1e-3 * NOISE[:700, 1], mel.config), atol=DECIBEL_TOLERANCE)


def test_without_lengths_every_sample_of_a_batch_counts(mel, reference):
    features = mel(np.stack([NOISE[:, :1], NOISE[:, 1:2]]))
    np.testing.assert_allclose(features[1], reference(NOISE[:, 1], mel.config), atol=DECIBEL_TOLERANCE)


def test_a_clip_shorter_than_one_frame_has_no_frames(mel):
    assert mel(NOISE[:255, 0]).shape == (0, 129, 1)
    batch, lengths = pad(NOISE[:255, 0], NOISE[:256, 0])
    features = mel(batch, lengths=lengths)
    np.testing.assert_array_equal(features[0], np.zeros((1, 129, 1)))
    assert features[1].any()


def test_an_empty_batch_has_no_features(mel):
    assert mel(np.zeros((0, 1500, 1), np.float32), lengths=[]).shape == (0, 13, 129, 1)


def test_frames_are_counted_for_ints_arrays_and_tensors(mel):
    assert mel.n_frames(1500) == 13
    np.testing.assert_array_equal(mel.n_frames(np.array([0, 255, 256, 355, 356])), [0, 0, 1, 1, 2])
    np.testing.assert_array_equal(mel.n_frames(tf.constant([1500, 10])), [13, 0])


@pytest.mark.parametrize(
    "lengths", [[1500], [1500, 1500, 3], [1500, 1501], [-1, 5], [[1500, 5]], 1500, [1500, 2**32 + 5]]
)
def test_impossible_lengths_are_refused(mel, lengths):
    with pytest.raises(ArgumentError, match=r"lengths must be 2 integers of 0 \.\. 1500.*Received: "):
        mel(np.zeros((2, 1500, 1), np.float32), lengths=lengths)


@pytest.mark.parametrize("lengths", [[1500, 99.5], [1.0, 2.0], [True, False]])
def test_lengths_other_than_integers_are_refused(mel, lengths):
    with pytest.raises(ArgumentError, match=r"lengths must be 2 integers.*Received: "):
        mel(np.zeros((2, 1500, 1), np.float32), lengths=lengths)


@pytest.mark.parametrize("shape", [(1500,), (1500, 2)])
def test_lengths_with_one_clip_are_refused(mel, shape):
    with pytest.raises(ArgumentError, match=r"lengths must come with a batch.*batch\[\.\.\., None\]"):
        mel(np.zeros(shape, np.float32), lengths=[1500])


# Refusals


def test_only_the_sample_rate_of_the_config_is_accepted(mel):
    with pytest.raises(ArgumentError, match=r"Received: sample_rate=44100\. The config has 8000.*transform\.read"):
        mel(NOISE[:, 0], sample_rate=44100)
    np.testing.assert_array_equal(mel(NOISE[:, 0], sample_rate=8000), mel(NOISE[:, 0]))


@pytest.mark.parametrize("dtype", ["int16", "int32", "uint8", "bool"])
@pytest.mark.parametrize("kind", [np.asarray, tf.constant])
def test_integers_are_refused_with_advice_to_scale_them(mel, dtype, kind):
    with pytest.raises(ArgumentError, match=rf"dtype={dtype}.*astype\('float32'\) / 32768"):
        mel(kind(np.ones(1500, dtype)))


@pytest.mark.parametrize("shape", [(16, 1500), (2, 1500, 65), (1500, 0)])
def test_more_than_64_channels_and_zero_channels_are_refused(mel, shape):
    with pytest.raises(ArgumentError, match=r"at most 64 channels.*batch\[\.\.\., None\].*Received: shape=\(\d+, "):
        mel(np.zeros(shape, np.float32))


def test_64_channels_are_accepted(mel):
    clip = np.tile(NOISE[:, :1], 64)
    np.testing.assert_allclose(mel(clip), mel(NOISE[:, 0]), atol=DECIBEL_TOLERANCE)


@pytest.mark.parametrize("shape", [(), (1, 2, 3, 4)])
def test_other_ranks_are_refused(mel, shape):
    with pytest.raises(ArgumentError, match=r"must be \[time\] or \[time, channels\].*Received: shape=\("):
        mel(np.zeros(shape, np.float32))


def test_rows_of_unequal_lengths_are_refused(mel):
    with pytest.raises(ArgumentError, match="Received: rows of unequal lengths"):
        mel([[0.1, 0.2], [0.3]])
    with pytest.raises(ArgumentError, match="Received: rows of unequal lengths"):
        mel({"audio": [[0.1, 0.2], [0.3]]})


@pytest.mark.parametrize("clip", [NOISE[:, 0], NOISE[:, :1], NOISE])
def test_a_config_with_two_channels_refuses_any_other_number(clip):
    found = clip.shape[-1] if clip.ndim > 1 else None
    shape = rf"\(1500, {found}\)" if found else r"\(1500,\)"
    with pytest.raises(ArgumentError, match=rf"requires 2 channels\. Received: shape={shape}.*channels=1"):
        make(channels=2)(clip)


@pytest.mark.parametrize("path", ["clip.wav", b"RIFF"])
def test_a_path_or_bytes_are_refused_with_advice_to_read_them(mel, path):
    with pytest.raises(ArgumentError, match=rf"Received: {type(path).__name__}.*transform\(transform\.read\(path\)\)"):
        mel(path)


def test_an_open_file_is_refused_with_advice_to_read_it(mel, tmp_path):
    path = tmp_path / "clip.wav"
    soundfile.write(path, NOISE[:, 0], 8000)
    with path.open("rb") as file, pytest.raises(ArgumentError, match=r"BufferedReader.*transform\.read"):
        mel(file)


def test_a_file_can_be_read_and_computed(mel, tmp_path, reference):
    path = tmp_path / "clip.wav"
    soundfile.write(path, NOISE, 8000, subtype="FLOAT")
    expected = reference(NOISE.mean(axis=1), mel.config)
    np.testing.assert_allclose(mel(mel.read(path)), expected, atol=DECIBEL_TOLERANCE)
    np.testing.assert_allclose(mel.compute(mel.read(path)), expected, atol=DECIBEL_TOLERANCE)


def test_a_clip_shorter_than_one_frame_cannot_become_a_record(mel):
    with pytest.raises(AudioError, match=r"shorter than one frame\. Received: 255 samples at 8000 Hz") as caught:
        mel.compute(NOISE[:255, :1])
    assert caught.value.stage == "feature"


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
    mel(NOISE[:700, 0]), mel(NOISE[:600])
    assert mel._kernel._of_clip.experimental_get_tracing_count() == 1


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
    np.testing.assert_array_equal(batch["feature"][1, 5:], 0.0)


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


# Pickling


def test_a_pickled_transform_computes_the_same_bits(kept):
    again = pickle.loads(pickle.dumps(Transform(kept.config, audio="speech", feature="stft")))
    assert (again.audio, again.feature, again.config) == ("speech", "stft", kept.config)
    np.testing.assert_array_equal(again(NOISE), kept(NOISE))


def test_a_pickled_strict_transform_stays_strict(kept):
    again = pickle.loads(pickle.dumps(Transform(kept.config, strict=True)))
    assert again.strict
    assert repr(again).endswith("feature='feature', strict=True)")
    with pytest.raises(ArgumentError, match="strict=True requires audio that audiopipe decodes itself"):
        again.read(NOISE)


def test_the_pickle_does_not_change_after_a_call():
    mel = make()
    before = pickle.dumps(mel)
    mel(NOISE[:, 0])
    assert pickle.dumps(mel) == before


def test_a_pickle_with_another_kernel_version_is_refused(monkeypatch):
    pickled = pickle.dumps(make())
    before = configs.StftMagnitude.kernel_version
    monkeypatch.setattr(configs.StftMagnitude, "kernel_version", before + 1)
    with pytest.raises(ArgumentError, match=f"kernel version {before}; here it has {before + 1}"):
        pickle.loads(pickled)
    assert pickle.dumps(make()) != pickled


def test_the_hash_of_datasets_is_the_same_after_a_call_and_in_another_process():
    from datasets.fingerprint import Hasher

    mel = Transform("speech-mel-80")
    before = Hasher.hash(mel)
    mel(NOISE[:, 0])
    assert Hasher.hash(mel) == before
    script = (
        "from datasets.fingerprint import Hasher; from audiopipe import Transform; "
        "print(Hasher.hash(Transform('speech-mel-80')))"
    )
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    assert done.stdout.split()[-1] == before
    assert Hasher.hash(Transform("music-mel-128")) != before
    assert Hasher.hash(Transform("speech-mel-80", feature="other")) != before


# Threads


def test_threads_can_share_a_new_transform(reference):
    mel = make()
    clips = [NOISE[: 300 + 40 * number, number % 3] for number in range(16)]
    with ThreadPoolExecutor(8) as pool:
        features = list(pool.map(mel, clips))
    for clip, feature in zip(clips, features, strict=True):
        np.testing.assert_allclose(feature, reference(clip, mel.config), atol=DECIBEL_TOLERANCE)
    assert mel._kernel._of_clip.experimental_get_tracing_count() == 1


def test_a_config_can_be_given_as_the_path_of_a_file(tmp_path):
    path = tmp_path / "stft.json"
    path.write_text(make().config.to_json())
    assert Transform(path).config == make().config
    assert Transform(str(path)).config == make().config


# Graphs that know the shape of a batch


@pytest.mark.parametrize("formats", [("channels_last", "channels_last"), ("channels_first", "channels_first")])
@pytest.mark.parametrize(("channels", "of_config"), [(1, 1), (3, 1), (3, None), (2, 2)])
def test_a_batch_of_known_shape_has_the_bits_of_its_clips(channels, of_config, formats):
    layouts = {"input_data_format": formats[0], "output_data_format": formats[1]}
    compute = make(channels=of_config, **layouts)
    batch = np.random.default_rng(7).uniform(-1, 1, (3, 900, channels)).astype(np.float32)
    graph = tf.function(compute).get_concrete_function(tf.TensorSpec(batch.shape))
    alone = [compute(clip) for clip in batch]
    assert graph.structured_outputs.shape == (3, *alone[0].shape)
    np.testing.assert_array_equal(graph(tf.constant(batch)), alone)


def test_a_batch_of_known_shape_without_a_whole_frame_has_no_frames(mel):
    assert tf.function(mel)(tf.zeros([2, 255, 1])).shape == (2, 0, 129, 1)
