"""Every metadata column has one type, and something stands for its missing values."""

import datasets
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from audiopipe.errors import InputError
from audiopipe.inputs import Source, column_inference
from audiopipe.inputs.column_inference import infer, of_sources
from audiopipe.inputs.columns import Columns
from audiopipe.inputs.declared_columns import DeclaredColumns


def column(values, **arguments):
    """Returns the type and the fill value that are inferred for a column."""
    columns = infer([{"x": value} for value in values], **arguments)
    return columns.types["x"], columns.fill_values.get("x")


def class_columns(rows, *names):
    return of_sources([Source(id=str(number), path="a.wav", metadata=row) for number, row in enumerate(rows)], names)


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (["a", "b"], "string"),
        (["a", None], "string"),
        ([None, None], "string"),
        ([1, -2], "int"),
        ([1, None], "int"),
        ([1, 0.5], "float"),
        ([0.5, None], "float"),
        ([1, 0.5, None], "float"),
        ([True, False], "bool"),
        ([[1], [2, 3]], "list<int>"),
        ([[1], [0.5], []], "list<float>"),
        ([[1, 0.5], None], "list<float>"),
        ([["a"], []], "list<string>"),
        ([[True], None], "list<bool>"),
        ([[], None], "list<string>"),
        ([np.arange(2), (3,)], "list<int>"),
        ([np.float32([1]), np.float32([])], "list<float>"),
        ([np.int8(1), 2], "int"),
    ],
)
@pytest.mark.parametrize("backwards", [False, True])
def test_a_column_has_the_type_that_fits_all_its_values(values, kind, backwards):
    assert column(values[::-1] if backwards else values)[0] == kind


@pytest.mark.parametrize(
    ("rows", "types"),
    [
        ([{"age": 31, "name": "a"}, {"name": "b"}], {"age": "int", "name": "string"}),
        ([{"name": "b"}, {"age": 31, "name": "a"}], {"age": "int", "name": "string"}),
        ([{}, {}, {"name": "a"}], {"name": "string"}),
        ([{}, {}], {}),
        ([], {}),
    ],
)
def test_a_column_that_a_row_lacks_counts_as_a_missing_value(rows, types):
    columns = infer(rows)
    assert columns.types == types
    assert columns.fill_values == ({"age": -1} if "age" in types else {})


def test_columns_are_sorted_by_name():
    assert list(infer([{"z": 1, "a": 1, "m": 1}]).types) == ["a", "m", "z"]


@pytest.mark.parametrize(
    ("values", "fill_value"),
    [
        ([1, 2], None),
        ([1, None], -1),
        ([-2, None, 0], -1),
        ([-1, None, 5], -2),
        ([-1, None, -7], -8),
        ([-(2**63), None, 5], -1),
        ([-(2**63), -1, None, 5], 6),
        ([2**53 + 1, None], -1),
        ([1, 0.5, None], None),
        ([[1], None], None),
    ],
)
def test_the_fill_value_of_an_integer_column_is_no_value_of_it(values, fill_value):
    assert column(values) == (column(values)[0], fill_value)


def test_an_integer_column_without_room_for_a_fill_value_is_refused():
    with pytest.raises(InputError, match="'x' has missing values, and no integer of 64 bits is left"):
        column([-(2**63), -1, 2**63 - 1, None])


@pytest.mark.parametrize(
    ("values", "found"),
    [
        (["a", 1], "int, string"),
        (["a", 0.5], "float, string"),
        ([True, 1], "bool, int"),
        ([True, 0.5], "bool, float"),
        (["a", True, None], "bool, string"),
        ([["a"], [1]], "int, string"),
        ([[True], [], [0.5, 1]], "bool, float, int"),
    ],
)
def test_columns_without_a_common_type_are_refused(values, found):
    with pytest.raises(InputError, match=f"must have one type.* Received: 'x' with {found}. Write it as text"):
        column(values)


def test_a_column_of_lists_and_single_values_is_refused():
    with pytest.raises(InputError, match=r"'x' with lists and values of type int, string. Write single values"):
        column([[1], 2, "a"])


@pytest.mark.parametrize("rows", [[{}, {"clean": True}], [{"clean": True}, {"clean": None}]])
def test_a_missing_boolean_is_refused(rows):
    with pytest.raises(InputError, match=r"'clean' with missing values. Fill them in, or write the column as text"):
        infer(rows)


