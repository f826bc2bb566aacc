"""Every door gives the bits of a channel's own mono file if the config picks that channel."""

import dataclasses
from pathlib import Path

import datasets
import numpy as np
import pytest
import soundfile
import tensorflow as tf

from audiopipe import Transform, audio, beam, configs, hf, load, tfdata
from audiopipe.errors import ArgumentError, AudioError
from audiopipe.transform import Segments
from audiopipe.verification import verify

RECORDINGS = Path(__file__).parents[3] / "shared" / "audio"
MIXED = configs.MelSpectrogram(sample_rate=16000, n_fft=400, hop_length=160, n_mels=77, return_decibel=True)
RATE = 44100  # of the files, so that they are resampled

pytestmark = pytest.mark.usefixtures("quiet_bars")


def picking(channel):
    return Transform(dataclasses.replace(MIXED, channel=channel))


def of_shape(waveform, shape):
    """Returns a `tf.data.Dataset` of one waveform, whose shape the graph knows only as far as `shape` says."""
    return tf.data.Dataset.from_generator(lambda: [waveform], output_signature=tf.TensorSpec(shape, tf.float32))


@pytest.fixture(scope="module")
def transforms():
    return {channel: picking(channel) for channel in (0, 1, 2)}


@pytest.fixture(scope="module")
def mono():
    return Transform(MIXED)


@pytest.fixture(scope="module")
def call(tmp_path_factory):
    """Folder with `call.wav`, a call with a speaker per channel and a loud third channel, and each channel's file."""
    folder = tmp_path_factory.mktemp("call")
    noise = np.random.default_rng(5)
    samples = np.stack([level * noise.standard_normal(RATE) for level in (0.1, 0.01, 0.2)], axis=1)
    soundfile.write(folder / "call.wav", samples, RATE, subtype="PCM_16")
    for channel in range(3):
        soundfile.write(folder / f"channel-{channel}.wav", samples[:, channel], RATE, subtype="PCM_16")
    return folder


@pytest.fixture(scope="module", params=[0, 1])
def case(request, call, transforms, mono):
    """Transform that picks a channel, and the feature of that channel's own file."""
    return transforms[request.param], mono(mono.read(call / f"channel-{request.param}.wav"))


# Channel 1 has channels on both sides.
of_channel_1 = pytest.mark.parametrize("case", [1], indirect=True)


@pytest.fixture(scope="module")
def waveform(call):
    """Samples of the call at the sample rate of the configs, with all channels."""
    return audio.read(call / "call.wav", sample_rate=MIXED.sample_rate, channels=None)


def test_a_file_that_is_read_and_a_waveform_with_all_channels_agree(case, call, waveform):
    transform, expected = case
    assert transform.read(call / "call.wav").shape == (16000, 1)
    for feature in (
        transform(transform.read(call / "call.wav")),
        transform.compute(transform.read_blocks(call / "call.wav")),
        transform(waveform),
        transform.compute(waveform),
        transform.compute(np.array_split(waveform, 7)),
        transform(tf.constant(waveform)).numpy(),
    ):
        np.testing.assert_array_equal(feature, expected)


def test_padded_batches_agree(case, waveform):
    transform, expected = case
    batch = np.stack([waveform, np.pad(waveform[:9000], [(0, 7000), (0, 0)], constant_values=0.9)])
    whole, cut = transform(batch, lengths=[16000, 9000])
    np.testing.assert_array_equal(whole, expected)
    np.testing.assert_array_equal(cut[: transform.n_frames(9000)], transform(waveform[:9000]))
    np.testing.assert_array_equal(transform(batch[:1])[0], expected)


@pytest.mark.cases(1)
@of_channel_1
@pytest.mark.parametrize("shape", [(None, None), (None, 3), (16000, 3)])
def test_elements_of_tf_data_agree(case, waveform, shape):
    transform, expected = case
    clips = of_shape(waveform, shape)
    for dataset in (clips, clips.batch(1)):
        made = dataset.map(transform)
        assert made.element_spec.shape[-2:] == (77, 1)
        [feature] = made
        np.testing.assert_array_equal(np.reshape(feature, expected.shape), expected)


@of_channel_1
def test_files_in_tf_data_agree(case, call):
    transform, expected = case
    clips = tfdata.from_audio([call / "call.wav"], transform)
    [element] = clips.map(transform)
    [batch] = clips.padded_batch(2).map(transform)
    np.testing.assert_array_equal(element["feature"], expected)
    np.testing.assert_array_equal(batch["feature"][0], expected)


@of_channel_1
def test_rows_of_datasets_agree(case, call, waveform):
    transform, expected = case
    samples, rate = soundfile.read(call / "call.wav", dtype="float32")
    picked = transform.read(call / "call.wav")
    for value in (
        str(call / "call.wav"),
        (call / "call.wav").read_bytes(),
        {"array": samples.T.tolist(), "sampling_rate": rate},
        waveform.tolist(),
        picked.tolist(),
    ):
        rows = datasets.Dataset.from_dict({"audio": [value]})
        for mapped in (hf.map(rows, transform), rows.map(transform, batched=True)):
            feature = np.asarray(mapped.with_format("numpy")[0]["feature"], np.float32)
            np.testing.assert_array_equal(feature, expected[..., 0])


@of_channel_1
def test_feature_sets_agree_and_are_verified(case, call, tmp_path):
    transform, expected = case
    beam.precompute([call / "call.wav"], tmp_path / "features", transform.config)
    [element] = load(tmp_path / "features", config=transform.config)
    np.testing.assert_array_equal(element["feature"], expected)
    assert verify(tmp_path / "features", [call / "call.wav"]).ok


