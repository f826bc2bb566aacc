"""Tests of the estimates of lengths and sizes, which decode nothing."""

import contextlib
import dataclasses
import math
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from audiopipe import audio, configs, inputs
from audiopipe.errors import AudioError
from audiopipe.inputs import Source, listings
from audiopipe.inputs.columns import Columns
from audiopipe.inputs.listings import Listed
from audiopipe.precompute import estimate
from audiopipe.precompute.estimate import Lengths
from audiopipe.transform.segments import Segments

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted(path for path in (ROOT / "examples/audio").rglob("*") if path.is_file())
RECORDINGS = ("ami-es2011a-headset0.wav", "common_voice_en_651325.mp3", "vocadito-10.wav")
SHARED = [path for name in RECORDINGS if (path := ROOT.parent / "shared/audio" / name).exists()]
CONFIG = configs.StftMagnitude(sample_rate=8000, n_fft=256, hop_length=100)


def clip(metadata=None, path="/clips/a.wav", size=1000, version="1", row=None):
    return Listed(Source(id=path, path=path, row=row, metadata=metadata or {}), size, version)


def lengths(*clips):
    known = [estimate.known_seconds(clip.source) for clip in clips]
    return Lengths.of(np.array(known, float), lambda numbers: [clips[number] for number in numbers])


@pytest.fixture
def headers(monkeypatch):
    """Returns a function that fakes the lengths in file headers and returns the list of paths that are read."""
    read = []

    def pretend(seconds):
        monkeypatch.setattr(audio, "duration", lambda path: read.append(path) or seconds(path))
        return read

    return pretend


@pytest.mark.parametrize(
    ("metadata", "seconds"),
    [
        ({"duration": 2.5}, 2.5),
        ({"duration": 3}, 3.0),
        ({"duration": " 2.50 "}, 2.5),
        ({"duration": "1e1"}, 10.0),
        ({"num_samples": 48000, "sample_rate": 16000}, 3.0),
        ({"num_samples": "48000", "sampling_rate": "16000.0"}, 3.0),
        ({"n_samples": 8000, "sample_rate": 16000}, 0.5),
        ({"duration": "unknown", "num_samples": 8000, "sample_rate": 16000}, 0.5),
        ({"duration": 2.0, "num_samples": 8000, "sample_rate": 16000}, 2.0),
    ],
)
def test_lengths_are_read_from_metadata(headers, metadata, seconds):
    read = headers(lambda path: pytest.fail("read a header"))
    found = lengths(clip(metadata))
    assert (found.exact, found.headers, read) == (True, 0, [])
    assert found.seconds(clip(metadata)) == seconds


@pytest.mark.parametrize(
    "metadata",
    [
        {},
        {"duration": None},
        {"duration": ""},
        {"duration": "abc"},
        {"duration": "1_000"},
        {"duration": "00:02:03"},
        {"duration": "1,5"},
        {"duration": -1.0},
        {"duration": 0},
        {"duration": math.nan},
        {"duration": "nan"},
        {"duration": math.inf},
        {"duration": "inf"},
        {"duration": "1e999"},
        {"duration": True},
        {"duration": 1e12},
        {"num_samples": 16000},
        {"sample_rate": 16000},
        {"num_samples": 16000, "sample_rate": 0},
        {"num_samples": 16000, "sample_rate": "x"},
        {"num_samples": 1e300, "sample_rate": 1e-300},
    ],
)
def test_nonsense_in_metadata_is_ignored(headers, metadata):
    read = headers(lambda path: 4.0)
    found = lengths(clip(metadata))
    assert (found.exact, found.headers, read) == (False, 1, ["/clips/a.wav"])
    assert found.seconds(clip(metadata)) == 4.0


def test_lengths_are_exact_only_if_the_metadata_of_all_clips_has_one(headers):
    headers(lambda path: 4.0)
    found = lengths(clip({"duration": 1.0}), clip({"duration": ""}, "/b.wav"))
    assert (found.exact, found.headers) == (False, 1)


def test_lengths_are_estimated_from_file_sizes_per_extension(headers):
    headers(lambda path: 3.0 if path.lower().endswith(".wav") else 30.0)
    found = lengths(clip(size=1000), clip(path="/b.WAV", size=2000), clip(path="/c.mp3", size=1000))
    assert found.headers == 3
    assert found.seconds(clip(size=500)) == pytest.approx(500 * 6 / 3000)
    assert found.seconds(clip(path="/x.mp3", size=500)) == pytest.approx(15.0)
    assert found.seconds(clip(path="/x.flac", size=500)) == pytest.approx(36 / 3)
    assert found.seconds(clip(path="/x.mp3", size=None)) == pytest.approx(36 / 3)
    assert found.seconds(clip(path="/x.mp3", size=0)) == 0.0


