"""The index: what is written is read, also by others, and what is damaged or forged is found."""

import dataclasses
import hashlib
import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from audiopipe.errors import CorruptFeatureSetError, OutputError
from audiopipe.feature_sets import index
from audiopipe.feature_sets.index import footers, reader, writer
from audiopipe.inputs.columns import Columns

COLUMNS = Columns(
    types={
        "speaker": "string",
        "age": "int",
        "gain": "float",
        "clean": "bool",
        "tags": "list<string>",
        "words": "list<float>",
        "label": "int",
        "labels": "list<int>",
    },
    classes={"label": ["cat", "Zoë", "caf\udce9"], "labels": ["rain", "car"]},
    fill_values={"age": -1, "label": -1},
)
FULL = index.Row(
    id="rex",
    n_frames=98,
    valid_frames=90,
    seconds=1.25,
    metadata={
        "speaker": "Zoë",
        "age": -(2**62),
        "gain": 1 / 3,
        "clean": False,
        "tags": ["a", ""],
        "words": [0.1, 2],
        "label": "Zoë",
        "labels": ["car", "rain"],
    },
    shard=3,
    number=7,
    offset=2**40,
    bytes=31_500,
    source=index.SourceFacts(
        id="recording",
        path="a/rex.wav",
        row=5,
        start=0.5,
        end=1.75,
        size=2**40,
        time=1_700_000_000_123_456_789,
        version="etag-1",
        digest=bytes(range(16)),
    ),
)
EMPTY = index.Row(
    id="", n_frames=0, valid_frames=0, seconds=None, metadata={"tags": []}, shard=0, number=0, offset=0, bytes=1
)


