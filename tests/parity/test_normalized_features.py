"""Normalized features have the bits of `(feature - mean) / std` in NumPy, through every door and in saved models.

`make test` computes some cases, and `make test-faults` the others.
"""

import functools
import subprocess
import sys
from pathlib import Path

import datasets
import keras
import numpy as np
import pytest
import soundfile
import tensorflow as tf
from invariance import as_layer_input
from silent_configs import EXAMPLES, LAST, SMALL, channels_of, noise

from audiopipe import Statistics, Transform, beam, fingerprint_of, hf, load, registry, tfdata
from audiopipe.configs import Config, LogMel
from audiopipe.errors import ArgumentError

pytestmark = pytest.mark.usefixtures("quiet_bars")

# With an affine step before the normalization, and padding that is not silence.
PRESETS = ("ast", "w2v-bert", "nemo-mel-80", "speech-mel-80")
LENGTHS = (9000, 5000, 3333)


def own_config() -> Config:
    """Returns the config of another package, which knows nothing of normalization."""
    sys.path.append(str(Path(__file__).parents[2] / "examples" / "own_feature"))
    import team_features

    return team_features.FLUX_40


BASES = {
    "small-ast": LogMel(
        **SMALL, **LAST, n_mels=7, center_value=-4.3, scale_value=9.1, fixed_frames=400, padding_value=0.0
    ),
    **EXAMPLES,
    **{name: registry.get(name) for name in PRESETS},
    "own": own_config(),
}
CASES = [(name, per) for name in BASES for per in ("global", "bin")]


def normalized_case(name: str, per: str) -> Config:
    """Returns a normalized config. The statistics depend on the name alone, so every process has the same."""
    base, draw = BASES[name], np.random.default_rng(len(name))
    shape = base.n_bins, base.feature_channels or len(base.quantities)
    mean, std = draw.normal(-4, 5, shape), draw.uniform(0.1, 9, shape)
    return base.normalized(Statistics(mean=mean, std=std, fingerprint=base.fingerprint), per)


@functools.lru_cache(maxsize=2)
def case_of(name, per):
    """Returns a normalized config, its transform, clips, and their features, normalized in NumPy."""
    config = normalized_case(name, per)
    clips = noise(LENGTHS, channels_of(config)[-1])
    base = Transform(config.without_normalization)
    return config, Transform(config), clips, [in_numpy(base(clip), config) for clip in clips]


