"""Feature sets that pipelines write: what they hold, and that their bytes depend on the clips alone."""

import json
import random

import apache_beam
import numpy as np
import pyarrow.parquet as pq
import pytest
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from computed_clips import clip, contents, element, elements_of, write, write_by_pipeline

from audiopipe import FeatureSet, beam, configs, load, registry, verification
from audiopipe.errors import InputError
from audiopipe.precompute import staged_bundles, staged_shards, staged_sorting


@pytest.fixture
def output(tmp_path):
    return str(tmp_path / "features")


def rows_of(manifest):
    for line in manifest.read_text().splitlines():
        row = json.loads(line)
        path = row.pop("path")
        yield {**row, "audio": str(manifest.parent / path)}


@pytest.fixture(scope="module")
def written(clips, mel, tmp_path_factory):
    """Returns the feature set that a pipeline computes from the clips of the manifest."""
    folder = tmp_path_factory.mktemp("written") / "features"
    with apache_beam.Pipeline(runner=FnApiRunner()) as pipeline:
        computed = (
            pipeline
            | apache_beam.Create(list(rows_of(clips / "manifest.jsonl")))
            | beam.ComputeFeatures(mel, on_error="collect")
        )
        _ = computed | beam.WriteFeatureSet(folder, mel.config, num_shards=2)
    return FeatureSet(folder)


def test_a_pipeline_gives_the_clips_statistics_and_failures_of_precompute(written, shared_feature_set):
    expected = FeatureSet(shared_feature_set)
    assert written.ids == sorted(expected.ids)
    for found in written:
        assert found["feature"].tobytes() == expected[found["id"]]["feature"].tobytes()
        assert {**found, "feature": None} == {**expected[found["id"]], "feature": None}
    assert written.statistics == expected.statistics
    assert (written.schema, written.fill_values) == (expected.schema, expected.fill_values)
    names = ("id", "stage", "error")
    failed = [[{name: line[name] for name in names} for line in sets.failures()] for sets in (written, expected)]
    assert failed[0] == failed[1]
    counts = ("clips", "failures", "remarks", "frames")
    assert [written.counts[name] for name in counts] == [expected.counts[name] for name in counts]


def test_the_feature_set_is_verified_and_loaded(written, clips, mel):
    assert verification.verify(written.path).ok
    report = verification.verify(written.path, clips / "manifest.jsonl", door="tfdata")
    assert report.ok
    assert (report.missing, report.unknown) == ([], [])
    loaded = {clip["id"].decode(): clip["feature"] for clip in load(written.path, mel.config).as_numpy_iterator()}
    assert sorted(loaded) == written.ids
    for clip_id, feature in loaded.items():
        np.testing.assert_array_equal(feature, written[clip_id]["feature"])


def test_no_file_of_the_pipeline_is_left(written):
    names = contents(written.path)
    assert sorted(name for name in names if name.startswith("features-")) == [
        "features-00000000.tfrecord",
        "features-00000001.tfrecord",
    ]
    assert not [name for name in names if "/" in name or name.endswith(".tmp")]


def test_bytes_do_not_depend_on_the_order_and_the_bundles(config, tmp_path, monkeypatch):
    elements = [clip(number, config, take=number, note=None if number % 3 else "x") for number in range(40)]
    expected = contents(write(elements, tmp_path / "in-order", config, num_shards=3))
    random.Random(0).shuffle(elements)
    by_pipeline = write_by_pipeline(elements, tmp_path / "by-pipeline", config, num_shards=3, shuffled=True)
    assert contents(by_pipeline) == expected
    monkeypatch.setattr(staged_bundles, "FILE_ROWS", 7)
    monkeypatch.setattr(staged_shards, "READ_ROWS", 3)
    monkeypatch.setattr(staged_sorting, "ROWS_AT_ONCE", 5)
    assert contents(write(elements, tmp_path / "in-bundles", config, num_shards=3, bundles=5)) == expected
    assert FeatureSet(tmp_path / "in-bundles").ids == [f"clip-{number:03d}" for number in range(40)]


