"""The door to Hugging Face `datasets`, compared with reference features."""

import dataclasses
import sys
from pathlib import Path

import datasets
import numpy as np
import pytest
import soundfile
from datasets import Audio, Dataset, DatasetDict, Features, Value

from audiopipe import Transform, hf
from audiopipe.errors import ArgumentError, AudioError, MissingDependencyError

NAMES = ["mono", "stereo", "resampled", "quiet"]
TOLERANCE = 1e-2  # decibels: float32 is coarse in bands that resampling has almost emptied

pytestmark = pytest.mark.usefixtures("quiet_bars")

ENCODED = Features({"audio": {"bytes": Value("binary"), "path": Value("string")}, "label": Value("int64")})


@pytest.fixture(scope="module")
def paths(clips):
    return [str(clips / name) for name in ("mono.wav", "stereo.flac", "resampled.wav", "quiet.wav")]


@pytest.fixture(scope="module")
def expected(samples, config, reference):
    return [reference(samples[name], config)[..., 0] for name in NAMES]


def rows(values, features=None):
    return Dataset.from_dict({"audio": values, "label": list(range(len(values)))}, features=features)


def check(mapped, expected):
    """Asserts that features read in NumPy format agree with the reference."""
    assert mapped.column_names == ["label", "feature", "n_frames", "feature_digest"]
    assert mapped["label"][:] == list(range(len(expected)))
    assert mapped["n_frames"][:] == [len(feature) for feature in expected]
    for row, feature in zip(mapped.with_format("numpy"), expected, strict=True):
        assert row["feature"].dtype == np.float32
        np.testing.assert_allclose(row["feature"], feature, atol=TOLERANCE)


@pytest.mark.cases(3)
@pytest.mark.parametrize("form", ["path", "bytes", "path dict", "bytes dict", "Audio(decode=False)", "Audio()"])
def test_every_form_of_audio_gives_the_values_of_the_reference(mel, paths, expected, form):
    contents = [Path(path).read_bytes() for path in paths]
    values = {
        "path": paths,
        "bytes": contents,
        "path dict": [{"bytes": None, "path": path} for path in paths],
        "bytes dict": [{"bytes": content, "path": None} for content in contents],
    }.get(form, paths)
    dataset = rows(values, ENCODED if form.endswith("dict") else None)
    if form.startswith("Audio"):
        # Unlike building with Audio(), a cast to it does not need torchcodec.
        dataset = dataset.cast_column("audio", Audio(decode=form == "Audio()"))
    mapped = hf.map(dataset, mel)
    assert mapped.features["feature"] == datasets.Array2D((None, 129), "float32", id=mel.config.stamp())
    check(mapped, expected)


def test_arrays_are_clips_at_the_sample_rate_of_the_config(mel, samples, expected):
    check(hf.map(rows([samples[name].astype(np.float32) for name in NAMES]), mel), expected)


def test_features_have_the_bits_of_the_transform(mel, paths):
    for row, path in zip(hf.map(rows(paths), mel).with_format("numpy"), paths, strict=True):
        np.testing.assert_array_equal(row["feature"], mel(mel.read(path))[..., 0])


def test_each_split_of_a_dataset_dict_is_mapped(mel, paths, expected):
    mapped = hf.map(DatasetDict(train=rows(paths[:3]), test=rows(paths[:1])), mel)
    assert isinstance(mapped, DatasetDict)
    check(mapped["train"], expected[:3])
    check(mapped["test"], expected[:1])


def test_the_transform_names_the_columns(config, paths, expected):
    mel = Transform(config, audio="speech", feature="stft")
    mapped = hf.map(Dataset.from_dict({"speech": paths, "audio": [1, 2, 3, 4]}), mel)
    assert set(mapped.column_names) == {"audio", "stft", "n_frames", "stft_digest"}
    np.testing.assert_allclose(mapped.with_format("numpy")[3]["stft"], expected[3], atol=TOLERANCE)


def test_two_channels_give_a_typed_array_of_rank_3(clips, config, reference):
    config = dataclasses.replace(config, channels=2)
    mapped = hf.map(rows([str(clips / "stereo.flac")]), Transform(config))
    assert mapped.features["feature"] == datasets.Array3D((None, 129, 2), "float32", id=config.stamp())
    stereo = soundfile.read(clips / "stereo.flac")[0]
    np.testing.assert_allclose(mapped.with_format("numpy")[0]["feature"], reference(stereo, config), atol=TOLERANCE)


@pytest.mark.parametrize("changes", [{"channels": None}, {"channels": 2, "output_data_format": "channels_first"}])
def test_features_that_no_array_type_can_hold_are_nested_lists(clips, config, reference, changes):
    config = dataclasses.replace(config, **changes)
    mapped = hf.map(rows([str(clips / "stereo.flac")]), Transform(config))
    value = Value("float32", id=config.stamp())
    assert mapped.features["feature"] == datasets.List(datasets.List(datasets.List(value)))
    expected = reference(soundfile.read(clips / "stereo.flac")[0], config)
    if config.output_data_format == "channels_first":
        expected = np.moveaxis(expected, -1, 0)
    np.testing.assert_allclose(np.array(mapped[0]["feature"]), expected, atol=TOLERANCE)


