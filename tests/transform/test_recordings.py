"""Tests of reading recordings and stretches of recordings."""

import contextlib
import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import soundfile
import soxr
import xxhash

from audiopipe import Transform, configs
from audiopipe.audio import conversion, joined
from audiopipe.errors import AudioError, AudioRemark
from audiopipe.inputs import Source
from audiopipe.storage import files
from audiopipe.transform import recordings

RATE = 8000


@pytest.fixture
def config():
    return configs.StftMagnitude(sample_rate=RATE, n_fft=256, hop_length=100)


@pytest.fixture
def transform(config):
    return Transform(config)


@pytest.fixture
def recording(tmp_path):
    """Path and samples of a recording of 3 s at 11,025 Hz, resampled to 8 kHz as a whole."""
    samples = np.random.default_rng(0).uniform(-0.5, 0.5, 33075).astype("float32")
    path = tmp_path / "recording.wav"
    soundfile.write(path, samples, 11025, subtype="FLOAT")
    return str(path), soxr.resample(samples, 11025, RATE, quality="HQ")[:, None]


@pytest.fixture
def decoded(monkeypatch):
    """The list of what was decoded, one entry per recording and one per block."""
    counts = {"recordings": 0, "samples": 0}
    read_blocks = Transform.read_blocks

    def counting(self, source, **keywords):
        counts["recordings"] += 1
        for block in read_blocks(self, source, **keywords):
            counts["samples"] += len(block)
            yield block

    monkeypatch.setattr(Transform, "read_blocks", counting)
    return counts


def stretch(path, start, end, row=None):
    return Source(id=f"{path}#{start}-{end}", path=path, row=row, start=start, end=end)


def read(sources, transform, on_remark=None):
    return [joined(blocks) for _, blocks in recordings.read(sources, transform, on_remark)]


def test_a_stretch_has_the_samples_of_the_whole_resampled_recording(recording, transform):
    path, whole = recording
    times = [(0.0, 0.5), (0.25, 1.0), (1.0001, 2.9), (None, 2.0), (2.0, None), (0.0, 3.0)]
    found = read([stretch(path, *pair) for pair in times], transform)
    for samples, (start, end) in zip(found, times, strict=True):
        first, last = round((start or 0.0) * RATE), round((3.0 if end is None else end) * RATE)
        np.testing.assert_array_equal(samples, whole[first:last])


def test_stretches_that_follow_one_another_decode_their_recording_once(recording, transform, decoded):
    path, whole = recording
    times = [(0.1, 0.9), (0.2, 0.4), (0.2, 1.5), (1.0, 1.1), (1.1, 1.2)]
    found = read([stretch(path, *pair) for pair in times], transform)
    assert decoded["recordings"] == 1
    for samples, (start, end) in zip(found, times, strict=True):
        np.testing.assert_array_equal(samples, whole[round(start * RATE) : round(end * RATE)])


def test_a_stretch_before_samples_that_were_dropped_decodes_its_recording_again(
    recording, transform, decoded, monkeypatch
):
    monkeypatch.setattr(conversion, "CACHED_SAMPLES", 1000)  # makes the blocks short
    path, whole = recording
    times = [(1.0, 1.5), (2.0, 2.5), (0.5, 1.0)]
    found = read([stretch(path, *pair) for pair in times], transform)
    assert decoded["recordings"] == 2
    for samples, (start, end) in zip(found, times, strict=True):
        np.testing.assert_array_equal(samples, whole[round(start * RATE) : round(end * RATE)])


def test_nothing_is_decoded_behind_the_end_of_a_stretch(tmp_path, transform, decoded):
    soundfile.write(tmp_path / "long.wav", np.zeros(RATE * 1000, "int16"), RATE)
    [samples] = read([stretch(str(tmp_path / "long.wav"), 1.0, 2.0)], transform)
    assert samples.shape == (RATE, 1)
    assert decoded["samples"] <= 1 << 20  # one block, of a recording of 8 million samples


def test_much_overlap_is_decoded_again_instead_of_held(recording, transform, decoded, monkeypatch):
    monkeypatch.setattr(recordings, "HELD_SAMPLES", 1000)
    path, whole = recording
    times = [(0.0, 3.0), (0.5, 1.0)]
    found = read([stretch(path, *pair) for pair in times], transform)
    assert decoded["recordings"] == 2
    np.testing.assert_array_equal(found[1], whole[4000:8000])


def test_a_clip_without_times_is_the_whole_recording(recording, transform):
    path, whole = recording
    [samples] = read([Source(id="a", path=path)], transform)
    np.testing.assert_array_equal(samples, whole)


def test_recordings_may_alternate(tmp_path, recording, transform):
    path, whole = recording
    other = str(tmp_path / "other.wav")
    soundfile.write(other, np.full(RATE, 0.25), RATE, subtype="FLOAT")
    found = read([stretch(path, 0.0, 1.0), stretch(other, 0.5, 1.0), stretch(path, 1.0, 2.0)], transform)
    np.testing.assert_array_equal(found[0], whole[:8000])
    np.testing.assert_array_equal(found[1], np.full((4000, 1), 0.25, "float32"))
    np.testing.assert_array_equal(found[2], whole[8000:16000])


