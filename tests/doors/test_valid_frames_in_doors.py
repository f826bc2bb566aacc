"""Every door says how many frames of a padded feature hold audio."""

import numpy as np
import pytest
import soundfile
import tensorflow as tf

from audiopipe import FeatureSet, Segments, Transform, beam, configs, load, tfdata
from audiopipe.errors import ArgumentError, AudioRemark, InputError

RATE = 16000
FIXED = {"input_data_format": "channels_last", "output_data_format": "channels_last"}
CHUNK = configs.WhisperLogMel(n_mels=2, chunk_seconds=0.1, **FIXED)
MEL = configs.MelSpectrogram(sample_rate=RATE, n_fft=256, n_mels=2, hop_length=160, **FIXED)
SECONDS = {"long": 0.17, "short": 0.041}
VALID = {"long.wav": 10, "short.wav": 5}
LEFT_OUT = "the clip has 0.17 s, and 0.07 s beyond 0.1 s were left out"


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    folder = tmp_path_factory.mktemp("clips")
    for name, seconds in SECONDS.items():
        soundfile.write(
            folder / f"{name}.wav", np.random.default_rng(1).uniform(-0.5, 0.5, round(RATE * seconds)), RATE
        )
    return folder


@pytest.fixture(scope="module")
def chunks():
    return Transform(CHUNK)


@pytest.fixture(scope="module")
def features(tmp_path_factory, clips):
    return beam.precompute(clips, tmp_path_factory.mktemp("features"), CHUNK)


@pytest.fixture(scope="module")
def segments(tmp_path_factory, clips):
    """A feature set of segments, of which the last one of each recording is padded."""
    return beam.precompute(clips, tmp_path_factory.mktemp("segments"), MEL, segments=Segments(seconds=0.1, last="pad"))


def of_elements(dataset, name="valid_frames"):
    return {element["id"].decode(): element[name] for element in dataset.as_numpy_iterator()}


def test_elements_and_padded_batches_have_valid_frames(clips, chunks):
    read = tfdata.from_audio(clips, chunks).cache()
    with pytest.warns(AudioRemark, match=LEFT_OUT):
        assert of_elements(read.map(chunks)) == VALID
    [batch] = read.padded_batch(2).map(chunks)
    assert batch["valid_frames"].numpy().tolist() == [10, 5]
    assert batch["n_frames"].numpy().tolist() == [10, 10]
    assert batch["valid_frames"].dtype == tf.int64
    alone = chunks({"audio": np.zeros(400, np.float32)})
    assert (alone["n_frames"], alone["valid_frames"]) == (10, 3)


def test_an_element_cannot_have_the_entry_that_the_transform_adds(chunks):
    with pytest.raises(ArgumentError, match="Received: valid_frames"):
        chunks({"audio": np.zeros(400, np.float32), "valid_frames": 3})


def test_elements_of_padded_segments_have_the_valid_frames_of_their_feature_set(clips, segments):
    mel = Transform(MEL)
    read = tfdata.from_audio(clips, mel, segments=Segments(seconds=0.1, last="pad"))
    assert of_elements(read, "valid_samples") == {
        "long.wav#00000": 1600,
        "long.wav#00001": 1120,
        "short.wav#00000": 656,
    }
    expected = {"long.wav#00000": 9, "long.wav#00001": 6, "short.wav#00000": 3}
    assert of_elements(read.map(mel)) == of_elements(load(segments.path)) == expected
    assert {clip["id"]: clip["valid_frames"] for clip in segments} == expected
    [batch] = read.ragged_batch(3).map(mel)
    assert batch["valid_frames"].numpy().tolist() == list(expected.values())


def test_other_features_have_no_such_entry_and_metadata_keeps_the_name(clips):
    mel = Transform(MEL)
    element = mel({"audio": np.zeros(1600, np.float32), "valid_samples": 7, "valid_frames": "many"})
    assert (element["valid_samples"], element["valid_frames"]) == (7, "many")
    assert element["valid_frames_"] == 9  # as `load` has it, so that nobody takes metadata for it
    assert "valid_frames" not in tfdata.from_audio(clips, mel).map(mel).element_spec


