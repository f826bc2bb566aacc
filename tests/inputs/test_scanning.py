"""Scanning of folders, globs, manifests and tables yields their clips."""

import io
import json
import os
import re
import sys

import fsspec
import numpy as np
import pytest
import soundfile

from audiopipe import audio, inputs
from audiopipe.errors import AudioError, InputError
from audiopipe.inputs import Source, duplicate_ids
from audiopipe.inputs.extensions import AUDIO_EXTENSIONS
from audiopipe.storage import files

NO_AUDIO = "There is no audio in '.*'. Expected files that end in .*"


def _touch(folder, *names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")


def _scan(source):
    return list(inputs.scan(source))


def _ids(source):
    return [clip.id for clip in inputs.scan(source)]


@pytest.fixture
def manifest(tmp_path):
    def write(name, content):
        (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
        return str(tmp_path / name)

    return write


def test_a_folder_is_walked_in_the_order_of_its_paths(tmp_path):
    _touch(tmp_path, "b/2.flac", "c.mp3", "b/1.wav", "a.ogg", "b.opus")
    assert _ids(tmp_path) == ["a.ogg", "b.opus", "b/1.wav", "b/2.flac", "c.mp3"]
    assert _scan(f"{tmp_path}/")[2] == Source(id="b/1.wav", path=f"{tmp_path}/b/1.wav")


def test_hidden_files_and_files_that_are_not_audio_are_skipped(tmp_path):
    _touch(tmp_path, "a.wav", "._a.wav", ".hidden.wav", "a.txt", "wav", "a.wav.bak", "b/.c.flac")
    assert _ids(tmp_path) == ["a.wav"]


@pytest.mark.parametrize("extension", [*AUDIO_EXTENSIONS, ".WAV", ".Flac", ".MP3"])
def test_audio_extensions_are_found_in_upper_and_lower_case(tmp_path, extension):
    _touch(tmp_path, f"clip{extension}")
    assert _ids(tmp_path) == [f"clip{extension}"]


@pytest.mark.parametrize("name", ["two words.wav", "two\nlines.wav", "Zoë 歌.wav", "a'\"b.wav", "100%#?.wav"])
def test_unusual_names_are_kept(tmp_path, name):
    _touch(tmp_path, f"sub/{name}")
    assert _scan(tmp_path) == [Source(id=f"sub/{name}", path=f"{tmp_path}/sub/{name}")]
    assert _ids(f"{tmp_path}/sub/*") == [name]


def test_names_that_are_not_utf8_are_kept(tmp_path):
    name = os.fsdecode(b"caf\xe9.wav")
    _touch(tmp_path, name)
    assert _scan(tmp_path) == [Source(id=name, path=f"{tmp_path}/{name}")]


@pytest.mark.parametrize(
    ("pattern", "ids"),
    [
        ("*/*.wav", ["x/1.wav", "x/2.wav", "y/1.wav"]),
        ("x/*.wav", ["1.wav", "2.wav"]),
        ("x/[12].*", ["1.flac", "1.wav", "2.wav"]),
        ("**/1.wav", ["x/1.wav", "y/1.wav"]),
        ("?/1.flac", ["x/1.flac"]),
        ("x*/*", ["x/1.flac", "x/1.wav", "x/2.wav"]),
    ],
)
def test_ids_of_a_glob_are_relative_to_the_part_before_the_wildcard(tmp_path, pattern, ids):
    _touch(tmp_path, "x/1.wav", "x/2.wav", "y/1.wav", "x/1.flac", "x/notes.txt", "x/.1.wav")
    assert _ids(f"{tmp_path}/{pattern}") == ids


def test_a_glob_is_relative_to_the_working_folder(tmp_path, monkeypatch):
    _touch(tmp_path, "x/1.wav")
    monkeypatch.chdir(tmp_path)
    assert _scan("*/*.wav") == [Source(id="x/1.wav", path=f"{tmp_path}/x/1.wav")]


@pytest.mark.parametrize("base", ["memory://test-inputs", "memory:///test-inputs"])
def test_remote_folders_and_globs_are_scanned(base):
    for name in ("x/1.wav", "x/2.flac", "x/notes.txt"):
        fsspec.filesystem("memory").pipe_file(f"/test-inputs/{name}", b"content")
    try:
        expected = [Source(id="x/1.wav", path=f"{base}/x/1.wav"), Source(id="x/2.flac", path=f"{base}/x/2.flac")]
        assert _scan(base) == expected
        assert _scan(f"{base}/*/*") == expected
    finally:
        fsspec.filesystem("memory").rm("/test-inputs", recursive=True)


def test_remote_manifests_are_relative_to_their_folder():
    fsspec.filesystem("memory").pipe_file("/test-manifest/m.csv", b"path\nx/1.wav\ngs://bucket/2.wav\n/3.wav\n")
    try:
        paths = [clip.path for clip in inputs.scan("memory://test-manifest/m.csv")]
        assert paths == ["memory://test-manifest/x/1.wav", "gs://bucket/2.wav", "/3.wav"]
    finally:
        fsspec.filesystem("memory").rm("/test-manifest", recursive=True)


def test_a_csv_manifest_has_metadata(manifest, tmp_path):
    path = manifest("clips.csv", 'id,path,speaker,text\n7,a.wav,Zoë,"two\nlines, ""quoted"""\n8,sub/b.wav,,\n')
    assert _scan(path) == [
        Source(id="7", path=f"{tmp_path}/a.wav", metadata={"speaker": "Zoë", "text": 'two\nlines, "quoted"'}),
        Source(id="8", path=f"{tmp_path}/sub/b.wav", metadata={"speaker": "", "text": ""}),
    ]


def test_a_jsonl_manifest_has_metadata(manifest, tmp_path):
    rows = [
        {"path": "a.wav", "id": 7, "age": 31, "gain": 0.5, "clean": True, "note": None},
        {"path": "/elsewhere/b.wav", "age": 32},
    ]
    path = manifest("clips.jsonl", "\n\n".join(map(json.dumps, rows)) + "\n")
    assert _scan(path) == [
        Source(id="7", path=f"{tmp_path}/a.wav", metadata={"age": 31, "gain": 0.5, "clean": True, "note": None}),
        Source(id="/elsewhere/b.wav", path="/elsewhere/b.wav", metadata={"age": 32}),
    ]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("clips.csv", b"\xef\xbb\xbfpath\r\na.wav\r\n"),
        ("clips.CSV", b"path\na.wav"),
        ("clips.jsonl", b'\xef\xbb\xbf{"path": "a.wav"}\r\n'),
        ("clips.JSONL", b'{"path": "a.wav", "id": null}'),
    ],
)
def test_manifests_with_a_byte_order_mark_or_other_line_endings_are_read(manifest, tmp_path, name, content):
    assert _scan(manifest(name, content)) == [Source(id="a.wav", path=f"{tmp_path}/a.wav")]


