"""Parquet files and saved datasets are read row by row."""

import random
import sys
import threading

import pytest
from embedded_audio import ENCODED, encoded

from audiopipe import inputs
from audiopipe.errors import AudioError, InputError
from audiopipe.inputs import tables

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")
datasets = pytest.importorskip("datasets")


@pytest.fixture
def parquet(tmp_path):
    def write(columns, **arguments):
        pq.write_table(pa.table(columns), tmp_path / "clips.parquet", **arguments)
        return str(tmp_path / "clips.parquet")

    return write


def test_rows_are_read_from_their_row_group(parquet):
    contents = [b"%d" % number for number in range(25)]
    table = tables.open_table(parquet({"audio": encoded(contents), "n": range(25)}, row_group_size=4))
    for row in (0, 3, 4, 24, 7, 23, 0):
        assert table.audio(row) == contents[row]
    assert [row["n"] for _, row in table.rows()] == list(range(25))


def test_many_threads_read_the_right_rows(parquet):
    contents = [b"%06d" % number * 100 for number in range(400)]
    table = tables.open_table(parquet({"audio": encoded(contents)}, row_group_size=10))
    wrong = []

    def read(seed):
        rows = random.Random(seed).choices(range(400), k=100)
        wrong.extend(row for row in rows if table.audio(row) != contents[row])

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        # Daemon threads, because a deadlock must not keep the test run from ending.
        threads = [threading.Thread(target=read, args=[seed], daemon=True) for seed in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(timeout=10)
    finally:
        sys.setswitchinterval(interval)
    assert not [thread for thread in threads if thread.is_alive()]
    assert wrong == []


def test_an_encoded_column_of_any_name_is_found(parquet):
    table = tables.open_table(parquet({"speech": encoded([b"x"]), "path": ["as written"]}))
    assert table.audio(0) == b"x"
    assert [row for _, row in table.rows()] == [{"path": "as written"}]


MIXED = [{"bytes": b"x", "path": "a.wav"}, {"bytes": None, "path": "b.wav"}, {"bytes": None, "path": None}, None]


@pytest.mark.parametrize("saved", [False, True])
def test_paths_of_rows_without_embedded_audio_are_listed_and_embedded_audio_is_not_read(tmp_path, saved, monkeypatch):
    table = pa.table({"audio": pa.array([*MIXED[:1] * 4, *MIXED[1:2] * 4, *MIXED], ENCODED), "n": range(12)})
    read, iter_batches = [], pq.ParquetFile.iter_batches

    def counting(self, *arguments, **options):
        read.append(options["columns"])
        return iter_batches(self, *arguments, **options)

    monkeypatch.setattr(pq.ParquetFile, "iter_batches", counting)
    if saved:
        datasets.Dataset(table).save_to_disk(str(tmp_path / "saved"))
        path, folder = str(tmp_path / "saved"), ""
    else:
        pq.write_table(table, tmp_path / "clips.parquet", row_group_size=4)
        path, folder = str(tmp_path / "clips.parquet"), f"{tmp_path}/"
    rows = list(tables.open_table(path).rows())
    assert [audio for audio, _ in rows] == [None] * 4 + [f"{folder}b.wav"] * 4 + [None, f"{folder}b.wav", None, None]
    assert [row["n"] for _, row in rows] == list(range(12))
    assert read == ([] if saved else [["n"], ["n", "audio.path"], ["n", "audio"]])


def test_rows_without_a_path_are_clips_that_cannot_be_read(parquet):
    named, missing = inputs.scan(parquet({"path": ["/a.wav", None]}))
    assert (named.path, named.row) == ("/a.wav", None)
    with pytest.raises(AudioError, match=r"Row 1 of '.*clips\.parquet' has no audio\. Received: None"):
        missing.open()


def test_a_column_of_the_bytes_of_audio_files_is_read_row_by_row(parquet):
    clips = list(inputs.scan(parquet({"audio": [b"x", b"y"]})))
    assert [(clip.row, clip.open()) for clip in clips] == [(0, b"x"), (1, b"y")]


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.dictionary(pa.int32(), pa.string())])
def test_a_column_of_paths_may_have_any_type_of_text(parquet, kind):
    path = parquet({"path": pa.array(["/a.wav", "/b.wav"], kind)})
    assert [clip.path for clip in inputs.scan(path)] == ["/a.wav", "/b.wav"]


@pytest.mark.parametrize("name", ["audio", "path", "file"])
def test_a_column_of_paths_is_found_by_its_name(parquet, name):
    table = tables.open_table(parquet({name: ["/a.wav", "/b.wav"], "n": [1, 2]}))
    assert [table.audio(0), table.audio(1)] == ["/a.wav", "/b.wav"]
    assert [row for _, row in table.rows()] == [{"n": 1}, {"n": 2}]


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"text": ["a"], "n": [1]}, "Received: 0 in the columns text, n. Choose one with path_column"),
        ({"left": encoded([b"x"]), "right": encoded([b"y"])}, "Received: 2 in the columns left, right"),
        ({"audio": ["a.wav"], "file": ["b.wav"]}, "Received: 2 in the columns audio, file"),
    ],
)
def test_tables_without_exactly_one_audio_column_are_refused(parquet, tmp_path, columns, message):
    with pytest.raises(InputError, match=rf"clips\.parquet' must have one audio column.*{message}"):
        tables.open_table(parquet(columns))
    datasets.Dataset(pa.table(columns)).save_to_disk(str(tmp_path / "saved"))
    with pytest.raises(InputError, match=rf"saved' must have one audio column.*{message}"):
        tables.open_table(str(tmp_path / "saved"))


@pytest.mark.parametrize("content", [b"", b"this is no Parquet"])
def test_a_file_that_is_not_parquet_is_refused(tmp_path, content):
    (tmp_path / "clips.parquet").write_bytes(content)
    with pytest.raises(InputError, match=r"clips\.parquet' cannot be read as a dataset: ArrowInvalid"):
        tables.open_table(str(tmp_path / "clips.parquet"))


def test_a_damaged_saved_dataset_is_refused(tmp_path):
    folder = tmp_path / "saved"
    datasets.Dataset.from_dict({"path": ["a.wav"]}).save_to_disk(str(folder))
    for part in folder.glob("*.arrow"):
        part.unlink()
    with pytest.raises(InputError, match=r"saved' cannot be read as a dataset: FileNotFoundError"):
        tables.open_table(str(folder))


def test_a_saved_dataset_keeps_its_selected_rows(tmp_path):
    chosen = datasets.Dataset.from_dict({"path": list("abcd"), "n": [1, 2, 3, 4]}).select([3, 1])
    chosen.with_format("numpy").save_to_disk(str(tmp_path / "saved"))
    table = tables.open_table(str(tmp_path / "saved"))
    assert [table.audio(0), table.audio(1)] == ["d", "b"]
    rows = [row for _, row in table.rows()]
    assert rows == [{"n": 4}, {"n": 2}]
    assert type(rows[0]["n"]) is int


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"splits": []}', '{"splits": 3}', '{"splits": [1]}'])
def test_a_damaged_list_of_splits_is_an_error_that_names_the_file(tmp_path, content):
    (tmp_path / "dataset_dict.json").write_text(content)
    with pytest.raises(InputError, match=r"dataset_dict\.json' must name the splits of a DatasetDict\. Received"):
        list(inputs.scan(tmp_path))
