"""Clips whose audio is as it was are told from changed ones, with as little reading as possible."""

import os
import threading
from dataclasses import replace

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from embedded_audio import encoded

from audiopipe import inputs
from audiopipe.errors import InputError
from audiopipe.inputs import Source, changes, digests, listings, tables
from audiopipe.inputs.changes import StoredAudio
from audiopipe.inputs.listings import Listed
from audiopipe.storage import files


@pytest.fixture
def opened(monkeypatch):
    """Returns the list of the files that are opened for their digests."""
    paths, open_binary = [], files.open_binary
    monkeypatch.setattr(files, "open_binary", lambda path: paths.append(path) or open_binary(path))
    return paths


def _listed(source):
    return {clip.source.id: clip for clip in listings.identify(inputs.scan(source))}


def _stored(source):
    return {name: StoredAudio.of(clip, digests.of(clip.source)) for name, clip in _listed(source).items()}


def _verdicts(stored, source):
    now = _listed(source)
    return {name: changes.compare(audio, now[name]) for name, audio in stored.items()}


def _agreeing(stored, source):
    """Returns whether the digests agree, by id, in the order of the input."""
    pairs = [(stored[name], clip) for name, clip in _listed(source).items() if name in stored]
    return dict(zip((clip.source.id for _, clip in pairs), changes.compare_digests(pairs), strict=True))


def _write(path, content, time=(7, 7)):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    os.utime(path, ns=time)


def _write_table(path, contents, ids=None, **options):
    audio = encoded(contents)
    pq.write_table(pa.table({"audio": audio, "id": ids or list(map(str, range(len(contents))))}), path, **options)


def test_an_untouched_file_is_the_same_and_is_not_read(tmp_path, opened):
    _write(tmp_path / "a.wav", b"one")
    stored = _stored(tmp_path)
    _write(tmp_path / "a.wav", b"two")  # with the time restored
    opened.clear()
    assert _verdicts(stored, tmp_path) == {"a.wav": "same"}
    assert opened == []


def test_a_touched_file_agrees_only_if_its_bytes_are_equal(tmp_path):
    for name in ("touched", "rewritten"):
        _write(tmp_path / f"{name}.wav", b"one")
    stored = _stored(tmp_path)
    _write(tmp_path / "touched.wav", b"one", (8, 8))
    _write(tmp_path / "rewritten.wav", b"two", (8, 8))
    assert _verdicts(stored, tmp_path) == {"touched.wav": "maybe", "rewritten.wav": "maybe"}
    assert _agreeing(stored, tmp_path) == {"touched.wav": True, "rewritten.wav": False}


def test_a_file_of_another_size_and_a_missing_one_have_changed(tmp_path):
    manifest = tmp_path / "m.jsonl"
    manifest.write_text('{"path": "a.wav"}\n{"path": "b.wav"}\n')
    for name in "ab":
        _write(tmp_path / f"{name}.wav", b"one")
    stored = _stored(manifest)
    _write(tmp_path / "a.wav", b"longer")
    (tmp_path / "b.wav").unlink()
    assert _verdicts(stored, manifest) == {"a.wav": "changed", "b.wav": "changed"}
    assert _agreeing(stored, manifest) == {"a.wav": False, "b.wav": False}


@pytest.mark.parametrize("time", [(7, 7), (8, 8)])
def test_files_under_a_moved_root_agree_if_their_bytes_are_equal(tmp_path, time):
    for name in "ab":
        _write(tmp_path / f"old/{name}.wav", b"one", (7, 7))
    stored = _stored(tmp_path / "old")
    _write(tmp_path / "new/a.wav", b"one", time)
    _write(tmp_path / "new/b.wav", b"two", time)
    assert _verdicts(stored, tmp_path / "new") == {"a.wav": "maybe", "b.wav": "maybe"}
    assert _agreeing(stored, tmp_path / "new") == {"a.wav": True, "b.wav": False}