def test_a_manifest_in_the_working_folder_is_read(manifest, tmp_path, monkeypatch):
    manifest("clips.csv", "path\na.wav\n")
    monkeypatch.chdir(tmp_path)
    assert _scan("clips.csv") == [Source(id="a.wav", path=f"{tmp_path}/a.wav")]


def test_a_manifest_in_the_root_folder_is_read(monkeypatch):
    monkeypatch.setattr(files, "exists", lambda path: True)
    monkeypatch.setattr(files, "is_folder", lambda path: False)
    monkeypatch.setattr(files, "open_binary", lambda path: io.BytesIO(b"path\nclips/a.wav\n"))
    assert [clip.path for clip in inputs.scan("/clips.csv")] == ["/clips/a.wav"]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", "path,age\na.wav,1\nb.wav\n", r"a\.csv', line 3: expected 2 values.* Received: \['b\.wav'\]"),
        ("a.csv", "path,age\na.wav,1,2\n", r"a\.csv', line 2: expected 2 values"),
        ("a.csv", "sound\na.wav\n", r"a\.csv', line 1: every clip needs a path. .*'sound'.*column or key 'path'"),
        ("a.csv", 'path\n"a.wav\n', r"a\.csv', line 2: .*cannot be read as a row of a manifest: .*end of data"),
        ("a.csv", b"path\n\xff\xfe.wav\n", r"a\.csv', line 2: expected UTF-8 text.*0xff in .*utf-8"),
        ("a.csv", "id,path\n,a.wav\n", r"a\.csv', line 2: the id is empty"),
        (
            "a.csv",
            "path,shape\na.wav,1\n",
            r"a\.csv', line 2: the column name 'shape' is reserved.*Reserved names: audio, ",
        ),
        ("a.csv", "", "The manifest .*a.csv' lists no clips"),
        ("a.csv", "path\n", "The manifest .*a.csv' lists no clips"),
        ("a.jsonl", '{"path": "a.wav"}\n\n{"path": \n', r"a\.jsonl', line 3: .*Received: '{\"path\":'"),
        ("a.jsonl", '["a.wav"]\n', r"a\.jsonl', line 1: every clip needs a path. Received: \['a\.wav'\]"),
        ("a.jsonl", '{"path": "a.wav"}\n{"id": 3}\n', r"a\.jsonl', line 2: every clip needs a path. .*'id': 3"),
        ("a.jsonl", '{"path": null}\n', r"line 1: every clip needs a path"),
        ("a.jsonl", '{"path": 3}\n', r"line 1: every clip needs a path. Received: {'path': 3}"),
        ("a.jsonl", '{"path": "a.wav", "tags": {"x": 1}}\n', r"line 1: metadata must be text.*tags=\{'x': 1\}"),
        ("a.jsonl", '{"path": "a.wav", "by": {"name": 1}}\n', r"line 1: metadata must be text.*by="),
        ("a.jsonl", '{"path": "a.wav", "n": 9223372036854775808}\n', r"fit in 64 bits.*n=9223372036854775808"),
        ("a.jsonl", '{"path": "\\ud800.wav"}\n', r"line 1: text must be Unicode.*Received: '\\ud800\.wav'"),
        ("a.jsonl", '{"path": "a.wav", "id": "\\ud800"}\n', r"line 1: text must be Unicode.*Received: '\\ud800'"),
        (
            "a.jsonl",
            '{"path": "a.wav", "a": "x\\udcff"}\n{"path": "b", "a": "\\ud83d"}',
            r"line 2: text must be Unicode",
        ),
        ("a.jsonl", '{"path": "caf\\udcc3\\udca9.wav"}\n', r"line 1: text must be Unicode"),
        ("a.jsonl", '{"path": "a.wav", "\\ud800": 1}\n', r"line 1: text must be Unicode"),
        ("a.jsonl", '{"path": "a.wav", "feature": 1}\n', r"line 1: the column name 'feature'"),
    ],
)
def test_malformed_manifests_are_refused_with_the_line_number(manifest, name, content, message):
    with pytest.raises(InputError, match=message):
        _scan(manifest(name, content))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", "path\na.wav\nb.wav\na.wav\n"),
        ("a.csv", "id,path\na.wav,x.wav\na.wav,y.wav\n"),
        ("a.jsonl", '{"path": "a.wav"}\n{"path": "b.wav", "id": "a.wav"}\n'),
    ],
)
def test_two_clips_with_the_same_id_are_refused(manifest, name, content):
    with pytest.raises(InputError, match=rf"Two clips of '.*{name}' have the id 'a\.wav'. .*id column"):
        _scan(manifest(name, content))


