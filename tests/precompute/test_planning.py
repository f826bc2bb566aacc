"""Tests of drafts of plans: the assignment of clips to shards, and what the digests and ids of shards depend on."""

import json
import math
import os
import shutil

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from planning import clips_of, drafted, written

from audiopipe import configs
from audiopipe.errors import InputError
from audiopipe.inputs import Source, scan
from audiopipe.precompute import plan, planning, sharding

CONFIG = configs.MelSpectrogram(sample_rate=16000, n_mels=40, input_data_format="channels_last")


def sources(count, seconds=10.0):
    """Returns clips without files, whose lengths are in their metadata."""
    return [Source(f"clip-{number}", f"/clips/{number}.wav", metadata={"duration": seconds}) for number in range(count)]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(0, 1e9), min_size=1, max_size=300), st.data())
def test_every_clip_is_in_exactly_one_shard_and_no_shard_is_empty(sizes, data):
    n_shards = data.draw(st.integers(1, len(sizes)))
    counts = sharding.counts_of_equal_sizes(np.array(sizes), n_shards)
    assert (len(counts), counts.sum()) == (n_shards, len(sizes))
    assert counts.min() >= 1


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(1, 2), min_size=50, max_size=300), st.integers(1, 10))
def test_sizes_of_shards_differ_from_their_mean_by_at_most_two_clips(sizes, n_shards):
    counts = sharding.counts_of_equal_sizes(np.array(sizes), n_shards)
    ends = np.cumsum(counts)
    totals = [sum(sizes[end - count : end]) for count, end in zip(counts, ends, strict=True)]
    assert max(abs(total - sum(sizes) / n_shards) for total in totals) <= 2 * max(sizes)


@pytest.mark.parametrize(
    ("megabytes", "n_shards"),
    [(0.1, 1), (1.5, 2), (64, 64), (640, 64), (64 * 128, 64), (128_000, 1000)],
)
def test_a_shard_is_a_64th_of_the_output_limited_to_1_to_128_mb(megabytes, n_shards):
    assert sharding.number_of_shards(megabytes * 1e6) == n_shards


def test_the_number_of_shards_follows_the_estimated_size_unless_it_is_given(tmp_path):
    # 309 frames of 40 mels and 4 bytes: 20 clips of 50 kB make about 1 MB.
    work = written(str(tmp_path / "a"), CONFIG, sources(60))
    assert work.n_bytes == pytest.approx(60 * 309 * 40 * 4, rel=0.03)
    assert work.n_shards == math.ceil(work.n_bytes / 1e6)
    assert written(str(tmp_path / "b"), CONFIG, sources(60), 7).n_shards == 7
    assert written(str(tmp_path / "c"), CONFIG, sources(5), 100).n_shards == 5
    assert [shard.number for shard in work.shards()] == list(range(work.n_shards))
    assert (work.shard_path(0), work.next_shard) == (str(tmp_path / "a/features-00000000.tfrecord"), work.n_shards)


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
    names = [name for name in os.listdir(tmp_path / "plan") if "-clips-" in name]
    assert sorted(names) == [f"00000-clips-{file:05d}.jsonl" for file in range(work.shards()[-1].file + 1)]


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
    assert names == [
        "00000-kept.jsonl",
        "00000-remarks.jsonl",
        "00000-clips-00000.jsonl",
        "00000-shards.jsonl",
        "plan.json",
    ]
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


def test_a_digest_covers_the_clips_of_its_shard_as_they_were_listed(silent_recordings, tmp_path):
    before = written(str(tmp_path / "before"), CONFIG, scan(silent_recordings), 3).shards()
    soundfile.write(silent_recordings / "b.wav", np.zeros(8000), 16000)
    after = written(str(tmp_path / "after"), CONFIG, scan(silent_recordings), 3).shards()
    assert [was.digest == now.digest for was, now in zip(before, after, strict=True)] == [True, False, True]
    assert [was.id == now.id for was, now in zip(before, after, strict=True)] == [True, False, True]


def test_copies_of_an_input_give_shards_with_equal_ids(silent_recordings, tmp_path):
    shutil.copytree(silent_recordings, tmp_path / "elsewhere" / "clips", copy_function=shutil.copyfile)
    one = written(str(tmp_path / "one"), CONFIG, scan(silent_recordings), 2).shards()
    other = written(str(tmp_path / "other"), CONFIG, scan(tmp_path / "elsewhere" / "clips"), 2).shards()
    assert [shard.id for shard in one] == [shard.id for shard in other]
    assert len({shard.id for shard in one}) == 2
    assert not {shard.digest for shard in one} & {shard.digest for shard in other}


def test_a_digest_covers_the_settings_that_determine_the_bytes_of_a_shard(tmp_path):
    changes = [{}, {"dtype": "float16"}, {"num_shards": 2}]
    shards = [written(str(tmp_path), CONFIG, sources(9), **change).shards()[0] for change in changes]
    other = configs.MelSpectrogram(sample_rate=16000, n_mels=41, input_data_format="channels_last")
    shards.append(written(str(tmp_path), other, sources(9)).shards()[0])
    assert len({shard.digest for shard in shards}) == len({shard.id for shard in shards}) == len(shards)
    assert json.loads((tmp_path / "plan" / "plan.json").read_text())["fingerprint"] == other.fingerprint


def stretches(names):
    """Returns a stretch of a second for each name of a recording."""
    return [
        Source(str(number), f"/{name}.wav", start=float(number), end=number + 1.0) for number, name in enumerate(names)
    ]


def test_scattered_stretches_get_large_shards_and_a_note(tmp_path, config, monkeypatch):
    monkeypatch.setattr(sharding, "MIN_SHARD", 1)
    with drafted(str(tmp_path), config, stretches("abc" * 20)) as draft:
        assert draft.plan.n_shards == 1
        assert draft.plan.notes == []
    with drafted(str(tmp_path), config, stretches("abc" * 20), num_shards=4) as draft:
        assert draft.plan.n_shards == 4
        assert draft.plan.notes == [
            "The stretches of 3 recordings are scattered over the input, so every shard decodes them again. Sort the "
            "rows by recording to save time."
        ]


def test_stretches_that_are_sorted_by_recording_get_shards_as_usual(tmp_path, config, monkeypatch):
    monkeypatch.setattr(sharding, "MIN_SHARD", 1)
    for names in ("".join(name * 5 for name in "abcdefghij"), "abcdefghij" * 2):
        with drafted(str(tmp_path), config, stretches(names)) as draft:
            assert draft.plan.n_shards == len(names) // (5 if names.startswith("aa") else 1)
            assert draft.plan.notes == []