def write(path, rows, columns=COLUMNS):
    with index.Writer(str(path), index.schema(columns)) as out:
        out.write(index.table(rows, columns))
    data = path.read_bytes()
    return {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "index-00000001.parquet"


def test_rows_are_read_as_they_were_written(path):
    facts = write(path, [FULL, EMPTY])
    opened = index.IndexFile(str(path), COLUMNS, 2, facts)
    [table] = opened.tables()
    full, empty = index.rows(table, COLUMNS)
    assert full == dataclasses.replace(FULL, metadata={**FULL.metadata, "label": 1, "labels": [1, 0]})
    assert empty == dataclasses.replace(EMPTY, metadata={**dict.fromkeys(COLUMNS.types), "tags": []})


def test_others_read_the_index_with_types_nulls_and_class_names(path):
    write(path, [FULL, EMPTY])
    table = pq.read_table(path)
    assert table.schema.field("label").metadata == {b"classes": json.dumps(COLUMNS.classes["label"]).encode()}
    assert table.column("age").to_pylist() == [-(2**62), None]
    assert table.column("words").to_pylist() == [[0.1, 2.0], None]
    assert table.column("tags").to_pylist() == [["a", ""], []]
    pandas = pytest.importorskip("pandas")
    frame = pandas.read_parquet(path)
    assert frame["speaker"].isna().tolist() == [False, True]
    assert frame["record"][0] == {"shard": 3, "number": 7, "offset": 2**40, "bytes": 31_500, "id": None}


def test_metadata_columns_keep_their_names_and_ours_give_way(path):
    types = {
        "seconds": "float",
        "source": "string",
        "source_": "int",
        "record.offset": "int",
        "a.b": "string",
        "": "bool",
    }
    columns = Columns(types=types, fill_values={"record.offset": -1})
    metadata = {"seconds": 0.5, "source": "web", "source_": 3, "record.offset": None, "a.b": "c", "": True}
    row = dataclasses.replace(FULL, metadata=metadata)
    write(path, [row], columns)
    opened = index.IndexFile(str(path), columns, 1)
    assert opened.layout.own["seconds"] == "seconds_"
    assert opened.layout.own["source"] == "source__"
    assert opened.column("seconds").to_pylist() == [0.5]
    assert opened.column("seconds_").to_pylist() == [1.25]
    assert opened.column("record", "offset").to_pylist() == [2**40]
    assert opened.column("record.offset").to_pylist() == [None]
    assert opened.column("source__", "path").to_pylist() == ["a/rex.wav"]
    assert list(index.rows(next(opened.tables()), columns)) == [row]


def test_ids_that_are_not_utf8_are_exact_and_other_text_is_escaped(path):
    columns = Columns(types={"name\udcff": "string", r"name\udcff": "string"})
    metadata = {"name\udcff": "caf\udce9", r"name\udcff": "plain"}
    source = index.SourceFacts(path="caf\udce9.wav")
    row = dataclasses.replace(FULL, id="caf\udce9", metadata=metadata, source=source)
    write(path, [row], columns)
    opened = index.IndexFile(str(path), columns, 1)
    assert opened.column("id").to_pylist() == [r"caf\udce9"]
    assert opened.column("record", "id").to_pylist() == [b"caf\xe9"]
    [read] = index.rows(next(opened.tables()), columns)
    assert read.id == "caf\udce9"
    assert read.metadata == {"name\udcff": index.escaped("caf\udce9"), r"name\udcff": "plain"}
    assert read.source.path == index.escaped("caf\udce9.wav")


def test_a_large_index_has_several_row_groups_and_only_the_needed_ones_are_read(path, monkeypatch):
    monkeypatch.setattr(writer, "GROUP_ROWS", 4)
    monkeypatch.setattr(reader, "SMALL_BYTES", 0)
    rows = [dataclasses.replace(FULL, id=f"clip-{number}", number=number) for number in range(11)]
    with index.Writer(str(path), index.schema(COLUMNS)) as out:
        for start, stop in ((0, 1), (1, 10), (10, 11)):
            out.write(index.table(rows[start:stop], COLUMNS))
    opened = index.IndexFile(str(path), COLUMNS, 11)
    assert opened.starts.tolist() == [0, 4, 8, 11]
    read = []
    monkeypatch.setattr(
        opened, "read", lambda group, *paths: read.append(group) or type(opened).read(opened, group, *paths)
    )
    assert opened.take(np.array([10, 1, 9, 1]), "id").to_pylist() == ["clip-10", "clip-1", "clip-9", "clip-1"]
    assert read == [0, 2]
    assert opened.take(np.array([], int), "id").to_pylist() == []
    assert opened.column("record", "number").to_pylist() == list(range(11))


def test_metadata_that_is_too_large_for_a_row_group_is_divided_or_refused(path, monkeypatch):
    monkeypatch.setattr(writer, "MAX_CHUNK_BYTES", 1000)
    columns = Columns(types={"text": "string"})
    rows = [dataclasses.replace(EMPTY, id=f"{number}", metadata={"text": "x" * 300}) for number in range(6)]
    write(path, rows, columns)
    assert pq.read_metadata(path).num_row_groups == 2
    with pytest.raises(OutputError, match="'text' of the clip '5' must have less than 1000 bytes"):
        write(path, [dataclasses.replace(rows[5], metadata={"text": "x" * 2000})], columns)


@pytest.mark.parametrize("small", [1 << 24, 0], ids=["whole", "by page"])
def test_a_flipped_byte_is_found_and_the_file_is_named(path, monkeypatch, small):
    monkeypatch.setattr(reader, "SMALL_BYTES", small)
    facts = write(path, [FULL, EMPTY])
    good = path.read_bytes()
    page = pq.read_metadata(path).row_group(0).column(0).data_page_offset
    for offset in (page + 30, len(good) // 2, len(good) - 6):
        path.write_bytes(good[:offset] + bytes([good[offset] ^ 0x10]) + good[offset + 1 :])
        with pytest.raises(CorruptFeatureSetError, match=r"The index '.*index-00000001.parquet' is not valid"):
            list(index.IndexFile(str(path), COLUMNS, 2, facts).tables())


def test_a_missing_index_and_one_of_another_set_are_named(path):
    with pytest.raises(CorruptFeatureSetError, match=r"index-00000001.parquet' is missing"):
        index.IndexFile(str(path), COLUMNS, 2)
    facts = write(path, [FULL, EMPTY])
    with pytest.raises(CorruptFeatureSetError, match=r"must have 3 rows, one for each record\. Received: 2"):
        index.IndexFile(str(path), COLUMNS, 3, facts)
    with pytest.raises(CorruptFeatureSetError, match="must have the columns"):
        index.IndexFile(str(path), Columns(types={"speaker": "string"}), 2)
    other = dataclasses.replace(COLUMNS, types={**COLUMNS.types, "gain": "int"})
    with pytest.raises(CorruptFeatureSetError, match=r"'gain' must have the type int64\. Received: double"):
        index.IndexFile(str(path), other, 2)
    other = dataclasses.replace(COLUMNS, classes={**COLUMNS.classes, "label": ["dog"]})
    with pytest.raises(CorruptFeatureSetError, match="'label' does not have the classes"):
        index.IndexFile(str(path), other, 2)
    with pytest.raises(CorruptFeatureSetError, match=r"must have 7 bytes\. Received"):
        index.IndexFile(str(path), COLUMNS, 2, {**facts, "bytes": 7})


def test_a_parquet_bomb_is_refused_before_it_is_read(path, monkeypatch):
    columns = Columns(types={"text": "string"})
    schema = index.schema(columns)
    row = index.table([dataclasses.replace(EMPTY, metadata={"text": None})], columns)
    text = pa.DictionaryArray.from_arrays(pa.array(np.zeros(50_000, np.int32)), pa.array(["x" * 1_000_000]))
    many = row.take(np.zeros(50_000, int)).set_column(schema.get_field_index("text"), "text", text)  # 50 GB of text
    pq.write_table(many, path, compression="zstd", store_schema=False)
    assert path.stat().st_size < 2_000_000
    before = pa.total_allocated_bytes()
    with pytest.raises(CorruptFeatureSetError, match=r"must have plain values\. Received: the encodings"):
        index.IndexFile(str(path), columns, 50_000)
    # Text that is plain takes no more memory than the file says.
    monkeypatch.setattr(footers, "MAX_CHUNK_BYTES", 1000)
    write(path, [dataclasses.replace(EMPTY, metadata={"text": "x" * 3000})], columns)
    with pytest.raises(CorruptFeatureSetError, match="must have at most 2000 bytes"):
        index.IndexFile(str(path), columns, 1)
    # So does the whole of many row groups that are small by themselves.
    monkeypatch.setattr(writer, "GROUP_ROWS", 1)
    write(path, [dataclasses.replace(EMPTY, metadata={"text": "x" * 1500})] * 500, columns)
    opened = index.IndexFile(str(path), columns, 500)
    monkeypatch.setattr(footers, "MAX_CHUNK_BYTES", -64 * path.stat().st_size + 1000)
    with pytest.raises(CorruptFeatureSetError, match="the column 'text' must have at most 1000 bytes"):
        opened.column("text")
    # Values that are stored once and repeated are bounded by the rows of a row group.
    pq.write_table(row.take(np.zeros(70_000, int)), path)
    with pytest.raises(CorruptFeatureSetError, match=r"must have 1 \.\. 65536 rows"):
        index.IndexFile(str(path), columns, 70_000)
    assert pa.total_allocated_bytes() - before < 100_000_000


def test_a_footer_that_is_larger_than_the_file_is_refused(path):
    write(path, [FULL])
    path.write_bytes(path.read_bytes()[:-8] + (2**31).to_bytes(4, "little") + b"PAR1")
    with pytest.raises(CorruptFeatureSetError, match="its footer must have at most"):
        index.IndexFile(str(path), COLUMNS, 1)
    path.write_bytes(b"PAR1")
    with pytest.raises(CorruptFeatureSetError, match="it has only 4 bytes"):
        index.IndexFile(str(path), COLUMNS, 1)
