"""Tests of drafts of plans: the assignment of clips to shards, and changes of the input."""

import json
import math
import os

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from planning import clips_of, written

from audiopipe import configs
from audiopipe.errors import InputError
from audiopipe.inputs import Source, scan
from audiopipe.precompute import plan, planning

CONFIG = configs.MelSpectrogram(sample_rate=16000, n_mels=40, input_data_format="channels_last")


def sources(count, seconds=10.0):
    """Returns clips without files, whose lengths are in their metadata."""
    return [Source(f"clip-{number}", f"/clips/{number}.wav", metadata={"duration": seconds}) for number in range(count)]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(0, 1e9), min_size=1, max_size=300), st.data())
def test_every_clip_is_in_exactly_one_shard_and_no_shard_is_empty(sizes, data):
    n_shards = data.draw(st.integers(1, len(sizes)))
    counts = planning.counts_of_equal_sizes(np.array(sizes), n_shards)
    assert (len(counts), counts.sum()) == (n_shards, len(sizes))
    assert counts.min() >= 1


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(1, 2), min_size=50, max_size=300), st.integers(1, 10))
def test_sizes_of_shards_differ_from_their_mean_by_at_most_two_clips(sizes, n_shards):
    counts = planning.counts_of_equal_sizes(np.array(sizes), n_shards)
    ends = np.cumsum(counts)
    totals = [sum(sizes[end - count : end]) for count, end in zip(counts, ends, strict=True)]
    assert max(abs(total - sum(sizes) / n_shards) for total in totals) <= 2 * max(sizes)


@pytest.mark.parametrize(
    ("megabytes", "n_shards"),
    [(0.1, 1), (1.5, 2), (64, 64), (640, 64), (64 * 128, 64), (128_000, 1000)],
)
def test_a_shard_is_a_64th_of_the_output_limited_to_1_to_128_mb(megabytes, n_shards):
    assert planning.number_of_shards(megabytes * 1e6) == n_shards


def test_the_number_of_shards_follows_the_estimated_size_unless_it_is_given(tmp_path):
    # 309 frames of 40 mels and 4 bytes: 20 clips of 50 kB make about 1 MB.
    work = written(str(tmp_path / "a"), CONFIG, sources(60))
    assert work.n_bytes == pytest.approx(60 * 309 * 40 * 4, rel=0.03)
    assert work.n_shards == math.ceil(work.n_bytes / 1e6)
    assert written(str(tmp_path / "b"), CONFIG, sources(60), 7).n_shards == 7
    assert written(str(tmp_path / "c"), CONFIG, sources(5), 100).n_shards == 5
    assert work.shard_name(0) == "features-00000000.tfrecord"


def test_half_the_bytes_per_value_halve_the_output(tmp_path):
    whole = written(str(tmp_path / "a"), CONFIG, sources(60))
    half = written(str(tmp_path / "b"), CONFIG, sources(60), dtype="float16")
    assert half.n_bytes == pytest.approx(whole.n_bytes / 2, rel=0.02)


def test_lengths_are_exact_if_every_clip_has_a_duration_and_estimated_otherwise(tmp_path):
    exact = written(str(tmp_path / "a"), CONFIG, sources(10, 3.5))
    assert (exact.exact, exact.headers, exact.seconds) == (True, 0, 35.0)
    for number in range(10):
        soundfile.write(tmp_path / f"{number}.wav", np.zeros(8000 * (number + 1)), 8000)
    estimated = written(str(tmp_path / "b"), CONFIG, scan(tmp_path / "*.wav"))
    assert (estimated.exact, estimated.headers) == (False, 10)
    assert estimated.seconds == pytest.approx(55, rel=0.01)


def test_a_long_recording_gets_a_shard_of_its_own(tmp_path):
    clips = sources(9, 1.0)
    clips[4] = Source("long", "/clips/long.wav", metadata={"duration": 3600.0})
    work = written(str(tmp_path), CONFIG, clips, 3)
    assert [source.id for source in clips_of(work, 1)] == ["long"]
    assert max(work.shards(), key=lambda shard: shard.n_bytes).number == 1


@pytest.mark.parametrize("clips_per_file", [1, 3, 8, 100])
@pytest.mark.parametrize("num_shards", [1, 5, 7])
def test_clips_keep_their_order_over_several_files(tmp_path, monkeypatch, clips_per_file, num_shards):
    monkeypatch.setattr(planning, "CLIPS_PER_FILE", clips_per_file)
    clips = sources(23)
    work = written(str(tmp_path), CONFIG, clips, num_shards)
    assert [clip for shard in range(num_shards) for clip in clips_of(work, shard)] == clips
    assert sum(shard.clips for shard in work.shards()) == 23
    names = [name for name in os.listdir(tmp_path / "plan") if name.startswith("clips-")]
    assert sorted(names) == [f"clips-{file:05d}.jsonl" for file in range(work.shards()[-1].file + 1)]


def test_a_plan_exists_once_its_header_is_written_last(tmp_path, monkeypatch):
    assert not plan.exists(str(tmp_path))
    write_bytes = planning.files.write_bytes
    names = []

    def watch(path, content):
        assert not plan.exists(str(tmp_path))
        names.append(os.path.basename(path))
        write_bytes(path, content)

    monkeypatch.setattr(planning.files, "write_bytes", watch)
    written(str(tmp_path), CONFIG, sources(3), 2)
    assert names == ["clips-00000.jsonl", "shards.jsonl", "plan.json"]
    assert plan.exists(str(tmp_path))


