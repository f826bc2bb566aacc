"""CSV and TSV manifests of many writers are read, and what is wrong with one is said with its line."""

import csv
import gzip

import fsspec
import pytest

from audiopipe import inputs
from audiopipe.errors import InputError
from audiopipe.inputs import InputOptions, Source


@pytest.fixture
def manifest(tmp_path):
    def write(name, content):
        (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
        return str(tmp_path / name)

    return write


def _rows(source, **options):
    return [(clip.id, clip.metadata) for clip in inputs.scan(source, InputOptions(**options))]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("m.csv", "path,label,note\na.wav,1,x\nb.wav,2,y\n"),
        ("m.csv", "path;label;note\na.wav;1;x\nb.wav;2;y\n"),
        ("m.csv", "path\tlabel\tnote\na.wav\t1\tx\nb.wav\t2\ty\n"),
        ("m.csv", "path|label|note\na.wav|1|x\nb.wav|2|y\n"),
        ("m.tsv", "path\tlabel\tnote\na.wav\t1\tx\nb.wav\t2\ty\n"),
        ("m.TSV", "path,label,note\na.wav,1,x\nb.wav,2,y\n"),
        ("m.tsv", '"path"\t"label"\t"note"\n"a.wav"\t"1"\t"x"\n"b.wav"\t"2"\t"y"\n'),
        ("m.csv", "path,label,note\r\na.wav,1,x\r\n\r\nb.wav,2,y\r\n"),
        ("m.tsv", "\ufeffpath\tlabel\tnote\r\na.wav\t1\tx\r\n\r\nb.wav\t2\ty"),
        ("m.csv", "path,label,note\ra.wav,1,x\rb.wav,2,y\r"),
        ("m.csv", "\n\npath,label,note\n\na.wav,1,x\n , ,\n,,\nb.wav,2,y\n\n\n"),
        ("m.csv", "path,label,note,\na.wav,1,x,\nb.wav,2,y,\n"),
        ("m.csv", "path,label,note,,\na.wav,1,x\nb.wav,2,y,,\n"),
        ("m.csv", "path,label,note\na.wav,1,x,\nb.wav,2,y,,\n"),
        ("m.csv", ",path,label,note\n,a.wav,1,x\n,b.wav,2,y\n"),
        ("m.jsonl", '{"path":"a.wav","label":"1","note":"x"}\n{"path":"b.wav","label":"2","note":"y"}\n'),
        ("m.json", '{"path":"a.wav","label":"1","note":"x"}\n{"path":"b.wav","label":"2","note":"y"}\n'),
        ("m.json", '[{"path":"a.wav","label":"1","note":"x"},{"path":"b.wav","label":"2","note":"y"}]'),
    ],
)
@pytest.mark.parametrize("compressed", [False, True])
def test_delimiters_line_ends_and_trailing_commas_do_not_change_the_clips(manifest, name, content, compressed):
    content = content.encode()
    path = manifest(name + ".gz", gzip.compress(content, mtime=0)) if compressed else manifest(name, content)
    assert _rows(path) == [("a.wav", {"label": "1", "note": "x"}), ("b.wav", {"label": "2", "note": "y"})]


@pytest.mark.parametrize(
    "column", ["path", "file_name", "audio_filepath", "file", "filename", "wav", "audio_path", "audio"]
)
@pytest.mark.parametrize("name", ["m.csv", "m.tsv", "m.jsonl"])
def test_columns_of_paths_are_recognised_by_their_names(manifest, tmp_path, column, name):
    lines = {"m.csv": f"text,{column}\nhi,a.wav\n", "m.tsv": f"text\t{column}\nhi\ta.wav\n"}
    path = manifest(name, lines.get(name, f'{{"text": "hi", "{column}": "a.wav"}}'))
    assert list(inputs.scan(path)) == [Source("a.wav", f"{tmp_path}/a.wav", metadata={"text": "hi"})]


def test_any_column_can_be_the_path_or_the_id(manifest, tmp_path):
    path = manifest("m.csv", "path,clip,key\nx,a.wav,7\ny,b.wav,8\n")
    assert list(inputs.scan(path, InputOptions(path_column="clip", id_column="key"))) == [
        Source("7", f"{tmp_path}/a.wav", metadata={"path": "x"}),
        Source("8", f"{tmp_path}/b.wav", metadata={"path": "y"}),
    ]
    path = manifest("m.jsonl", '{"clip": "a.wav", "key": 3, "file": "f", "wav": "w"}')
    assert _rows(path, path_column="clip", id_column="key") == [("3", {"file": "f", "wav": "w"})]