def test_files_that_move_to_remote_storage_agree_if_their_bytes_are_equal(tmp_path, memory):
    for name in "ab":
        _write(tmp_path / f"{name}.wav", b"one")
    stored = _stored(tmp_path)
    files.write_bytes(f"{memory}/a.wav", b"one")
    files.write_bytes(f"{memory}/b.wav", b"two")
    assert _verdicts(stored, memory) == {"a.wav": "maybe", "b.wav": "maybe"}
    assert _agreeing(stored, memory) == {"a.wav": True, "b.wav": False}


def test_remote_files_are_told_apart_by_their_version_and_then_by_their_bytes(memory):
    for name in "abc":
        files.write_bytes(f"{memory}/{name}.wav", b"one")
    stored = _stored(memory)
    assert stored["a.wav"].time_ns is None
    files.write_bytes(f"{memory}/b.wav", b"one")
    files.write_bytes(f"{memory}/c.wav", b"two")
    assert _verdicts(stored, memory) == {"a.wav": "same", "b.wav": "maybe", "c.wav": "maybe"}
    assert _agreeing(stored, memory) == {"a.wav": True, "b.wav": True, "c.wav": False}


def test_remote_storage_that_fails_is_an_error_and_no_change(memory, monkeypatch):
    files.write_bytes(f"{memory}/a.wav", b"one")
    stored = _stored(memory)
    clip = _listed(memory)["a.wav"]

    def fail(*_, **__):
        raise TimeoutError("no answer")

    monkeypatch.setattr(type(fsspec.filesystem("memory")), "_open", fail)
    with pytest.raises(InputError, match=r"Could not read 'memory://test/a\.wav': TimeoutError: no answer"):
        list(changes.compare_digests([(stored["a.wav"], clip)]))


def test_old_rows_of_a_table_that_grew_agree(tmp_path):
    path = tmp_path / "t.parquet"
    _write_table(path, [b"one", b"two"], ["a", "b"])
    stored = _stored(path)
    assert _verdicts(stored, path) == {"a": "same", "b": "same"}
    _write_table(path, [b"new", b"one", b"TWO"], ["c", "a", "b"])
    assert _verdicts(stored, path) == {"a": "maybe", "b": "maybe"}
    assert _agreeing(stored, path) == {"a": True, "b": False}


def test_files_that_a_table_names_are_compared_wherever_they_are_in_the_table(tmp_path):
    for name in "abc":
        _write(tmp_path / f"{name}.wav", b"one")
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table({"path": ["a.wav", "b.wav", "c.wav"], "id": ["a", "b", "c"]}), path)
    stored = _stored(path)
    assert (stored["a"].path, stored["a"].row, stored["a"].time_ns) == (f"{tmp_path}/a.wav", None, 7)
    pq.write_table(pa.table({"path": ["new.wav", "c.wav", "b.wav", "a.wav"], "id": ["n", "c", "b", "a"]}), path)
    _write(tmp_path / "b.wav", b"one", (8, 8))
    _write(tmp_path / "c.wav", b"two", (8, 8))
    assert _verdicts(stored, path) == {"a": "same", "b": "maybe", "c": "maybe"}
    assert _agreeing(stored, path) == {"c": False, "b": True, "a": True}


def test_row_groups_are_read_once_for_all_their_rows(tmp_path, monkeypatch):
    path = tmp_path / "t.parquet"
    contents = [b"%d" % number for number in range(200)]
    _write_table(path, contents, row_group_size=20)
    stored = _stored(path)
    read, read_row_group = [], pq.ParquetFile.read_row_group
    monkeypatch.setattr(
        pq.ParquetFile,
        "read_row_group",
        lambda self, group, **_: read.append(group) or read_row_group(self, group, **_),
    )
    tables._open_table.cache_clear()
    assert list(_agreeing(stored, path).values()) == [True] * 200
    assert read == list(range(10))


def test_audio_that_moves_into_a_saved_dataset_agrees_if_its_bytes_are_equal(tmp_path):
    datasets = pytest.importorskip("datasets")
    for name in "ab":
        _write(tmp_path / f"clips/{name}.wav", b"one")
    stored = _stored(tmp_path / "clips")
    audio = encoded((b"one", b"two"))
    saved = str(tmp_path / "saved")
    datasets.Dataset(pa.table({"audio": audio, "id": ["a.wav", "b.wav"]})).save_to_disk(saved)
    assert _verdicts(stored, saved) == {"a.wav": "maybe", "b.wav": "maybe"}
    assert _agreeing(stored, saved) == {"a.wav": True, "b.wav": False}


