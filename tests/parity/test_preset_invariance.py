"""Every preset has the same bits through every door, alone, in padded batches and in streams.

`make test` compares presets that differ in what depends on a clip as a whole. `make test-deep` compares all of them.
"""

from pathlib import Path

import datasets
import numpy as np
import pytest
import soundfile
import tensorflow as tf
from hypothesis import settings
from invariance import Clip, as_layer_input, layer, transform

from audiopipe import beam, hf, load, registry, tfdata
from audiopipe.configs.clip_lengths import fewest_samples
from audiopipe.configs.presets import presets
from audiopipe.errors import ArgumentError
from audiopipe.transform import block_graphs, row_features

pytestmark = pytest.mark.usefixtures("quiet_bars")

DEEP = settings.get_current_profile_name() == "deep"
# A fixed number of frames with an affine step, and normalization with a frame of padding.
PRESETS = sorted(presets()) if DEEP else ["ast", "nemo-mel-80"]
# Presets whose frames need the clip as a whole.
WHOLE_CLIP = {
    *("ast", "clap-fused", "clap-unfused", "whisper-80", "whisper-128"),  # a fixed length
    *("librosa-mel-128", "music-log-84", "music-mel-128", "speech-mel-80"),  # decibels relative to the maximum
    *("nemo-mel-80", "nemo-mel-128", "seamless-m4t", "speech-to-text", "w2v-bert"),  # normalization
}
STREAMED = sorted(set(presets()) - WHOLE_CLIP)


def assert_same_bits(found, expected, label):
    found, expected = np.asarray(found), np.asarray(expected)
    assert (found.shape, found.dtype) == (expected.shape, expected.dtype), label
    differ = (found.view(np.uint32) != expected.view(np.uint32)) & ~(np.isnan(found) & np.isnan(expected))
    assert not differ.any(), f"{label}: {differ.sum()} of {differ.size} values differ"


