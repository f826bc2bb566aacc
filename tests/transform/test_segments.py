"""Segmentation of recordings, from the settings to the stored features."""

import dataclasses
import json

import numpy as np
import pytest
import soundfile
import tensorflow as tf
from typer.testing import CliRunner

from audiopipe import Transform, beam, cli, configs, load, tfdata
from audiopipe.audio import conversion
from audiopipe.errors import ArgumentError, AudioError, InputError
from audiopipe.feature_sets import records, tfrecords
from audiopipe.feature_sets.description import Description
from audiopipe.inputs import Source
from audiopipe.transform.segments import Segments, parse_id
from audiopipe.verification.set_check import verify

RATE = 8000
RAMP = np.arange(25, dtype=np.float32)[:, None]
TINY = configs.StftMagnitude(sample_rate=10, n_fft=4, hop_length=2, input_data_format="channels_last")


def cut(segments, samples=RAMP, only=None):
    """Returns id, start and samples of each segment of a recording at 10 Hz."""
    blocks = [samples[start : start + 4] for start in range(0, len(samples), 4)]
    found = segments.clips(Source(id="a", path="a.wav", metadata={"take": 3}), blocks, TINY, only)
    return [(clip.id, clip.metadata["start"], values[:, 0].tolist()) for clip, values, _ in found]


@pytest.mark.parametrize(
    ("last", "end"),
    [("drop", []), ("pad", [("a#00002", 2.0, [20.0, 21, 22, 23, 24, 0, 0, 0, 0, 0])]),
     ("keep", [("a#00002", 2.0, [20.0, 21, 22, 23, 24])])],
)  # fmt: skip
def test_an_incomplete_last_segment_is_dropped_padded_or_kept(last, end):
    whole = [("a#00000", 0.0, RAMP[:10, 0].tolist()), ("a#00001", 1.0, RAMP[10:20, 0].tolist())]
    assert cut(Segments(seconds=1, last=last)) == whole + end


@pytest.mark.parametrize("last", ["drop", "pad", "keep"])
def test_no_segment_begins_after_one_that_reaches_the_end(last):
    assert [start for _, start, _ in cut(Segments(seconds=1, last=last), RAMP[:20])] == [0.0, 1.0]
    assert [start for _, start, _ in cut(Segments(seconds=1, hop=0.5, last=last), RAMP[:20])] == [0.0, 0.5, 1.0]


def test_the_last_overlapping_segment_is_the_first_that_reaches_the_end():
    found = cut(Segments(seconds=1, hop=0.6, last="keep"))
    assert [(start, values[0], values[-1]) for _, start, values in found] == [
        (0.0, 0, 9),
        (0.6, 6, 15),
        (1.2, 12, 21),
        (1.8, 18, 24),
    ]


def test_segments_with_gaps_leave_samples_out():
    found = cut(Segments(seconds=0.5, hop=1.2))
    assert [values for _, _, values in found] == [[0, 1, 2, 3, 4], [12, 13, 14, 15, 16]]


def test_a_kept_segment_without_a_whole_frame_is_left_out():
    assert [start for _, start, _ in cut(Segments(seconds=1.1, last="keep"))] == [0.0, 1.1]
    assert [len(values) for _, _, values in cut(Segments(seconds=1.05, hop=1, last="keep"))] == [10, 10, 5]


@pytest.mark.parametrize("last", ["drop", "keep"])
def test_a_recording_that_is_too_short_gives_no_segment_and_no_error(last):
    assert cut(Segments(seconds=1, last=last), RAMP[:3]) == []


def test_a_wanted_segment_that_the_recording_lacks_raises_an_error():
    with pytest.raises(AudioError, match=r"'a' has no segment 0. Received: 0 segments of 10 samples at 10 Hz, and 3"):
        cut(Segments(seconds=1), RAMP[:3], only={0})


def test_only_the_wanted_segments_come_and_later_blocks_are_not_read():
    def blocks():
        yield RAMP[:20]
        raise AssertionError("read too far")

    source = Source(id="a", path="a.wav")
    found = list(Segments(seconds=0.5).clips(source, blocks(), TINY, {1, 3}))
    assert [clip.id for clip, *_ in found] == ["a#00001", "a#00003"]
    with pytest.raises(AudioError, match="'a' has no segment 7"):
        cut(Segments(seconds=1), only={7})


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"seconds": 0}, "seconds must be greater than 0"),
        ({"seconds": float("nan")}, "seconds must be finite"),
        ({"seconds": 1, "hop": -1}, "hop must be greater than 0"),
        ({"seconds": 1, "last": "loop"}, r"last must be one of 'drop', 'pad', 'keep'. Received: last='loop'"),
    ],
)
def test_wrong_settings_are_refused(settings, message):
    with pytest.raises(ArgumentError, match=message):
        Segments(**settings)


def test_segments_without_a_frame_and_hops_below_one_sample_are_refused():
    with pytest.raises(ArgumentError, match=r"at least one frame\. Received: 0\.3 s, 3 samples at 10 Hz"):
        Segments(seconds=0.3).sizes(TINY)
    with pytest.raises(ArgumentError, match=r"hop must be at least one sample .* Received: hop=0\.01, 0\.1 samples"):
        Segments(seconds=1, hop=0.01).sizes(TINY)


