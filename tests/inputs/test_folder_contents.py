"""A folder is read by the manifest in it if it has one, and everything that is not read is counted."""

import json

import fsspec
import pytest

from audiopipe import inputs
from audiopipe.errors import InputError
from audiopipe.inputs import InputOptions, ScanReport, Source


@pytest.fixture
def folder(tmp_path):
    """Returns a function that writes files with the given text, empty ones for audio, and returns their folder."""

    def write(*audio, **contents):
        root = tmp_path / "in"
        for name, content in [*((name, "") for name in audio), *contents.pop("files", {}).items()]:
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(content)
        return root

    return write


def _scan(source, **options):
    report = ScanReport()
    return [
        (clip.id, clip.path, clip.metadata) for clip in inputs.scan(source, InputOptions(**options), report)
    ], report


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("metadata.csv", "file_name,text\nx/a.wav,hi\nb.wav,ho\n"),
        ("metadata.jsonl", '{"file_name": "x/a.wav", "text": "hi"}\n{"file_name": "b.wav", "text": "ho"}\n'),
    ],
)
def test_a_folder_with_metadata_is_read_as_that_manifest(folder, name, content):
    root = folder("x/a.wav", "b.wav", files={name: content})
    clips, report = _scan(root)
    assert clips == [("x/a.wav", f"{root}/x/a.wav", {"text": "hi"}), ("b.wav", f"{root}/b.wav", {"text": "ho"})]
    assert report.notes == [f"read as the manifest {name}"]


def test_audio_that_the_manifest_of_a_folder_does_not_list_is_counted(folder):
    root = folder(
        "a.wav",
        "b.wav",
        "x/c.flac",
        "d.m4a",
        files={"metadata.csv": "file_name,n\n./a.wav,1\nx/gone.wav,2\ne.m4a,3\n", "e.m4a": ""},
    )
    clips, report = _scan(root)
    assert [name for name, _, _ in clips] == ["./a.wav", "x/gone.wav", "e.m4a"]
    assert report.lines() == [
        "read as the manifest metadata.csv",
        "2 audio files of the folder not in the manifest, not read",
        "1 file left out: 1 .m4a",
    ]


def test_metadata_of_subfolders_is_read_with_ids_below_the_folder(folder):
    root = folder(
        "train/1.wav",
        "train/2.wav",
        "test/x/1.wav",
        "extra/1.wav",
        files={
            "train/metadata.csv": "file_name,n\n1.wav,1\n2.wav,2\n",
            "test/metadata.csv": "file_name,n\nx/1.wav,3\n",
        },
    )
    clips, report = _scan(root)
    assert clips == [
        ("test/x/1.wav", f"{root}/test/x/1.wav", {"n": "3"}),
        ("train/1.wav", f"{root}/train/1.wav", {"n": "1"}),
        ("train/2.wav", f"{root}/train/2.wav", {"n": "2"}),
    ]
    assert report.notes == [
        "read as 2 manifests: test/metadata.csv, train/metadata.csv",
        "1 audio file of the folder not in the manifest, not read",
    ]


def test_metadata_without_paths_is_named_and_the_audio_files_are_read(folder):
    root = folder("a.wav", files={"metadata.csv": "speaker,age\nann,31\n"})
    clips, report = _scan(root)
    assert clips == [("a.wav", f"{root}/a.wav", {})]
    assert report.notes == ["no column of paths in metadata.csv, not read"]
    with pytest.raises(InputError, match=r"metadata\.csv', line 1: every clip needs a path.*'speaker', 'age'.*'clip'"):
        _scan(root, path_column="clip")


def test_metadata_without_paths_and_without_audio_is_an_error_that_names_its_columns(folder):
    with pytest.raises(InputError, match=r"metadata\.csv', line 1: every clip needs a path.*'speaker', 'age'"):
        _scan(folder(files={"metadata.csv": "speaker,age\nann,31\n"}))


