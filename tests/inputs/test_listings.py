"""Listed clips have the size and version of their audio, and changes since then are described."""

import os
import threading
import time

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from embedded_audio import encoded
from hypothesis import given
from hypothesis import strategies as st

from audiopipe import inputs
from audiopipe.errors import InputError, MissingDependencyError
from audiopipe.inputs import Source, listings
from audiopipe.inputs.listings import Listed
from audiopipe.storage import files


def _identify(*paths):
    return list(listings.identify(Source(id=str(path), path=str(path)) for path in paths))


@pytest.fixture
def parquet(tmp_path):
    """Returns a function that writes a table with embedded audio, and returns its path."""

    def write(*contents):
        audio = encoded(contents)
        pq.write_table(pa.table({"audio": audio}), tmp_path / "clips.parquet")
        return str(tmp_path / "clips.parquet")

    return write


def test_a_local_file_has_its_size_and_modification_time(tmp_path):
    (tmp_path / "a.wav").write_bytes(b"12345")
    os.utime(tmp_path / "a.wav", ns=(3, 1_700_000_000_000_000_001))
    path = str(tmp_path / "a.wav")
    assert _identify(path) == [Listed(Source(id=path, path=path), 5, "1700000000000000001")]


def test_a_remote_file_has_its_size_and_the_version_of_its_storage(memory):
    files.write_bytes(f"{memory}/a.wav", b"12345")
    created = fsspec.filesystem("memory").info("/test/a.wav")["created"]
    found, gone = _identify(f"{memory}/a.wav", f"{memory}/gone.wav")
    assert (found.size, found.version) == (5, str(created))
    assert (gone.size, gone.version) == (None, None)


def test_paths_that_are_missing_or_not_files_stay_in_the_list(tmp_path):
    (tmp_path / "file").write_bytes(b"x")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "self").symlink_to(tmp_path / "self")
    strange = ("gone", ".", "file/below", "pipe", "self", "n" * 300, "with\0zero", "lone \ud800 surrogate")
    paths = [f"{tmp_path}/{name}" for name in strange]
    listed = _identify(*paths, tmp_path / "file")
    assert [clip.source.path for clip in listed] == [*paths, f"{tmp_path}/file"]
    assert {(clip.size, clip.version) for clip in listed[:-1]} == {(None, None)}
    assert listed[-1].size == 1


def test_parallel_lookups_keep_the_order_of_the_clips(monkeypatch):
    at_once, most_at_once, lock = 0, 0, threading.Lock()

    def slow(path):
        nonlocal at_once, most_at_once
        with lock:
            at_once += 1
            most_at_once = max(most_at_once, at_once)
        time.sleep(0.0005 * (int(path) % 7))
        with lock:
            at_once -= 1
        return int(path), path

    monkeypatch.setattr(files, "asked", lambda path: lambda: slow(path))
    count = listings.BATCH * 40 + 3
    assert [clip.size for clip in _identify(*range(count))] == list(range(count))
    assert most_at_once > 4


def test_sources_are_read_only_a_limited_number_ahead(monkeypatch):
    monkeypatch.setattr(files, "asked", lambda path: lambda: (1, "1"))
    taken = 0

    def sources():
        nonlocal taken
        for taken in range(1, 10**9):
            yield Source(id=str(taken), path=str(taken))

    listed = listings.identify(sources())
    for number in range(1, 5001):
        assert next(listed).source.id == str(number)
    assert taken <= 5000 + listings.BATCH * (listings.BATCHES_AHEAD + 1)
    listed.close()


def test_rows_have_the_version_of_their_table_which_is_looked_up_once(parquet, monkeypatch):
    path, calls, version = parquet(b"a", b"b", b"c"), [], files.version
    sources = list(inputs.scan(path))
    monkeypatch.setattr(files, "version", lambda path: calls.append(path) or version(path))
    listed = list(listings.identify(sources))
    assert [clip.source for clip in listed] == sources
    assert {(clip.size, clip.version) for clip in listed} == {(None, version(path))}
    assert calls == [path]


def test_files_that_a_table_names_have_their_own_size_and_time(tmp_path):
    (tmp_path / "a.wav").write_bytes(b"12345")
    os.utime(tmp_path / "a.wav", ns=(7, 7))
    columns = {"path": ["a.wav", "gone.wav"], "start": [1.0, None], "end": [2.0, None]}
    pq.write_table(pa.table(columns), tmp_path / "t.parquet")
    found, gone = listings.identify(inputs.scan(tmp_path / "t.parquet"))
    assert (found.source.path, found.source.row, found.source.start) == (f"{tmp_path}/a.wav", None, 1.0)
    assert (found.size, found.time_ns, found.tag) == (5, 7, None)
    assert (gone.size, gone.time_ns, gone.tag) == (None, None, None)
    assert Listed.from_json(found.to_json()) == found
    (tmp_path / "a.wav").write_bytes(b"1")
    assert listings.changed(found) == "had 5 bytes and has 1 now"


