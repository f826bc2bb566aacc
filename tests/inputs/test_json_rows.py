"""JSON manifests are read row by row, as lists or lines, and what is wrong with one is said with its line."""

import json
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audiopipe.errors import InputError
from audiopipe.inputs import json_rows, text_files


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return tmp_path_factory.mktemp("json") / "rows.json"


def _rows(path, content):
    path.write_bytes(content.encode())
    return list(json_rows.rows(str(path), lists=True))


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats(allow_nan=False) | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
ROWS = st.lists(st.dictionaries(st.text(max_size=5), VALUES, max_size=4), max_size=8)


@settings(max_examples=60)
@given(ROWS, st.sampled_from([None, 0, 2]), st.booleans(), st.integers(1, 40))
def test_lists_equal_those_of_the_json_module_wherever_reading_stops(path, rows, indent, ascii_only, chunk):
    content = json.dumps(rows, indent=indent, ensure_ascii=ascii_only)
    before, text_files.CHUNK = text_files.CHUNK, chunk
    try:
        assert [row for _, row in _rows(path, content)] == rows
    finally:
        text_files.CHUNK = before


def test_rows_have_the_numbers_of_their_lines(path):
    assert _rows(path, '[\n{"a": 1},\n\n{"a":\n2}, {"a": 3}\n]\n') == [(2, {"a": 1}), (5, {"a": 2}), (5, {"a": 3})]
    assert _rows(path, '\n{"a": 1}\n\n{"a": 2}\n') == [(2, {"a": 1}), (4, {"a": 2})]
    assert _rows(path, " [ ] \n") == []
    assert _rows(path, "") == []


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('[{"a": 1}\n{"a": 2}]', r"line 2: expected ',' or '\]'\. Received: '\{\"a\": 2\}\]'"),
        ('[{"a": 1},\n]', r"line 2: expected a JSON object\. Received: '\]'"),
        ('[{"a": 1},\n{"a": 2}', r"line 2: expected ',' or '\]'\. Received: the end of the file"),
        ('[{"a": 1},\n{"a": ', r"line 2: expected a JSON object\. Received: '\{\"a\":'"),
        ('[{"a": 1},\n{"a": tru}, {"b": 1}]', r"line 2: expected a JSON object.*Expecting value"),
        ('[{"a": "x}]', r"line 1: expected a JSON object.*Unterminated string"),
        ('[{"a": 1}]\n\n[]', r"line 3: expected nothing behind the list. Received: '\[\]'"),
        ('[{"a": 1, "a": 2}]', r"line 1: .*each key once. Received twice: a"),
        ('{\n"a": 1\n}', r"line 1: expected a list of JSON objects, or one JSON object per line. Received: '\{'"),
        ("[" * 100_000, r"line 1: expected a JSON object.*nested too deeply"),
        ('[{"a": ' + "1" * 5000 + "}]", r"line 1: expected a JSON object"),
    ],
)
def test_malformed_lists_are_refused_with_the_line(path, content, message):
    with pytest.raises(InputError, match=message):
        _rows(path, content)


def test_a_wrong_row_in_a_long_list_is_found_without_reading_the_rest(path, monkeypatch):
    content = '[{"a": nope}, ' + '{"a": 1}, ' * 200_000 + '{"a": 1}]'
    path.write_text(content)
    read, chunks = 0, text_files.chunks

    def counted(path):
        nonlocal read
        for chunk in chunks(path):
            read += len(chunk)
            yield chunk

    monkeypatch.setattr(text_files, "chunks", counted)
    with pytest.raises(InputError, match="line 1: expected a JSON object"):
        list(json_rows.rows(str(path), lists=True))
    assert read == text_files.CHUNK


def test_an_object_without_an_end_is_given_up(path, monkeypatch):
    monkeypatch.setattr(json_rows, "MAX_OBJECT", 300_000)
    path.write_text('[{"a": "' + "x" * 3_000_000)
    with pytest.raises(InputError, match=r"line 1: expected a JSON object.*Unterminated"):
        list(json_rows.rows(str(path), lists=True))


def test_a_list_in_one_line_is_never_in_memory_as_a_whole(path):
    path.write_text(json.dumps([{"path": f"clips/{number:09d}.wav"} for number in range(50_000)]))
    tracemalloc.start()
    try:
        assert sum(1 for _ in json_rows.rows(str(path), lists=True)) == 50_000
        assert tracemalloc.get_traced_memory()[1] < path.stat().st_size / 2
    finally:
        tracemalloc.stop()