@pytest.mark.parametrize("times", [(3.5, 4.0), (3.0, 4.0), (7.0, None)])
def test_a_stretch_that_begins_after_the_end_is_an_error_that_says_so(recording, transform, times):
    with pytest.raises(AudioError, match=r"begins at or after the end of the recording, which has 3\.000 s") as error:
        read([stretch(recording[0], *times)], transform)
    assert error.value.stage == "read"
    assert repr(recording[0]) in str(error.value)


def test_a_stretch_that_ends_after_the_recording_is_an_error_unless_it_is_accepted(recording, config):
    path, whole = recording
    clip = stretch(path, 2.0, 3.5)
    with pytest.raises(AudioError, match=r"the stretch 2-3\.5 s lacks 0\.500 s.*--accept-truncated"):
        read([clip], Transform(config))
    remarks = []
    [samples] = read(
        [clip], Transform(config, accept_truncated=True), lambda source, made: remarks.append((source, made))
    )
    np.testing.assert_array_equal(samples, whole[16000:])
    [(source, remark)] = remarks
    assert source is clip
    assert (remark.stage, remark.text) == (
        "read",
        "the stretch 2-3.5 s lacks 0.500 s, because the recording has 3.000 s",
    )


def test_a_rounded_end_just_after_the_recording_is_read_with_a_remark(recording, transform):
    path, whole = recording
    with pytest.warns(AudioRemark, match=r"recording\.wav.*lacks 0\.010 s"):
        [samples] = read([stretch(path, 1.0, 3.01)], transform)
    np.testing.assert_array_equal(samples, whole[8000:])


def test_every_stretch_of_a_broken_recording_behind_the_fault_fails(tmp_path, transform):
    soundfile.write(tmp_path / "cut.wav", np.random.default_rng(0).uniform(-0.5, 0.5, 80000), RATE)
    content = (tmp_path / "cut.wav").read_bytes()
    (tmp_path / "cut.wav").write_bytes(content[: len(content) // 2])
    path = str(tmp_path / "cut.wav")
    outcomes = []
    for _, blocks in recordings.read(
        [stretch(path, 0.0, 1.0), stretch(path, 8.0, 9.0), stretch(path, 9.0, 9.5)], transform
    ):
        try:
            outcomes.append(len(joined(blocks)))
        except AudioError as error:
            outcomes.append(error.stage)
    assert outcomes == [RATE, "decode", "decode"]


@pytest.fixture
def digest_of(recording):
    return xxhash.xxh3_128_digest(Path(recording[0]).read_bytes())


def test_each_clip_gets_the_digest_of_its_file_once_its_recording_was_read(recording, transform, digest_of, tmp_path):
    path, _ = recording
    other = str(tmp_path / "other.wav")
    soundfile.write(other, np.full(RATE, 0.25), RATE)
    table = str(tmp_path / "t.parquet")
    audio = pa.array([{"bytes": Path(path).read_bytes(), "path": None}])
    pq.write_table(pa.table({"audio": audio}), table)
    cut = [stretch(path, 0.0, 1.0), stretch(path, 0.5, 2.0)]
    clips = [*cut, Source("other", other), Source("row", table, 0), Source("missing", f"{path}.missing")]
    events = []
    for source, blocks in recordings.read(clips, transform, on_digest=lambda *found: events.append(found)):
        events.append(source)
        with contextlib.suppress(AudioError):
            joined(blocks)
    other_digest = xxhash.xxh3_128_digest(Path(other).read_bytes())
    assert events == [
        *cut, *((clip, digest_of) for clip in cut),
        clips[2], (clips[2], other_digest),
        clips[3], (clips[3], digest_of),
        clips[4],
    ]  # fmt: skip


def test_stretches_before_damage_and_after_an_error_of_the_caller_have_digests(recording, transform, digest_of):
    path, _ = recording
    clips = [stretch(path, 0.0, 1.0), stretch(path, 2.0, 9.0), stretch(path, 2.5, 3.0)]
    found = []
    for number, (_, blocks) in enumerate(recordings.read(clips, transform, on_digest=lambda *pair: found.append(pair))):
        with contextlib.suppress(AudioError):
            next(blocks) if number == 2 else joined(blocks)
    assert found == [(clip, digest_of) for clip in clips]


def test_files_are_closed_when_the_caller_stops(recording, transform, monkeypatch):
    descriptors, open_descriptor = [], files.open_descriptor
    monkeypatch.setattr(
        files, "open_descriptor", lambda path: descriptors.append(open_descriptor(path)) or descriptors[-1]
    )
    clips = recordings.read([stretch(recording[0], 0.0, 1.0), stretch(recording[0], 1.0, 2.0)], transform)
    joined(next(clips)[1])
    os.fstat(*descriptors)
    clips.close()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(*descriptors)
