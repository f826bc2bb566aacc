"""`ComputeFeatures`: the forms of its elements, its results, and the bits of its features."""

import gzip
import io
import pathlib
import typing

import apache_beam
import numpy as np
import pytest
import soundfile
from apache_beam.io import fileio
from apache_beam.io.filesystem import FileMetadata
from collecting import Collect, compute, pipeline

from audiopipe import Transform, beam, configs, load
from audiopipe.errors import ArgumentError
from audiopipe.feature_sets import row_digests
from audiopipe.transform import clip_features

IDS = ["mono", "stereo", "resampled", "quiet"]


class Named(typing.NamedTuple):
    id: str
    audio: str
    label: int


class Stored(typing.NamedTuple):
    bytes: bytes
    path: str


def wav(samples, rate=8000):
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format="WAV", subtype="FLOAT")
    return file.getvalue()


@pytest.fixture(scope="module")
def paths(clips):
    return [str(clips / name) for name in ("mono.wav", "stereo.flac", "resampled.wav", "quiet.wav")]


def test_features_have_the_bits_of_a_job(paths, shared_feature_set, mel):
    rows = [{"id": id, "audio": path} for id, path in zip(IDS, paths, strict=True)]
    features, failures = compute(rows, mel)
    stored = {element["id"].decode(): element for element in load(shared_feature_set).as_numpy_iterator()}
    assert [row["id"] for row in features] == IDS
    assert failures == []
    for row in features:
        assert row["feature"].dtype == np.float32
        np.testing.assert_array_equal(row["feature"], stored[row["id"]]["feature"], strict=True)
        assert row["n_frames"] == stored[row["id"]]["n_frames"] == len(row["feature"])


def test_features_agree_with_a_reference(paths, samples, reference, mel):
    features, _ = compute(paths, mel)
    for row, clip in zip(features, samples.values(), strict=True):
        np.testing.assert_allclose(row["feature"], reference(clip, mel.config).reshape(row["feature"].shape), atol=1e-2)


FORMS = {
    "text": lambda path: (path, path),
    "path": lambda path: (pathlib.Path(path), path),
    "readable file": lambda path: (fileio.ReadableFile(FileMetadata(path, 1)), path),
    "dict with a path": lambda path: ({"audio": path}, path),
    "dict with a path object": lambda path: ({"audio": pathlib.Path(path)}, path),
    "dict with a readable file": lambda path: ({"audio": fileio.ReadableFile(FileMetadata(path, 1))}, path),
    "dict with bytes": lambda path: ({"id": "x", "audio": pathlib.Path(path).read_bytes()}, "x"),
    "dict with a bytearray": lambda path: ({"id": "x", "audio": bytearray(pathlib.Path(path).read_bytes())}, "x"),
    "audio of datasets in a bytearray": lambda path: (
        {"id": "x", "audio": {"bytes": bytearray(pathlib.Path(path).read_bytes())}},
        "x",
    ),
    "audio of datasets": lambda path: ({"audio": {"bytes": pathlib.Path(path).read_bytes(), "path": "a.wav"}}, "a.wav"),
    "audio of datasets with a path": lambda path: ({"audio": {"bytes": None, "path": path}}, path),
    "decoded samples": lambda path: (
        {"id": "x", "audio": {"array": soundfile.read(path)[0], "sampling_rate": 8000, "path": None}},
        "x",
    ),
    "array": lambda path: ({"id": 7, "audio": soundfile.read(path, dtype="float32")[0]}, "7"),
    "list": lambda path: ({"id": "x", "audio": soundfile.read(path)[0].tolist()}, "x"),
    "row": lambda path: (apache_beam.Row(id="x", audio=path), "x"),
    "row in a row": lambda path: (
        apache_beam.Row(id="x", audio=apache_beam.Row(bytes=pathlib.Path(path).read_bytes(), path=path)),
        "x",
    ),
    "named tuple": lambda path: (Named("x", path, 3), "x"),
    "named tuple in a dict": lambda path: ({"id": "x", "audio": Stored(pathlib.Path(path).read_bytes(), path)}, "x"),
}