def clips_of(config):
    """Returns clips around the first frames of a feature, longer ones of several kinds, and one of two channels."""
    first, second = fewest_samples(config, 1, valid=True), fewest_samples(config, 2, valid=True)
    rate = config.sample_rate
    clips = [
        Clip("noise", max(1, first)),
        Clip("noise", max(1, second - 1), seed=1),
        Clip("noise", max(2, second), seed=2),
        Clip("noise", rate // 3 + 1, seed=3),
        Clip("half silent", rate // 4),
        Clip("silence", rate // 5),
        Clip("every size", rate // 6, seed=4),
        Clip("quiet", rate + 77, seed=5),
    ]
    return [clip.samples() for clip in [*clips, *([Clip("noise", 4 * rate + 1, seed=6)] if DEEP else [])]]


@pytest.fixture(scope="module", params=PRESETS)
def case(request):
    """Config of a preset, clips, and the features of the transform called on each of them."""
    config = registry.get(request.param)
    clips = clips_of(config)
    return config, clips, [transform(config)(clip) for clip in clips]


def test_a_clip_of_a_preset_has_the_same_bits_in_a_padded_or_ragged_batch(case):
    config, clips, expected = case
    for filler, beyond in ((np.nan, 0), (1.0, 333)):
        batch = np.full((len(clips), max(map(len, clips)) + beyond, 1), filler, np.float32)
        for row, clip in zip(batch, clips, strict=True):
            row[: len(clip)] = clip
        features = transform(config)(batch, lengths=[len(clip) for clip in clips])
        for place, (feature, alone) in enumerate(zip(features, expected, strict=True)):
            of_clip, padding = np.split(feature, [alone.shape[config.frame_axis]], axis=config.frame_axis)
            assert_same_bits(of_clip, alone, f"clip {place}")
            assert_same_bits(padding, np.broadcast_to(config.padding_frame(1), padding.shape), f"padding of {place}")
    ragged = tf.RaggedTensor.from_row_lengths(np.concatenate(clips), [len(clip) for clip in clips])
    for place, (feature, alone) in enumerate(zip(transform(config)(ragged), expected, strict=True)):
        dense = feature.to_tensor() if isinstance(feature, tf.RaggedTensor) else feature
        assert_same_bits(np.reshape(dense, alone.shape), alone, f"clip {place} of a ragged batch")


def test_the_layer_of_a_preset_has_the_bits_of_the_transform(case):
    config, clips, expected = case
    for place in (2, 3, 4):
        batch = as_layer_input(config, [clips[place], clips[place][::-1]])
        assert_same_bits(layer(config)(batch)[0], expected[place], f"eager, clip {place}")
    graph = tf.function(layer(config))
    assert_same_bits(graph(as_layer_input(config, clips[3:4]))[0], expected[3], "tf.function")


def test_a_long_clip_of_a_preset_has_the_bits_of_the_whole_clip(case, monkeypatch):
    config, clips, expected = case
    monkeypatch.setattr(row_features, "LONG_SECONDS", 0)
    monkeypatch.setattr(block_graphs, "BLOCK_VALUES", 7 * config.to_dict().get("n_fft", 400))
    for place in (3, 6):
        blocks = (clips[place][start : start + 1000] for start in range(0, len(clips[place]), 1000))
        assert_same_bits(transform(config).compute(blocks), expected[place], f"clip {place}")


@pytest.mark.cases(len(STREAMED) if DEEP else 2)
@pytest.mark.parametrize("case", STREAMED, indirect=True)
def test_a_stream_of_a_preset_has_the_bits_of_the_transform(case):
    config, clips, expected = case
    for place, (clip, whole) in enumerate(zip(clips, expected, strict=True)):
        stream = transform(config).stream()
        size = (997, 160, 4001)[place % 3]
        frames = [stream.push(clip[start : start + size]) for start in range(0, len(clip), size)]
        assert_same_bits(np.concatenate([*frames, stream.finish()], config.frame_axis), whole, f"clip {place}")


@pytest.mark.cases(len(WHOLE_CLIP) if DEEP else 1)
@pytest.mark.parametrize("name", sorted(WHOLE_CLIP))
def test_a_preset_that_needs_the_whole_clip_has_no_stream(name):
    with pytest.raises(ArgumentError, match="needs the whole clip, as"):
        transform(registry.get(name)).stream()


@pytest.mark.parametrize("case", PRESETS if DEEP else PRESETS[-1:], indirect=True)
def test_every_door_has_the_same_bits_for_a_preset(case, tmp_path):
    config, clips, expected = case
    folder = tmp_path / "clips"
    folder.mkdir()
    for place, clip in enumerate(clips):
        soundfile.write(folder / f"{place}.wav", clip, config.sample_rate, subtype="FLOAT")
    names = sorted(path.name for path in folder.iterdir())
    wanted = {name: expected[int(Path(name).stem)] for name in names}
    compute = transform(config)
    elements = tfdata.from_audio(folder, config)
    batches = elements.padded_batch(4).map(compute)
    beam.precompute(folder, tmp_path / "features", config, num_shards=2)
    rows = datasets.Dataset.from_dict({"audio": [str(folder / name) for name in names], "name": names})
    mapped = hf.map(rows, compute, keep_in_memory=True).with_format("numpy")
    doors = {
        "tf.data": [(one["id"].decode(), one["feature"]) for one in elements.map(compute).as_numpy_iterator()],
        "padded batches of tf.data": [
            (name.decode(), feature[:n_frames] if config.frame_axis == 0 else feature[:, :n_frames])
            for batch in batches.as_numpy_iterator()
            for name, feature, n_frames in zip(batch["id"], batch["feature"], batch["n_frames"], strict=True)
        ],
        "precompute": [(one["id"].decode(), one["feature"]) for one in load(tmp_path / "features").as_numpy_iterator()],
        "datasets": [(row["name"], np.expand_dims(row["feature"], config.channel_axis)) for row in mapped],
    }
    for door, features in doors.items():
        assert sorted(name for name, _ in features) == names, door
        for name, feature in features:
            assert_same_bits(feature, wanted[name], f"{door}, {name}")