def test_a_column_path_comes_before_other_names_and_two_other_names_are_ambiguous(manifest):
    assert _rows(manifest("m.csv", "file,path\nx,a.wav\n")) == [("a.wav", {"file": "x"})]
    with pytest.raises(InputError, match=r"m\.csv', line 1: .*Received: 'file_name', 'wav'\. Choose one with path_col"):
        _rows(manifest("m.csv", "wav,file_name\nx,a.wav\n"))
    assert _rows(manifest("m.csv", "wav,file_name\nx,a.wav\n"), path_column="wav") == [("x", {"file_name": "a.wav"})]


@pytest.mark.parametrize(
    ("name", "content", "options", "message"),
    [
        ("m.csv", "path,,label\na.wav,3,x\n", {}, r"line 2: the first line has an empty name.*Received: \['3'\]"),
        ("m.csv", ",path\n0,a.wav\n", {}, r"line 2: the first line has an empty name.*index=False"),
        ("m.csv", "path,label,\na.wav,1,\nb.wav,2,z\n", {}, r"line 3: the first line has an empty name.*\['z'\]"),
        ("m.csv", "path,label\na.wav,1,,z\n", {}, r"line 2: expected 2 values.*'a.wav', '1', '', 'z'"),
        ("m.tsv", "path\tlabel\na.wav\n", {}, r"line 2: expected 2 values.*\['a\.wav'\]"),
        ("m.tsv", "path\tlabel\tlabel\na.wav\t1\t2\n", {}, r"each column once. Received twice: label"),
        ("m.csv", "path\na\0.wav\n", {}, r"line 2: expected UTF-8 text. Received: a NUL"),
        (
            "m.csv",
            "path\nä.wav\n".encode("utf-16"),
            {},
            r"m\.csv' must be UTF-8 text. Received: UTF-16.*iconv -f utf-16",
        ),
        ("m.csv", "path\na.wav\n".encode("utf-16-le"), {}, r"line 1: expected UTF-8 text. Received: a NUL"),
        ("m.csv", "path,text\na.wav,ok\nb.wav,Zoë\n".encode("latin1"), {}, r"line 3: .*0xeb in .*iconv -f latin1"),
        ("m.csv", f"path,text\na.wav,{'x' * 200_000}\n", {}, r"line 2: .*field larger than field limit"),
        ("m.csv", "x" * 200_000, {}, r"line 1: .*field larger than field limit"),
        ("m.csv", 'path,text\na.wav,x\nb.wav,"open\nc.wav,x\nd.wav,x\n', {}, r"line 3: the row that starts here"),
        ("m.csv", "sound,text\na.wav,x\n", {}, r"line 1: every clip needs a path.*'sound', 'text'.*'audio_filepath'.*"),
        ("m.csv", "path,text\na.wav,x\n", {"path_column": "clip"}, r"line 1: every clip needs a path.*key 'clip'"),
        ("m.csv", "path,text\na.wav,x\n", {"id_column": "key"}, r"line 2: every clip needs an id in the column 'key'"),
        ("m.csv", "path,key,id\na.wav,x,y\n", {"id_column": "key"}, r"line 2: .*Rename the column 'id'"),
        ("m.jsonl", '{"path": "a.wav", "id": [1]}', {}, r"line 1: an id must be text or a number. Received: \[1\]"),
        ("m.csv", "path\na.wav\n", {"label_from_folder": True}, r"label_from_folder needs a folder.*m\.csv'"),
        ("m.csv.gz", b"\x1f\x8b nothing", {}, r"m\.csv\.gz'.* cannot be read"),
        (
            "m.csv.gz",
            gzip.compress(b"path\n" + b"a.wav\n" * 5000, mtime=0)[:-20],
            {},
            r"m\.csv\.gz', line \d+: .*cannot be read",
        ),
    ],
)
def test_malformed_manifests_are_refused_with_line_and_reason(manifest, name, content, options, message):
    with pytest.raises(InputError, match=message):
        _rows(manifest(name, content), **options)


