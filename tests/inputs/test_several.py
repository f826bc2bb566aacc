"""Several inputs are read like the glob that a shell made them of."""

import glob

import fsspec
import pytest

from audiopipe import inputs
from audiopipe.errors import InputError
from audiopipe.inputs import InputOptions, ScanReport, SeveralInputs


def _touch(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def _ids(source, **options):
    return [clip.id for clip in inputs.scan(source, InputOptions(**options))]


@pytest.mark.parametrize("pattern", ["x/*.wav", "*/*.wav", "x/*", "*/[12].*", "y/1.wav", "?/1*"])
@pytest.mark.parametrize("relative", [False, True])
def test_an_expanded_glob_gives_the_clips_of_the_quoted_one(tmp_path, monkeypatch, pattern, relative):
    _touch(tmp_path, "x/1.wav", "x/2.flac", "x/10.wav", "x/a.m4a", "x/notes.txt", "y/1.wav", "y/2.wav", "x/B.wav")
    monkeypatch.chdir(tmp_path)
    quoted = pattern if relative else f"{tmp_path}/{pattern}"
    reports = ScanReport(), ScanReport()
    expected = list(inputs.scan(quoted, InputOptions(label_from_folder=True), reports[0]))
    expanded = SeveralInputs(sorted(glob.glob(quoted), key=str.lower))
    assert list(inputs.scan(expanded, InputOptions(label_from_folder=True), reports[1])) == expected
    del reports[1].left_out[".txt"]  # it was given by name
    assert reports[1] == reports[0]


def test_files_that_are_left_out_of_several_inputs_are_counted(tmp_path):
    _touch(tmp_path, "a.wav", "b.m4a", "c.txt", "README", "d.csv")
    report = ScanReport()
    assert [clip.id for clip in inputs.scan(SeveralInputs(sorted(tmp_path.iterdir())), report=report)] == ["a.wav"]
    assert report.lines() == ["4 files left out: 1 .csv, 1 .m4a, 1 .txt, 1 README"]


def test_one_of_several_inputs_is_read_alone(tmp_path):
    _touch(tmp_path, "x/a.wav")
    (tmp_path / "m.csv").write_text("path\nx/a.wav\n")
    assert _ids(SeveralInputs([tmp_path / "x"])) == ["a.wav"]
    assert _ids(SeveralInputs([tmp_path / "m.csv"])) == ["x/a.wav"]
    assert _ids(SeveralInputs([f"{tmp_path}/*/*.wav"])) == ["x/a.wav"]
    _touch(tmp_path, "a.txt")
    with pytest.raises(InputError, match="cannot be an input"):
        _ids(SeveralInputs([tmp_path / "a.txt"]))


def test_folders_and_globs_go_together_with_files(tmp_path):
    _touch(tmp_path, "train/x/1.wav", "test/2.wav", "more/3.wav", "more/4.flac", "0.wav", "z.wav")
    sources = [
        f"{tmp_path}/z.wav",
        f"{tmp_path}/train",
        f"{tmp_path}/test/",
        f"{tmp_path}/more/*.wav",
        f"{tmp_path}/0.wav",
    ]
    assert _ids(SeveralInputs(sources)) == ["0.wav", "more/3.wav", "test/2.wav", "train/x/1.wav", "z.wav"]
    assert _ids(SeveralInputs([f"{tmp_path}/train", f"{tmp_path}/test"])) == ["test/2.wav", "train/x/1.wav"]
    assert _ids([f"{tmp_path}/train", f"{tmp_path}/test"]) == ["test/2.wav", "train/x/1.wav"]


def test_several_manifests_are_one_input(tmp_path):
    _touch(tmp_path, "x/a.wav", "y/a.wav")
    (tmp_path / "x/m.csv").write_text("path,n\na.wav,1\n/b.wav,2\n")
    (tmp_path / "y/m.csv").write_text("path,n\na.wav,3\n")
    report = ScanReport()
    for source in (SeveralInputs([tmp_path / "y/m.csv", tmp_path / "x/m.csv"]), f"{tmp_path}/*/*.csv"):
        clips = list(inputs.scan(source, report=report))
        assert [(clip.id, clip.path, clip.metadata) for clip in clips] == [
            ("x/a.wav", f"{tmp_path}/x/a.wav", {"n": "1"}),
            ("/b.wav", "/b.wav", {"n": "2"}),
            ("y/a.wav", f"{tmp_path}/y/a.wav", {"n": "3"}),
        ]
    assert report.notes == ["read as 2 manifests"]
    (tmp_path / "x/dev.tsv").write_text("path\nc.wav\n")
    assert _ids(SeveralInputs([tmp_path / "x/dev.tsv", tmp_path / "x/m.csv"])) == ["c.wav", "a.wav", "/b.wav"]


@pytest.mark.parametrize("names", [["a.csv", "b.parquet"], ["a.csv", "x"], ["b.parquet", "x"]])
def test_kinds_that_do_not_go_together_are_refused(tmp_path, names):
    _touch(tmp_path, "a.csv", "b.parquet", "x/a.wav")
    for source in (SeveralInputs([tmp_path / name for name in names]), [tmp_path / name for name in names]):
        with pytest.raises(InputError, match=r"files of different kinds.*Pass only one kind"):
            _ids(source)


def test_a_list_of_paths_is_checked(tmp_path):
    _touch(tmp_path, "a.wav", "b.m4a", "c.txt", "d.csv")
    assert _ids([f"{tmp_path}/a.wav", f"{tmp_path}/b.m4a"]) == [f"{tmp_path}/a.wav", f"{tmp_path}/b.m4a"]
    with pytest.raises(InputError, match=r"c\.txt' cannot be an input"):
        _ids([tmp_path / "a.wav", tmp_path / "c.txt"])
    with pytest.raises(InputError, match="files of different kinds"):
        _ids([tmp_path / "a.wav", tmp_path / "d.csv"])
    for source in ([tmp_path / "gone.csv"], SeveralInputs([tmp_path / "a.wav", tmp_path / "gone.wav"])):
        with pytest.raises(InputError, match=r"There is no '.*gone\."):
            _ids(source)
    with pytest.raises(InputError, match=r"no audio in the list of paths.*2 files left out: 1 \.m4a, 1 \.txt"):
        _ids(SeveralInputs([tmp_path / "b.m4a", tmp_path / "c.txt"]))


def test_paths_in_different_places_have_ids_from_their_common_folder(tmp_path):
    _touch(tmp_path, "a/b/c/1.wav", "a/b2/2.wav")
    assert _ids(SeveralInputs([tmp_path / "a/b/c/1.wav", tmp_path / "a/b2/2.wav"])) == ["b/c/1.wav", "b2/2.wav"]
    filesystem = fsspec.filesystem("memory")
    for name in ("x/1.wav", "y/2.wav"):
        filesystem.pipe_file(f"/test-several/{name}", b"")
    try:
        names = ["memory://test-several/x/1.wav", "memory://test-several/y/2.wav"]
        assert _ids(SeveralInputs(names)) == ["x/1.wav", "y/2.wav"]
        assert _ids(SeveralInputs([names[0], f"{tmp_path}/a/b2/2.wav"])) == [f"{tmp_path}/a/b2/2.wav", names[0]]
    finally:
        filesystem.rm("/test-several", recursive=True)


def test_a_repeated_path_is_refused(tmp_path):
    _touch(tmp_path, "a.wav")
    with pytest.raises(InputError, match=r"Two clips of the list of paths have the id 'a\.wav'"):
        _ids(SeveralInputs([tmp_path / "a.wav", tmp_path / "a.wav"]))


@pytest.mark.parametrize("source", ["", [""], ["a.wav", ""], SeveralInputs(["a.csv", ""])])
def test_an_empty_path_is_refused(source):
    with pytest.raises(InputError, match=r"An input must be a path\. Received: ''"):
        _ids(source)


def test_a_glob_of_manifests_that_matches_nothing_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"No file that matches '.*/\*\.csv' lists a clip"):
        _ids(f"{tmp_path}/*.csv")
