"""The cache of the user: where it is, what it keeps, and what it does when it cannot."""

import hashlib
import os
import threading

import pytest

from audiopipe.errors import ArgumentError
from audiopipe.storage import user_cache

KEY = hashlib.sha256(b"a key").hexdigest()


def key(number):
    return hashlib.sha256(str(number).encode()).hexdigest()


@pytest.fixture
def cache(monkeypatch, tmp_path):
    monkeypatch.setenv("AUDIOPIPE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"AUDIOPIPE_CACHE": "/mine", "XDG_CACHE_HOME": "/caches"}, "/mine"),
        ({"XDG_CACHE_HOME": "/caches"}, "/caches/audiopipe"),
        ({"AUDIOPIPE_CACHE": "", "XDG_CACHE_HOME": "/caches"}, "/caches/audiopipe"),
        ({"AUDIOPIPE_CACHE": "~/mine"}, "/home/anna/mine"),
        ({}, "/home/anna/.cache/audiopipe"),
        ({"XDG_CACHE_HOME": "relative"}, "/home/anna/.cache/audiopipe"),
    ],
)
def test_the_folder_follows_the_environment(monkeypatch, variables, expected):
    for name in ("AUDIOPIPE_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {"HOME": "/home/anna", **variables}.items():
        monkeypatch.setenv(name, value)
    assert user_cache.folder() == expected


def test_a_relative_folder_is_one_of_the_working_folder(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AUDIOPIPE_CACHE", "here")
    assert user_cache.folder() == str(tmp_path / "here")


def test_a_remote_folder_is_refused(monkeypatch):
    monkeypatch.setenv("AUDIOPIPE_CACHE", "gs://bucket/cache")
    with pytest.raises(ArgumentError, match=r"must be a local folder\. Received: AUDIOPIPE_CACHE='gs://bucket/cache'"):
        user_cache.folder()


def test_a_user_without_a_home_has_no_cache(monkeypatch):
    for name in ("AUDIOPIPE_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)  # what Python does if it knows no home
    assert user_cache.folder() is None
    user_cache.write("things", KEY, b"content")
    assert user_cache.read("things", KEY) is None


@pytest.mark.parametrize("content", [b"", b"one\ntwo\n", bytes(range(256))])
def test_content_is_read_as_it_was_written(cache, content):
    user_cache.write("things", KEY, content)
    assert user_cache.read("things", KEY) == content
    assert user_cache.read("others", KEY) is None
    assert user_cache.read("things", key("another")) is None


@pytest.mark.parametrize(
    "damage", [lambda data: data[:-1], lambda data: data + b"\0", lambda data: b"", lambda _: b"x"]
)
def test_a_damaged_entry_counts_as_none_and_is_replaced(cache, damage):
    user_cache.write("things", KEY, b"content")
    path = cache / "things" / KEY
    path.write_bytes(damage(path.read_bytes()))
    assert user_cache.read("things", KEY) is None
    user_cache.write("things", KEY, b"content")
    assert user_cache.read("things", KEY) == b"content"


def test_a_pipe_in_the_place_of_an_entry_is_not_waited_for(cache):
    (cache / "things").mkdir(parents=True)
    os.mkfifo(cache / "things" / KEY)
    assert user_cache.read("things", KEY) is None


@pytest.mark.parametrize("place", ["file", "folder of the kind"])
def test_a_cache_that_cannot_be_written_keeps_nothing(cache, place):
    blocked = cache if place == "file" else cache / "things"
    blocked.parent.mkdir(exist_ok=True)
    blocked.write_text("no folder")
    user_cache.write("things", KEY, b"content")
    assert user_cache.read("things", KEY) is None
    assert blocked.read_text() == "no folder"


def test_entries_that_were_not_used_for_the_longest_time_are_removed(cache, monkeypatch):
    monkeypatch.setattr(user_cache, "MOST_ENTRIES", 3)
    for number in range(3):
        user_cache.write("things", key(number), b"content")
        os.utime(cache / "things" / key(number), (number, number))
    (cache / "things" / "notes.txt").write_text("not an entry")
    os.utime(cache / "things" / "notes.txt", (0, 0))
    unfinished = cache / "things" / f".{KEY}.abc.tmp"  # of a process that was killed
    unfinished.write_text("")
    os.utime(unfinished, (0, 0))
    assert user_cache.read("things", key(0)) is not None  # now the youngest
    user_cache.write("things", key(3), b"content")
    assert sorted(os.listdir(cache / "things")) == sorted([key(0), key(2), key(3), "notes.txt"])


def test_threads_that_write_one_entry_leave_whole_content(cache):
    contents = [str(number).encode() * 10_000 for number in range(4)]
    threads = [
        threading.Thread(target=lambda content=content: [user_cache.write("things", KEY, content) for _ in range(5)])
        for content in contents
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert user_cache.read("things", KEY) in contents