def test_quotes_in_a_tsv_are_text_as_common_voice_writes_them(manifest):
    content = 'path\tsentence\na.mp3\t"Hello\nb.mp3\tsay "no", he\nc.mp3\t"all"\n'
    assert [row["sentence"] for _, row in _rows(manifest("m.tsv", content))] == ['"Hello', 'say "no", he', '"all"']


def test_values_are_those_of_the_csv_module(manifest, tmp_path):
    rows = [["path", "text"], ["a.wav", 'two\nlines, "q"'], ["b.wav", " ; | \t "], ['c".wav', ""], ["d.wav", "\r\n"]]
    for delimiter in ",;|":
        with open(tmp_path / "m.csv", "w", newline="", encoding="utf-8") as file:
            csv.writer(file, delimiter=delimiter).writerows(rows)
        assert [[name, row["text"]] for name, row in _rows(tmp_path / "m.csv")] == rows[1:]


def test_long_values_of_a_tsv_are_read(manifest):
    assert _rows(manifest("m.tsv", f"path\ttext\na.wav\t{'x' * 200_000}\n")) == [("a.wav", {"text": "x" * 200_000})]


def test_paths_below_the_home_folder_are_expanded(manifest, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", "/home/zoe")
    path = manifest("m.csv", "path\n~/a.wav\n~b.wav\nx/~/c.wav\n")
    assert [(clip.id, clip.path) for clip in inputs.scan(path)] == [
        ("~/a.wav", "/home/zoe/a.wav"),
        ("~b.wav", f"{tmp_path}/~b.wav"),
        ("x/~/c.wav", f"{tmp_path}/x/~/c.wav"),
    ]


def test_inputs_below_the_home_folder_are_expanded(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "in").mkdir()
    (tmp_path / "in/a.wav").touch()
    (tmp_path / "in/m.csv").write_text("path\na.wav\n")
    expected = [Source("a.wav", f"{tmp_path}/in/a.wav")]
    for source in ("~/in", "~/in/*.wav", "~/in/m.csv", "~/in/a.wav"):
        assert list(inputs.scan(source)) == expected
    assert list(inputs.scan(["~/in/a.wav"])) == [Source("~/in/a.wav", f"{tmp_path}/in/a.wav")]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("m.tsv.gz", gzip.compress(b"file_name\ttext\nx/a.wav\thi\n", mtime=0)),
        ("m.json", b'[{"file_name": "x/a.wav", "text": "hi"}]'),
        ("metadata.csv", b"file_name;text\nx/a.wav;hi\n"),
    ],
)
def test_remote_manifests_of_all_kinds_are_read(name, content):
    filesystem = fsspec.filesystem("memory")
    filesystem.pipe_file(f"/test-texts/{name}", content)
    filesystem.pipe_file("/test-texts/x/a.wav", b"")
    try:
        expected = [Source("x/a.wav", "memory://test-texts/x/a.wav", metadata={"text": "hi"})]
        assert list(inputs.scan(f"memory://test-texts/{name}")) == expected
        if name == "metadata.csv":
            assert list(inputs.scan("memory://test-texts")) == expected
    finally:
        filesystem.rm("/test-texts", recursive=True)


@pytest.mark.parametrize(
    "name", ["a.txt", "a.tar", "a.zip", "a.pdf", "a.npy", "a", "a.wav.bak", "a.ndjson", "a.xlsx", "a.arrow", "a.gz"]
)
def test_any_other_file_is_refused_with_all_that_is_taken(tmp_path, name):
    (tmp_path / name).write_text("path\na.wav\n")
    with pytest.raises(InputError, match=rf"{name}' cannot be an input.*\.wav.*\.csv, \.json, .*wav\.scp.*\.parquet"):
        _rows(tmp_path / name)


@pytest.mark.parametrize("name", ["a.m4a", "a.WEBM", "a.mp4", "a.wma", "a.wav.gz"])
def test_audio_that_cannot_be_read_is_refused_with_the_way_out(tmp_path, name):
    (tmp_path / name).write_bytes(b"\0")
    with pytest.raises(InputError, match=r"cannot be an input.* Convert audio .*ffmpeg -i clip\.m4a clip\.flac"):
        _rows(tmp_path / name)
