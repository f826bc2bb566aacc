"""Feature sets from strangers: whatever their files say, errors are clear and nothing outside the folder is opened."""

import contextlib
import copy
import hashlib
import json
import math
import os
import shutil
import sys
from pathlib import Path

import pytest
import tensorflow as tf

from audiopipe import load
from audiopipe.errors import AudiopipeError, CorruptFeatureSetError, FeatureSetError
from audiopipe.feature_sets import dataset_json
from audiopipe.feature_sets.description import Description

OLD = Path(__file__).parents[1] / "data/v0.1"
OUTSIDE = "outside"
NAMES = [
    "../outside/{name}",
    "{outside}/{name}",
    "file://{outside}/{name}",
    "memory://outside/{name}",
    "{name}/../../outside/{name}",
    "./{name}",
    "{name}\n",
    "{name}\0",
    "features-\u0660\u0660\u0660\u0660\u0660\u0660\u0660\u0660.tfrecord",  # digits, but not ours
    "dataset.json",
    "..",
    "",
]
VALUES = [None, True, -1, 0, 7.5, -0.5, 1e308, math.nan, math.inf, 2**31, 2**62, 2**63, 10**400]
VALUES += ["", "x", "../outside", "\ud800", "é", "x" * 10_000, [], {}, [[]], [{}], {"x": {}}, {"": 1}]
MISSING = object()
EVERY = pytest.mark.parametrize(
    "every", [41, pytest.param(1, marks=pytest.mark.faults)], ids=["some values", "all values"]
)

_opened: list[str] = []  # while a test runs


def _note(event, arguments):
    if event == "open" and isinstance(arguments[0], str):
        _opened.append(arguments[0])


sys.addaudithook(_note)


@pytest.fixture(scope="module")
def module_set(tmp_path_factory, shared_feature_set):
    """A feature set that the tests of this module change, with a copy of its files in a folder beside it."""
    folder = tmp_path_factory.mktemp("forged")
    shutil.copytree(shared_feature_set, folder / OUTSIDE)
    return shutil.copytree(shared_feature_set, folder / "features")


@pytest.fixture
def folder(module_set):
    """The feature set of the module, which gets its `dataset.json` back."""
    content = (module_set / "dataset.json").read_bytes()
    _opened.clear()
    yield module_set
    (module_set / "dataset.json").write_bytes(content)
    assert not [path for path in _opened if f"/{OUTSIDE}/" in path]


def forge(folder, content):
    """Writes a forged `dataset.json`, with a fingerprint and a checksum that fit."""
    content = {name: value for name, value in content.items() if name != "checksum"}
    with contextlib.suppress(ValueError, TypeError, KeyError, AttributeError):
        text = json.loads(content["fingerprinted"])
        config = {name: value for name, value in content["config"].items() if name in text["config"]}
        text = json.dumps(
            {"config": config, "kernel_version": content["kernel_version"]}, sort_keys=True, separators=(",", ":")
        )
        if config != json.loads(content["fingerprinted"])["config"]:
            content |= {"fingerprinted": text, "fingerprint": hashlib.sha256(text.encode()).hexdigest()}
    (folder / "dataset.json").write_bytes(dataset_json.dump({"shards": [], **content}))


