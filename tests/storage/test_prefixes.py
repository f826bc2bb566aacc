"""Listing of remote folders in parallel: the same files in the same order as one list of everything."""

import threading

import pytest
from fsspec.implementations.memory import MemoryFileSystem
from hypothesis import given
from hypothesis import strategies as st

from audiopipe.storage import prefixes

PARTS = st.lists(st.text(st.sampled_from("ab.-0 é~"), min_size=1, max_size=3), min_size=1, max_size=5)


class Storage(MemoryFileSystem):
    """Storage of its own in memory that counts its lists.

    Args:
        names: Files below `/corpus`.
    """

    cachable = False

    def __init__(self, names=()):
        super().__init__()
        self.store, self.pseudo_dirs = {}, [""]
        self.listed, self.found = [], []
        for name in names:
            self.pipe_file(f"/corpus/{name}", b"")

    def ls(self, path, detail=True, **kwargs):
        self.listed.append(path)
        return super().ls(path, detail, **kwargs)

    def find(self, path, **kwargs):
        self.found.append(path)
        return super().find(path, **kwargs)


def one_list(storage):
    """Returns the files as a single list gives them."""
    return sorted(name.removeprefix("/corpus/") for name in MemoryFileSystem.find(storage, "/corpus"))


@given(st.lists(PARTS, max_size=12))
def test_files_come_in_the_order_of_their_whole_paths(found):
    made = set()
    for parts in found:
        name = "/".join(parts)
        folders = {"/".join(parts[:depth]) for depth in range(1, len(parts))}
        if not folders & made and not any(other.startswith(f"{name}/") for other in made):
            made.add(name)
    storage = Storage(made)
    assert list(prefixes.walk(storage, "/corpus/")) == one_list(storage) == sorted(made)


@pytest.mark.parametrize("depth", ["", "clips/", "clips/wav/"])
def test_prefixes_are_listed_at_the_same_time(depth):
    waiting = threading.Barrier(8)

    class Slow(Storage):
        def find(self, path, **kwargs):
            waiting.wait(60)  # until as many threads are here
            return super().find(path, **kwargs)

    names = [f"{depth}{folder:02d}/{number}.wav" for folder in range(40) for number in range(2)]
    assert list(prefixes.walk(Slow(names), "/corpus")) == names


def test_few_folders_are_searched_for_more_prefixes_and_each_is_listed_once():
    storage = Storage([*(f"{speaker}/{book:02d}/a.wav" for speaker in "xy" for book in range(20)), "z.wav"])
    assert list(prefixes.walk(storage, "/corpus")) == one_list(storage)
    assert sorted(storage.found) == [f"/corpus/{speaker}/{book:02d}" for speaker in "xy" for book in range(20)]
    assert {path.strip("/") for path in storage.listed[:3]} == {"corpus", "corpus/x", "corpus/y"}


def test_prefixes_are_listed_only_some_way_ahead():
    storage = Storage([f"{folder:03d}/a.wav" for folder in range(400)])
    names = prefixes.walk(storage, "/corpus")
    assert next(names) == "000/a.wav"
    assert len(storage.found) <= 2 * prefixes.THREADS + 1
    names.close()
    assert len(storage.found) < 200


def test_a_folder_that_cannot_be_listed_is_an_error():
    class Closed(Storage):
        def ls(self, path, detail=True, **kwargs):
            if path.strip("/") == "corpus/b":
                raise PermissionError(path)
            return super().ls(path, detail, **kwargs)

    with pytest.raises(PermissionError, match="corpus/b"):
        list(prefixes.walk(Closed(["a/1.wav", "b/2.wav"]), "/corpus"))


def test_a_missing_folder_has_no_files():
    assert list(prefixes.walk(Storage(["a.wav"]), "/corpus/absent")) == []


def test_a_list_that_the_storage_has_cached_is_made_again():
    class Cached(Storage):
        def ls(self, path, detail=True, **kwargs):
            if path not in self.dircache:
                self.dircache[path] = super().ls(path, detail, **kwargs)
            return self.dircache[path]

        def invalidate_cache(self, path=None):
            self.dircache.pop(path, None)

    storage = Cached(["a/1.wav"])
    storage.dircache = {}
    assert list(prefixes.walk(storage, "/corpus")) == ["a/1.wav"]
    storage.pipe_file("/corpus/b.wav", b"")
    assert list(prefixes.walk(storage, "/corpus")) == ["a/1.wav", "b.wav"]


@pytest.mark.parametrize(
    "pattern",
    [
        "*.wav",
        "?/*.wav",
        "a/*",
        "*/*/x.wav",
        "**/*.wav",
        "a/**/x.wav",
        "[ab]/?.wav",
        "**",
        "b*/1.wav",
        "none/*",
        "a/1.wav",
    ],
)
def test_patterns_match_the_files_that_fsspec_matches(pattern):
    names = ["a/1.wav", "a/2.flac", "a/deep/x.wav", "a/deep/er/x.wav", "b/1.wav", "b/3.wav", "bb/1.wav", "c.wav"]
    storage = Storage([*names, ".hidden/1.wav", "a.wav/inner.wav"])
    expected = [path for path in MemoryFileSystem.glob(storage, f"/corpus/{pattern}") if storage.isfile(path)]
    assert prefixes.glob(storage, f"/corpus/{pattern}") == sorted(expected)
