"""Parquet files are one input together, and their rows keep their ids when files are added."""

import fsspec
import numpy as np
import pytest
import soundfile
from embedded_audio import encoded

from audiopipe import inputs
from audiopipe.errors import InputError
from audiopipe.inputs import InputOptions, ScanReport, SeveralInputs, listings
from audiopipe.inputs.listings import Listed

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")


def _write(file, **columns):
    file.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns), file)


@pytest.fixture
def shards(tmp_path):
    """Returns a folder as on the Hub, with two shards of two rows and one row."""
    _write(tmp_path / "set/data/train-00000-of-00002.parquet", audio=encoded([b"a", b"b"]), label=[0, 1])
    _write(tmp_path / "set/data/train-00001-of-00002.parquet", audio=encoded([b"c"]), label=[2])
    (tmp_path / "set/README.md").touch()
    (tmp_path / "set/.cache").mkdir()
    (tmp_path / "set/.cache/x.parquet").touch()
    return tmp_path / "set"


def _found(source, options=None):
    return [(clip.id, clip.open(), clip.metadata) for clip in inputs.scan(source, options)]


def _expected(prefix):
    one, two = f"{prefix}train-00000-of-00002.parquet", f"{prefix}train-00001-of-00002.parquet"
    return [(f"{one}:0", b"a", {"label": 0}), (f"{one}:1", b"b", {"label": 1}), (f"{two}:0", b"c", {"label": 2})]


def test_a_folder_a_glob_and_a_list_of_parquet_files_are_one_input(shards):
    assert _found(shards) == _expected("data/")
    assert _found(shards / "data") == _expected("")
    assert _found(f"{shards}/data/*.parquet") == _expected("")
    assert _found(f"{shards}/**/*.parquet") == _expected("data/")
    paths = sorted((shards / "data").iterdir())
    for source in (paths, SeveralInputs(paths), SeveralInputs(paths[::-1])):
        assert _found(source) == _expected("")
    report = ScanReport()
    list(inputs.scan(shards, report=report))
    assert report.lines() == ["read as 2 Parquet files"]


def test_one_file_keeps_the_numbers_of_its_rows(shards):
    path = shards / "data/train-00000-of-00002.parquet"
    assert [name for name, _, _ in _found(path)] == ["00000000", "00000001"]
    assert [name for name, _, _ in _found(f"{shards}/data/*00000-of*")] == [name for name, _, _ in _expected("")[:2]]


def test_ids_do_not_move_when_files_are_added(shards):
    before = _found(shards)
    _write(shards / "data/test-00000-of-00001.parquet", audio=encoded([b"t"]), label=[9])
    after = _found(shards)
    assert after[0] == ("data/test-00000-of-00001.parquet:0", b"t", {"label": 9})
    assert after[1:] == before


def test_ids_of_the_rows_are_kept_and_may_be_in_any_column(tmp_path):
    for number in range(2):
        _write(tmp_path / f"{number}.parquet", audio=encoded([b"x"]), id=[f"clip-{number}"], key=[f"key-{number}"])
    assert [(name, row["key"]) for name, _, row in _found(tmp_path)] == [("clip-0", "key-0"), ("clip-1", "key-1")]
    _write(tmp_path / "one/a.parquet", audio=encoded([b"x"]), key=[7])
    assert _found(tmp_path / "one/a.parquet", InputOptions(id_column="key")) == [("7", b"x", {})]
    with pytest.raises(InputError, match=r"row 0: every clip needs an id in the column 'no'"):
        _found(tmp_path / "one/a.parquet", InputOptions(id_column="no"))


@pytest.mark.parametrize("saved", [False, True])
def test_one_of_several_audio_columns_can_be_chosen_and_is_kept_in_a_plan(tmp_path, saved):
    columns = {"left": encoded([b"l0", b"l1"]), "right": encoded([b"r0", b"r1"]), "n": [1, 2]}
    if saved:
        datasets = pytest.importorskip("datasets")
        datasets.Dataset(pa.table(columns)).save_to_disk(str(tmp_path / "saved"))
        path = tmp_path / "saved"
    else:
        _write(tmp_path / "a.parquet", **columns)
        path = tmp_path / "a.parquet"
    report = ScanReport()
    clips = list(listings.identify(inputs.scan(path, InputOptions(path_column="right"), report)))
    assert [Listed.from_json(clip.to_json()).source.open() for clip in clips] == [b"r0", b"r1"]
    assert [clip.source.metadata for clip in clips] == [{"n": 1}, {"n": 2}]
    assert report.notes == ["the audio in 'left' is not read"]
    with pytest.raises(InputError, match=r"has no column 'no'\. Received the columns "):
        list(inputs.scan(path, InputOptions(path_column="no")))