def test_cached_listings_of_the_storage_are_used(memory):
    for number in range(50):
        files.write_bytes(f"{memory}/{number:02d}.wav", b"x")
    filesystem, asked = fsspec.filesystem("memory"), []

    class Kept:  # s3fs and gcsfs cache listings per filesystem object
        def info(self, path):
            asked.append(path)
            return {"size": len(asked), "etag": path, "type": "file"}

    sources = list(inputs.scan(memory))
    original, filesystem.info = filesystem.info, Kept().info
    try:
        listed = list(listings.identify(sources))
    finally:
        filesystem.info = original
    assert sorted(asked) == [f"/test/{number:02d}.wav" for number in range(50)]
    assert [clip.version for clip in listed] == sorted(asked)


def test_storage_that_does_not_respond_is_an_error(monkeypatch):
    def fail(path):
        raise TimeoutError("no answer")

    monkeypatch.setattr(fsspec.filesystem("memory"), "info", fail)
    with pytest.raises(InputError, match=r"Could not look up 'memory://x/a\.wav': TimeoutError: no answer\. Try again"):
        _identify("memory://x/a.wav")


def test_storage_of_an_unknown_kind_is_an_error(monkeypatch):
    with pytest.raises(InputError, match="storage of 'nosuch://a' cannot be reached"):
        _identify("nosuch://a")
    monkeypatch.setitem(__import__("sys").modules, "gcsfs", None)
    with pytest.raises(MissingDependencyError, match=r"audiopipe\[gcs\]"):
        _identify("gs://bucket/a.wav")


VALUES = st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | st.text()
TEXT = st.text(st.characters(exclude_categories=()))
CLIPS = st.builds(
    Listed,
    st.builds(
        Source,
        TEXT,
        TEXT,
        st.none() | st.integers(0, 10**9),
        st.dictionaries(TEXT, VALUES, max_size=3),
        st.none() | st.floats(0, 1e9),
        st.none() | st.floats(0, 1e9),
        st.none() | TEXT,
    ),
    st.none() | st.integers(0, 2**63),
    st.none() | TEXT,
)


@given(CLIPS)
def test_a_clip_survives_the_round_trip_through_json(clip):
    line = clip.to_json()
    assert Listed.from_json(line) == clip
    assert line.isascii()
    assert line.splitlines(keepends=True) == [line]
    assert Listed.from_json(line).to_json() == line


def test_the_order_of_columns_does_not_change_the_line():
    one, other = Source("a", "b", metadata={"x": 1, "y": 2}), Source("a", "b", metadata={"y": 2, "x": 1})
    assert Listed(one, 3, "4").to_json() == Listed(other, 3, "4").to_json()


def test_a_clip_that_is_a_whole_recording_has_the_line_that_it_had_before_there_were_stretches():
    line = b'{"id":"a","path":"/a.wav","row":3,"size":4,"version":"5"}\n'
    assert Listed(Source("a", "/a.wav", 3), 4, "5").to_json() == line
    assert Listed.from_json(line) == Listed(Source("a", "/a.wav", 3), 4, "5")


def test_the_location_of_a_clip_has_its_stretch():
    assert Source("a", "/a.wav").location() == {"path": "/a.wav"}
    assert Source("a", "/a.parquet", 0).location() == {"path": "/a.parquet", "row": 0}
    assert Source("a", "/a.wav", start=0.0).location() == {"path": "/a.wav", "start": 0.0}
    assert Source("a", "/a.wav", start=1.5, end=2.0).location() == {"path": "/a.wav", "start": 1.5, "end": 2.0}


@pytest.fixture
def listed(tmp_path):
    """Returns a listed file and its path."""
    path = tmp_path / "a.wav"
    path.write_bytes(b"12345")
    os.utime(path, ns=(7, 7))
    return _identify(path)[0], path


def test_an_untouched_file_has_not_changed(listed):
    assert listings.changed(listed[0]) is None


def test_a_file_of_another_size_has_changed(listed):
    listed[1].write_bytes(b"123")
    assert listings.changed(listed[0]) == "had 5 bytes and has 3 now"


def test_a_rewritten_file_of_the_same_size_has_changed(listed):
    os.utime(listed[1], ns=(7, 8))
    assert listings.changed(listed[0]) == "was rewritten, with 5 bytes as before"


def test_a_file_that_vanished_has_changed(listed):
    listed[1].unlink()
    assert listings.changed(listed[0]) == "had 5 bytes and is gone now"


def test_a_file_that_reappeared_has_changed(listed):
    _, path = listed
    path.unlink()
    gone = _identify(path)[0]
    assert listings.changed(gone) is None
    path.write_bytes(b"12")
    assert listings.changed(gone) == "did not exist and has 2 bytes now"


def test_the_rows_of_a_rewritten_table_have_changed(parquet, tmp_path):
    clip = next(listings.identify(inputs.scan(parquet(b"a"))))
    assert listings.changed(clip) is None
    parquet(b"a", b"b")
    assert listings.changed(clip) == "is in a table that was rewritten"
    (tmp_path / "clips.parquet").unlink()
    assert listings.changed(clip) == "is in a table that was rewritten"


def test_remote_files_are_not_checked_for_changes(memory):
    files.write_bytes(f"{memory}/a.wav", b"12345")
    clip = _identify(f"{memory}/a.wav")[0]
    files.remove(f"{memory}/a.wav")
    assert listings.changed(clip) is None
