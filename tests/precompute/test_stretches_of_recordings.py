"""Tests of jobs over manifests whose rows are stretches of recordings."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import soundfile
import soxr
from planning import clips_of, write_shard, written

from audiopipe import Transform, beam, load, tfdata
from audiopipe.audio import Opened
from audiopipe.inputs import Source
from audiopipe.precompute import completion
from audiopipe.transform.segments import Segments
from audiopipe.verification import verify

RATE = 8000
TIMES = [("x", 2.0, 1.0), ("y", 0.0, 2.0), ("z", 1.25, 0.5)]  # not in the order of the recording


@pytest.fixture
def call(tmp_path):
    """A recording of 3 s at 16 kHz."""
    samples = np.random.default_rng(0).uniform(-0.5, 0.5, 48000).astype("float32")
    soundfile.write(tmp_path / "call.wav", samples, 16000, subtype="FLOAT")
    return samples


@pytest.fixture
def manifest(tmp_path, call):
    path = tmp_path / "manifest.csv"
    lines = [f"{name},call.wav,{offset},{duration},{name.upper()}" for name, offset, duration in TIMES]
    path.write_text("\n".join(["id,path,offset,duration,label", *lines]))
    return path


@pytest.fixture
def openings(monkeypatch):
    """The list of what was read: paths, and rows of `datasets`."""
    opened = []
    read_blocks = Transform.read_blocks

    def noting(self, source, **keywords):
        opened.append(source.path if isinstance(source, Opened) else source)
        return read_blocks(self, source, **keywords)

    monkeypatch.setattr(Transform, "read_blocks", noting)
    return opened


def features(folder):
    return {element["id"].decode(): element for element in load(folder).as_numpy_iterator()}


def test_each_row_has_the_feature_of_its_stretch_of_the_resampled_recording(manifest, tmp_path, config, call):
    made = beam.precompute(manifest, tmp_path / "out", config)
    assert (made.counts["clips"], made.counts["failures"], made.counts["remarks"]) == (3, 0, 0)
    whole = soxr.resample(call, 16000, RATE, quality="HQ")
    found = features(made.path)
    assert list(found) == ["x", "y", "z"]
    for name, offset, duration in TIMES:
        piece = whole[round(offset * RATE) : round((offset + duration) * RATE)]
        np.testing.assert_array_equal(found[name]["feature"], Transform(config)(piece))
        assert found[name]["label"].decode() == name.upper()
    assert made.counts["hours"] * 3600 == pytest.approx(3.5)


def test_rows_of_one_recording_decode_it_once_and_keep_their_order(manifest, tmp_path, config, openings):
    made = beam.precompute(manifest, tmp_path / "out", config)
    assert len(openings) == 1
    assert list(features(made.path)) == ["x", "y", "z"]


def test_neighbouring_stretches_of_one_recording_stay_in_one_shard(tmp_path, config):
    sources = [
        Source(id=f"{name}{second}", path=str(tmp_path / f"{name}.wav"), start=second, end=second + 1.0)
        for name in "abc"
        for second in range(7)
    ]
    work = written(str(tmp_path / "out"), config, sources, num_shards=5)
    assert work.n_shards == 3
    assert [[clip.id for clip in clips_of(work, shard)] for shard in range(3)] == [
        [f"{name}{second}" for second in range(7)] for name in "abc"
    ]


def test_scattered_stretches_of_one_recording_in_a_shard_decode_it_once(tmp_path, config, call, openings):
    soundfile.write(tmp_path / "other.wav", np.full(RATE, 0.25), RATE)
    paths = {"call": str(tmp_path / "call.wav"), "other": str(tmp_path / "other.wav")}
    rows = [("call", 2.0), ("other", 0.5), ("call", 0.0), ("other", 0.0), ("call", 1.0)]
    sources = [
        Source(id=str(number), path=paths[name], start=start, end=start + 0.5)
        for number, (name, start) in enumerate(rows)
    ]
    work = written(str(tmp_path / "out"), config, sources, num_shards=1)
    sidecar = write_shard(work, 0)
    assert (sidecar["records"], sidecar["failures"], sidecar["seconds"]) == (5, [], 5 * 0.5)
    assert len(openings) == 2
    feature_set = completion.finish(work)
    whole = soxr.resample(call, 16000, RATE, quality="HQ")
    mel = Transform(config)
    expected = [mel(whole[16000:20000]), mel(np.full(4000, 0.25, "float32")), mel(whole[:4000])]
    expected += [expected[1], mel(whole[8000:12000])]
    assert list(features(feature_set.path)) == ["0", "1", "2", "3", "4"]
    for element, feature in zip(features(feature_set.path).values(), expected, strict=True):
        np.testing.assert_array_equal(element["feature"], feature)


def test_verify_decodes_the_recordings_of_scattered_stretches_once(tmp_path, config, call, openings):
    soundfile.write(tmp_path / "other.wav", call[::-1], 16000, subtype="FLOAT")
    rows = [("call", 2.0), ("other", 0.5), ("call", 0.0), ("other", 0.0), ("call", 1.0), ("call", 0.5)]
    lines = [{"path": f"{name}.wav", "start": start, "end": start + 0.5} for name, start in rows]
    (tmp_path / "m.jsonl").write_text("\n".join(map(json.dumps, lines)))
    made = beam.precompute(tmp_path / "m.jsonl", tmp_path / "out", config, num_shards=1)
    openings.clear()
    report = verify(made.path, tmp_path / "m.jsonl")
    assert report.ok
    assert [row.clips for row in report.comparisons] == [6, 6, 6]
    assert len([source for source in openings if isinstance(source, str)]) == 3 * 2  # the others are rows of `datasets`


def test_a_stretch_beyond_the_end_is_a_failure_that_says_so(tmp_path, config, call):
    rows = [{"path": "call.wav", "start": 2.5, "end": 9.0}, {"path": "call.wav", "start": 5.0, "end": 6.0}]
    rows.append({"path": "call.wav", "start": 0.0, "end": 1.0})
    (tmp_path / "m.jsonl").write_text("\n".join(map(json.dumps, rows)))
    made = beam.precompute(tmp_path / "m.jsonl", tmp_path / "out", config, max_failure_ratio=1)
    first, second = made.failures()
    assert "the stretch 2.5-9 s lacks 6.000 s, because the recording has 3.000 s" in first["error"]
    assert "the stretch 5-6 s begins at or after the end of the recording" in second["error"]
    assert (first["start"], first["end"], first["stage"]) == (2.5, 9.0, "read")
    assert made.counts["clips"] == 1


@pytest.mark.faults
def test_a_stretch_is_cut_into_segments_that_start_in_the_time_of_the_recording(manifest, tmp_path, config, call):
    made = beam.precompute(manifest, tmp_path / "out", config, segments=Segments(seconds=0.5))
    found = features(made.path)
    assert [(name, element["start"]) for name, element in found.items()] == [
        ("x#00000", 2.0), ("x#00001", 2.5),
        ("y#00000", 0.0), ("y#00001", 0.5), ("y#00002", 1.0), ("y#00003", 1.5),
        ("z#00000", 1.25),
    ]  # fmt: skip
    whole = soxr.resample(call, 16000, RATE, quality="HQ")
    for element in found.values():
        begin = round(element["start"] * RATE)
        np.testing.assert_array_equal(element["feature"], Transform(config)(whole[begin : begin + 4000]))


@pytest.mark.parametrize("segments", [pytest.param(None, marks=pytest.mark.faults), Segments(seconds=0.5)])
def test_verify_and_every_door_agree_with_stored_stretches(manifest, tmp_path, config, segments):
    made = beam.precompute(manifest, tmp_path / "out", config, segments=segments)
    report = verify(made.path, manifest)
    assert report.ok
    assert [row.clips for row in report.comparisons] == [made.counts["clips"]] * 3
    mel = Transform(config)
    clips = tfdata.from_audio(manifest, mel, segments=segments).map(mel)
    stored = features(made.path)
    for element in clips.as_numpy_iterator():
        np.testing.assert_array_equal(element["feature"], stored.pop(element["id"].decode())["feature"])
    assert stored == {}


@pytest.mark.parametrize("segments", [None, Segments(seconds=0.5)])
def test_ignoring_errors_skips_only_the_stretches_that_cannot_be_read(tmp_path, config, call, segments):
    times = [(0, 0.5), (0.5, 9), (1, 1.5), (7, 8), (2, 2.5)]
    rows = [{"id": str(number), "path": "call.wav", "start": a, "end": b} for number, (a, b) in enumerate(times)]
    (tmp_path / "m.jsonl").write_text("\n".join(map(json.dumps, rows)))
    clips = tfdata.from_audio(tmp_path / "m.jsonl", config, segments=segments).ignore_errors().as_numpy_iterator()
    names = [clip["id"].decode().partition("#")[0] for clip in clips]
    assert [name for name in names if name != "1"] == ["0", "2", "4"]
    assert names.count("1") == (0 if segments is None else 5)  # those of 0.5 s that the recording has


def test_a_retry_computes_all_stretches_of_a_recording_that_failed_and_no_other(tmp_path, config, call, openings):
    soundfile.write(tmp_path / "short.wav", call[:16000], 16000, subtype="FLOAT")
    rows = [
        {"id": f"{name}-{start}", "path": f"{name}.wav", "start": start, "end": start + 0.5}
        for name, start in [("short", 0.25), ("call", 2.0), ("short", 1.25), ("call", 0.5)]
    ]
    (tmp_path / "m.jsonl").write_text("\n".join(map(json.dumps, rows)))
    made = beam.precompute(tmp_path / "m.jsonl", tmp_path / "out", config, num_shards=1)
    assert [failure["id"] for failure in made.failures()] == ["short-1.25"]
    before = features(made.path)
    openings.clear()
    soundfile.write(tmp_path / "short.wav", call[:32000] / 2, 16000, subtype="FLOAT")
    again = beam.precompute(tmp_path / "m.jsonl", tmp_path / "out", config, num_shards=1, retry_failures=True)
    assert openings == [str(tmp_path / "short.wav")]
    assert (again.counts["clips"], again.counts["failures"]) == (4, 0)
    after = features(made.path)
    assert list(after) == ["short-0.25", "call-2.0", "short-1.25", "call-0.5"]
    np.testing.assert_array_equal(after["call-2.0"]["feature"], before["call-2.0"]["feature"])
    whole = soxr.resample(call[:32000] / 2, 16000, RATE, quality="HQ")
    np.testing.assert_array_equal(after["short-0.25"]["feature"], Transform(config)(whole[2000:6000]))
    np.testing.assert_array_equal(after["short-1.25"]["feature"], Transform(config)(whole[10000:14000]))


def test_the_length_of_the_output_is_known_from_the_stretches(manifest, config):
    work = beam.estimate(manifest, config)
    assert work.exact
    assert work.seconds == pytest.approx(3.5)


def test_stretches_that_a_table_of_paths_names_decode_their_recording_once(tmp_path, config, call, openings):
    columns = {"path": ["call.wav"] * 3, "start": [0.0, 1.0, 2.0], "end": [1.0, 2.0, 3.0]}
    pq.write_table(pa.table(columns), tmp_path / "calls.parquet")
    made = beam.precompute(tmp_path / "calls.parquet", tmp_path / "out", config)
    assert len(openings) == 1
    whole = soxr.resample(call, 16000, RATE, quality="HQ")
    for number, element in enumerate(features(made.path).values()):
        piece = whole[number * RATE : (number + 1) * RATE]
        np.testing.assert_array_equal(element["feature"], Transform(config)(piece))
