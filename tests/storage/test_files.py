"""Local and remote files."""

import os
import sys
import tempfile
from pathlib import Path

import fsspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audiopipe.errors import InputError, MissingDependencyError
from audiopipe.storage import files


def _touch(folder, *names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode("utf-8", "surrogateescape"))


def test_walk_lists_all_files_sorted_by_path(tmp_path):
    _touch(tmp_path, "b/2.wav", "a.wav", "b/1.wav", "c/d/e.wav", "b.wav", "a b\n.wav")
    (tmp_path / "empty").mkdir()
    assert list(files.walk(str(tmp_path))) == ["a b\n.wav", "a.wav", "b.wav", "b/1.wav", "b/2.wav", "c/d/e.wav"]


def test_walk_follows_links_but_not_in_cycles(tmp_path):
    _touch(tmp_path, "in/a.wav", "elsewhere/b.wav")
    (tmp_path / "in/again").symlink_to(tmp_path / "in", target_is_directory=True)
    (tmp_path / "in/other").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    (tmp_path / "in/gone.wav").symlink_to(tmp_path / "gone.wav")
    assert list(files.walk(str(tmp_path / "in"))) == ["a.wav", "gone.wav", "other/b.wav"]


NAMES = st.text(st.sampled_from("ab.-/ ~0\né\ue000\udc80\U0001f3b5"), min_size=1, max_size=6)


@settings(deadline=None, max_examples=60)
@given(st.lists(NAMES, max_size=12))
def test_walk_yields_files_in_the_order_of_whole_paths(names):
    with tempfile.TemporaryDirectory() as folder:
        made = set()
        for name in names:
            path = Path(folder, *(part for part in name.split("/") if part.strip(".")))
            # Skips a name that needs a folder where a file exists, or the other way round.
            if path != Path(folder) and not any(above.is_file() for above in path.parents) and not path.exists():
                path.parent.mkdir(parents=True, exist_ok=True)
                path.touch()
                made.add(path.relative_to(folder).as_posix())
        assert list(files.walk(folder)) == sorted(made)


def test_walk_lists_a_folder_only_when_it_reaches_it(tmp_path, monkeypatch):
    _touch(tmp_path, "a/1.wav", "b/2.wav")
    looked, scandir = [], os.scandir
    monkeypatch.setattr(os, "scandir", lambda path: looked.append(os.path.basename(path)) or scandir(path))
    found = files.walk(str(tmp_path))
    assert next(found) == "a/1.wav"
    assert looked == [tmp_path.name, "a"]
    assert next(found) == "b/2.wav"
    assert looked == [tmp_path.name, "a", "b"]


def test_walk_treats_a_link_to_itself_as_a_file(tmp_path):
    _touch(tmp_path, "a.wav")
    (tmp_path / "self.wav").symlink_to(tmp_path / "self.wav")
    (tmp_path / "there").symlink_to(tmp_path / "back")
    (tmp_path / "back").symlink_to(tmp_path / "there")
    assert list(files.walk(str(tmp_path))) == ["a.wav", "back", "self.wav", "there"]


def test_walk_goes_deeper_than_the_recursion_limit(tmp_path):
    depth = sys.getrecursionlimit() + 100
    folders = [str(tmp_path)]
    for _ in range(depth):
        folders.append(folders[-1] + "/a")
        os.mkdir(folders[-1])
    Path(folders[-1], "b").touch()
    try:
        assert list(files.walk(str(tmp_path))) == ["a/" * depth + "b"]
    finally:  # pytest removes temporary folders recursively
        os.remove(folders[-1] + "/b")
        for folder in reversed(folders[1:]):
            os.rmdir(folder)


def test_walk_of_a_missing_folder_raises(tmp_path):
    with pytest.raises(FileNotFoundError, match="gone"):
        list(files.walk(str(tmp_path / "gone")))


@pytest.mark.skipif(os.geteuid() == 0, reason="root can list every folder")
def test_walk_does_not_skip_a_folder_that_cannot_be_listed(tmp_path):
    _touch(tmp_path, "a/1.wav", "b/2.wav")
    (tmp_path / "a").chmod(0)
    try:
        with pytest.raises(PermissionError, match="a"):
            list(files.walk(str(tmp_path)))
    finally:
        (tmp_path / "a").chmod(0o700)


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("*.wav", ["a.wav", "c.wav"]),
        ("b/?.wav", ["b/1.wav", "b/2.wav"]),
        ("b/[13].wav", ["b/1.wav"]),
        ("**/*.wav", ["a.wav", "b/1.wav", "b/2.wav", "c.wav"]),
        ("nothing*", []),
    ],
)
def test_glob_matches_files_only(tmp_path, pattern, expected):
    _touch(tmp_path, "c.wav", "a.wav", "b/2.wav", "b/1.wav", "b/note.txt")
    (tmp_path / "folder.wav").mkdir()
    assert files.glob(f"{tmp_path}/{pattern}") == [f"{tmp_path}/{name}" for name in expected]