def test_segments_agree(call, tmp_path, transforms, mono):
    segments = Segments(seconds=0.3)
    beam.precompute([call / "call.wav"], tmp_path / "features", transforms[1].config, segments=segments)
    found = [element["feature"].numpy() for element in load(tmp_path / "features")]
    clips = [element["audio"] for element in tfdata.from_audio([call / "channel-1.wav"], mono, segments=segments)]
    assert len(found) == 3
    for feature, clip in zip(found, clips, strict=True):
        np.testing.assert_array_equal(feature, mono(clip))


def test_a_long_recording_that_is_computed_in_blocks_agrees(tmp_path, transforms, mono):
    noise = np.random.default_rng(1).uniform(-0.1, 0.1, (61 * 16000, 2))
    soundfile.write(tmp_path / "long.wav", noise, 16000)
    soundfile.write(tmp_path / "mono.wav", noise[:, 1], 16000)
    [(feature, _)] = transforms[1].rows([tmp_path / "long.wav"])
    samples, _ = soundfile.read(tmp_path / "long.wav", dtype="float32")
    np.testing.assert_array_equal(feature, mono.compute(mono.read(tmp_path / "mono.wav"))[..., 0])
    np.testing.assert_array_equal(transforms[1].compute(samples)[..., 0], feature)


@pytest.mark.parametrize("sample", [np.nan, 1e-40, -0.0])
def test_odd_samples_of_other_channels_do_not_matter_and_those_of_the_channel_are_kept(
    tmp_path, transforms, mono, sample
):
    samples = np.random.default_rng(2).uniform(-1e-38, 1e-38, (4000, 2)).astype(np.float32)
    samples[::7, 0] = sample
    soundfile.write(tmp_path / "odd.wav", samples, 16000, subtype="FLOAT")
    soundfile.write(tmp_path / "mono.wav", samples[:, 1], 16000, subtype="FLOAT")
    expected = mono(mono.read(tmp_path / "mono.wav"))
    transform = transforms[1]
    np.testing.assert_array_equal(transform.read(tmp_path / "odd.wav"), samples[:, 1:])
    np.testing.assert_array_equal(transform(samples), expected)
    [feature] = tf.data.Dataset.from_tensors(samples).map(transform)
    np.testing.assert_array_equal(feature, expected)


def test_a_recording_without_the_channel_is_a_failure_that_says_how_many_it_has(call, transforms, tmp_path):
    message = r"The config picks channel 1, and channels count from 0\. Received: 1 channel\. Leave the recording out"
    with pytest.raises(AudioError, match=rf"channel-0\.wav'?: {message}") as raised:
        transforms[1].read(call / "channel-0.wav")
    assert raised.value.stage == "decode"
    decoded = {"array": [0.0] * 16000, "sampling_rate": 16000}
    for value in (decoded, [0.0] * 16000):
        [error] = transforms[1].rows([value])
        assert isinstance(error, AudioError)
        assert "Received: 1 channel." in str(error)
    beam.precompute(
        [call / "call.wav", call / "channel-0.wav"], tmp_path / "features", transforms[1].config, max_failure_ratio=1
    )
    assert len(list(load(tmp_path / "features"))) == 1


def test_a_mono_waveform_has_channel_0_alone(waveform, transforms, mono):
    clip = waveform[:, 0]
    np.testing.assert_array_equal(transforms[0](clip), mono(clip))
    for call in (transforms[1], transforms[1].compute):
        with pytest.raises(ArgumentError, match=r"channel 1, and channels count from 0\. Received: shape=\(16000,\)"):
            call(clip)
    with pytest.raises(ArgumentError, match=r"give it a channel axis: waveform\[:, None\]"):
        tf.data.Dataset.from_tensors(clip).map(transforms[1])


def test_a_waveform_with_too_few_channels_is_refused(waveform, transforms):
    for clip in (waveform[:, :2], waveform[None, :, :2]):
        with pytest.raises(ArgumentError, match=r"picks channel 2.*Pass all channels of the recording"):
            transforms[2](clip)
    unknown = of_shape(waveform[:, :2], (None, None))
    with pytest.raises(tf.errors.InvalidArgumentError, match="picks channel 2"):
        list(unknown.map(transforms[2]))
    with pytest.raises(tf.errors.InvalidArgumentError, match="picks channel 2"):
        list(unknown.batch(1).map(transforms[2]))


@pytest.mark.parametrize(("channel", "channels"), [(-1, 1), (True, 1), (0, 2), (0, None)])
def test_reading_refuses_other_values(call, channel, channels):
    with pytest.raises(ArgumentError, match="channel"):
        audio.read(call / "call.wav", sample_rate=16000, channel=channel, channels=channels)


def test_two_real_recordings_in_one_file_are_told_apart(tmp_path, transforms, mono):
    if not RECORDINGS.exists():
        pytest.skip("no ../shared/audio beside the project")
    files = [RECORDINGS / name for name in ("ami-es2011a-headset0.wav", "librispeech-1088-134315-0000.wav")]
    sides = [soundfile.read(file, dtype="int16")[0] for file in files]
    length = min(map(len, sides))
    soundfile.write(tmp_path / "call.flac", np.stack([side[:length] for side in sides], axis=1), 16000)
    for channel, side in enumerate(sides):
        soundfile.write(tmp_path / f"{channel}.flac", side[:length], 16000)
        transform = transforms[channel]
        found = transform(transform.read(tmp_path / "call.flac"))
        np.testing.assert_array_equal(found, mono(mono.read(tmp_path / f"{channel}.flac")))