@pytest.mark.faults
@pytest.mark.parametrize("mode", ["multi_threading", "multi_processing"])
def test_bytes_do_not_depend_on_the_workers(config, tmp_path, mode):
    elements = [clip(number, config, take=number) for number in range(100)]
    options = PipelineOptions([f"--direct_running_mode={mode}", "--direct_num_workers=2"])
    with apache_beam.Pipeline(runner=FnApiRunner(), options=options) as pipeline:
        features = pipeline | apache_beam.Create(elements)
        _ = features | beam.WriteFeatureSet(tmp_path / mode, config, num_shards=4)
    assert contents(tmp_path / mode) == contents(write(elements, tmp_path / "one", config, num_shards=4))


def test_shards_have_the_sizes_that_precompute_chooses(config, output):
    def frames(count):
        return np.zeros((count, config.n_bins, 1), np.float32)

    write([element(f"{number}", frames(3000), config) for number in range(3)], output, config)  # 1.5 MB each
    assert [shard["records"] for shard in FeatureSet(output).shards] == [1, 1, 1]
    write([clip(number, config) for number in range(3)], output, config, overwrite=True)
    assert [shard["records"] for shard in FeatureSet(output).shards] == [3]


def test_more_shards_than_clips_are_as_many_as_clips(config, output):
    write([clip(0, config), clip(1, config)], output, config, num_shards=5)
    assert [shard["records"] for shard in FeatureSet(output).shards] == [1, 1]


def test_metadata_has_the_types_of_precompute(config, output):
    fields = [
        {"gain": 1, "tags": ["a"], "age": 3, "ok": True, "label": "dog"},
        {"gain": 0.5, "tags": None, "age": None, "ok": False, "label": "cat"},
        {"gain": 2, "tags": [], "ok": np.True_, "label": "dog", "extra": np.int64(7)},
    ]
    elements = [clip(number, config, **row) for number, row in enumerate(fields)]
    write(elements, output, config, class_columns=("label",))
    found = FeatureSet(output)
    assert found.schema == {
        "age": "int",
        "extra": "int",
        "gain": "float",
        "label": "int",
        "ok": "bool",
        "tags": "list<string>",
    }
    assert found.classes == {"label": ["cat", "dog"]}
    assert [clip["gain"] for clip in found] == [1.0, 0.5, 2.0]
    assert [clip["tags"] for clip in found] == [["a"], None, []]
    assert [(clip["age"], clip["extra"], clip["label"]) for clip in found] == [
        (3, None, 1),
        (None, None, 0),
        (None, 7, 1),
    ]
    assert verification.verify(output).ok


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([1, "two"], "int in the clip 'clip-000', string in the clip 'clip-001'"),
        ([["a"], "a"], r"list<string> in the clip 'clip-000', string in the clip 'clip-001'"),
        ([True, None], "bool in the clip 'clip-000', missing in the clip 'clip-001'"),
    ],
)
def test_a_field_with_values_of_different_types_is_refused_with_two_ids(config, output, values, message):
    with pytest.raises(InputError, match=message):
        write([clip(number, config, field=value) for number, value in enumerate(values)], output, config)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_features_are_rounded_to_the_dtype(config, output, dtype):
    elements = [clip(number, config) for number in range(3)]
    found = FeatureSet(write(elements, output, config, dtype=dtype))
    assert found.dtype == dtype
    errors = [np.abs(row["feature"] - given["feature"]).max() for row, given in zip(found, elements, strict=True)]
    assert 0 < found.max_error == max(errors)
    assert verification.verify(output).ok


def test_ids_may_have_bytes_that_are_not_unicode(config, output):
    names = ["a", "caf\udce9", "é", "🎵"]
    feature = np.zeros((3, config.n_bins, 1), np.float32)
    write([element(names[number], feature, config) for number in (2, 0, 3, 1)], output, config)
    assert FeatureSet(output).ids == sorted(names, key=lambda name: name.encode("utf-8", "surrogateescape"))
    assert verification.verify(output).ok


def test_valid_frames_and_remarks_are_kept(output):
    config = registry.get("whisper-80")
    feature = np.zeros((3000, 80, 1), np.float32)
    remark = {"id": "b", "path": None, "stage": "feature", "remark": "cut", "dropped_seconds": 2.5}
    rows = [
        {**element("b", feature + 1, config, valid_frames=3000), "remarks": [remark]},
        element("a", feature, config, valid_frames=120),
    ]
    found = FeatureSet(write(rows, output, config))
    assert [clip["valid_frames"] for clip in found] == [120, 3000]
    assert found.remarks() == [{**remark, "path": ""}]
    assert (found.counts["remarks"], found.counts["cut_clips"], found.counts["dropped_seconds"]) == (1, 1, 2.5)
    assert found.statistics.count.max() == 3120
    assert found.counts["hours"] == pytest.approx(31.2 / 3600, abs=0.03 / 3600)
    assert verification.verify(output).ok