def test_a_manifest_of_a_folder_may_name_its_columns(folder):
    root = folder("a.wav", files={"metadata.csv": "clip,key\na.wav,7\n"})
    assert _scan(root, path_column="clip", id_column="key")[0] == [("7", f"{root}/a.wav", {})]


def test_two_manifests_in_a_folder_are_ambiguous(folder):
    root = folder("a.wav", files={"metadata.csv": "file_name\na.wav\n", "metadata.jsonl": '{"file_name": "a.wav"}'})
    with pytest.raises(
        InputError, match=r"more than one manifest.*Received: metadata\.csv, metadata\.jsonl\. Pass the"
    ):
        _scan(root)
    assert [name for name, _, _ in _scan(root / "metadata.csv")[0]] == ["a.wav"]
    assert [name for name, _, _ in _scan(f"{root}/*")[0]] == ["a.wav"]


def test_labels_from_folders_are_refused_where_a_manifest_is_read(folder):
    root = folder("a.wav", files={"metadata.csv": "file_name\na.wav\n"})
    with pytest.raises(InputError, match=r"label_from_folder needs a folder or a glob.*metadata\.csv"):
        _scan(root, label_from_folder=True)
    assert _scan(f"{root}/*.wav", label_from_folder=True)[0] == [("a.wav", f"{root}/a.wav", {"label": "in"})]


@pytest.mark.parametrize("options", [{"path_column": "x"}, {"id_column": "x"}])
def test_columns_are_refused_for_audio_files(folder, options):
    root = folder("a.wav")
    for source in (root, root / "a.wav", f"{root}/*", [f"{root}/a.wav"]):
        with pytest.raises(InputError, match=r"path_column and id_column need a manifest or a table"):
            _scan(source, **options)


LJSPEECH = "LJ001-0001|Printing, in \"the|Printing, in the\nLJ001-0002|it's 1450;|it is fourteen fifty;\n"


@pytest.mark.parametrize("below", ["", "metadata.csv"])
@pytest.mark.parametrize("extension", [".wav", ".flac"])
def test_ljspeech_is_recognised_by_its_pipes_and_its_folder(folder, below, extension):
    names = [f"wavs/LJ001-000{number}{extension}" for number in (1, 2, 3)]
    root = folder(*names, files={"metadata.csv": LJSPEECH, "README": "x"})
    clips, report = _scan(root / below)
    assert clips == [
        ("LJ001-0001", f"{root}/{names[0]}", {"text": 'Printing, in "the', "normalized_text": "Printing, in the"}),
        ("LJ001-0002", f"{root}/{names[1]}", {"text": "it's 1450;", "normalized_text": "it is fourteen fifty;"}),
    ]
    unlisted = ["1 audio file of the folder not in the manifest, not read"]
    expected = ["read as the metadata of LJSpeech"]
    assert report.notes == (expected if below else ["read as the manifest metadata.csv", *expected, *unlisted])


def test_lines_of_ljspeech_need_an_id_and_one_or_two_texts(folder):
    root = folder("wavs/a.wav", files={"metadata.csv": "a|one\nb.wav|two|2\n"})
    assert [(name, path, row) for name, path, row in _scan(root)[0]] == [
        ("a", f"{root}/wavs/a.wav", {"text": "one"}),
        ("b.wav", f"{root}/wavs/b.wav", {"text": "two", "normalized_text": "2"}),
    ]
    for line in ("c", "c|1|2|3", "|x"):
        with pytest.raises(InputError, match=r"metadata\.csv', line 2: expected an id, a text and a normalized text"):
            _scan(folder(files={"metadata.csv": f"a|one\n{line}\n"}))


COMMON_VOICE = """client_id\tpath\tsentence\tage
0a\tcommon_voice_nl_1.mp3\tHij zei: "Hallo\t
0b\tcommon_voice_nl_2.mp3\tJa\ttwenties
"""


