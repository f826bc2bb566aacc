"""Which clip goes into which shard, and what is done already."""

import json
import math
import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from planning import written

from audiopipe import configs, plan
from audiopipe.errors import CorruptFeatureSetError, InputError
from audiopipe.inputs import Source

CONFIG = configs.MelSpectrogram(sample_rate=16000, n_mels=40, input_data_format="channels_last")


def _sources(count):
    return [Source(id=f"clip-{number}", path=f"/clips/{number}.wav") for number in range(count)]


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 5000), st.data())
def test_every_clip_is_in_one_shard_and_shards_are_of_equal_size(n_clips, data):
    n_shards = data.draw(st.integers(1, n_clips))
    work = plan.Plan(output="", config=CONFIG, n_clips=n_clips, n_shards=n_shards, schema={})
    shards = [work.clips_of(shard) for shard in range(n_shards)]
    assert [clip for shard in shards for clip in shard] == list(range(n_clips))
    assert {len(shard) for shard in shards} <= {n_clips // n_shards, math.ceil(n_clips / n_shards)}


@pytest.mark.parametrize(
    ("clips", "num_shards", "n_shards"),
    [(1, None, 1), (256, None, 1), (257, None, 2), (600, None, 3), (5, 3, 3), (5, 100, 5), (5, 1, 1)],
)
def test_number_of_shards(tmp_path, clips, num_shards, n_shards):
    work = written(str(tmp_path), CONFIG, _sources(clips), num_shards)
    assert work.n_shards == n_shards
    assert work.shard_name(0) == f"features-00000-of-{n_shards:05d}.tfrecord"


def test_a_plan_is_read_as_it_was_written(tmp_path):
    sources = [
        Source(id="a", path="/a.wav", metadata={"speaker": "Zoë", "age": 31, "clean": True}),
        Source(id="b", path="/b.parquet", row=7, metadata={"speaker": None, "age": None, "clean": False}),
    ]
    work = written(str(tmp_path), CONFIG, iter(sources), 1)
    read = plan.read(str(tmp_path))
    assert read == work
    assert read.schema == {"age": "float", "clean": "bool", "speaker": "string"}
    assert (read.config, read.n_clips, read.n_shards) == (CONFIG, 2, 1)
    assert list(read.sources(0)) == sources


@pytest.mark.parametrize("shards_per_file", [1, 2, 3, 7])
@pytest.mark.parametrize("num_shards", [1, 5, 7])
def test_clips_keep_their_order_over_several_files(tmp_path, monkeypatch, shards_per_file, num_shards):
    monkeypatch.setattr(plan, "SHARDS_PER_FILE", shards_per_file)
    sources = _sources(23)
    written(str(tmp_path), CONFIG, sources, num_shards)
    work = plan.read(str(tmp_path))
    assert [clip for shard in range(num_shards) for clip in work.sources(shard)] == sources
    assert list(work.sources(num_shards - 1)) == [sources[number] for number in work.clips_of(num_shards - 1)]
    files = sorted(name for name in os.listdir(tmp_path / "plan") if name.startswith("clips-"))
    assert files == [f"clips-{number:05d}.jsonl" for number in range(math.ceil(num_shards / shards_per_file))]


@pytest.mark.parametrize("name", [os.fsdecode(b"caf\xe9.wav"), "Zoë 歌.wav", "two\nlines\r\u2028.wav", '"\\.wav'])
def test_ids_of_any_kind_survive(tmp_path, name):
    sources = [Source(id=name, path=f"/clips/{name}", metadata={"text": name}), Source(id="b", path="b")]
    written(str(tmp_path), CONFIG, sources, 2)
    assert list(plan.read(str(tmp_path)).sources(0)) == sources[:1]
    assert os.fsencode(next(plan.read(str(tmp_path)).sources(0)).id) == os.fsencode(name)


def test_a_plan_is_there_once_its_header_is(tmp_path, monkeypatch):
    assert not plan.exists(str(tmp_path))
    write_bytes = plan.files.write_bytes
    names = []

    def watch(path, content):
        assert not plan.exists(str(tmp_path))
        names.append(os.path.basename(path))
        write_bytes(path, content)

    monkeypatch.setattr(plan.files, "write_bytes", watch)
    written(str(tmp_path), CONFIG, _sources(3), 2)
    assert names == ["clips-00000.jsonl", "plan.json"]
    assert plan.exists(str(tmp_path))


def test_finished_shards_are_those_with_a_sidecar(tmp_path):
    work = written(str(tmp_path), CONFIG, _sources(9), 3)
    assert work.finished() == {}
    work.finish_shard(2, {"records": 3})
    work.finish_shard(0, {"records": 2, "failures": [{"id": os.fsdecode(b"\xe9")}]})
    again = plan.read(str(tmp_path))
    assert again.finished_numbers() == [0, 2]
    assert again.finished() == {0: {"records": 2, "failures": [{"id": os.fsdecode(b"\xe9")}]}, 2: {"records": 3}}


def test_no_clips_are_refused(tmp_path):
    with pytest.raises(InputError, match="no clips to plan for"):
        written(str(tmp_path), CONFIG, [])
    assert not plan.exists(str(tmp_path))


def test_metadata_of_two_types_is_refused_before_anything_is_written(tmp_path):
    sources = [Source(id="a", path="a", metadata={"x": 1}), Source(id="b", path="b", metadata={"x": "one"})]
    with pytest.raises(InputError, match="'x' with int, string"):
        written(str(tmp_path), CONFIG, sources)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("change", [{"format_version": 2}, {"fingerprint": "0" * 64}])
def test_a_plan_of_another_version_is_refused(tmp_path, change):
    written(str(tmp_path), CONFIG, _sources(2))
    header = tmp_path / "plan" / "plan.json"
    header.write_text(json.dumps({**json.loads(header.read_text()), **change}))
    with pytest.raises(CorruptFeatureSetError, match=rf"{tmp_path.name}' was written by another version.*Start anew"):
        plan.read(str(tmp_path))


def test_a_plan_of_another_kernel_version_is_refused(tmp_path, monkeypatch):
    written(str(tmp_path), CONFIG, _sources(2))
    monkeypatch.setattr(configs.MelSpectrogram, "kernel_version", 2)
    with pytest.raises(CorruptFeatureSetError, match="another version of audiopipe"):
        plan.read(str(tmp_path))