@pytest.mark.parametrize("name", ["file_name", "audio_filepath", "filename", "wav", "audio_path"])
def test_more_columns_of_paths_are_recognised(tmp_path, name, monkeypatch):
    monkeypatch.setenv("HOME", "/home/zoe")
    _write(tmp_path / "a.parquet", **{name: ["x.wav", "/y.wav", "~/z.wav"], "n": [1, 2, 3]})
    assert _found(tmp_path / "a.parquet") == [
        ("00000000", f"{tmp_path}/x.wav", {"n": 1}),
        ("00000001", "/y.wav", {"n": 2}),
        ("00000002", "/home/zoe/z.wav", {"n": 3}),
    ]


def test_rows_name_stretches_beside_their_audio(tmp_path):
    _write(
        tmp_path / "a.parquet",
        audio=encoded([b"x", b"x", b"x"]),
        start=[0.0, 1.5, None],
        end=[1.5, None, None],
        n=[1, 2, 3],
    )
    report = ScanReport()
    clips = list(inputs.scan(tmp_path / "a.parquet", report=report))
    assert [(clip.id, clip.row, clip.start, clip.end) for clip in clips] == [
        ("00000000", 0, 0.0, 1.5),
        ("00000001", 1, 1.5, None),
        ("00000002", 2, None, None),
    ]
    assert clips[0].metadata == {"start": 0.0, "end": 1.5, "n": 1}
    assert report.notes == ["2 clips from stretches of recordings, which the columns 'start' and 'end' name"]
    _write(tmp_path / "b.parquet", audio=encoded([b"x"]), start=[3.0], end=[2.0])
    with pytest.raises(InputError, match=r"b\.parquet', row 0: a stretch must"):
        list(inputs.scan(tmp_path / "b.parquet"))


def test_parquet_files_beside_audio_are_counted_and_not_read(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.zeros(10, np.float32), 8000)
    _write(tmp_path / "b.parquet", audio=encoded([b"x"]))
    for source in (tmp_path, f"{tmp_path}/*", SeveralInputs([tmp_path / "a.wav", tmp_path / "b.parquet"])):
        report = ScanReport()
        assert [clip.id for clip in inputs.scan(source, report=report)] == ["a.wav"]
        assert report.lines() == ["1 Parquet file beside the audio files, not read"]


def test_metadata_in_parquet_is_the_manifest_of_its_folder(tmp_path):
    (tmp_path / "a.wav").touch()
    _write(tmp_path / "metadata.parquet", file_name=["a.wav"], text=["hi"])
    report = ScanReport()
    [clip] = inputs.scan(tmp_path, report=report)
    assert (clip.id, clip.open(), clip.metadata) == ("00000000", f"{tmp_path}/a.wav", {"text": "hi"})
    assert report.lines() == ["read as the manifest metadata.parquet"]


def test_labels_from_folders_are_refused_for_tables(shards):
    for source in (shards, shards / "data/train-00000-of-00002.parquet", f"{shards}/data/*"):
        with pytest.raises(InputError, match="label_from_folder needs a folder or a glob of audio files"):
            list(inputs.scan(source, InputOptions(label_from_folder=True)))


def test_remote_parquet_files_are_one_input(shards):
    filesystem = fsspec.filesystem("memory")
    for path in (shards / "data").iterdir():
        filesystem.pipe_file(f"/test-shards/data/{path.name}", path.read_bytes())
    try:
        assert _found("memory://test-shards") == _expected("data/")
        assert _found("memory://test-shards/data/*.parquet") == _expected("")
    finally:
        filesystem.rm("/test-shards", recursive=True)


def test_an_empty_table_lists_no_clips(tmp_path):
    _write(tmp_path / "a.parquet", path=pa.array([], pa.string()))
    with pytest.raises(InputError, match=r"The table '.*a\.parquet' lists no clips"):
        list(inputs.scan(tmp_path / "a.parquet"))
