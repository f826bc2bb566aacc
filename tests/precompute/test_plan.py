"""Tests of the plan in the folder of a feature set."""

import dataclasses
import json
import os

import pytest
from planning import clips_of, written

from audiopipe import configs
from audiopipe.errors import CorruptFeatureSetError
from audiopipe.inputs import Source
from audiopipe.precompute import plan, planned_clips
from audiopipe.storage import locks
from audiopipe.transform.segments import Segments

CONFIG = configs.MelSpectrogram(sample_rate=16000, n_mels=40, input_data_format="channels_last")


def test_a_plan_survives_writing_and_reading(tmp_path):
    sources = [
        Source(id="a", path="/a.wav", metadata={"speaker": "Zoë", "age": 31, "clean": True}),
        Source(id="b", path="/b.wav", metadata={"speaker": None, "age": None, "clean": False}),
    ]
    work = written(str(tmp_path), CONFIG, iter(sources), 1, segments=Segments(seconds=2), dtype="float16")
    read = plan.read(str(tmp_path))
    assert read == work
    assert read.fill_values == {"age": -1}
    assert read.schema == {"age": "int", "clean": "bool", "speaker": "string", "start": "float"}
    assert (read.config, read.n_clips, read.n_shards, read.dtype) == (CONFIG, 2, 1, "float16")
    assert read.segments == Segments(seconds=2)
    assert clips_of(read, 0) == sources


@pytest.mark.parametrize("name", [os.fsdecode(b"caf\xe9.wav"), "Zoë 歌.wav", "two\nlines\r\u2028.wav", '"\\.wav'])
def test_ids_with_any_characters_survive_writing_and_reading(tmp_path, name):
    sources = [Source(id=name, path=f"/clips/{name}", metadata={"text": name}), Source(id="b", path="b")]
    work = written(str(tmp_path), CONFIG, sources, 2)
    assert clips_of(work, 0) == sources[:1]
    assert os.fsencode(clips_of(work, 0)[0].id) == os.fsencode(name)


@pytest.mark.parametrize("change", [{"format_version": 1}, {"fingerprint": "0" * 64}, {"new_field": 1}])
def test_a_plan_of_another_version_is_refused(tmp_path, change):
    written(str(tmp_path), CONFIG, [Source("a", "a")])
    header = tmp_path / "plan" / "plan.json"
    header.write_text(json.dumps({**json.loads(header.read_text()), **change}))
    with pytest.raises(CorruptFeatureSetError, match=rf"{tmp_path.name}' was written by another version.*--overwrite"):
        plan.read(str(tmp_path))


def test_a_plan_without_the_number_of_copied_clips_can_still_be_read(tmp_path):
    work = written(str(tmp_path), CONFIG, [Source("a", "a")])
    header = tmp_path / "plan" / "plan.json"
    content = json.loads(header.read_text())
    del content["n_copied"]
    header.write_text(json.dumps(content))
    assert plan.read(str(tmp_path)) == work


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"{}", b"\xff"])
def test_a_damaged_plan_is_an_error_that_names_the_file(tmp_path, content):
    written(str(tmp_path), CONFIG, [Source("a", "a")])
    (tmp_path / "plan/plan.json").write_bytes(content)
    with pytest.raises(CorruptFeatureSetError, match=r"plan\.json' is damaged: .*--overwrite"):
        plan.read(str(tmp_path))


@pytest.mark.parametrize("change", [{"classes": {"a": ["x"]}}, {"fill_values": {"a": -1}}, {"schema": {"a": "int8"}}])
def test_columns_that_do_not_fit_the_schema_are_damage(tmp_path, change):
    written(str(tmp_path), CONFIG, [Source("a", "a")])
    header = tmp_path / "plan" / "plan.json"
    header.write_text(json.dumps({**json.loads(header.read_text()), **change}))
    with pytest.raises(CorruptFeatureSetError, match=r"plan\.json' is damaged: ArgumentError: .*--overwrite"):
        plan.read(str(tmp_path))


@pytest.mark.parametrize("change", [{"classes": {"a": ["x"]}}, {"classes": {"a": ["y"]}}])
def test_classes_are_settings_of_the_shards(tmp_path, change):
    work = written(str(tmp_path), CONFIG, [Source("a", "a", metadata={"a": 1})])
    changed = dataclasses.replace(work, **change)
    assert changed.settings() != work.settings()
    assert {**json.loads(changed.settings()), "classes": {}} == json.loads(work.settings())


def test_fill_values_are_no_settings_of_the_shards_whose_records_do_not_contain_them(tmp_path):
    work = written(str(tmp_path), CONFIG, [Source("a", "a", metadata={"a": 1})])
    assert dataclasses.replace(work, fill_values={"a": -1}).settings() == work.settings()


@pytest.mark.parametrize("content", [b"{", b"[]", b'{"file": 0}', b"\xff"])
def test_damaged_files_of_shards_and_clips_are_errors_that_name_the_file(tmp_path, content):
    work = written(str(tmp_path), CONFIG, [Source("a", "a")])
    (tmp_path / "plan/00000-shards.jsonl").write_bytes(content)
    with pytest.raises(CorruptFeatureSetError, match=r"shards\.jsonl' is damaged"):
        work.shards()
    (tmp_path / "plan/00000-clips-00000.jsonl").write_bytes(content)
    with pytest.raises(CorruptFeatureSetError, match=r"clips-00000\.jsonl' is damaged"):
        planned_clips.of_shard(work.clips_file(0), 0)


def test_a_plan_of_another_kernel_version_is_refused(tmp_path, monkeypatch):
    written(str(tmp_path), CONFIG, [Source("a", "a")])
    monkeypatch.setattr(configs.MelSpectrogram, "kernel_version", 9)
    plan._parse.cache_clear()
    with pytest.raises(CorruptFeatureSetError, match="another version of audiopipe"):
        plan.read(str(tmp_path))


def test_the_plan_accepts_the_files_of_locks():
    assert all(plan.FILES.fullmatch(f"plan/{name}") for name in (locks.LOCK_FILE, locks.LEASE_FILE))
    assert locks.FOLDER == plan.FOLDER