def test_every_form_of_audio_gives_the_same_feature(paths, mel):
    elements, ids = zip(*[make(paths[0]) for make in FORMS.values()], strict=True)
    features, _ = compute(elements, mel)
    expected = mel.compute(mel.read(paths[0]))
    assert [row["id"] for row in features] == list(ids)
    for form, row in zip(FORMS, features, strict=True):
        np.testing.assert_array_equal(row["feature"], expected, err_msg=form)


def test_matched_files_are_elements(clips, mel):
    collected = Collect()
    with pipeline() as made:
        files = made | fileio.MatchFiles(str(clips / "m*.wav")) | fileio.ReadMatches()
        (files | beam.ComputeFeatures(mel)).features | collected
    [row] = collected.elements
    assert row["id"] == str(clips / "mono.wav")
    np.testing.assert_array_equal(row["feature"], mel.compute(mel.read(clips / "mono.wav")))


def test_a_compressed_file_is_read_by_the_file_system_of_beam(clips, tmp_path, mel):
    path = tmp_path / "mono.wav.gz"
    path.write_bytes(gzip.compress((clips / "mono.wav").read_bytes()))
    broken = tmp_path / "broken.wav.gz"
    broken.write_bytes(gzip.compress(b"no audio"))
    gone = str(tmp_path / "gone.wav")
    files = [fileio.ReadableFile(FileMetadata(str(name), 1)) for name in (path, broken, gone)]
    [row], failures = compute(files, mel, "collect")
    np.testing.assert_array_equal(row["feature"], mel.compute(mel.read(clips / "mono.wav")))
    assert [(failure["path"], failure["stage"]) for failure in failures] == [(str(broken), "decode"), (gone, "read")]
    assert failures[0]["error"].startswith(repr(str(broken)))
    assert failures[1]["error"] == f"Could not read {gone!r}: No such file or directory."


def test_rows_with_a_schema_are_elements(paths, mel):
    collected = Collect()
    with pipeline() as made:
        rows = (
            made
            | apache_beam.Create([(paths[0], 3)])
            | apache_beam.MapTuple(lambda path, label: apache_beam.Row(audio=str(path), label=int(label)))
            | apache_beam.Reshuffle()  # which encodes the rows by their schema
        )
        (rows | beam.ComputeFeatures(mel)).features | collected
    [row] = collected.elements
    assert (row["id"], row["label"]) == (paths[0], 3)


def test_all_fields_but_the_audio_are_kept_in_their_order(paths, config):
    transform = Transform(config, audio="file", feature="stft")
    row = {"label": 3, "file": paths[0], "tags": ["a", "b"], "id": "x", "audio": None}
    [made], _ = compute([row], transform)
    assert list(made) == ["id", "label", "tags", "audio", "stft", "n_frames", "stft_digest", "remarks"]
    assert (made["id"], made["label"], made["tags"], made["audio"]) == ("x", 3, ["a", "b"], None)
    assert made["stft_digest"] == row_digests.digest(made["stft"], config.fingerprint)
    assert row.keys() == {"label", "file", "tags", "id", "audio"}  # the input is not changed


def test_remarks_are_in_the_element(tmp_path, mel):
    content = wav(np.random.default_rng(0).uniform(-0.5, 0.5, 40000))
    path = tmp_path / "truncated.wav"
    path.write_bytes(content[:-400])
    cancels = wav(np.array([[0.25, -0.25]] * 4000))
    rows = [{"id": "cut", "audio": str(path)}, {"id": "silent", "audio": cancels}, {"id": "good", "audio": content}]
    features, _ = compute(rows, mel)
    [truncated], [silent], none = (row["remarks"] for row in features)
    assert truncated.keys() >= {"id", "path", "stage", "remark"}
    assert (truncated["id"], truncated["path"], truncated["stage"]) == ("cut", str(path), "decode")
    assert truncated["remark"] == "the data chunk has 159600 of 160000 bytes"
    assert (silent["id"], silent["path"]) == ("silent", None)
    assert "cancel" in silent["remark"]
    assert none == []