def test_rows_have_valid_frames_and_a_remark_about_what_was_left_out(clips, chunks, quiet_bars):
    datasets, hf = pytest.importorskip("datasets"), pytest.importorskip("audiopipe.hf")
    rows = datasets.Dataset.from_dict({"audio": [str(clips / name) for name in (*VALID, "gone.wav")], "id": [*"abc"]})
    mapped = hf.map(rows, chunks, on_error="null", remarks=True)
    assert mapped["valid_frames"][:] == [10, 5, 0]
    assert mapped["remark"][:] == [LEFT_OUT, None, None]
    streamed = hf.map(rows.to_iterable_dataset(), chunks, on_error="null", remarks=True)
    assert [row["valid_frames"] for row in streamed] == [10, 5, 0]
    with pytest.warns(AudioRemark, match=LEFT_OUT):
        assert hf.with_transform(rows, chunks)[:2]["valid_frames"] == [10, 5]
    for columns in (None, []):
        [batch] = hf.to_tf_dataset(mapped, columns=columns)
        assert batch["valid_frames"].numpy().tolist() == [10, 5, 0]
    [batch] = hf.to_tf_dataset(mapped, columns=[], mask=True)
    assert np.count_nonzero(batch["mask"], axis=1).tolist() == [10, 5, 0]
    with pytest.raises(ArgumentError, match=r"names that the map adds\. Received: valid_frames"):
        hf.map(rows.add_column("valid_frames", [1, 2, 3]), chunks)


def test_feature_sets_and_datasets_keep_valid_frames(features, segments, tmp_path, quiet_bars):
    hf = pytest.importorskip("audiopipe.hf")
    assert of_elements(load(features.path)) == VALID
    for number, made in enumerate((features, segments)):
        valid = made.metadata["valid_frames"].to_pylist()
        rows = hf.from_feature_set(made.path, cache_dir=tmp_path)
        assert rows["valid_frames"][:] == valid != made.metadata["n_frames"].to_pylist()
        written = hf.to_feature_set(rows, tmp_path / str(number))
        assert written.metadata["valid_frames"].to_pylist() == [clip["valid_frames"] for clip in written] == valid
        assert written.metadata.schema.names == made.metadata.schema.names
        assert hf.from_feature_set(written, cache_dir=tmp_path)["valid_frames"][:] == valid
    with pytest.raises(InputError, match=r"Row 0: the number of valid frames must be one of 0 \.\. 9. Received: 11"):
        hf.to_feature_set(rows.map(lambda row: {"valid_frames": 11}), tmp_path / "wrong")


def test_valid_frames_are_unknown_if_rows_of_a_padded_feature_do_not_say_them(features, tmp_path, quiet_bars):
    hf = pytest.importorskip("audiopipe.hf")
    rows = hf.from_feature_set(features.path, cache_dir=tmp_path).remove_columns("valid_frames")
    written = hf.to_feature_set(rows, tmp_path / "out")
    assert written.counts["unknown_valid_frames"] == 2
    for made in (written, FeatureSet([written.path, features.path], prefix=["a", "b"])):
        assert "valid_frames" not in made[0]
        assert "valid_frames" not in load(made).element_spec
        assert made.metadata["valid_frames"].to_pylist()[:2] == [None, None]


def test_a_clip_of_more_than_a_minute_is_cut_like_any_other(chunks):
    remarks = []
    [(feature, n_frames, valid)] = chunks.rows(
        [np.zeros(61 * RATE, np.float32)], on_remark=lambda number, remark: remarks.append((number, remark.text))
    )
    assert (feature.shape, n_frames, valid) == ((10, 2), 10, 10)
    assert remarks == [(0, "the clip has 61 s, and 60.9 s beyond 0.1 s were left out")]