@pytest.mark.parametrize("padding", [{}, {"pad_begin": True}, {"pad_end": True}])
@pytest.mark.parametrize("settings", [{"seconds": 0.04}, {"seconds": 1e308}, {"seconds": 1, "hop": 1e308}])
def test_segments_with_too_few_or_too_many_samples_are_refused(settings, padding):
    name = list(settings)[-1]
    with pytest.raises(ArgumentError, match=rf"{name} must be at least one sample and at most 2147483647\. .*{name}="):
        Segments(**settings).sizes(dataclasses.replace(TINY, **padding))


def test_a_segment_that_is_too_long_is_refused_before_anything_is_written(recordings, config, tmp_path):
    with pytest.raises(ArgumentError, match=r"seconds=1e\+308"):
        beam.precompute(recordings, tmp_path / "features", config, segments=Segments(seconds=1e308))
    assert not (tmp_path / "features").exists()


def test_settings_survive_json():
    segments = Segments(seconds=30, hop=7.5, last="pad")
    assert Segments(**json.loads(json.dumps(segments.to_dict()))) == segments


def test_parse_id_splits_at_the_last_separator():
    assert parse_id("a#00001#123456") == ("a#00001", 123456)


@pytest.fixture(scope="module", autouse=True)
def small_blocks():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(conversion, "BLOCK_SAMPLES", 5000)
        yield