def in_numpy(feature: np.ndarray, config: Config) -> np.ndarray:
    """Returns a feature of the base, normalized by the formula, with the channels last for the computation."""
    numbers = [np.array(getattr(config.standardization, name), np.float32) for name in ("mean", "std")]
    feature = np.moveaxis(feature, config.channel_axis, -1)
    if numbers[0].shape[1] > 1:  # one number for each quantity, or for each channel of each quantity
        numbers = [np.repeat(table, feature.shape[-1] // table.shape[1], axis=1) for table in numbers]
    normalized = (feature - numbers[0]) / numbers[1]
    assert normalized.dtype == np.float32
    return np.moveaxis(normalized, -1, config.channel_axis)


def assert_same_bits(found, expected, label):
    found, expected = np.asarray(found), np.asarray(expected)
    assert (found.shape, found.dtype) == (expected.shape, expected.dtype), label
    differ = found.view(np.uint32) != expected.view(np.uint32)
    assert not differ.any(), f"{label}: {differ.sum()} of {differ.size} values differ"


def padded(clips):
    """Returns clips as a batch with NaN beyond their ends, which nothing may depend on."""
    batch = np.full((len(clips), max(map(len, clips)), clips[0].shape[1]), np.nan, np.float32)
    for row, clip in zip(batch, clips, strict=True):
        row[: len(clip)] = clip
    return batch


def with_padding(config, features, channels):
    """Returns features as a batch, with frames of padding beyond their ends."""
    axis = config.frame_axis
    most = max(feature.shape[axis] for feature in features)
    frame = in_numpy(config.without_normalization.padding_frame(channels), config)
    return np.stack(
        [
            np.concatenate([feature, np.repeat(frame, most - feature.shape[axis], axis)], axis=axis)
            for feature in features
        ]
    )


@pytest.mark.cases(1)
@pytest.mark.parametrize(("name", "per"), CASES)
def test_clips_batches_and_tf_data_have_the_bits_of_the_formula(name, per):
    config, transform, clips, expected = case_of(name, per)
    channels, lengths = clips[0].shape[1], list(map(len, clips))
    for clip, feature in zip(clips, expected, strict=True):
        assert_same_bits(transform(clip), feature, "clip")
    batch, features = padded(clips), with_padding(config, expected, channels)
    assert_same_bits(transform(batch, lengths=lengths), features, "batch")
    assert_same_bits(transform(tf.constant(batch), lengths=tf.constant(lengths)), features, "batch of tensors")
    ragged = tf.RaggedTensor.from_row_lengths(np.concatenate(clips), lengths)
    for feature, alone in zip(transform(ragged), expected, strict=True):
        dense = feature.to_tensor() if isinstance(feature, tf.RaggedTensor) else feature
        assert_same_bits(np.reshape(dense, alone.shape), alone, "ragged batch")
    for known in (None, channels):
        elements = tf.data.Dataset.from_generator(
            lambda: iter(clips), output_signature=tf.TensorSpec([None, known], tf.float32)
        )
        for feature, alone in zip(elements.map(transform, num_parallel_calls=2), expected, strict=True):
            assert_same_bits(feature, alone, "tf.data")


@pytest.mark.cases(1)
@pytest.mark.parametrize(("name", "per"), CASES)
def test_the_layer_has_the_bits_of_the_formula_with_and_without_lengths(name, per):
    config, _, clips, expected = case_of(name, per)
    layer, rows = config.layer(), padded(clips)
    rows = rows.transpose(0, 2, 1) if config.input_data_format == "channels_first" else rows
    features = with_padding(config, expected, clips[0].shape[1])
    for attempt in ("first", "second, which traces a graph", "third"):
        assert_same_bits(layer(rows, lengths=np.array(LENGTHS)), features, f"lengths, {attempt} call")
        assert_same_bits(layer(as_layer_input(config, clips[:1])), expected[0][None], f"{attempt} call")
    unknown = tf.TensorSpec([None] * 3), tf.TensorSpec([None], tf.int32)
    graph = tf.function(lambda rows, lengths: layer(rows, lengths=lengths), input_signature=unknown)
    assert_same_bits(graph(rows, LENGTHS), features, "graph")


@pytest.mark.cases(3)
@pytest.mark.parametrize(("name", "per"), CASES)
def test_a_stream_has_the_bits_of_the_formula(name, per):
    config, transform, clips, expected = case_of(name, per)
    try:
        Transform(config.without_normalization).stream()
    except ArgumentError:
        with pytest.raises(ArgumentError, match="A stream needs a config"):
            transform.stream()
        return
    stream = transform.stream()
    parts = [stream.push(clips[0][start : start + 1234]) for start in range(0, len(clips[0]), 1234)]
    assert_same_bits(np.concatenate([*parts, stream.finish()], config.frame_axis), expected[0], "stream")


@pytest.mark.cases(1)
@pytest.mark.parametrize(("name", "per"), CASES)
def test_saved_models_keep_the_feature_and_its_bits(name, per, tmp_path):
    config, _, clips, expected = case_of(name, per)
    waveform, lengths = keras.Input(as_layer_input(config, clips[:1]).shape[1:]), keras.Input((), dtype="int32")
    row = as_layer_input(config, clips[:1])
    model = keras.Model(waveform, config.layer()(waveform))
    model.save(tmp_path / "model.keras")
    model.export(tmp_path / "exported", verbose=False)
    loaded = keras.models.load_model(tmp_path / "model.keras")
    exported = tf.saved_model.load(tmp_path / "exported")
    assert_same_bits(loaded(row), expected[0][None], ".keras")
    assert_same_bits(loaded.predict(row, verbose=0), expected[0][None], "predict of .keras")
    assert_same_bits(exported.serve(row), expected[0][None], "SavedModel")
    for path in ("model.keras", "exported"):
        assert fingerprint_of(tmp_path / path).config == config
        assert fingerprint_of(tmp_path / path).fingerprint == config.fingerprint
    waveforms = keras.Input((None, row.shape[2]) if config.input_data_format == "channels_last" else (None, None))
    keras.Model([waveforms, lengths], config.layer()(waveforms, lengths=lengths)).save(tmp_path / "lengths.keras")
    rows = padded(clips).transpose(0, 2, 1) if config.input_data_format == "channels_first" else padded(clips)
    found = keras.models.load_model(tmp_path / "lengths.keras")([rows, np.array(LENGTHS)])
    assert_same_bits(found, with_padding(config, expected, clips[0].shape[1]), ".keras with lengths")


# Features of one channel, which every door takes.
DOORS = [case for case in CASES if BASES[case[0]].channels == 1]


@pytest.mark.cases(1)
@pytest.mark.parametrize(("name", "per"), DOORS)
def test_every_door_has_the_bits_of_the_formula(name, per, tmp_path):
    config, transform, clips, expected = case_of(name, per)
    folder = tmp_path / "clips"
    folder.mkdir()
    for place, clip in enumerate(clips):
        soundfile.write(folder / f"{place}.wav", clip, config.sample_rate, subtype="FLOAT")
    names = [f"{place}.wav" for place in range(len(clips))]
    beam.precompute(folder, tmp_path / "features", config, num_shards=2)
    rows = datasets.Dataset.from_dict({"audio": [str(folder / name) for name in names]})
    doors = {
        "tf.data": [one["feature"] for one in tfdata.from_audio(folder, config).map(transform).as_numpy_iterator()],
        "precompute": [one["feature"] for one in load(tmp_path / "features", config=config).as_numpy_iterator()],
        "hf.map": hf.map(rows, transform, keep_in_memory=True).with_format("numpy")["feature"],
        "Dataset.map": rows.map(transform, batched=True, batch_size=2).with_format("numpy")["feature"],
    }
    assert fingerprint_of(tmp_path / "features").config == config
    for door, features in doors.items():
        for feature, alone in zip(features, expected, strict=True):
            feature = np.asarray(feature, np.float32)
            whole = feature if feature.ndim == 3 else np.expand_dims(feature, config.channel_axis)
            assert_same_bits(whole, alone, door)


PROGRAM = """
import sys
import numpy as np
import tensorflow as tf
tf.config.threading.set_intra_op_parallelism_threads(1)
tf.config.threading.set_inter_op_parallelism_threads(1)
import test_normalized_features as tests
_, transform, clips, expected = tests.case_of(*sys.argv[1:3])
for clip, feature in zip(clips, expected):
    tests.assert_same_bits(transform(clip), feature, "one thread")
np.savez(sys.argv[3], *expected)
"""


@pytest.mark.faults
@pytest.mark.parametrize(
    ("name", "per"), [("ast", "global"), ("StftMagPhase", "bin"), ("whisper-without-chunk", "bin")]
)
def test_a_process_with_one_thread_computes_the_same_bits(name, per, tmp_path):
    path = [str(Path(__file__).parents[1]), str(Path(__file__).parent)]
    program = f"import sys; sys.path[:0] = {path!r}\n{PROGRAM}"
    subprocess.run([sys.executable, "-c", program, name, per, str(tmp_path / "features.npz")], check=True)
    with np.load(tmp_path / "features.npz") as found:
        for one, two in zip(found.values(), case_of(name, per)[3], strict=True):
            assert_same_bits(one, two, "one thread against several")