def test_different_ids_with_the_same_hash_are_accepted(manifest, monkeypatch):
    monkeypatch.setattr(duplicate_ids, "hash", len, raising=False)
    assert _ids(manifest("a.csv", "path\na.wav\nb.wav\nlonger.wav\n")) == ["a.wav", "b.wav", "longer.wav"]
    with pytest.raises(InputError, match=r"have the id 'b\.wav'"):
        _scan(manifest("a.csv", "path\na.wav\nb.wav\nb.wav\n"))


def test_duplicate_ids_are_found_in_paths_from_an_iterator():
    with pytest.raises(InputError, match=r"Two clips of the list of paths have the id 'b\.wav'"):
        _scan(path for path in ["a.wav", "b.wav", "b.wav"])


def test_a_single_file_is_one_clip(tmp_path):
    _touch(tmp_path, "sub/a.wav")
    assert _scan(tmp_path / "sub/a.wav") == [Source(id="a.wav", path=f"{tmp_path}/sub/a.wav")]


def test_a_file_with_wildcards_in_its_name_is_that_file(tmp_path):
    _touch(tmp_path, "take[1].wav", "take1.wav")
    assert _ids(tmp_path / "take[1].wav") == ["take[1].wav"]


def test_a_list_of_paths_keeps_its_order(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert _scan(["b.wav", tmp_path / "a.wav"]) == [
        Source(id="b.wav", path=f"{tmp_path}/b.wav"),
        Source(id=f"{tmp_path}/a.wav", path=f"{tmp_path}/a.wav"),
    ]


@pytest.mark.parametrize(("paths", "message"), [(["a.wav", "a.wav"], "id 'a.wav'"), ([], "no audio in the list")])
def test_an_empty_list_and_a_list_with_a_duplicate_path_are_refused(paths, message):
    with pytest.raises(InputError, match=message):
        _scan(paths)


def test_an_empty_folder_is_refused(tmp_path):
    _touch(tmp_path, "notes.txt")
    with pytest.raises(InputError, match=NO_AUDIO + r"\.wav"):
        _scan(tmp_path)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("gone", "There is no '.*gone'. Expected a folder"),
        ("gone/*.wav", NO_AUDIO),
        ("gone.csv", "There is no '.*csv'"),
    ],
)
def test_a_missing_input_is_refused(tmp_path, name, message):
    with pytest.raises(InputError, match=message):
        _scan(f"{tmp_path}/{name}")