def test_an_input_without_clips_is_refused_before_anything_is_written(tmp_path):
    with pytest.raises(InputError, match=r"must contain at least one clip\. Received: no clips"):
        written(str(tmp_path), CONFIG, [])
    assert os.listdir(tmp_path) == []


def test_a_metadata_column_of_two_types_is_refused_before_anything_is_written(tmp_path):
    clips = [Source(id="a", path="a", metadata={"x": 1}), Source(id="b", path="b", metadata={"x": "one"})]
    with pytest.raises(InputError, match="'x' with int, string"):
        written(str(tmp_path), CONFIG, clips)
    assert os.listdir(tmp_path) == []


@pytest.fixture
def recordings(tmp_path):
    folder = tmp_path / "clips"
    folder.mkdir()
    for name in ("a.wav", "b.wav", "c.wav"):
        soundfile.write(folder / name, np.zeros(16000), 16000)
    return folder


def changed(work, folder, but=()):
    with planning.draft(work.output, CONFIG, scan(folder)) as now:
        return planning.changed_clip(work, now, but)


def test_an_unchanged_input_has_no_changed_clip(recordings, tmp_path):
    work = written(str(tmp_path / "out"), CONFIG, scan(recordings))
    assert changed(work, recordings) is None


def test_a_modified_clip_is_named_unless_it_is_allowed(recordings, tmp_path):
    work = written(str(tmp_path / "out"), CONFIG, scan(recordings))
    soundfile.write(recordings / "b.wav", np.zeros(8000), 16000)
    assert changed(work, recordings) == "the clip 'b.wav' was modified (32044 bytes then, 16044 now)"
    assert changed(work, recordings, but={"b.wav"}) is None


def test_a_clip_with_a_new_modification_time_is_modified(recordings, tmp_path):
    work = written(str(tmp_path / "out"), CONFIG, scan(recordings))
    os.utime(recordings / "c.wav", ns=(1, 1))
    assert "'c.wav' was modified" in changed(work, recordings)


def test_added_and_removed_clips_are_named(recordings, tmp_path):
    work = written(str(tmp_path / "out"), CONFIG, scan(recordings))
    (recordings / "d.wav").write_bytes((recordings / "c.wav").read_bytes())
    assert changed(work, recordings) == "it had 3 clips then and has 4 now"
    (recordings / "a.wav").unlink()
    assert changed(work, recordings) == "the clip 'b.wav' is now in the place of 'a.wav'"


def test_other_metadata_is_a_change(tmp_path):
    work = written(str(tmp_path), CONFIG, sources(2, 1.0))
    with planning.draft(str(tmp_path), CONFIG, sources(2, 2.0)) as now:
        assert planning.changed_clip(work, now) == "the clip 'clip-0' has another path, stretch or other metadata now"


def test_only_the_shard_of_a_modified_clip_gets_a_new_digest(recordings, tmp_path):
    work = written(str(tmp_path / "out"), CONFIG, scan(recordings), 3)
    before = work.shards()
    soundfile.write(recordings / "b.wav", np.zeros(8000), 16000)
    with planning.draft(str(tmp_path / "out"), CONFIG, scan(recordings), num_shards=1) as now:
        after = now.with_shards_of(work).write().shards()
    same = [was.digest == now_is.digest for was, now_is in zip(before, after, strict=True)]
    assert same == [True, False, True]


def test_a_digest_covers_the_settings_that_determine_the_bytes_of_a_shard(tmp_path):
    changes = [{}, {"dtype": "float16"}, {"num_shards": 2}]
    digests = [written(str(tmp_path), CONFIG, sources(9), **change).shards()[0].digest for change in changes]
    other = configs.MelSpectrogram(sample_rate=16000, n_mels=41, input_data_format="channels_last")
    digests.append(written(str(tmp_path), other, sources(9)).shards()[0].digest)
    assert len(set(digests)) == len(digests)
    assert json.loads((tmp_path / "plan" / "plan.json").read_text())["fingerprint"] == other.fingerprint


def stretches(names):
    """Returns a stretch of a second for each name of a recording."""
    return [
        Source(str(number), f"/{name}.wav", start=float(number), end=number + 1.0) for number, name in enumerate(names)
    ]


def test_scattered_stretches_get_large_shards_and_a_note(tmp_path, config, monkeypatch):
    monkeypatch.setattr(planning, "MIN_SHARD", 1)
    with planning.draft(str(tmp_path), config, stretches("abc" * 20)) as drafted:
        assert drafted.plan.n_shards == 1
        assert drafted.plan.notes == []
    with planning.draft(str(tmp_path), config, stretches("abc" * 20), num_shards=4) as drafted:
        assert drafted.plan.n_shards == 4
        assert drafted.plan.notes == [
            "The stretches of 3 recordings are scattered over the input, so every shard decodes them again. Sort the "
            "rows by recording to save time."
        ]


def test_stretches_that_are_sorted_by_recording_get_shards_as_usual(tmp_path, config, monkeypatch):
    monkeypatch.setattr(planning, "MIN_SHARD", 1)
    for names in ("".join(name * 5 for name in "abcdefghij"), "abcdefghij" * 2):
        with planning.draft(str(tmp_path), config, stretches(names)) as drafted:
            assert drafted.plan.n_shards == len(names) // (5 if names.startswith("aa") else 1)
            assert drafted.plan.notes == []
