"""Classes as targets, compared with NumPy."""

import numpy as np
import pytest
import survival
import synthetic_sets
import tensorflow as tf
from synthetic_sets import feature

from audiopipe import FeatureSet, load, tfdata
from audiopipe.errors import ArgumentError
from audiopipe.inputs.columns import Columns
from audiopipe.tfdata.classes import Classes

NAMES = ["cat", "dog", "café"]
COLUMNS = Columns(
    types={"label": "int", "tags": "list<int>", "words": "list<string>", "word": "string", "gain": "float"},
    classes={"label": NAMES, "tags": NAMES},
    fill_values={"label": -1},
)


def clips(labels, lists):
    """Returns a dataset of clips with a class and with a list of classes, as positions and as names."""
    return tf.data.Dataset.from_generator(
        lambda: (
            {
                "id": f"clip-{number}",
                "label": label,
                "word": NAMES[label % 3].encode(),
                "tags": np.array(tags, np.int64),
                "words": np.array([NAMES[tag].encode() for tag in tags], object),
                "gain": 0.5,
            }
            for number, (label, tags) in enumerate(zip(labels, lists, strict=True))
        ),
        output_signature={
            "id": tf.TensorSpec([], tf.string),
            "label": tf.TensorSpec([], tf.int64),
            "word": tf.TensorSpec([], tf.string),
            "tags": tf.TensorSpec([None], tf.int64),
            "words": tf.TensorSpec([None], tf.string),
            "gain": tf.TensorSpec([], tf.float64),
        },
    ).apply(tf.data.experimental.assert_cardinality(len(labels)))


def padded(dataset, size):
    padding = {
        name: tf.constant(-1, spec.dtype) if spec.dtype == tf.int64 else None
        for name, spec in dataset.element_spec.items()
    }
    return dataset.padded_batch(size, padding_values=padding)


FUNCTIONS = {
    "label": tfdata.one_hot,
    "word": tfdata.one_hot,
    "tags": tfdata.multi_hot,
    "words": tfdata.multi_hot,
}


def rows(dataset, column):
    return [element[column] for element in dataset.as_numpy_iterator()]


@pytest.fixture(scope="module")
def drawn():
    """Returns random classes and random lists of classes of some clips."""
    noise = np.random.default_rng(0)
    lists = [noise.integers(0, 3, size).tolist() for size in noise.integers(0, 5, 30)]
    return noise.integers(0, 3, 30).tolist(), lists


@pytest.mark.parametrize("batched", ["single", "padded", "ragged"])
def test_targets_equal_those_of_numpy(drawn, batched):
    labels, lists = drawn
    dataset = clips(labels, lists)
    if batched != "single":
        dataset = dataset.ragged_batch(7) if batched == "ragged" else padded(dataset, 7)
    made = dataset
    for column, function in FUNCTIONS.items():
        made = function(made, column, NAMES)
    one = np.eye(3, dtype=np.float32)[labels]
    several = np.array([[float(position in tags) for position in range(3)] for tags in lists], np.float32)
    elements = list(made.as_numpy_iterator())
    for column, expected in {"label": one, "word": one, "tags": several, "words": several}.items():
        found = [element[column] for element in elements]
        np.testing.assert_array_equal(found if batched == "single" else np.concatenate(found), expected, strict=True)
        assert made.element_spec[column].shape.as_list() == ([3] if batched == "single" else [None, 3])
    assert list(made.element_spec) == list(dataset.element_spec)
    assert made.cardinality() == dataset.cardinality()


@pytest.mark.parametrize("is_batched", [False, True])
def test_positions_become_names_and_missing_ones_empty_text(drawn, is_batched):
    labels, lists = [-1, *drawn[0]], [[], *drawn[1]]
    dataset = padded(clips(labels, lists), 7) if is_batched else clips(labels, lists)
    made = tfdata.class_names(tfdata.class_names(dataset, "label", NAMES), "tags", NAMES)
    elements = list(made.as_numpy_iterator())
    names = [element["label"] for element in elements]
    assert (np.concatenate(names).tolist() if is_batched else names) == [
        b"" if label < 0 else NAMES[label].encode() for label in labels
    ]
    tags = [row for element in elements for row in (element["tags"] if is_batched else [element["tags"]])]
    assert [[name for name in row if name] for row in tags] == [[NAMES[tag].encode() for tag in row] for row in lists]