def test_a_missing_file_has_length_zero_and_is_not_read(headers):
    read = headers(lambda path: 4.0)
    gone = clip(path="/gone.wav", size=None, version=None)
    found = lengths(clip(), gone)
    assert (found.headers, read) == (1, ["/clips/a.wav"])
    assert found.seconds(gone) == 0.0


def test_headers_that_cannot_be_read_are_skipped(headers):
    def seconds(path):
        if path == "/bad.wav":
            raise AudioError("no audio", stage="decode")
        if path == "/worse.wav":
            raise RuntimeError("unexpected")
        return 4.0

    headers(seconds)
    found = lengths(clip(path="/bad.wav"), clip(path="/worse.wav"), clip())
    assert (found.headers, found.seconds(clip(size=500))) == (1, 2.0)
    none = lengths(clip(path="/bad.wav"), clip({"duration": 6.0}))
    assert (none.exact, none.headers, none.seconds(clip(path="/bad.wav"))) == (False, 0, 6.0)
    assert lengths(clip(path="/bad.wav")).seconds(clip()) == 0.0


def test_at_most_a_thousand_headers_are_read_evenly_spread_and_the_same_in_every_run(headers):
    read = headers(lambda path: 4.0)
    clips = [clip(path=f"/{number}.wav") for number in range(25_000)]
    assert lengths(*clips).headers == 1000
    first = sorted(int(path[1:-4]) for path in read)
    assert [number // 25 for number in first] == list(range(1000))
    read.clear()
    lengths(*clips)
    assert sorted(int(path[1:-4]) for path in read) == first


def test_alternating_kinds_of_files_are_all_sampled(headers):
    headers(lambda path: 1.0 if path.endswith(".wav") else 10.0)
    clips = [clip(path=f"/{number}.{'wav' if number % 2 else 'mp3'}") for number in range(4000)]
    found = lengths(*clips)
    assert math.fsum(map(found.seconds, clips)) == pytest.approx(22_000)


def test_only_a_few_rows_of_a_table_are_read(monkeypatch):
    monkeypatch.setattr(audio, "duration", lambda content: float(len(content)))
    monkeypatch.setattr(Source, "open", lambda source: b"123")
    rows = [clip(path="/a.parquet", size=None, row=row) for row in range(4000)]
    found = lengths(*rows)
    assert (found.headers, found.seconds(rows[0])) == (estimate.TABLE_HEADERS, 3.0)


def test_clips_may_come_from_a_generator(headers):
    headers(lambda path: 4.0)
    found = lengths(*(clip(path=f"/{number}.wav", size=100) for number in range(3000)))
    assert found.seconds(clip(size=50)) == pytest.approx(2.0)


LASTS = st.sampled_from(["drop", "pad", "keep"])


@settings(deadline=None)
@given(st.integers(0, 5000), st.integers(256, 2000), st.integers(1, 2500), LASTS)
def test_the_estimate_counts_the_segments_that_are_really_cut(n_samples, length, hop, last):
    segments = Segments(seconds=length / 8000, hop=hop / 8000, last=last)
    recording, blocks, cut = Source(id="a", path="a"), [np.zeros((n_samples, 1), np.float32)], []
    with contextlib.suppress(AudioError):  # a recording without a segment
        cut.extend(len(samples) for _, samples, _ in segments.clips(recording, blocks, CONFIG))
    frame_bytes = CONFIG.n_bins * 4
    expected = sum(int(CONFIG.n_frames(size)) * frame_bytes + estimate.RECORD_OVERHEAD for size in cut)
    assert estimate.record_bytes(n_samples / 8000, CONFIG, segments) == expected


def test_a_clip_shorter_than_a_frame_takes_no_space():
    assert estimate.record_bytes(200 / 8000, CONFIG, None) == 0
    assert estimate.record_bytes(0.0, CONFIG, None) == 0


@pytest.mark.parametrize("itemsize", [2, 4])
@pytest.mark.parametrize("channels", [None, 1, 2])
@pytest.mark.parametrize("seconds", [0.1, 10.0, 1000.0])
def test_the_estimated_size_of_a_record_is_close_to_the_real_one(itemsize, channels, seconds):
    from audiopipe.feature_sets import records

    config = dataclasses.replace(CONFIG, channels=channels)
    n_frames = config.n_frames(round(seconds * 8000))
    feature = np.zeros(config.feature_shape(n_frames, channels or 1), np.float32)
    place = records.Place("00000000000000ab", 345)
    record, _ = records.encode("speakers/0012/clip-0000012.wav", feature, config, {}, Columns(types={}), place)
    real = len(record) + 16 - feature.nbytes + feature.nbytes * itemsize // 4  # TFRecord adds 16 bytes
    assert estimate.record_bytes(seconds, config, None, itemsize) == pytest.approx(real, rel=0.01, abs=50)


@pytest.mark.parametrize("path", [*EXAMPLES, *SHARED], ids=lambda path: path.name)
def test_the_length_in_a_header_is_close_to_the_decoded_length(path):
    seconds = len(soundfile.read(path)[0]) / soundfile.info(path).samplerate
    for source in (str(path), path.read_bytes(), f"file://{path}"):
        assert audio.duration(source) == pytest.approx(seconds, rel=0.01)


def test_headers_without_a_length_or_with_an_absurd_one_are_refused(tmp_path, monkeypatch):
    with pytest.raises(AudioError, match=r"Could not read the header of 4 bytes") as caught:
        audio.duration(b"RIFF")
    assert caught.value.stage == "decode"
    with pytest.raises(AudioError, match=r"Could not read '.*gone\.wav'") as caught:
        audio.duration(str(tmp_path / "gone.wav"))
    assert caught.value.stage == "read"
    soundfile.write(tmp_path / "empty.wav", np.zeros(0), 8000)
    with pytest.raises(AudioError, match=r"empty\.wav' must give a length. Received: 0 s in 44 bytes"):
        audio.duration(str(tmp_path / "empty.wav"))
    soundfile.write(tmp_path / "a.wav", np.zeros(8000), 8000)
    monkeypatch.setattr(soundfile.SoundFile, "frames", 2**63 - 1)  # libsndfile's value for an unknown length
    with pytest.raises(AudioError, match=r"must give a length. Received: 1.15\d+e\+15 s in 16044 bytes"):
        audio.duration(str(tmp_path / "a.wav"))


def _sizes(folder):
    """Returns the lengths, and the estimated seconds and bytes of a folder."""
    clips = list(listings.identify(inputs.scan(folder)))
    found = lengths(*clips)
    seconds = [found.seconds(item) for item in clips]
    return found, sum(seconds), sum(estimate.record_bytes(item, CONFIG, None) for item in seconds)


@pytest.mark.parametrize("paths", [EXAMPLES, SHARED], ids=["examples", "shared"])
def test_estimates_are_close_to_the_precomputed_feature_set(paths, tmp_path):
    if not paths:
        pytest.skip("the shared recordings are missing")
    beam = pytest.importorskip("audiopipe.beam")
    for path in paths:
        (tmp_path / "in").mkdir(exist_ok=True)
        (tmp_path / "in" / path.name).symlink_to(path)
    feature_set = beam.precompute(tmp_path / "in", tmp_path / "out", CONFIG, num_shards=1)
    found, seconds, size = _sizes(tmp_path / "in")
    assert (found.exact, found.headers) == (False, len(paths))
    assert seconds == pytest.approx(feature_set.counts["hours"] * 3600, rel=0.02)
    assert size == pytest.approx(sum(shard["bytes"] for shard in feature_set.shards), rel=0.03)


@pytest.mark.cases(2)
@pytest.mark.parametrize(
    ("extension", "arguments", "tolerance"),
    [
        ("wav", {}, 0.002),
        ("wav", {"subtype": "FLOAT"}, 0.002),
        ("flac", {}, 0.02),
        ("ogg", {}, 0.05),
        ("mp3", {}, 0.05),
    ],
)
def test_a_sample_of_headers_predicts_the_total_length(tmp_path, monkeypatch, extension, arguments, tolerance):
    monkeypatch.setattr(estimate, "HEADERS", 60)
    draw = np.random.default_rng(0)
    total = 0.0
    for number in range(150):
        n_samples = int(draw.integers(8000, 32000))
        total += n_samples / 16000
        path = tmp_path / f"{number:04d}.{extension}"
        soundfile.write(path, 0.1 * draw.standard_normal(n_samples), 16000, **arguments)
    found, seconds, _ = _sizes(tmp_path)
    assert found.headers == 60
    assert seconds == pytest.approx(total, rel=tolerance)