@pytest.mark.parametrize("batched", [True, False])
def test_datasets_own_map_gives_the_same_values(mel, paths, expected, batched):
    mapped = rows(paths).map(mel, batched=batched)
    assert mapped.column_names == ["audio", "label", "feature", "n_frames", "feature_digest"]
    for row, feature in zip(mapped, expected, strict=True):
        np.testing.assert_allclose(np.array(row["feature"]), feature, atol=TOLERANCE)
        assert row["n_frames"] == len(feature)


@pytest.mark.parametrize("batched", [True, False])
def test_datasets_own_map_distinguishes_a_stereo_row_from_a_batch(config, batched):
    mel = Transform(dataclasses.replace(config, channels=None))
    clip = np.random.default_rng(6).uniform(-1, 1, (700, 2)).astype(np.float32)
    mapped = rows([clip.tolist()] * 2).map(mel, batched=batched)
    np.testing.assert_allclose(np.array(mapped[1]["feature"]), mel(clip), rtol=1e-5)


def test_a_second_map_reads_the_cache(paths, tmp_path, monkeypatch):
    rows(paths).save_to_disk(tmp_path / "rows")
    calls = []
    read = Transform.read_blocks
    monkeypatch.setattr(
        Transform, "read_blocks", lambda self, source, **options: calls.append(source) or read(self, source, **options)
    )
    dataset = datasets.load_from_disk(tmp_path / "rows")
    first = hf.map(dataset, Transform("speech-mel-80"))
    assert len(calls) == 4
    second = hf.map(dataset, Transform("speech-mel-80"))
    assert len(calls) == 4
    assert second._fingerprint == first._fingerprint
    hf.map(dataset, Transform("speech-mel-80", feature="other"))
    assert len(calls) == 8


def test_arguments_of_datasets_map_pass_through(mel, paths, expected):
    mapped = hf.map(rows(paths), mel, batch_size=1, keep_in_memory=True, load_from_cache_file=False)
    assert mapped.cache_files == []
    check(mapped, expected)


def test_a_missing_column_is_named_with_the_existing_ones(mel):
    with pytest.raises(ArgumentError, match=r"must have the audio column 'audio'\. Received: speech, label"):
        hf.map(Dataset.from_dict({"speech": ["a.wav"], "label": [1]}), mel)


def test_datasets_own_map_takes_a_streaming_dataset(mel, paths, expected):
    streaming = rows(paths).cast_column("audio", Audio()).to_iterable_dataset()
    for mapped in (streaming.map(mel, batched=True), streaming.cast_column("audio", Audio(decode=False)).map(mel)):
        for row, feature in zip(mapped.remove_columns("audio"), expected, strict=True):
            np.testing.assert_allclose(np.array(row["feature"]), feature, atol=TOLERANCE)


def test_a_row_that_cannot_be_read_is_named(mel, paths, clips):
    with pytest.raises(AudioError, match=r"Could not decode '.*broken\.wav'") as caught:
        hf.map(rows([paths[0], str(clips / "broken.wav")]), mel)
    assert caught.value.stage == "decode"


def test_bytes_that_cannot_be_read_are_named_by_their_path(mel):
    broken = rows([{"bytes": b"no audio", "path": "take-17.wav"}], ENCODED)
    with pytest.raises(AudioError, match=r"take-17\.wav"):
        hf.map(broken, mel)


def test_a_row_without_audio_is_an_error(mel, paths):
    with pytest.raises(AudioError, match=r"holds no audio\. Filter such rows"):
        hf.map(rows([paths[0], None]), mel)


def test_without_datasets_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "datasets", None)
    monkeypatch.delitem(sys.modules, "audiopipe.hf")
    with pytest.raises(MissingDependencyError, match=r'pip install "audiopipe\[hf\]"'):
        __import__("audiopipe.hf")


@pytest.mark.parametrize("kind", ["numpy", "tensorflow", "arrow", "pandas"])
def test_the_format_of_a_dataset_changes_no_bits_and_stays(mel, paths, expected, kind):
    encoded = Dataset.from_dict({"audio": paths, "label": [0, 1, 2, 3]}).cast_column("audio", Audio(decode=False))
    mapped = hf.map(encoded.with_format(kind), mel)
    assert mapped.format["type"] == kind
    check(mapped.with_format(None), expected)


def test_a_column_that_the_map_would_replace_is_refused(mel, paths):
    with pytest.raises(ArgumentError, match=r"Received: n_frames\. Rename"):
        hf.map(rows(paths).rename_column("label", "n_frames"), mel)


def test_a_config_name_instead_of_a_transform_is_refused(paths):
    with pytest.raises(ArgumentError, match=r"transform must be a Transform. Received: 'speech-mel-80'"):
        hf.map(rows(paths), "speech-mel-80")
