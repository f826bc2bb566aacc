"""Tests of `Transform`: values, forms of input, refusals, pickling and threads."""

import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import librosa
import numpy as np
import pytest
import soundfile
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from transform_examples import DECIBEL_TOLERANCE, FIELDS, NOISE, make, pad

from audiopipe import Transform, configs
from audiopipe.errors import ArgumentError, AudioError

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
        np.testing.assert_array_equal(feature[n_frames:], -50.0)


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
    np.testing.assert_array_equal(features[0], np.full((1, 129, 1), -50.0))
    assert (features[1] > -50).any()


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


@pytest.mark.faults
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
    assert mel._kernel._of_fitting_clip.experimental_get_tracing_count() == 1


def test_a_config_can_be_given_as_the_path_of_a_file(tmp_path):
    path = tmp_path / "stft.json"
    path.write_text(make().config.to_json())
    assert Transform(path).config == make().config
    assert Transform(str(path)).config == make().config


# Graphs that know the shape of a batch


@pytest.mark.cases(2)
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
