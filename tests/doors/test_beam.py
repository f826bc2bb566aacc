"""Tests of the Apache Beam door: jobs that precompute features."""

import dataclasses
import json
import sys

import apache_beam
import datasets
import numpy as np
import pytest
import soundfile
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from planning import write_shard, written

from audiopipe import beam, inputs, load
from audiopipe.errors import (
    ArgumentError,
    ConfigMismatchError,
    FeatureSetError,
    InputChangedError,
    InputError,
    MissingDependencyError,
    OutputError,
)
from audiopipe.precompute import completion, shard_writer

TOLERANCE = 1e-2  # decibels: float32 is coarse in bands that resampling has almost emptied


def contents(folder):
    """Returns the bytes of every file below a folder."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def shard_bytes(folder):
    return {name: content for name, content in contents(folder).items() if name.endswith(".tfrecord")}


def failures(folder):
    return [json.loads(line) for line in (folder / "failures-00000001.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def damaged(tmp_path_factory, clips):
    """A folder of good files and files with different kinds of damage."""
    folder = tmp_path_factory.mktemp("damaged")
    for name in ("mono.wav", "stereo.flac", "resampled.wav"):
        (folder / name).write_bytes((clips / name).read_bytes())
    (folder / "a-text.wav").write_text("hello")
    content = (clips / "stereo.flac").read_bytes()
    (folder / "cut.flac").write_bytes(content[: len(content) // 2])
    (folder / "nothing.wav").write_bytes(b"")
    soundfile.write(folder / "short.wav", np.zeros(100), 8000)
    (folder / "notes.txt").write_text("not audio, and ignored")
    return folder


def test_damaged_files_are_failures_in_the_order_of_the_input_and_good_ones_are_right(
    damaged, tmp_path, config, samples, reference
):
    feature_set = beam.precompute(damaged, tmp_path / "out", config, num_shards=3)
    elements = {
        element["id"].decode(): element["feature"] for element in load(tmp_path / "out", config).as_numpy_iterator()
    }
    assert list(elements) == ["mono.wav", "resampled.wav", "stereo.flac"]
    for name, feature in elements.items():
        np.testing.assert_allclose(feature, reference(samples[name.partition(".")[0]], config), atol=TOLERANCE)
    found = failures(tmp_path / "out")
    assert [(line["id"], line["stage"]) for line in found] == [
        ("a-text.wav", "decode"),
        ("cut.flac", "decode"),
        ("nothing.wav", "decode"),
        ("short.wav", "feature"),
    ]
    for line in found:
        assert line.keys() == {"id", "path", "stage", "error", "size", "time"}
        assert line["path"] == str(damaged / line["id"])
        assert line["error"]
    assert (feature_set.counts["clips"], feature_set.counts["failures"]) == (3, 4)


def test_a_missing_file_of_a_manifest_is_a_failure(clips, tmp_path, config):
    manifest = tmp_path / "manifest.csv"
    manifest.write_text(f"path,id\nnowhere.wav,lost\n{clips / 'mono.wav'},found\n")
    beam.precompute(manifest, tmp_path / "out", config)
    [failure] = failures(tmp_path / "out")
    assert (failure["id"], failure["stage"]) == ("lost", "read")
    assert "nowhere.wav" in failure["error"]
    assert "No such file" in failure["error"]
    assert [element["id"].numpy() for element in load(tmp_path / "out")] == [b"found"]


def test_metadata_of_a_manifest_is_in_the_feature_set(shared_feature_set, metadata):
    for element in load(shared_feature_set).as_numpy_iterator():
        known = metadata[element["id"].decode()]
        assert (element["speaker"].decode(), element["take"]) == (known["speaker"], known["take"])


@pytest.mark.parametrize(("asked", "made"), [(1, 1), (3, 3), (99, 5), (None, 1)])
def test_there_are_at_most_as_many_shards_as_clips(clips, tmp_path, config, asked, made):
    beam.precompute(clips, tmp_path / "out", config, num_shards=asked)
    names = [f"features-{number:08d}.tfrecord" for number in range(made)]
    if made == 5:
        del names[0]  # the clip that fails has a shard of its own, which therefore has no records
    assert sorted(shard_bytes(tmp_path / "out")) == names


@pytest.mark.parametrize(
    ("num_shards", "expected"), [(0, "at least 1"), (-1, "at least 1"), (2.5, "an integer"), ("4", "an integer")]
)
def test_a_wrong_number_of_shards_is_refused(clips, tmp_path, config, num_shards, expected):
    with pytest.raises(ArgumentError, match=rf"num_shards must be {expected}\. Received: num_shards={num_shards!r}"):
        beam.precompute(clips, tmp_path / "out", config, num_shards=num_shards)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("options", [[], ["--direct_running_mode=multi_threading", "--direct_num_workers=2"]])
def test_a_second_run_writes_the_same_bytes(clips, shared_feature_set, tmp_path, config, options):
    beam.precompute(clips / "manifest.jsonl", tmp_path / "out", config, num_shards=2, beam_options=options)
    assert shard_bytes(tmp_path / "out") == shard_bytes(shared_feature_set)
    assert (tmp_path / "out" / "failures.jsonl").read_bytes() == (shared_feature_set / "failures.jsonl").read_bytes()


def test_a_feature_set_of_another_config_is_refused_and_left_untouched(clips, feature_set, config):
    before = contents(feature_set)
    with pytest.raises(ConfigMismatchError, match="hop_length: 80 != 100"):
        beam.precompute(clips, feature_set, dataclasses.replace(config, hop_length=80))
    assert contents(feature_set) == before


def test_a_complete_feature_set_is_only_replaced_with_overwrite(clips, feature_set, config):
    before = contents(feature_set)
    with pytest.raises(InputChangedError, match=r"was started with (another input|other settings).*--overwrite"):
        beam.precompute(clips, feature_set, config)
    assert contents(feature_set) == before
    other = dataclasses.replace(config, hop_length=80)
    beam.precompute(clips / "manifest.jsonl", feature_set, other, num_shards=3, overwrite=True, keep_old=0)
    assert len(list(load(feature_set, config=other))) == 4
    assert len(shard_bytes(feature_set)) == 3


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_folder_with_foreign_files_is_refused_and_left_untouched(clips, tmp_path, config, overwrite):
    (tmp_path / "thesis.tex").write_text("years of work")
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "features-notes.txt").write_text("more")
    before = contents(tmp_path)
    with pytest.raises(FeatureSetError, match=r"must be a new or empty folder.*contains '(sub/features-notes|thesis)"):
        beam.precompute(clips, tmp_path, config, overwrite=overwrite)
    assert contents(tmp_path) == before


def test_a_feature_set_with_a_foreign_file_is_not_overwritten(clips, feature_set, config):
    (feature_set / "notes.txt").write_text("mine")
    before = contents(feature_set)
    with pytest.raises(FeatureSetError, match=r"contains 'notes\.txt'"):
        beam.precompute(clips, feature_set, config, overwrite=True)
    assert contents(feature_set) == before


def test_a_file_as_output_is_refused(clips, tmp_path, config):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(FeatureSetError, match=r"OUTPUT must be a folder\. Received: the file '.*file'"):
        beam.precompute(clips, tmp_path / "file", config)
    assert (tmp_path / "file").read_text() == "mine"


def test_a_folder_that_cannot_be_created_is_an_error(clips, tmp_path, config):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(FeatureSetError, match=r"Could not create the folder '.*below': Not a directory"):
        beam.precompute(clips, tmp_path / "file" / "below", config)


def test_a_missing_input_leaves_the_output_untouched(tmp_path, feature_set, config):
    before = contents(feature_set)
    with pytest.raises(InputError, match=r"There is no '.*nowhere'"):
        beam.precompute(tmp_path / "nowhere", feature_set, config, overwrite=True)
    assert contents(feature_set) == before


def test_there_is_no_feature_set_when_every_clip_failed(tmp_path, config):
    (tmp_path / "clips").mkdir()
    for name in ("one.wav", "two.wav"):
        (tmp_path / "clips" / name).write_text("no audio")
    with pytest.raises(FeatureSetError, match=r"All 2 clips failed.*one\.wav', decode"):
        beam.precompute(tmp_path / "clips", tmp_path / "out", config)
    assert not (tmp_path / "out" / "dataset.json").exists()
    lines = (tmp_path / "out" / "failures.jsonl").read_text().splitlines()
    assert [json.loads(line)["id"] for line in lines] == ["one.wav", "two.wav"]


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (["--num-shard", "3"], "--num-shard"),
        (["--num-shard=3"], "--num-shard"),
        (["--runner=FnApiRunner", "--no_such_option"], "--no_such_option"),
        (["stray"], "stray"),
        (["--runner=FnApiRunner", "stray"], "stray"),
    ],
)
def test_unknown_options_are_refused_before_anything_is_written(clips, tmp_path, config, options, named):
    with pytest.raises(ArgumentError, match=rf"Neither audiopipe nor Apache Beam has the option {named}"):
        beam.precompute(clips, tmp_path / "out", config, beam_options=options)
    assert not (tmp_path / "out").exists()


def test_a_runner_can_be_given_by_the_path_of_its_class(clips, shared_feature_set, tmp_path, config):
    options = ["--runner=apache_beam.runners.portability.fn_api_runner.FnApiRunner", "--job_name=features"]
    beam.precompute(clips / "manifest.jsonl", tmp_path / "out", config, num_shards=2, beam_options=options)
    assert shard_bytes(tmp_path / "out") == shard_bytes(shared_feature_set)


@pytest.fixture
def planned(tmp_path, clips, config):
    """A plan of the clips of the shared feature set."""
    sources = inputs.scan(clips / "manifest.jsonl")
    output = tmp_path / "out"
    output.mkdir()
    return written(str(output), config, sources, 2)


def test_a_hand_written_pipeline_counts_clips_and_failures(planned, tmp_path, shared_feature_set):
    pipeline = apache_beam.Pipeline(runner=FnApiRunner(), options=PipelineOptions([]))
    pipeline | beam.Precompute(planned.output)
    result = pipeline.run()
    result.wait_until_finish()
    counters = {
        item.key.metric.name: item.committed
        for item in result.metrics().query()["counters"]
        if item.key.metric.namespace == "audiopipe"
    }
    times = {name: counters.pop(name) for name in list(counters) if name.startswith("milliseconds_")}
    assert counters == {"clips": 4, "failures": 1, "seconds_of_audio": 2}
    assert sorted(times) == ["milliseconds_feature", "milliseconds_read", "milliseconds_record"]
    completion.finish(planned)
    assert shard_bytes(tmp_path / "out") == shard_bytes(shared_feature_set)
    with pytest.raises(FeatureSetError, match="has no plan"):
        apache_beam.Pipeline() | beam.Precompute(planned.output)


def test_the_pipeline_passes_on_small_summaries(planned, tmp_path):
    summaries = tmp_path / "summaries"
    with apache_beam.Pipeline(runner=FnApiRunner()) as pipeline:
        elements = pipeline | beam.ReadPlan(planned.output)
        elements | "Elements" >> apache_beam.io.WriteToText(str(summaries / "elements"), shard_name_template="")
        sidecars = elements | beam.WriteFeatureShards(planned.config) | apache_beam.Map(json.dumps)
        sidecars | "Sidecars" >> apache_beam.io.WriteToText(str(summaries / "sidecars"), shard_name_template="")
    lines = sorted((summaries / "elements").read_text().splitlines())
    file = planned.clips_file(0)
    assert lines == [str((file, 0)), str((file, 1))]
    found = [json.loads(line) for line in (summaries / "sidecars").read_text().splitlines()]
    assert {sidecar["name"]: sidecar["records"] for sidecar in found} == {
        "features-00000000.tfrecord": 2,
        "features-00000001.tfrecord": 2,
    }
    assert not any("failures" in sidecar or "remarks" in sidecar for sidecar in found)


def test_audio_in_parquet_is_read_with_its_metadata(clips, tmp_path, config, samples, reference):
    rows = {
        "audio": [{"bytes": (clips / name).read_bytes(), "path": name} for name in ("mono.wav", "broken.wav")],
        "id": ["good", "bad"],
        "label": [3, 4],
    }
    datasets.Dataset.from_dict(rows).to_parquet(tmp_path / "rows.parquet")
    beam.precompute(tmp_path / "rows.parquet", tmp_path / "out", config)
    [element] = load(tmp_path / "out").as_numpy_iterator()
    assert (element["id"], element["label"]) == (b"good", 3)
    np.testing.assert_allclose(element["feature"], reference(samples["mono"], config), atol=TOLERANCE)
    [failure] = failures(tmp_path / "out")
    assert (failure["id"], failure["path"], failure["row"]) == ("bad", str(tmp_path / "rows.parquet"), 1)


def test_without_apache_beam_its_runners_and_transforms_say_what_to_install(clips, tmp_path, config, monkeypatch):
    monkeypatch.setitem(sys.modules, "apache_beam", None)
    for name in ("ComputeFeatures", "Precompute", "ReadPlan", "WriteFeatureShards"):
        with pytest.raises(MissingDependencyError, match=r'pip install "audiopipe\[beam\]"'):
            getattr(beam, name)
    with pytest.raises(MissingDependencyError, match=r'pip install "audiopipe\[beam\]"'):
        beam.precompute(clips, tmp_path / "out", config, beam_options=["--runner=DaskRunner"])
    assert beam.precompute(clips, tmp_path / "out", config).counts["failures"] == 1


def test_the_door_lists_its_names_and_has_no_others():
    assert dir(beam) == [
        "ComputeFeatures",
        "FeatureStatistics",
        "Precompute",
        "ReadFeatureSet",
        "ReadPlan",
        "ToExamples",
        "WriteFeatureSet",
        "WriteFeatureShards",
        "estimate",
        "precompute",
    ]
    with pytest.raises(AttributeError, match=r"'audiopipe\.beam' has no attribute 'spectrum'"):
        _ = beam.spectrum


@pytest.mark.parametrize("name", ["plan/thesis.txt", "features-mine.npy", "dataset.json.bak", "sub/dataset.json"])
def test_overwrite_refuses_a_folder_with_files_that_a_job_does_not_write(feature_set, clips, config, name):
    own = feature_set / name
    own.parent.mkdir(exist_ok=True)
    own.write_text("not to be lost")
    before = contents(feature_set)
    with pytest.raises(FeatureSetError, match=r"OUTPUT must be a new or empty folder"):
        beam.precompute(clips, feature_set, config, overwrite=True)
    assert contents(feature_set) == before


@pytest.mark.parametrize(
    ("lines", "options", "message"),
    [
        (['{"path": "a.wav", "label": 1}', '{"path": "b.wav", "label": "x"}'], [], "must have one type"),
        (['{"path": "a.wav"}'], ["--runner=Foo"], "--runner must name a runner of Apache Beam. Received: 'Foo'"),
        (['{"path": "a.wav"}'], ["--direct_running_mode=bogus"], "Apache Beam rejected these options"),
    ],
)
def test_overwrite_keeps_the_old_feature_set_when_the_job_cannot_start(
    feature_set, config, tmp_path, lines, options, message
):
    manifest = tmp_path / "clips.jsonl"
    manifest.write_text("\n".join(lines))
    before = contents(feature_set)
    with pytest.raises((ArgumentError, InputError), match=message):
        beam.precompute(manifest, feature_set, config, overwrite=True, beam_options=options)
    assert contents(feature_set) == before


def test_a_plan_does_not_depend_on_the_working_directory(clips, tmp_path, config, monkeypatch):
    monkeypatch.chdir(clips)
    work = written(str(tmp_path), config, inputs.scan("."), 1)
    monkeypatch.chdir(tmp_path)
    assert write_shard(work, 0)["records"] > 0


def test_an_error_of_audiopipe_is_logged_without_a_traceback_of_beam(clips, tmp_path, config, monkeypatch, caplog):
    def fail(*arguments):
        raise OutputError("Could not write 'x': No space left on device.")

    monkeypatch.setattr(shard_writer, "write_shards", fail)
    with pytest.raises(FeatureSetError, match="The job stopped: Could not write 'x': No space left on device"):
        beam.precompute(clips, tmp_path / "out", config)
    assert "Traceback" not in caplog.text