def test_glob_is_relative_to_the_working_folder(tmp_path, monkeypatch):
    _touch(tmp_path, "b/1.wav")
    monkeypatch.chdir(tmp_path)
    assert files.glob("b/*.wav") == [f"{tmp_path}/b/1.wav"]


def test_glob_keeps_the_scheme_and_host_of_a_remote_path(tmp_path, memory):
    files.write_bytes(f"{memory}/x/a.wav", b"a")
    assert files.glob(f"{memory}/*/a.wav") == [f"{memory}/x/a.wav"]
    assert files.glob("memory:///test/x/*") == ["memory:///test/x/a.wav"]
    _touch(tmp_path, "b.wav")
    found = files.glob(f"file://{tmp_path}/*.wav")
    assert found == [f"file://{tmp_path}/b.wav"]
    assert files.read_bytes(found[0]) == b"b.wav"


def test_a_finished_file_is_published_atomically(tmp_path):
    path = tmp_path / "out.bin"
    path.write_bytes(b"old")
    with files.temporary_file(str(path)) as temporary:
        with open(temporary, "wb") as file:
            file.write(b"new")
        assert path.read_bytes() == b"old"
        assert os.path.dirname(temporary) == str(tmp_path)
    assert path.read_bytes() == b"new"
    assert os.listdir(tmp_path) == ["out.bin"]


def test_an_error_publishes_nothing_and_leaves_nothing_behind(tmp_path):
    path = tmp_path / "out.bin"

    def fail():
        with files.temporary_file(str(path)) as temporary:
            with open(temporary, "wb") as file:
                file.write(b"half")
            raise RuntimeError("the disk is full")

    with pytest.raises(RuntimeError, match="the disk is full"):
        fail()
    assert os.listdir(tmp_path) == []


def test_a_published_file_has_ordinary_permissions(tmp_path):
    before = os.umask(0o027)
    try:
        files.write_bytes(str(tmp_path / "out.bin"), b"x")
    finally:
        os.umask(before)
    assert (tmp_path / "out.bin").stat().st_mode & 0o777 == 0o640


def test_a_relative_path_is_published_in_the_working_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    files.write_bytes("out.bin", b"x")
    assert (tmp_path / "out.bin").read_bytes() == b"x"


def test_remote_files_are_written_listed_read_and_removed(memory, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    files.make_folder(memory)
    files.write_bytes(f"{memory}/b/2.bin", b"two")
    files.write_bytes(f"{memory}/a.bin", b"one")
    assert os.listdir(tmp_path) == []
    assert list(files.walk(memory)) == ["a.bin", "b/2.bin"]
    assert files.glob(f"{memory}/**/*.bin") == [f"{memory}/a.bin", f"{memory}/b/2.bin"]
    assert files.read_bytes(f"{memory}/b/2.bin") == b"two"
    assert files.size(f"{memory}/b/2.bin") == 3
    assert (files.exists(f"{memory}/a.bin"), files.exists(f"{memory}/z.bin")) == (True, False)
    assert (files.is_folder(f"{memory}/b"), files.is_folder(f"{memory}/a.bin")) == (True, False)
    fetched = files.fetch(f"{memory}/b/2.bin", str(tmp_path))
    assert (fetched, (tmp_path / "2.bin").read_bytes()) == (str(tmp_path / "2.bin"), b"two")
    files.remove(f"{memory}/b")
    assert list(files.walk(memory)) == ["a.bin"]


def test_an_error_uploads_nothing(memory, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))

    def fail():
        with files.temporary_file(f"{memory}/a.bin"):
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        fail()
    assert not files.exists(f"{memory}/a.bin")
    assert os.listdir(tmp_path) == []


def test_size_and_kind_of_local_paths(tmp_path):
    _touch(tmp_path, "b/12345")
    path = f"{tmp_path}/b/12345"
    assert files.size(path) == len("b/12345")
    assert (files.exists(path), files.exists(f"{path}6")) == (True, False)
    assert (files.is_folder(f"{tmp_path}/b"), files.is_folder(path)) == (True, False)
    files.make_folder(f"{tmp_path}/c/d")
    assert (tmp_path / "c/d").is_dir()