def with_error(dataset):
    with pytest.raises(tf.errors.InvalidArgumentError) as caught:
        list(dataset)
    return caught.value.message.partition("assertion failed: [")[2].partition("]\n")[0].replace("\\'", "'")


@pytest.mark.parametrize(("size", "label"), [(None, -1), (None, 3), (2, -7)])
def test_a_clip_without_a_known_class_is_named(size, label):
    dataset = clips([0, 1, 2, label], [[], [], [0], [1]])
    dataset = padded(dataset, size) if size else dataset
    assert with_error(tfdata.one_hot(dataset, "label", NAMES)) == (
        f"The clip 'clip-3' must have one of the classes of 'label'. Received: {label}. The classes are 'cat', "
        "'dog', 'café'. Leave clips without a class out: load(sets.where(...))."
    )


@pytest.mark.parametrize("size", [None, 2])
def test_an_unknown_class_in_a_list_is_named(size):
    dataset = clips([0, 1, 2], [[0, 0, 0], [0], [0, 1]])
    dataset = padded(dataset, size) if size else dataset
    message = with_error(tfdata.multi_hot(dataset, "words", NAMES[:1]))
    assert message.startswith("The clip 'clip-2' must have one of the classes of 'words'. Received: 'dog'.")
    assert "'clip-2' must" in with_error(tfdata.multi_hot(dataset, "tags", NAMES[:1]))
    assert "'clip-2' must" in with_error(tfdata.class_names(dataset, "tags", NAMES[:1]))


@pytest.mark.parametrize("size", [None, 2])
def test_a_missing_class_within_a_list_is_no_padding(size):
    dataset = clips([0, 1], [[0, 1], [-1]]).map(lambda clip: {**clip, "tags_length": tf.size(clip["tags"], tf.int64)})
    dataset = padded(dataset, size) if size else dataset
    message = with_error(tfdata.multi_hot(dataset, "tags", NAMES))
    assert message.startswith("The clip 'clip-1' must have one of the classes of 'tags'. Received: -1.")


def test_ids_may_be_numbers():
    dataset = tf.data.Dataset.from_tensor_slices({"id": [7, 8], "label": [0, 3]})
    assert with_error(tfdata.one_hot(dataset, "label", NAMES)).startswith("The clip '8' must have one of")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("targets") / "features"
    content = [
        {"label": "dog", "tags": ["café", "cat"], "words": ["x"], "word": "dog", "gain": 1.0},
        {"label": None, "tags": [], "words": [], "word": None, "gain": 1.0},
        {"label": "cat", "tags": None, "words": None, "word": "cat", "gain": 1.0},
    ]
    content = {f"clip-{number}": (feature(3), row) for number, row in enumerate(content)}
    synthetic_sets.write(path, content, columns=COLUMNS)
    return path


@pytest.fixture(scope="module")
def loaded(folder):
    """Returns the elements that `load` returns, without reading them again."""
    dataset = load(folder)
    return in_memory(list(dataset.as_numpy_iterator()), dataset.element_spec)


def in_memory(elements, spec):
    return tf.data.Dataset.from_generator(lambda: elements, output_signature=spec)


def test_the_classes_are_those_of_a_feature_set(folder, loaded):
    sets = FeatureSet(folder)
    for classes in (sets, folder, str(folder), sets[1:], sets.class_names("tags"), tuple(NAMES)):
        assert Classes.resolve(classes, "tags").names == tuple(NAMES)
    made = tfdata.multi_hot(tfdata.class_names(loaded.take(2), "label", folder), "tags", sets)
    np.testing.assert_array_equal(rows(made, "tags"), [[1, 0, 1], [0, 0, 0]])
    assert rows(made, "label") == [b"dog", b""]


