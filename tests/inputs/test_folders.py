"""Folders and globs say which files they leave out, and label clips by their folder."""

import pytest

from audiopipe import inputs
from audiopipe.inputs import InputOptions, ScanReport, extensions


def _touch(folder, *names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")


@pytest.mark.parametrize("pattern", ["", "/**"])
def test_files_that_look_like_audio_or_video_are_counted_by_extension(tmp_path, pattern):
    _touch(tmp_path, "a.wav", "b.M4A", "x/c.m4a", "x/d.webm", "e.wav.gz", "notes.txt", ".f.m4a", "g.pdf", "mp4", "h.")
    report = ScanReport()
    assert [clip.id for clip in inputs.scan(f"{tmp_path}{pattern}", report=report)] == ["a.wav"]
    assert report.left_out == {".m4a": 2, ".webm": 1, ".wav.gz": 1}
    assert report.lines() == ["4 files left out: 2 .m4a, 1 .wav.gz, 1 .webm"]


def test_nothing_is_reported_where_nothing_is_left_out(tmp_path):
    _touch(tmp_path, "a.wav", "notes.txt")
    report = ScanReport()
    list(inputs.scan(tmp_path, report=report))
    assert report.lines() == []


def test_no_extension_is_both_taken_and_left_out():
    assert not set(extensions.AUDIO_EXTENSIONS) & extensions.OTHER_EXTENSIONS
    assert all(name.startswith(".") and name == name.lower() for name in extensions.OTHER_EXTENSIONS)


def _labels(source):
    return [(clip.id, clip.metadata) for clip in inputs.scan(source, InputOptions(label_from_folder=True))]


def test_a_label_is_the_name_of_the_folder_that_the_clip_is_in(tmp_path):
    root = tmp_path / "birds"
    _touch(root, "a.wav", "owl/b.wav", "2021/tit/c.wav")
    assert _labels(root) == [
        ("2021/tit/c.wav", {"label": "tit"}),
        ("a.wav", {"label": "birds"}),
        ("owl/b.wav", {"label": "owl"}),
    ]
    assert _labels(f"{root}/owl/*.wav") == [("b.wav", {"label": "owl"})]
    assert _labels(root / "owl" / "b.wav") == [("b.wav", {"label": "owl"})]
    assert [clip.metadata for clip in inputs.scan(root)] == [{}, {}, {}]


def test_globs_ignore_hidden_files_and_folders_unless_the_pattern_has_their_dot(tmp_path):
    _touch(tmp_path, "a.wav", ".b.wav", ".cache/c.wav", "x/.d/e.wav", "x/f.wav")
    found = [clip.id for clip in inputs.scan(f"{tmp_path}/**")]
    assert found == ["a.wav", "x/f.wav"]
    assert [clip.id for clip in inputs.scan(f"{tmp_path}/.cache/*.wav")] == ["c.wav"]
    assert [clip.id for clip in inputs.scan(f"{tmp_path}/*/.d/*.wav")] == ["x/.d/e.wav"]


def test_hidden_folders_are_skipped(tmp_path):
    _touch(tmp_path, ".cache/b.wav", "a/.b/c.wav", "a/d.wav")
    assert [clip.id for clip in inputs.scan(tmp_path)] == ["a/d.wav"]