def places(value, path=()):
    """Yields the path of every value in nested objects and lists."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield (*path, key)
        yield from places(inner, (*path, key))


def changed(content, path, value):
    """Returns a copy of the content with another value at a path."""
    content = copy.deepcopy(content)
    inner = content
    for key in path[:-1]:
        inner = inner[key]
    if value is MISSING:
        del inner[path[-1]]
    else:
        inner[path[-1]] = value
    return content


def cases(content):
    """Returns all places of the content, each with all values to put there."""
    return [
        (path, value)
        for path in places(content)
        for value in [*VALUES, MISSING]
        if value is not MISSING or isinstance(path[-1], str)
    ]


def opened(folder):
    """Opens a feature set in every way that needs no features. Returns whether there was no error."""
    try:
        found = Description.open(folder)
        found.check_files(checksums=True)
        found.failures()
        found.remarks()
    except AudiopipeError:
        return False
    return True


@pytest.mark.filterwarnings("ignore::audiopipe.errors.MachineWarning")
@EVERY
def test_a_forged_value_gives_a_clear_error_or_a_valid_feature_set(folder, every):
    content = json.loads((folder / "dataset.json").read_text())
    content["index"] = {"name": "index-00000008.parquet", "bytes": 4, "sha256": hashlib.sha256(b"PAR1").hexdigest()}
    content["obsolete"] = [{"replaced": 1.5, "files": ["features-00000007.tfrecord"]}]
    content["classes"] = {"take": ["one", "two"]}
    (folder / "index-00000008.parquet").write_bytes(b"PAR1")
    forge(folder, content)
    assert opened(folder)
    read = 0
    valid = ("config", "pad_end"), True  # few of the others are
    for path, value in [*cases(content)[::every], valid]:
        forge(folder, changed(content, path, value))
        if opened(folder) and path[0] in (
            "counts",
            "shards",
            "metadata",
            "classes",
            "fill_values",
            "config",
            "storage",
        ):
            read += 1
            with contextlib.suppress(AudiopipeError, tf.errors.InvalidArgumentError):
                list(load(folder))
    assert read > 20 // every  # so that the loop covers what happens after opening


@EVERY
def test_a_forged_value_in_format_1_gives_a_clear_error_or_a_valid_feature_set(tmp_path, every):
    folder = shutil.copytree(OLD / "features", tmp_path / "features")
    content = json.loads((folder / "dataset.json").read_text())
    assert opened(folder)
    for path, value in cases(content)[::every]:
        forge(folder, changed(content, path, value))
        opened(folder)


@pytest.mark.parametrize("field", ["shards", "index", "failures", "remarks", "statistics", "obsolete"])
def test_a_name_that_leaves_the_folder_is_refused_before_anything_is_opened(folder, field):
    content = json.loads((folder / "dataset.json").read_text())
    content["index"] = {"name": "index-00000008.parquet", "bytes": 4, "sha256": "0" * 64}
    content["obsolete"] = [{"replaced": 1.5, "files": ["features-00000007.tfrecord"]}]
    path = {"shards": ("shards", 1, "name"), "obsolete": ("obsolete", 0, "files", 0)}.get(field, (field, "name"))
    name = content
    for key in path:
        name = name[key]
    for text in NAMES:
        forged = text.format(name=name, outside=folder.parent / OUTSIDE)
        forge(folder, changed(content, path, forged))
        _opened.clear()
        for read in (Description.open, load):
            with pytest.raises(CorruptFeatureSetError, match="must be a name like"):
                read(folder)
        assert {os.path.basename(name) for name in _opened if str(folder) in name} == {"dataset.json"}


@pytest.mark.parametrize(
    "name",
    [
        "features-00000001.tfrecord",
        "failures-00000001.jsonl",
        "remarks-00000001.jsonl",
        "statistics-00000001.jsonl",
        "dataset.json",
    ],
)
def test_a_link_out_of_the_folder_is_refused_before_it_is_opened(folder, name):
    outside = folder.parent / OUTSIDE / name
    kept = (folder / name).read_bytes()
    try:
        for target in (outside, os.path.relpath(outside, folder)):
            (folder / name).unlink()
            (folder / name).symlink_to(target)
            for read in (Description.open, load):
                with pytest.raises(
                    CorruptFeatureSetError, match=rf"{name}' is a link to '.*{OUTSIDE}/{name}', outside"
                ):
                    read(folder)
    finally:
        (folder / name).unlink()
        (folder / name).write_bytes(kept)


def test_a_link_to_the_folder_and_links_within_it_are_followed(folder, tmp_path):
    (tmp_path / "link").symlink_to(folder)
    shard = folder / "features-00000000.tfrecord"
    shard.rename(folder / "features-00000009.tfrecord")
    try:
        shard.symlink_to("features-00000009.tfrecord")
        assert len(list(load(tmp_path / "link", check=True))) == 4
    finally:
        shard.unlink()
        (folder / "features-00000009.tfrecord").rename(shard)


@pytest.mark.parametrize("name", ["features-00000000.tfrecord", "dataset.json"])
@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir], ids=["a pipe", "a folder"])
def test_a_pipe_or_a_folder_in_the_place_of_a_file_is_refused(feature_set, name, make):
    (feature_set / name).unlink()
    make(feature_set / name)
    with pytest.raises(FeatureSetError, match=rf"{name}"):
        load(feature_set)


@pytest.mark.cases(4)
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[" * 1_000_000, "nested at most 32 deep"),
        ('{"a":' * 100_000 + "1" + "}" * 100_000, "nested at most 32 deep"),
        ("[" + "{}," * 1_100_000 + "{}]", r"at most 1048576 objects and lists"),
        ('{"x": "' + "[" * 100_000 + '"}', "KeyError: 'format_version'"),  # brackets in text are no nesting
        ('{"x": ' + "1" * 5000 + "}", "ValueError"),
        (" " * (dataset_json.MAX_BYTES + 1), "must have at most 67108864 bytes"),
        ("{" + ",".join(f'"{number}":1' for number in range(200_000)) + "}", "KeyError: 'format_version'"),
    ],
    ids=["lists", "objects", "many objects", "text", "a long number", "a large file", "many keys"],
)
def test_nested_and_gigantic_json_is_refused(folder, text, message):
    (folder / "dataset.json").write_text(text)
    with pytest.raises(CorruptFeatureSetError, match=rf"dataset\.json' is not a valid dataset\.json: .*{message}"):
        Description.open(folder)


def test_nested_json_in_the_text_of_the_fingerprint_is_refused(folder):
    content = json.loads((folder / "dataset.json").read_text())
    content["fingerprinted"] = "[" * 100_000
    (folder / "dataset.json").write_bytes(dataset_json.dump(content))
    with pytest.raises(CorruptFeatureSetError, match="nested at most 32 deep"):
        Description.open(folder)


def test_nested_json_among_the_failures_is_refused(feature_set):
    data = b"[" * 100_000
    (feature_set / "failures-00000001.jsonl").write_bytes(data)
    content = json.loads((feature_set / "dataset.json").read_text())
    content["failures"] |= {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    forge(feature_set, content)
    with pytest.raises(CorruptFeatureSetError, match=r"failures-00000001\.jsonl' is not valid"):
        Description.open(feature_set).failures()


def test_more_shards_than_can_be_read_again_are_not_written(feature_set, monkeypatch):
    made = Description.open(feature_set)
    monkeypatch.setattr(dataset_json, "MAX_BYTES", 1000)
    with pytest.raises(
        FeatureSetError, match=r"at most 1000 bytes\. Received: \d+ bytes for 2 shards\. .*--num-shards"
    ):
        made.write()