@pytest.mark.parametrize("values", [[2**53 + 1, 0.5], [0.5, -(2**53) - 1], [[0.5, 2**53 + 1]], [[0.5], [2**53 + 1]]])
def test_integers_beyond_float_precision_are_refused_beside_fractions(values):
    with pytest.raises(InputError, match=r"magnitude of at most 2\*\*53. Received: x=-?9007199254740993"):
        column(values)
    assert column([2**53, 0.5]) == ("float", None)


# Classes from text


def test_text_becomes_classes_in_sorted_order():
    columns = class_columns([{"label": "dog"}, {"label": "Zoë"}, {"label": "cat"}, {"label": "dog"}], "label")
    assert columns == Columns(types={"label": "int"}, classes={"label": ["Zoë", "cat", "dog"]})
    assert [columns.values({"label": name})["label"] for name in ("dog", "Zoë", "cat")] == [2, 0, 1]


@pytest.mark.parametrize("missing", [{}, {"label": None}, {"label": ""}])
def test_a_missing_class_is_minus_one_and_declared(missing):
    columns = class_columns([{"label": "dog"}, missing], "label")
    assert (columns.classes, columns.fill_values) == ({"label": ["dog"]}, {"label": -1})
    assert columns.values(missing) == {"label": -1}
    assert columns.notes == ["The column 'label' has missing classes, which are stored as -1."]


def test_lists_of_text_become_lists_of_classes():
    columns = class_columns([{"tags": ["rain", "car"]}, {"tags": []}, {"tags": None}, {"tags": ["bird"]}], "tags")
    assert columns == Columns(types={"tags": "list<int>"}, classes={"tags": ["bird", "car", "rain"]})
    assert columns.values({"tags": ["rain", "bird"]}) == {"tags": [2, 0], "tags_length": 2}
    assert columns.values({"tags": None}) == {"tags": [], "tags_length": -1}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([1, 2], "must have text, or lists of text. Received: 'label' of type int"),
        ([0.5], "of type float"),
        ([True], "of type bool"),
        ([[1]], "of type list<int>"),
        ([None], "must have values. Received: 'label' without any"),
        ([""], "must have values"),
        ([[], None], "must have values"),
        ([["a", ""]], "must not contain empty text. Received: 'label'"),
        (["a", 1], "must have one type"),
    ],
)
def test_columns_that_cannot_become_classes_are_refused(values, message):
    with pytest.raises(InputError, match=message):
        class_columns([{"label": value} for value in values], "label")


def test_an_unknown_class_column_is_refused_with_the_columns():
    with pytest.raises(InputError, match=r"one of the metadata columns: label, speaker. Received: lable, other"):
        class_columns([{"label": "a", "speaker": "b"}], "lable", "label", "other")
    with pytest.raises(InputError, match=r"one of the metadata columns: none. Received: label"):
        class_columns([{}], "label")


def test_too_many_classes_are_refused(monkeypatch):
    monkeypatch.setattr(column_inference, "MAX_CLASSES", 3)
    assert len(class_columns([{"label": name} for name in "abcabc"], "label").classes["label"]) == 3
    with pytest.raises(InputError, match=r"at most 3 different values. Received: 'label' with more"):
        class_columns([{"label": name} for name in "abcd"], "label")


# Declarations of tables

LABEL = DeclaredColumns(types={"x": "int"}, classes={"x": ["b", "a"]})


@pytest.mark.parametrize(
    ("values", "declared", "expected"),
    [
        ([None, None], "int", ("int", -1)),
        ([None], "float", ("float", None)),
        ([None], "bool", ("string", None)),
        ([None], "list<int>", ("list<int>", None)),
        ([[], None], "list<bool>", ("list<bool>", None)),
        ([[1]], "list<float>", ("list<int>", None)),
    ],
)
def test_a_declared_type_says_what_columns_without_values_would_hold(values, declared, expected):
    assert column(values, declared=DeclaredColumns(types={"x": declared})) == expected


@pytest.mark.parametrize(
    ("values", "fill_values"),
    [([0, 1], {}), ([-1, 1], {}), ([1, None], {"x": -1}), ([-1, None], {"x": -1}), ([None], {"x": -1})],
)
def test_declared_classes_are_kept_with_their_order(values, fill_values):
    columns = infer([{"x": value} for value in values], LABEL)
    assert columns == Columns(types={"x": "int"}, classes={"x": ["b", "a"]}, fill_values=fill_values)


@pytest.mark.parametrize(("value", "received"), [(2, 2), (-2, -2)])
def test_values_that_are_no_declared_class_are_refused(value, received):
    with pytest.raises(
        InputError, match=f"declares 2 classes, so its values must be from -1 to 1. Received: {received}"
    ):
        infer([{"x": 0}, {"x": value}], LABEL)