def test_missing_classes_and_lists_of_a_feature_set_are_errors(loaded):
    for column, received in {"label": "-1", "word": "''"}.items():
        message = with_error(tfdata.one_hot(loaded, column, NAMES))
        assert message.startswith(
            f"The clip 'clip-1' must have one of the classes of {column!r}. Received: {received}."
        )
    assert with_error(tfdata.multi_hot(loaded, "tags", NAMES)) == (
        "The clip 'clip-2' must have a list of classes in 'tags'. Received: a missing list. Leave the clip out, or "
        "give it an empty list if it has no class."
    )
    assert "'clip-2' must have a list" in with_error(tfdata.multi_hot(padded(loaded, 3), "tags", NAMES))


def test_the_classes_of_several_sets_are_those_of_all(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, classes in (("cat", ["dog", "cat"]), ("dog", ["cow", "cat"])):
        columns = Columns(types={"label": "int"}, classes={"label": classes}, fill_values={"label": -1})
        synthetic_sets.write(tmp_path / name, {name: (feature(2), {"label": 0})}, columns=columns)
    joined = FeatureSet(["cat", "dog"])
    for classes in (joined, [FeatureSet("cat"), "dog"], ["cat", tmp_path / "dog"]):
        made = tfdata.one_hot(load(["cat", "dog"]), "label", classes)
        assert np.array(rows(made, "label")).tolist() == [[1, 0, 0], [0, 0, 1]]
    with pytest.raises(ArgumentError, match=r"Received: paths of feature sets.*pass FeatureSet\(\['cat', 'dog'\]\)"):
        tfdata.one_hot(load(joined), "label", ["cat", "dog"])
    made = tfdata.one_hot(load(joined), "label", ["dog", "cat", "cow"])
    assert np.array(rows(made, "label")).tolist() == [[1, 0, 0], [0, 0, 1]]


@pytest.mark.parametrize(
    ("function", "column", "classes", "message"),
    [
        (tfdata.one_hot, "lable", NAMES, r"one of 'id', 'label', .* Received: column='lable'"),
        (tfdata.one_hot, "gain", NAMES, "must have positions of classes .integers. or names of classes .text."),
        (tfdata.one_hot, "tags", NAMES, "must have one value per clip. Received: 'tags' .* Use multi_hot"),
        (tfdata.multi_hot, "label", NAMES, "must have lists. Received: 'label' .* Use one_hot"),
        (tfdata.class_names, "word", NAMES, "Received: 'word' with text already"),
        (tfdata.one_hot, "label", [], "classes must be a list of names"),
        (tfdata.one_hot, "label", [0, 1], "classes must be a list of names"),
        (tfdata.one_hot, "label", 3, "classes must be a list of names"),
        (tfdata.one_hot, "label", ["cat", "cat"], "must differ. Received twice: 'cat'"),
    ],
    ids=[
        "no-column",
        "column-of-numbers",
        "column-of-lists",
        "column-of-scalars",
        "column-of-names",
        "no-classes",
        "numbers-as-classes",
        "number-as-classes",
        "equal-classes",
    ],
)
def test_wrong_arguments_name_what_there_is(function, column, classes, message):
    with pytest.raises(ArgumentError, match=message):
        function(clips([0], [[]]), column, classes)


def test_a_feature_set_without_the_classes_and_a_dataset_without_names_are_refused(folder):
    with pytest.raises(ArgumentError, match=r"Received: 'word'. Columns with classes: 'label', 'tags'."):
        tfdata.one_hot(clips([0], [[]]), "word", folder)
    with pytest.raises(ArgumentError, match=r"must be a tf.data.Dataset of dicts.* before you map .* to tuples"):
        tfdata.one_hot(clips([0], [[]]).map(lambda clip: (clip["id"], clip["label"])), "label", NAMES)


def test_options_and_saved_iterators_survive(tmp_path):
    dataset = tf.data.Dataset.from_tensor_slices({"id": list("abcd"), "label": [0, 1, 2, 0]})
    made = tfdata.one_hot(survival.with_option(dataset), "label", NAMES)
    assert survival.has_option(made)
    assert survival.ids_after_a_restore(made, tmp_path) == [b"b", b"c", b"d"]