def test_another_stretch_of_a_recording_has_changed():
    source = Source("a", "/a.wav", start=1.0, end=2.5)
    stored = StoredAudio.of(Listed(source, 3, "7"), bytes(16))
    assert changes.compare(stored, Listed(source, 3, "7")) == "same"
    assert changes.compare(stored, Listed(replace(source, start=1.5), 3, "7")) == "changed"
    assert changes.compare(stored, Listed(replace(source, end=None), 3, "7")) == "changed"


def test_a_recording_is_read_once_for_its_stretches(tmp_path, opened):
    names = ["a", "b", "a", "a", "b"]
    for name in "ab":
        _write(tmp_path / f"{name}.wav", b"one")
    lines = [f'{{"path": "{name}.wav", "start": {start}, "end": 9}}' for start, name in enumerate(names)]
    (tmp_path / "m.jsonl").write_text("\n".join(lines))
    stored = _stored(tmp_path / "m.jsonl")
    opened.clear()
    _write(tmp_path / "b.wav", b"two", (8, 8))
    assert list(_agreeing(stored, tmp_path / "m.jsonl").values()) == [name == "a" for name in names]
    assert sorted(path[-5:] for path in opened if path.endswith(".wav")) == ["a.wav", "b.wav"]


LISTED = Listed(Source("a", "/new/a.wav"), 3, "7")
LISTED_ROW = Listed(Source("a", "/new.parquet", 4), None, "9-7")


@pytest.mark.parametrize(
    ("stored", "clip", "verdict", "guessed"),
    [
        (StoredAudio("/new/a.wav", None, None, None, 3, 7, None, None), LISTED, "same", False),
        (StoredAudio("/old/a.wav", None, None, None, 3, 7, None, None), LISTED, "same", True),
        (StoredAudio("/new/a.wav", None, None, None, 3, 8, None, None), LISTED, "changed", True),
        (StoredAudio("/new/a.wav", None, None, None, 4, 7, None, None), LISTED, "changed", False),
        (StoredAudio("/old/a.wav", None, None, None, None, 7, None, None), LISTED, "changed", True),
        (StoredAudio("/old.parquet", 4, None, None, None, None, "9-7", None), LISTED_ROW, "same", True),
        (StoredAudio("/new.parquet", 3, None, None, None, None, "9-7", None), LISTED_ROW, "changed", True),
        (StoredAudio("/new.parquet", 4, None, None, None, None, "9-8", None), LISTED_ROW, "changed", True),
    ],
)
def test_without_a_digest_size_and_time_decide_wherever_the_file_is(stored, clip, verdict, guessed):
    assert changes.compare(stored, clip) == verdict
    assert changes.lacks_digest(stored, clip) == guessed
    assert not changes.lacks_digest(replace(stored, digest=bytes(16)), clip)


def test_pairs_are_read_and_files_hashed_only_a_limited_number_ahead(monkeypatch):
    taken, at_once, most, lock = 0, 0, 0, threading.Lock()
    both = threading.Barrier(2)

    def of(source):
        nonlocal at_once, most
        with lock:
            at_once, number = at_once + 1, int(source.id)
            most = max(most, at_once)
        if number < 2:
            both.wait(10)  # two at a time, or this fails
        with lock:
            at_once -= 1
        return bytes([number % 2]) * 16

    def pairs():
        nonlocal taken
        for taken in range(10**9):
            clip = Listed(Source(str(taken), f"/{taken}"), 1, "1")
            yield StoredAudio.of(clip, bytes(16)), clip

    monkeypatch.setattr(digests, "of", of)
    found = changes.compare_digests(pairs())
    assert [next(found) for _ in range(500)] == [True, False] * 250
    assert taken <= 500 + changes.AHEAD
    found.close()
    assert 2 <= most <= changes.THREADS