def test_failures_are_sorted_and_complete(config, output):
    failures = [
        {"id": name, "path": name and f"{name}.wav", "stage": "read", "error": "gone"} for name in ("z", None, "b")
    ]
    found = FeatureSet(write([clip(0, config)], output, config, failures=failures))
    assert [failure["id"] for failure in found.failures()] == ["", "b", "z"]
    assert found.counts["failures"] == 3
    assert verification.verify(output).ok


def test_machines_that_computed_here_are_named(written, shared_feature_set):
    assert written.machines == FeatureSet(shared_feature_set).machines != []
    assert written.notes == []


def test_machines_of_a_set_that_is_read_are_named(config, written, output):
    with apache_beam.Pipeline(runner=FnApiRunner()) as pipeline:
        failures = pipeline | apache_beam.Create([])
        _ = (pipeline | beam.ReadFeatureSet(written), failures) | beam.WriteFeatureSet(output, config)
    assert FeatureSet(output).machines == written.machines
    assert FeatureSet(output).shards[0]["records"] == 4


def test_what_is_not_known_is_noted(config, output):
    found = FeatureSet(write([clip(0, config)], output, config))
    assert (found.counts["failures"], found.machines) == (0, [])
    assert found.notes == [
        "It is not known which machines computed some of the features.",
        "The pipeline that wrote this feature set did not pass its failures on, so their number is not known.",
    ]
    found = FeatureSet(write([clip(0, config)], output, config, failures=[], overwrite=True))
    assert found.notes == ["It is not known which machines computed some of the features."]


def test_a_pipeline_of_windows_goes_on_once_the_set_is_complete(config, output):
    stamped = [apache_beam.window.TimestampedValue(clip(number, config), number) for number in range(4)]

    def build(pipeline):
        windowed = (
            pipeline
            | apache_beam.Create(stamped)
            | apache_beam.Map(lambda item: item)
            | apache_beam.WindowInto(apache_beam.window.FixedWindows(2))
        )
        path = windowed | beam.WriteFeatureSet(output, config)
        return path | apache_beam.Map(lambda path: FeatureSet(path).ids)

    assert elements_of(build) == [["clip-000", "clip-001", "clip-002", "clip-003"]]


def test_the_channels_of_clips_may_differ(output):
    config = configs.StftMagnitude(
        sample_rate=8000, n_fft=256, hop_length=100, channels=None, output_data_format="channels_first"
    )
    features = [np.random.default_rng(0).random((channels, 5, 129), np.float32) for channels in (1, 3)]
    found = FeatureSet(write([element(f"{len(item)}", item, config) for item in features], output, config))
    for clip_read, feature in zip(found, features, strict=True):
        np.testing.assert_array_equal(clip_read["feature"], feature)
    assert found.statistics.count.max() == 20
    assert verification.verify(output).ok


def test_a_feature_may_have_another_key(config, output):
    row = clip(0, config)
    row = {"mel" if name == "feature" else name.replace("feature_", "mel_"): value for name, value in row.items()}
    assert FeatureSet(write([row], output, config, feature="mel")).schema == {}


def test_a_remote_output_is_written(config, memory, tmp_path):
    elements = [clip(number, config, take=number) for number in range(5)]
    write(elements, f"{memory}/features", config, num_shards=2)
    found = FeatureSet(f"{memory}/features")
    expected = FeatureSet(write(elements, tmp_path / "local", config, num_shards=2))
    assert found.shards == expected.shards
    assert verification.verify(f"{memory}/features").ok


def test_the_index_says_where_each_record_is(config, output):
    write([clip(number, config) for number in range(4)], output, config, num_shards=2)
    rows = pq.read_table(f"{output}/clips.parquet")
    assert [row["record"]["shard"] for row in rows.to_pylist()] == [0, 0, 1, 1]
    assert [row["record"]["number"] for row in rows.to_pylist()] == [0, 1, 0, 1]