def test_common_voice_has_its_clips_in_a_folder_beside_the_tsv(folder):
    root = folder("clips/common_voice_nl_1.mp3", files={"validated.tsv": COMMON_VOICE})
    clips, report = _scan(root / "validated.tsv")
    one, two = "common_voice_nl_1.mp3", "common_voice_nl_2.mp3"
    assert clips == [
        (one, f"{root}/clips/{one}", {"client_id": "0a", "sentence": 'Hij zei: "Hallo', "age": ""}),
        (two, f"{root}/clips/{two}", {"client_id": "0b", "sentence": "Ja", "age": "twenties"}),
    ]
    assert report.notes == ["the paths are relative to clips/, as in Common Voice"]
    with_folder = COMMON_VOICE.replace("common_voice", "clips/common_voice")
    assert _scan(folder(files={"other.tsv": with_folder}) / "other.tsv")[0][0][:2] == (
        f"clips/{one}",
        f"{root}/clips/{one}",
    )


def test_nemo_is_read_from_json_lines_under_both_names(folder):
    rows = [
        {"audio_filepath": "a.wav", "offset": 0.5, "duration": 1.25, "text": "x"},
        {"audio_filepath": "/b.wav", "duration": 2},
    ]
    for name in ("m.json", "m.jsonl"):
        root = folder("a.wav", files={name: "\n".join(map(json.dumps, rows))})
        found = [(clip.id, clip.path, clip.start, clip.end) for clip in inputs.scan(root / name)]
        assert found == [("a.wav#0.5-1.75", f"{root}/a.wav", 0.5, 1.75), ("/b.wav", "/b.wav", None, None)]


def test_a_folder_with_only_files_that_cannot_be_read_says_how_to_convert_them(folder):
    root = folder("a.m4a", "b.M4A", "x/c.webm", "notes.txt")
    with pytest.raises(
        InputError,
        match=r"There is no audio in '.*in'.*Received: 3 files left out: 2 \.m4a, 1 \.webm\. Convert .*ffmpeg",
    ):
        _scan(root)
    with pytest.raises(InputError, match=r"3 files left out: 2 \.m4a, 1 \.webm"):
        _scan(f"{root}/**")


def test_a_folder_without_audio_names_the_manifests_in_it(folder):
    root = folder(files={"cuts.jsonl.gz": "", "data/wav.scp": "", "notes.txt": ""})
    with pytest.raises(
        InputError, match=r"It has manifests: cuts\.jsonl\.gz, data/wav\.scp\. To read one, pass its path"
    ):
        _scan(root)


def test_a_folder_with_a_json_file_for_each_clip_is_read_as_audio_and_an_error_names_a_few(folder):
    names = [f"{number:03d}" for number in range(20)]
    root = folder(*(f"{name}.wav" for name in names), files={f"{name}.json": "{}" for name in names})
    assert [name for name, _, _ in _scan(root)[0]] == [f"{name}.wav" for name in names]
    for name in names:
        (root / f"{name}.wav").unlink()
    with pytest.raises(InputError, match=r"It has manifests: 000\.json, .*, 004\.json and 15 more\. To read one"):
        _scan(root)


def test_remote_folders_are_read_by_their_manifests():
    filesystem = fsspec.filesystem("memory")
    for name, content in {"wav.scp": b"u x/a.wav\n", "x/a.wav": b"", "text": b"u hi\n"}.items():
        filesystem.pipe_file(f"/test-contents/kaldi/{name}", content)
    for name, content in {"metadata.csv": b"a|one\n", "wavs/a.wav": b"", "wavs/b.wav": b""}.items():
        filesystem.pipe_file(f"/test-contents/lj/{name}", content)
    try:
        base = "memory://test-contents"
        assert list(inputs.scan(f"{base}/kaldi")) == [Source("u", f"{base}/kaldi/x/a.wav", metadata={"text": "hi"})]
        clips, report = _scan(f"{base}/lj")
        assert clips == [("a", f"{base}/lj/wavs/a.wav", {"text": "one"})]
        assert "1 audio file of the folder not in the manifest, not read" in report.notes
    finally:
        filesystem.rm("/test-contents", recursive=True)