def table(path, types, **columns):
    audio = [f"{row}.wav" for row in range(len(next(iter(columns.values()))))]
    made = datasets.Dataset.from_dict(
        {"path": audio, **columns}, datasets.Features({"path": datasets.Value("string"), **types})
    )
    made.to_parquet(path)
    return [
        Source(
            id=f"{path}{row}", path=str(path), row=row, metadata={name: values[row] for name, values in columns.items()}
        )
        for row in range(len(audio))
    ]


def test_classes_that_parquet_files_declare_are_kept(tmp_path, quiet_bars):
    label = datasets.ClassLabel(names=["dog", "cat"])
    types = {"label": label, "tags": datasets.List(label), "n": datasets.Value("int64")}
    first = table(tmp_path / "a.parquet", types, label=[1, 0], tags=[[1], []], n=[1, None])
    second = table(tmp_path / "b.parquet", types, label=[None], tags=[None], n=[2])
    columns = of_sources([*first, *second])
    names = ["dog", "cat"]
    assert columns.types == {"label": "int", "n": "int", "tags": "list<int>"}
    assert columns.classes == {"label": names, "tags": names}
    assert columns.fill_values == {"label": -1, "n": -1}
    assert of_sources([*first, *second], ["label"]) == columns


@pytest.mark.parametrize("other", [datasets.ClassLabel(names=["cat", "dog"]), datasets.Value("int64")])
def test_tables_that_declare_different_classes_are_refused(tmp_path, quiet_bars, other):
    first = table(tmp_path / "a.parquet", {"label": datasets.ClassLabel(names=["dog", "cat"])}, label=[1])
    second = table(tmp_path / "b.parquet", {"label": other}, label=[1])
    with pytest.raises(InputError, match=r"must declare the same classes.*'label'. Received: dog, cat, and (cat|none)"):
        of_sources([*first, *second])


def test_damaged_declarations_are_refused_with_the_path_and_foreign_ones_ignored(tmp_path):
    values = pa.table({"path": ["a.wav"], "label": [0], "name": ["x"]})
    source = Source(id="a", path=str(tmp_path / "a.parquet"), row=0, metadata={"label": 0, "name": "x"})

    def write(declared):
        pq.write_table(values.replace_schema_metadata({"huggingface": declared}), source.path)
        return of_sources([source]).classes

    label = '"_type": "ClassLabel"'
    for damaged in ["{", "[]", '{"info": 3}', f'{{"info": {{"features": {{"label": {{"names": [1], {label}}}}}}}}}']:
        with pytest.raises(InputError, match=r"a\.parquet': the types that datasets wrote .* are damaged"):
            write(damaged)
    for foreign in [
        "{}",
        '{"info": null}',
        '{"info": {"features": {"label": {"_type": "os.system", "names": ["a"]}}}}',
    ]:
        assert write(foreign) == {}
    assert write(f'{{"info": {{"features": {{"name": {{"names": ["a"], {label}}}}}}}}}') == {}
    assert write(f'{{"info": {{"features": {{"label": {{"num_classes": 2, {label}}}}}}}}}') == {"label": ["0", "1"]}
    assert write(f'{{"info": {{"features": {{"label": {{"names": ["a"], {label}}}}}}}}}') == {"label": ["a"]}


@pytest.mark.parametrize(
    "declared",
    [
        '{"feature": {"names": ["a", "b"], "_type": "ClassLabel"}, "_type": "List"}',
        '{"feature": {"names": ["a", "b"], "_type": "ClassLabel"}, "_type": "LargeList"}',
        '{"feature": {"names": ["a", "b"], "_type": "ClassLabel"}, "length": -1, "_type": "Sequence"}',
        '[{"num_classes": 2, "names": ["a", "b"], "_type": "ClassLabel"}]',
    ],
)
def test_lists_of_class_labels_are_found_in_the_forms_of_all_releases_of_datasets(tmp_path, declared):
    values = pa.table({"path": ["a.wav"], "tags": [[0]]})
    metadata = {"huggingface": f'{{"info": {{"features": {{"tags": {declared}}}}}}}'}
    pq.write_table(values.replace_schema_metadata(metadata), tmp_path / "a.parquet")
    source = Source(id="a", path=str(tmp_path / "a.parquet"), row=0, metadata={"tags": [0]})
    assert of_sources([source]).classes == {"tags": ["a", "b"]}