def test_the_identity_of_a_file_changes_when_it_is_rewritten(tmp_path, memory):
    _touch(tmp_path, "a.wav")
    local = f"{tmp_path}/a.wav"
    os.utime(local, ns=(5, 7_000_000_123))
    assert files.identity(local) == (len("a.wav"), "7000000123")
    os.utime(local, ns=(5, 7_000_000_124))
    assert files.identity(local) == (len("a.wav"), "7000000124")
    assert files.version(local) == "5-7000000124"
    remote = f"{memory}/a.wav"
    files.write_bytes(remote, b"12345")
    first = files.identity(remote)
    assert (first[0], files.identity(remote)) == (5, first)
    files.write_bytes(remote, b"54321")
    assert files.identity(remote)[0] == 5
    assert files.identity(remote)[1] != first[1]


@pytest.mark.parametrize(
    ("facts", "changing"),
    [
        ({"size": 3, "ETag": '"ab"', "LastModified": 9, "type": "file"}, '"ab"'),  # s3fs
        ({"size": 3, "etag": "CO=", "generation": "17", "updated": 9}, "CO="),  # gcsfs
        ({"size": 3, "mtime": 1.5, "created": 1.5, "ino": 8}, "1.5"),  # fsspec's local filesystem
    ],
)
def test_the_identity_of_a_remote_file_uses_the_keys_of_its_filesystem(monkeypatch, facts, changing):
    monkeypatch.setattr(fsspec.filesystem("memory"), "info", lambda path: facts)
    assert files.identity("memory://bucket/a.wav") == (3, changing)


def test_paths_that_are_not_files_have_no_identity(tmp_path, memory):
    os.mkfifo(tmp_path / "pipe.wav")
    for path in (f"{tmp_path}", f"{tmp_path}/gone.wav", f"{tmp_path}/pipe.wav", f"{memory}/gone.wav"):
        with pytest.raises(OSError, match=r"Not a file|No such file|gone"):
            files.identity(path)
    files.write_bytes(f"{memory}/sub/a.wav", b"x")
    with pytest.raises(IsADirectoryError):
        files.identity(f"{memory}/sub")


def test_pipes_and_devices_are_refused_without_waiting(tmp_path):
    os.mkfifo(tmp_path / "pipe.wav")
    for path in (f"{tmp_path}/pipe.wav", "/dev/zero"):
        with pytest.raises(OSError, match=f"Not a file: '{path}'"):
            files.read_bytes(path)


def test_remove_accepts_files_folders_and_missing_paths(tmp_path):
    _touch(tmp_path, "a", "b/c/d")
    for name in ("a", "b", "gone"):
        files.remove(f"{tmp_path}/{name}")
    files.remove("memory://test/gone")
    assert os.listdir(tmp_path) == []


def test_removing_a_link_keeps_the_folder_it_points_to(tmp_path):
    _touch(tmp_path, "real/a")
    (tmp_path / "link").symlink_to(tmp_path / "real", target_is_directory=True)
    files.remove(f"{tmp_path}/link")
    assert (tmp_path / "real/a").exists()
    assert not (tmp_path / "link").is_symlink()


@pytest.mark.parametrize(
    ("folder", "parts", "joined"),
    [
        ("gs://bucket/clips/", ("a", "b.wav"), "gs://bucket/clips/a/b.wav"),
        ("clips", ("a.wav",), "clips/a.wav"),
        ("/clips/", ("a.wav",), "/clips/a.wav"),
    ],
)
def test_join_of_local_and_remote_paths(folder, parts, joined):
    assert files.join(folder, *parts) == joined


@pytest.mark.parametrize(
    ("path", "module", "advice"),
    [
        ("gs://bucket/clips", "gcsfs", r'pip install "audiopipe\[gcs\]"'),
        ("s3://bucket/clips", "s3fs", r'pip install "audiopipe\[s3\]"'),
        ("sftp://host/clips", "paramiko", r"install fsspec's package for sftp"),
    ],
)
def test_the_error_for_a_missing_package_says_what_to_install(monkeypatch, path, module, advice):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingDependencyError, match=f"'{path}' needs a package that is not installed: {advice}"):
        files.exists(path)


def test_an_unknown_scheme_is_refused():
    with pytest.raises(InputError, match="storage of 'nosuch://bucket/clips' cannot be reached"):
        files.read_bytes("nosuch://bucket/clips")
