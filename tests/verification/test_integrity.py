"""Verification of a feature set without its audio."""

import json
import shutil
import subprocess
import sys

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from damage import bless, write_index
from typer.testing import CliRunner

from audiopipe import beam, cli
from audiopipe.errors import ArgumentError, CorruptFeatureSetError
from audiopipe.verification import verify


def names(folder):
    """Returns the names of the files of a feature set."""
    return sorted(path.name for path in folder.iterdir() if path.is_file())


def index_of(folder):
    return folder / json.loads((folder / "dataset.json").read_text())["index"]["name"]


def change_index(folder, change):
    write_index(folder, change(pq.read_table(index_of(folder))))


@pytest.fixture(scope="module")
def even(tmp_path_factory, clips, config):
    """Returns a feature set of four equal clips, whose two shards have equal sizes."""
    folder = tmp_path_factory.mktemp("even")
    lines = [json.dumps({"id": name, "path": str(clips / "quiet.wav")}) for name in "abcd"]
    (folder / "manifest.jsonl").write_text("\n".join(lines))
    beam.precompute(folder / "manifest.jsonl", folder / "features", config, num_shards=2)
    return folder / "features"


def test_an_untouched_feature_set_is_whole(shared_feature_set):
    report = verify(shared_feature_set)
    assert (report.ok, report.comparisons) == (True, [])
    result = CliRunner().invoke(cli.app, ["verify", str(shared_feature_set)])
    assert result.exit_code == 0
    assert result.stdout == "shards: 2, with 4 records; checksums and counts agree\n"


@pytest.mark.parametrize("damage", ["flipped", "missing", "cut"])
def test_damage_of_any_file_is_found_and_the_file_named(feature_set, damage):
    for name in names(feature_set):
        path = feature_set / name
        content = path.read_bytes()
        if damage == "missing":
            path.unlink()
        elif damage == "cut":
            path.write_bytes(content[:-2] if content else b"\n")
        else:
            middle = len(content) // 2
            path.write_bytes(content[:middle] + bytes(byte ^ 1 for byte in content[middle : middle + 1] or b"\n"))
            path.write_bytes(path.read_bytes() + content[middle + 1 :])
        with pytest.raises(Exception, match=name.replace(".", r"\.")) as caught:
            verify(feature_set)
        assert type(caught.value).__name__ in ("CorruptFeatureSetError", "IncompleteFeatureSetError"), caught.value
        assert CliRunner().invoke(cli.app, ["verify", str(feature_set)]).exit_code == 1
        path.write_bytes(content)
    assert verify(feature_set).ok


def test_all_damaged_files_are_named(feature_set):
    damaged = [feature_set / "clips.parquet", *sorted(feature_set.glob("*.tfrecord"))]
    for path in damaged:
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
    with pytest.raises(CorruptFeatureSetError, match=r"has 3 faults:\n(.*\n){2}.*$") as caught:
        verify(feature_set)
    for path in damaged:
        assert f"{str(path)!r} does not have the checksum in dataset.json" in str(caught.value)


def test_swapped_shards_are_found(even, tmp_path):
    folder = shutil.copytree(even, tmp_path / "features")
    first, second = sorted(folder.glob("*.tfrecord"))
    content = first.read_bytes()
    first.write_bytes(second.read_bytes())
    second.write_bytes(content)
    for _ in range(2):
        with pytest.raises(CorruptFeatureSetError, match=r"has 2 faults") as caught:
            verify(folder)
        for path in (first, second):
            assert f"Record 0 of the shard {str(path)!r} belongs to another shard or feature set" in str(caught.value)
        bless(folder)  # with checksums that match, the records still belong to other shards


def put(name, value, kind=None):
    """Returns a change of the value of the second row of a column."""

    def change(table):
        values = table[name].to_pylist()
        values[1] = value
        position = table.schema.get_field_index(name)
        return table.set_column(position, table.schema.field(name), pa.array(values, table.schema.field(name).type))

    return change


def move(name, value):
    """Returns a change of a field of `record` of the second row."""

    def change(table):
        values = table["record"].to_pylist()
        values[1][name] = value
        return put("record", values[1])(table)

    return change


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (put("id", "other"), "id of record 1 of .*features-.*tfrecord' is 'stereo', and 'other' in the index"),
        (put("n_frames", 22), "n_frames of record 1"),
        (put("valid_frames", 3), "valid_frames of record 1"),
        (put("speaker", "Al"), "speaker of record 1 of .* is 'Bo', and 'Al' in the index"),
        (put("take", 3), "take of record 1"),
        (put("gain", 0.0), "gain of record 1"),
        (put("clean", None), "clean of record 1"),
        (put("age", -1), "age of record 1 of .* is None, and -1 in the index"),
        (move("offset", 0), "offset of record 1"),
        (move("number", 0), "number of record 1"),
        (lambda table: table.take([1, 0, 2, 3]), "number of record 0"),
        (lambda table: table.take([0, 1, 2]), "index"),
        (lambda table: table.drop_columns(["speaker"]), "index"),
    ],
)
def test_an_index_that_does_not_fit_the_shards_is_found(feature_set, change, fault):
    change_index(feature_set, change)
    with pytest.raises(CorruptFeatureSetError, match=fault) as caught:
        verify(feature_set)
    assert index_of(feature_set).name in str(caught.value)


def test_a_copy_that_is_a_link_out_of_the_folder_is_not_opened(feature_set, tmp_path):
    (feature_set / "clips.parquet").rename(tmp_path / "elsewhere.parquet")
    (feature_set / "clips.parquet").symlink_to(tmp_path / "elsewhere.parquet")
    with pytest.raises(CorruptFeatureSetError, match=r"clips\.parquet' is a link to .*elsewhere"):
        verify(feature_set)


def test_a_remote_feature_set_is_checked(shared_feature_set):
    storage = fsspec.filesystem("memory")
    for name in names(shared_feature_set):
        storage.pipe_file(f"/integrity/features/{name}", (shared_feature_set / name).read_bytes())
    assert verify("memory://integrity/features").ok
    [*_, last] = sorted(shared_feature_set.glob("*.tfrecord"))
    storage.pipe_file(f"/integrity/features/{last.name}", last.read_bytes()[:-1] + b"?")
    with pytest.raises(CorruptFeatureSetError, match=f"{last.name}' does not have the checksum"):
        verify("memory://integrity/features")
    storage.rm("/integrity", recursive=True)


def test_durations_that_do_not_fit_the_hours_are_found(feature_set):
    change_index(feature_set, put("seconds", 0.5))
    with pytest.raises(CorruptFeatureSetError, match=r"dataset\.json' was edited: its counts .* hours"):
        verify(feature_set)


@pytest.mark.parametrize("arguments", [{"sample": 1}, {"tolerance": 0.5}])
def test_sample_and_tolerance_need_an_input(shared_feature_set, arguments):
    with pytest.raises(ArgumentError, match="need a source"):
        verify(shared_feature_set, **arguments)
    [(name, value)] = arguments.items()
    result = CliRunner().invoke(cli.app, ["verify", str(shared_feature_set), f"--{name}", str(value)])
    assert result.exit_code == 2


def test_a_check_of_the_files_alone_needs_no_tensorflow(shared_feature_set):
    script = (
        "import sys\n"
        "from audiopipe.verification import verify\n"
        "assert verify(sys.argv[1]).ok\n"
        "print({'tensorflow', 'keras', 'datasets', 'apache_beam'} & {*sys.modules})"
    )
    command = [sys.executable, "-c", script, str(shared_feature_set)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