def test_truncated_audio_is_read_if_the_transform_accepts_it(tmp_path, config):
    path = tmp_path / "half.wav"
    content = wav(np.random.default_rng(0).uniform(-0.5, 0.5, 8000))
    path.write_bytes(content[: len(content) // 2])
    _, [failure] = compute([path], Transform(config), "collect")
    [row], _ = compute([path], Transform(config, accept_truncated=True), "collect")
    assert failure["stage"] == "decode"
    assert row["remarks"][0]["path"] == str(path)


def test_a_config_that_pads_clips_gives_valid_frames_and_a_remark_about_what_is_cut():
    config = configs.WhisperLogMel(n_mels=4, chunk_seconds=0.5)
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, 16000).astype(np.float32)
    rows = [{"id": "short", "audio": noise[:4000]}, {"id": "long", "audio": noise}]
    (short, long), _ = compute(rows, Transform(config))
    assert (short["n_frames"], short["valid_frames"], short["remarks"]) == (50, 25, [])
    assert (long["n_frames"], long["valid_frames"]) == (50, 50)
    [remark] = long["remarks"]
    assert (remark["stage"], remark["dropped_seconds"]) == ("feature", 0.5)


def test_a_channels_first_config_keeps_its_layout(paths):
    config = configs.StftMagnitude(
        sample_rate=8000, n_fft=256, hop_length=100, channels=2, output_data_format="channels_first"
    )
    transform = Transform(config)
    [row], _ = compute([paths[1]], transform)
    assert row["feature"].shape == (2, row["n_frames"], 129)
    np.testing.assert_array_equal(row["feature"], transform.compute(transform.read(paths[1])))


def test_a_long_recording_is_computed_in_blocks_with_the_same_bits(tmp_path, config, monkeypatch):
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, 61 * 8000).astype(np.float32)
    path = tmp_path / "long.wav"
    soundfile.write(path, noise, 8000, subtype="FLOAT")
    long, of_long = [], clip_features._of_long
    monkeypatch.setattr(clip_features, "_of_long", lambda *clip: long.append(clip[0]) or of_long(*clip))
    mel = Transform(config)
    before, row, after = compute([{"id": "a", "audio": noise[:900]}, path, {"id": "b", "audio": noise[:500]}], mel)[0]
    assert len(long) == 1
    assert [before["id"], row["id"], after["id"]] == ["a", str(path), "b"]
    np.testing.assert_array_equal(row["feature"], mel(noise))
    np.testing.assert_array_equal(after["feature"], mel(noise[:500]))


def test_several_transforms_in_one_pipeline_do_not_mix(paths, config):
    transforms = {
        "stft": Transform(config, feature="stft"),
        "mel": Transform(configs.MelSpectrogram(sample_rate=8000, n_fft=256, hop_length=80, n_mels=20), feature="mel"),
    }
    collected = {name: Collect() for name in transforms}
    with pipeline() as made:
        created = made | apache_beam.Create(paths)
        for name, transform in transforms.items():
            computed = created | f"Compute {name}" >> beam.ComputeFeatures(transform)
            computed.features | f"Collect {name}" >> collected[name]
    for name, transform in transforms.items():
        rows = sorted(collected[name].elements, key=lambda row: row["id"])
        assert [row["id"] for row in rows] == sorted(paths)
        for row in rows:
            np.testing.assert_array_equal(row[name], transform.compute(transform.read(row["id"])))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (lambda mel: ("speech-mel-80",), r"transform must be a Transform\. Received: .*'speech-mel-80'"),
        (lambda mel: (mel, "null"), r"on_error must be one of 'raise', 'skip', 'collect'\. Received: on_error='null'"),
        (lambda mel: (Transform(mel.config, feature="n_frames"),), r"must not have the name of another field"),
        (lambda mel: (Transform(mel.config, feature="id"),), r"Received: feature='id'"),
        (lambda mel: (Transform(mel.config, feature="valid_frames"),), r"Received: feature='valid_frames'"),
    ],
)
def test_a_wrong_argument_is_refused(mel, arguments, message):
    with pytest.raises(ArgumentError, match=message):
        beam.ComputeFeatures(*arguments(mel))