def test_a_folder_that_cannot_be_listed_is_refused(tmp_path, monkeypatch):
    _touch(tmp_path, "a.wav", "locked/b.wav")
    scandir = os.scandir

    def refuse(path):
        if os.path.basename(path) == "locked":
            raise PermissionError(13, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(InputError, match=r"Could not list '.*locked': Permission denied"):
        _scan(tmp_path)


CLIPS = [0.1 * np.sin(np.arange(400) * pitch).astype("float32") for pitch in (0.1, 0.2, 0.3)]


def _flac(samples):
    content = io.BytesIO()
    soundfile.write(content, samples, 16000, format="FLAC")
    return content.getvalue()


@pytest.fixture(params=["parquet", "saved dataset"])
def rows(request, tmp_path):
    """Returns a function that writes columns with encoded audio as `datasets` does, and returns the path."""
    datasets = pytest.importorskip("datasets")

    def write(audio_values, as_audio=True, **columns):
        encoded = datasets.Features({"audio": {"bytes": datasets.Value("binary"), "path": datasets.Value("string")}})
        table = datasets.Dataset.from_dict({"audio": audio_values}, features=encoded)
        for name, values in columns.items():
            table = table.add_column(name, values)
        if request.param == "parquet":
            table.to_parquet(str(tmp_path / "clips.parquet"))
            return str(tmp_path / "clips.parquet")
        if as_audio:
            table = table.cast_column("audio", datasets.Audio(decode=False))
        table.save_to_disk(str(tmp_path / "clips"))
        return str(tmp_path / "clips")

    return write


def test_rows_have_embedded_audio_and_metadata(rows):
    embedded = [{"bytes": _flac(clip), "path": None} for clip in CLIPS]
    path = rows(embedded, id=["a", "b", "c"], speaker=["Zoë", "", None], age=[31, 32, None])
    clips = _scan(path)
    assert clips == [
        Source(id="a", path=path, row=0, metadata={"speaker": "Zoë", "age": 31}),
        Source(id="b", path=path, row=1, metadata={"speaker": "", "age": 32}),
        Source(id="c", path=path, row=2, metadata={"speaker": None, "age": None}),
    ]
    assert clips[1].location() == {"path": path, "row": 1}
    for clip, samples in reversed(list(zip(clips, CLIPS, strict=True))):
        expected = np.round(samples * 32768) / 32768
        np.testing.assert_allclose(audio.read(clip.open(), sample_rate=16000)[:, 0], expected, atol=1e-9)


def test_rows_without_an_id_column_are_numbered(rows):
    clips = _scan(rows([{"bytes": _flac(clip), "path": None} for clip in CLIPS]))
    assert [(clip.id, clip.row, clip.metadata) for clip in clips] == [
        ("00000000", 0, {}),
        ("00000001", 1, {}),
        ("00000002", 2, {}),
    ]


def test_rows_with_a_path_open_that_path(rows):
    values = [{"bytes": None, "path": "/elsewhere/a.wav"}, {"bytes": b"RIFF", "path": "b.wav"}]
    clips = _scan(rows(values, as_audio=False))  # `datasets` would look the path up to embed its audio
    assert [clip.open() for clip in clips] == ["/elsewhere/a.wav", b"RIFF"]


def test_only_the_rows_without_audio_fail(rows):
    path = rows([{"bytes": None, "path": None}, {"bytes": b"RIFF", "path": None}, None], as_audio=False)
    empty, full, missing = _scan(path)
    assert full.open() == b"RIFF"
    for clip in (empty, missing):
        with pytest.raises(AudioError, match=rf"Row {clip.row} of '{path}' has no audio. Received: None") as caught:
            clip.open()
        assert caught.value.stage == "read"


def test_rows_with_nested_metadata_are_refused(rows):
    path = rows([{"bytes": b"RIFF", "path": None}], tags=[[["x"], ["y"]]])
    with pytest.raises(InputError, match=rf"'{path}', row 0: a list must not contain lists.*tags=\[\['x'\], \['y'\]\]"):
        _scan(path)


def test_rows_with_the_same_id_are_refused(rows):
    path = rows([{"bytes": b"RIFF", "path": None}] * 2, id=["a", "a"])
    with pytest.raises(InputError, match="have the id 'a'"):
        _scan(path)


def test_a_folder_of_splits_is_refused_and_the_error_names_them(tmp_path):
    datasets = pytest.importorskip("datasets")
    split = datasets.Dataset.from_dict({"path": ["a.wav"]})
    datasets.DatasetDict({"train": split, "test": split}).save_to_disk(str(tmp_path / "clips"))
    with pytest.raises(InputError, match=rf"splits train, test. Choose one, for example: {tmp_path}/clips/train\."):
        _scan(tmp_path / "clips")
    assert [clip.open() for clip in inputs.scan(tmp_path / "clips/train")] == ["a.wav"]


def test_rows_need_the_package_that_reads_them(tmp_path, monkeypatch):
    from audiopipe.errors import MissingDependencyError

    _touch(tmp_path, "clips.parquet", "saved/state.json", "saved/dataset_info.json")
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(MissingDependencyError, match=r"saved'.* datasets, .*pip install \"audiopipe\[hf\]\""):
        _scan(tmp_path / "saved")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingDependencyError, match=r"clips\.parquet.* pyarrow, .*pip install \"audiopipe\[hf\]\""):
        _scan(tmp_path / "clips.parquet")


def test_a_duplicate_column_is_refused(manifest):
    with pytest.raises(InputError, match=r"each column once. Received twice: speaker"):
        _scan(manifest("clips.csv", "path,speaker,speaker\na.wav,b,c\n"))
    with pytest.raises(InputError, match=r"line 1.*each key once. Received twice: speaker"):
        _scan(manifest("clips.jsonl", '{"path": "a.wav", "speaker": "b", "speaker": "c"}\n'))


@pytest.mark.parametrize("source", [[{"path": "a.wav"}], 3, [b"a.wav"]], ids=["rows", "number", "bytes"])
def test_an_input_that_is_no_path_is_named(source):
    wrong = source[0] if isinstance(source, list) else source
    with pytest.raises(InputError, match=re.escape(f"Received: {wrong!r}. To give clips metadata, write a manifest")):
        list(inputs.scan(source))