@pytest.fixture(scope="module")
def recordings(tmp_path_factory):
    """A stereo recording of 3.1 s at 44.1 kHz, one of 0.9 s, one that is too short, and two thirds of a FLAC file."""
    folder = tmp_path_factory.mktemp("recordings")
    noise = np.random.default_rng(0)
    soundfile.write(folder / "long.wav", 0.2 * noise.standard_normal((136711, 2)), 44100, subtype="FLOAT")
    soundfile.write(folder / "medium.wav", 0.2 * noise.standard_normal(7200), RATE)
    soundfile.write(folder / "short.wav", np.zeros(100), RATE)
    soundfile.write(folder / "half.flac", 0.2 * noise.standard_normal(30000), RATE)
    content = (folder / "half.flac").read_bytes()
    (folder / "half.flac").write_bytes(content[: len(content) * 2 // 3])
    return folder


@pytest.mark.parametrize("settings", [
    {"seconds": 0.5}, {"seconds": 0.7, "hop": 0.3, "last": "pad"}, {"seconds": 1.0, "hop": 1.1, "last": "keep"},
])  # fmt: skip
def test_stored_features_are_those_of_pieces_of_the_resampled_recording(recordings, config, tmp_path, settings):
    segments, transform = Segments(**settings), Transform(config)
    paths = [str(recordings / name) for name in ("long.wav", "medium.wav")]
    beam.precompute(str(recordings / "[lm]*.wav"), tmp_path / "features", config, segments=segments)
    length = round(segments.seconds * RATE)
    found = list(load(tmp_path / "features", config=config).as_numpy_iterator())
    assert {element["id"].decode().partition("#")[0] for element in found} == {"long.wav", "medium.wav"}
    for element in found:
        name, number = parse_id(element["id"].decode())
        start = round(element["start"] * RATE)
        assert start == number * round(segments.hop * RATE)
        piece = transform.read(recordings / name)[start : start + length]
        if segments.last == "pad":
            piece = np.pad(piece, [(0, length - len(piece)), (0, 0)])
        np.testing.assert_array_equal(element["feature"], transform(piece))
    clips = tfdata.from_audio(paths, transform, segments=segments)
    for element, stored in zip(clips.map(transform).as_numpy_iterator(), found, strict=True):
        np.testing.assert_array_equal(element["feature"], stored["feature"])
        assert (element["start"], element["n_frames"]) == (stored["start"], stored["n_frames"])


@pytest.fixture(scope="module")
def feature_set(recordings, config, tmp_path_factory, small_blocks):
    folder = tmp_path_factory.mktemp("segments") / "features"
    beam.precompute(recordings, folder, config, segments=Segments(seconds=0.5, last="keep"))
    return folder


def test_segments_before_a_fault_are_kept_and_the_fault_is_a_failure_of_the_recording(feature_set):
    opened = Description.open(feature_set)
    assert [(failure["id"], failure["stage"]) for failure in opened.failures()] == [
        ("half.flac", "decode"),
    ]
    assert [(remark["id"], remark["stage"], remark["remark"]) for remark in opened.remarks()] == [
        ("short.wav", "feature", "the recording has 0.0125 s and gives no segment of 0.5 s"),
    ]
    ids = [element["id"].decode() for element in load(feature_set).as_numpy_iterator()]
    assert [name for name in ids if name.startswith("half")] == [f"half.flac#{number:05d}" for number in range(4)]
    assert [name for name in ids if not name.startswith("half")] == [
        *(f"long.wav#{number:05d}" for number in range(7)),
        "medium.wav#00000",
        "medium.wav#00001",
    ]
    counts = {"clips": len(ids), "failures": 1, "remarks": 1, "short_recordings": 1}
    assert {name: opened.counts[name] for name in counts} == counts
    assert opened.counts["hours"] * 3600 == pytest.approx(3.1 + 0.9 + 0.5 * (len(ids) - 9), abs=1e-3)


def test_settings_are_in_dataset_json_but_not_in_the_fingerprint(feature_set, config):
    settings = {"seconds": 0.5, "hop": 0.5, "last": "keep"}
    content = json.loads((feature_set / "dataset.json").read_text())
    assert content["segments"] == settings
    assert content["metadata"] == {"start": "float"}
    assert content["fingerprint"] == config.fingerprint


@pytest.mark.cases(1)
@pytest.mark.parametrize("sample", [None, 3])
def test_all_doors_agree_with_stored_segments(feature_set, recordings, sample):
    report = verify(feature_set, recordings, sample=sample)
    assert report.ok
    clips = Description.open(feature_set).counts["clips"] if sample is None else sample
    assert [(row.door, row.clips, row.differing) for row in report.comparisons] == [
        ("tf.data", clips, 0),
        ("tf.data, padded", clips, 0),
        ("datasets", clips, 0),
    ]


def test_verify_finds_a_changed_recording_with_the_same_name(feature_set, recordings, tmp_path):
    for path in recordings.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    samples, rate = soundfile.read(tmp_path / "medium.wav", dtype="float32")
    samples[5000] += 0.25
    soundfile.write(tmp_path / "medium.wav", samples, rate, subtype="FLOAT")
    (tmp_path / "half.flac").unlink()
    report = verify(feature_set, tmp_path, door="tfdata")
    assert {row.worst_clip for row in report.comparisons} == {"medium.wav#00001"}
    assert {name.partition("#")[0] for name in report.missing} == {"half.flac"}
    assert report.unknown == []


def test_a_metadata_column_named_start_is_refused(recordings, config, tmp_path):
    manifest = tmp_path / "manifest.jsonl"
    manifest.write_text(json.dumps({"path": str(recordings / "medium.wav"), "start": 1.5}))
    with pytest.raises(InputError, match="metadata column 'start', so the input cannot have one"):
        beam.precompute(manifest, tmp_path / "features", config, segments=Segments(seconds=0.5))
    assert not (tmp_path / "features").exists()
    with pytest.raises(InputError, match="metadata column 'start'"):
        tfdata.from_audio(manifest, config, segments=Segments(seconds=0.5))


def test_segments_have_the_metadata_and_channels_of_their_recording(recordings, config, tmp_path):
    stereo = Transform(dataclasses.replace(config, channels=None))
    manifest = tmp_path / "manifest.jsonl"
    manifest.write_text(json.dumps({"id": "L", "path": str(recordings / "long.wav"), "speaker": "Zoë"}))
    clips = tfdata.from_audio(manifest, stereo, segments=Segments(seconds=1))
    assert clips.element_spec["start"] == tf.TensorSpec([], tf.float64)
    assert [(element["id"].decode(), element["speaker"].decode(), element["audio"].shape, float(element["start"]))
            for element in clips.as_numpy_iterator()] == [
        (f"L#{number:05d}", "Zoë", (8000, 2), float(number)) for number in range(3)
    ]  # fmt: skip


def test_the_command_line_takes_segments(recordings, config, tmp_path):
    (tmp_path / "config.json").write_text(config.to_json())
    arguments = ["precompute", str(recordings / "long.wav"), str(tmp_path / "features")]
    arguments += ["--config", str(tmp_path / "config.json")]
    options = ["--segment-seconds", "1", "--segment-hop", "0.75", "--segment-last", "pad"]
    refused = CliRunner().invoke(cli.app, [*arguments, *options[2:]])
    assert refused.exit_code == 2
    assert "need --segment-seconds" in refused.output
    done = CliRunner().invoke(cli.app, [*arguments, *options])
    assert done.exit_code == 0, done.output
    assert Description.open(tmp_path / "features").segments == Segments(seconds=1, hop=0.75, last="pad")
    shown = CliRunner().invoke(cli.app, ["inspect", str(tmp_path / "features")]).output
    assert "seconds=1.0, hop=0.75, last=pad" in shown
    assert [float(element["start"]) for element in load(tmp_path / "features")] == [0.0, 0.75, 1.5, 2.25]


def test_frames_of_the_padding_of_a_segment_are_not_valid(recordings, config, tmp_path):
    segments = Segments(seconds=1, hop=0.75, last="pad")
    made = beam.precompute(recordings / "long.wav", tmp_path / "features", config, segments=segments)
    columns, n_samples = Description.open(made.path).columns, 8000 * 3 + 800
    with open(tmp_path / "features" / made.shards[0]["name"], "rb") as file:
        found = [records.decode(record, columns, config, "float32") for _, record in tfrecords.read(file)]
    real = [min(8000, n_samples - round(8000 * record.metadata["start"])) for record in found]
    assert real == [8000, 8000, 8000, 6800]
    assert [record.valid_frames for record in found] == [config.n_frames(size) for size in real]
    assert {record.n_frames for record in found} == {config.n_frames(8000)}
