"""What `WriteFeatureSet` refuses, and what failed pipelines leave."""

import json
from pathlib import Path
from typing import ClassVar

import apache_beam
import fsspec
import numpy as np
import pytest
from apache_beam.options.pipeline_options import PipelineOptions, StandardOptions
from apache_beam.runners.direct.direct_runner import BundleBasedDirectRunner
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.testing.test_stream import TestStream as Stream
from computed_clips import clip, complete, contents, element, staged, write, write_by_pipeline
from fsspec.implementations.memory import MemoryFileSystem

from audiopipe import FeatureSet, beam, configs, verification
from audiopipe.errors import ArgumentError, FeatureSetError, FeatureSetLockedError, InputError
from audiopipe.precompute import staged_completion, staged_shards, staged_sorting
from audiopipe.precompute.staged_bundles import StagedBundle
from audiopipe.precompute.staging import Staging
from audiopipe.storage import locks


@pytest.fixture
def output(tmp_path):
    return str(tmp_path / "features")


def changed(row, **fields):
    return {name: value for name, value in {**row, **fields}.items() if value is not ...}


def nan(row):
    return element("clip-000", np.full_like(row["feature"], np.nan), CONFIG)


CONFIG = configs.StftMagnitude(
    sample_rate=8000,
    n_fft=256,
    hop_length=100,
    return_decibel=True,
    input_data_format="channels_last",
    output_data_format="channels_last",
)
OTHER = configs.StftMagnitude(sample_rate=8000, n_fft=256, hop_length=200, output_data_format="channels_last")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda row: row["feature"], "Elements must be dicts, as ComputeFeatures gives them. Received: ndarray"),
        (lambda row: changed(row, id=...), "Elements must have an id.* Received: None in an element with the keys"),
        (lambda row: changed(row, id=""), "Elements must have an id"),
        (
            lambda row: changed(row, feature=...),
            "'clip-000' must have a feature under the key 'feature'. Received: the",
        ),
        (lambda row: changed(row, feature=row["feature"].tolist()), "'clip-000': its feature.* Received: list"),
        (lambda row: changed(row, feature=row["feature"].astype(np.float64)), "Received: float64 of shape"),
        (lambda row: changed(row, feature=row["feature"][:, :7]), r"of shape \[any, 129, 1\].* Received: float32 of"),
        (lambda row: changed(row, feature=row["feature"][:0]), "with at least one frame"),
        (lambda row: changed(row, n_frames=99), "'clip-000': 'n_frames' must be .*3. Received: 99"),
        (lambda row: changed(row, valid_frames=4), r"'valid_frames' must be a number of frames, 0 .. 3. Received: 4"),
        (lambda row: changed(row, feature=row["feature"] * 2), "'clip-000': its feature must be the one that"),
        (lambda row: changed(row, feature_digest=...), "'clip-000' must have the digest.* Received: None"),
        (lambda row: element("clip-000", row["feature"], OTHER), "'clip-000': its feature must be the one that"),
        (nan, "'clip-000': its feature must have finite values. Received: NaN or infinity"),
        (lambda row: changed(row, taken={"at": 1}), "'clip-000': metadata must be text.* Received: taken="),
        (lambda row: changed(row, shape="square"), "'clip-000': the column name 'shape' is reserved"),
        (lambda row: changed(row, remarks="none"), "'clip-000': 'remarks' must be a list of dicts"),
        (
            lambda row: changed(row, remarks=[{"id": 3, "path": None, "stage": "read", "remark": "short"}]),
            "'remarks' must be a list of dicts with texts under the keys id, path, remark, stage",
        ),
        (lambda row: {**row, 7: 1}, "'clip-000': keys must be text. Received: 7"),
    ],
)
def test_elements_that_are_no_computed_clips_are_refused_with_their_id(tmp_path, change, message):
    bundle = StagedBundle(Staging(output=str(tmp_path), config=CONFIG, run="run"))
    with pytest.raises(ValueError, match=message):
        list(bundle.add(change(clip(0, CONFIG))))


def test_a_pipeline_with_a_wrong_element_fails_and_leaves_no_set(config, output):
    rows = [clip(0, config), changed(clip(1, config), n_frames=99)]
    with pytest.raises(InputError, match="'clip-001': 'n_frames' must be"):
        write_by_pipeline(rows, output, config)
    assert not list(Path(output).glob("dataset.json"))
    assert not [name for name in contents(output) if name.endswith((".tfrecord", ".tmp"))]


def test_equal_ids_are_refused_with_both_places(config, output):
    rows = [clip(0, config), clip(1, config), clip(0, config)]
    places = r"at byte 0 of 'staged-\w+.tfrecord' and at byte 4004 of"
    with pytest.raises(InputError, match=f"'clip-000', with equal features: {places}"):
        write(rows, output, config)
    rows[2] = element("clip-000", rows[1]["feature"], config)
    with pytest.raises(InputError, match="'clip-000', with different features"):
        write(rows, output, config, overwrite=True)


def test_a_pipeline_without_elements_fails(config, output):
    with pytest.raises(FeatureSetError, match=r"A feature set must have at least one clip. Received: no element"):
        write([], output, config)


FAILURE = {"id": "a", "path": None, "stage": "read", "error": "gone"}


@pytest.mark.parametrize(
    "failure",
    [
        "gone",
        {"id": "a"},
        {**FAILURE, "path": b""},
        {**FAILURE, "id": 3},
        {**FAILURE, "error": None},
        {**FAILURE, "at": np.nan},
        {**FAILURE, "at": {1}},
    ],
)
def test_failures_that_are_none_are_refused(config, output, failure):
    with pytest.raises(InputError, match="Failures must be dicts with texts under the keys error, id, path, stage"):
        write([clip(0, config)], output, config, failures=[failure])


def test_unbounded_collections_are_refused(config, output):
    options = PipelineOptions()
    options.view_as(StandardOptions).streaming = True
    pipeline = apache_beam.Pipeline(runner=BundleBasedDirectRunner(), options=options)
    stream = pipeline | Stream().add_elements([1]).advance_watermark_to_infinity()
    with pytest.raises(ArgumentError, match=r"WriteFeatureSet takes bounded collections.* Received: the unbounded"):
        _ = stream | beam.WriteFeatureSet(output, config)
    rows = pipeline | apache_beam.Create([clip(0, config)])
    with pytest.raises(ArgumentError, match="WriteFeatureSet takes bounded collections"):
        _ = (rows, stream) | "WithFailures" >> beam.WriteFeatureSet(output, config)
    assert not Path(output).exists()


def test_other_inputs_are_refused(config, output):
    pipeline = apache_beam.Pipeline(runner=FnApiRunner())
    rows = pipeline | apache_beam.Create([1])
    with pytest.raises(ArgumentError, match="WriteFeatureSet takes a PCollection of computed clips, or a pair"):
        _ = (rows, rows, rows) | beam.WriteFeatureSet(output, config)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_shards": 0}, "num_shards"),
        ({"dtype": "int8"}, "int8"),
        ({"class_columns": "label"}, "class_columns"),
        ({"class_columns": [3]}, "class_columns must be a list of names"),
        ({"overwrite": 1}, "overwrite"),
        ({"output": ""}, "output must be the path of a folder. Received: output=''"),
        ({"output": None}, "output must be the path of a folder. Received: output=None"),
    ],
)
def test_wrong_arguments_are_refused(config, output, options, message):
    with pytest.raises(ArgumentError, match=message):
        beam.WriteFeatureSet(**{"output": output, "config": config, **options})


def test_a_feature_set_stays_unless_it_may_be_overwritten(config, output):
    write([clip(0, config)], output, config)
    before = contents(output)
    with pytest.raises(FeatureSetError, match="pass overwrite=True"):
        write([clip(1, config)], output, config)
    assert contents(output) == before
    write([clip(1, config), clip(2, config)], output, config, overwrite=True)
    found = FeatureSet(output)
    assert (found.ids, found.descriptions[0].generation) == (["clip-001", "clip-002"], 2)
    assert verification.verify(output).ok


def test_readers_of_a_set_that_is_overwritten_are_not_disturbed(config, output):
    reader = FeatureSet(write([clip(0, config)], output, config))
    write([clip(1, config)], output, config, overwrite=True)
    np.testing.assert_array_equal(reader[0]["feature"], clip(0, config)["feature"])


def test_a_file_in_place_of_the_output_is_refused(config, output):
    Path(output).write_text("all my work")
    with pytest.raises(FeatureSetError, match=r"output must be a folder. Received: the file"):
        write([clip(0, config)], output, config)


@pytest.mark.parametrize("overwrite", [False, True])
def test_other_files_are_never_touched(config, output, overwrite):
    Path(output).mkdir()
    Path(output, "thesis.txt").write_text("all my work")
    with pytest.raises(FeatureSetError, match=r"output must be .*contains 'thesis.txt'. Choose another folder"):
        write([clip(0, config)], output, config, overwrite=overwrite)
    assert Path(output, "thesis.txt").read_text() == "all my work"


def test_a_job_that_holds_the_output_is_not_disturbed(config, output):
    Path(output).mkdir()
    with locks.held(output), pytest.raises(FeatureSetLockedError, match="Another run writes to"):
        write([clip(0, config)], output, config)


def test_a_failed_pipeline_is_overwritten_if_its_user_says_so(config, output, monkeypatch):
    rows = [clip(number, config) for number in range(4)]
    with monkeypatch.context() as patch:
        patch.setattr(staged_completion, "complete", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            write(rows, output, config, num_shards=2)
    assert "dataset.json" not in contents(output)
    with pytest.raises(FeatureSetError, match="If it failed, pass overwrite=True"):
        write(rows, output, config)
    fresh = write(rows, output + "-fresh", config, num_shards=2)
    assert contents(write(rows, output, config, num_shards=2, overwrite=True)) == contents(fresh)


def test_other_jobs_refuse_a_folder_that_a_pipeline_writes_to(config, clips, output):
    run = Staging(output=output, config=config, run="first")
    run.claim()
    with pytest.raises(FeatureSetError, match=r"contains 'plan/write.json'"):
        beam.precompute(clips / "manifest.jsonl", output, config)


def test_a_pipeline_that_another_one_replaced_stops(config, output):
    first = Staging(output=output, config=config, run="first")
    first.claim()
    bundle = StagedBundle(first)
    list(bundle.add(clip(0, config)))
    Staging(output=output, config=config, run="second", overwrite=True).claim()
    for step in (
        lambda: list(bundle.finish()),
        lambda: staged_sorting.sort(first, []),
        lambda: staged_completion.complete(first, "", ["none"], None),
    ):
        with pytest.raises(FeatureSetError, match="not claimed by this pipeline, or no longer: another"):
            step()
    bundle.discard()
    assert [name for name in contents(output) if "staged" in name] == []


def test_the_claim_of_a_run_can_be_repeated(config, output):
    run = Staging(output=output, config=config, run="first")
    assert run.claim() == run.claim() == run.check_claim()


class _RemembersListings(MemoryFileSystem):
    """Object store in memory that other processes write to, and whose listings this process remembers, as for S3."""

    protocol = "remembering"
    store: ClassVar = {}
    pseudo_dirs: ClassVar = [""]
    listed: ClassVar = {}

    @classmethod
    def _strip_protocol(cls, path):
        return super()._strip_protocol(path.removeprefix("remembering://"))

    def ls(self, path, detail=True, **_):
        path = self._strip_protocol(path)
        if path not in self.listed:
            self.listed[path] = super().ls(path, detail=True)
        return self.listed[path] if detail else [item["name"] for item in self.listed[path]]

    def info(self, path, **_):
        path = self._strip_protocol(path)
        known = self.listed.get(path.rpartition("/")[0])
        if known is not None and path not in [item["name"] for item in known]:
            raise FileNotFoundError(path)
        return super().info(path)

    def cat_ranges(self, paths, *args, **options):
        for path in paths:
            self.info(path)
        return super().cat_ranges(paths, *args, **options)

    def _open(self, path, mode="rb", **options):
        if mode == "rb":
            self.info(path)
        else:
            self.invalidate_cache(path.rpartition("/")[0])
        return super()._open(path, mode, **options)

    def invalidate_cache(self, path=None):
        self.listed.pop(None if path is None else self._strip_protocol(path), None)


def test_files_of_other_workers_are_found_after_the_folder_was_listed(config, monkeypatch):
    fsspec.register_implementation("remembering", _RemembersListings, clobber=True)
    run = Staging(output="remembering://features", config=config, run="run")
    run.claim()
    listing = fsspec.filesystem("remembering").ls("/features/plan")
    names = staged(run, [clip(0, config)])
    _RemembersListings.listed = {"/features/plan": listing}  # this process listed the folder before
    assert FeatureSet(complete(run, names)).ids == ["clip-000"]


class _FailsOnce(apache_beam.DoFn):
    """Raises an error for one element, the first time."""

    def __init__(self, marker, clip_id):
        self.marker = marker
        self.clip_id = clip_id

    def process(self, row):
        if row["id"] == self.clip_id and not self.marker.exists():
            self.marker.touch()
            raise OSError("the worker was lost")
        yield row


def test_bundles_that_are_repeated_count_once_and_leave_nothing(config, tmp_path):
    rows = [clip(number, config) for number in range(6)]
    run = Staging(output=str(tmp_path / "features"), config=config, run="run", num_shards=2)
    run.claim()
    lost = staged(run, rows[:3])  # its worker ends before the runner knows the names
    half = StagedBundle(run)
    list(half.add(rows[0]))
    half.discard()
    names = staged(run, rows[3:]) + staged(run, rows[:3])
    staged_sorting.sort(run, lost + names[:1])  # an attempt whose output is lost as well
    plan = staged_sorting.sort(run, names)
    for number in (0, 1, 0):
        staged_shards.write(run, plan.name, number)
    ids = [shard.id for shard in plan.table]
    staged_completion.complete(run, plan.name, ids, [])
    before = contents(run.output)
    staged_completion.complete(run, plan.name, ids, [])  # the step is repeated
    assert contents(run.output) == before
    expected = contents(write(rows, tmp_path / "expected", config, num_shards=2, failures=[]))
    assert before == expected


def test_a_completion_that_was_interrupted_is_finished(config, tmp_path, monkeypatch):
    run = Staging(output=str(tmp_path / "features"), config=config, run="run")
    run.claim()
    plan = staged_sorting.sort(run, staged(run, [clip(0, config)]))
    staged_shards.write(run, plan.name, 0)
    ids = [shard.id for shard in plan.table]
    with monkeypatch.context() as patch:
        patch.setattr(staged_completion.plan, "remove", lambda _: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            staged_completion.complete(run, plan.name, ids, None)
    staged_completion.complete(run, plan.name, ids, None)
    assert not [name for name in contents(run.output) if name.startswith("plan/")]
    assert verification.verify(run.output).ok


def test_a_shard_that_another_program_changed_is_not_published(config, tmp_path):
    run = Staging(output=str(tmp_path / "features"), config=config, run="run")
    run.claim()
    plan = staged_sorting.sort(run, staged(run, [clip(0, config)]))
    staged_shards.write(run, plan.name, 0)
    Path(run.output, "features-00000000.tfrecord").write_bytes(b"")
    with pytest.raises(
        FeatureSetError, match=r"1 shard missing or of another size. The first is features-00000000.tfrecord"
    ):
        staged_completion.complete(run, plan.name, [plan.table[0].id], None)
    assert "dataset.json" not in contents(run.output)


def test_a_staged_file_that_is_damaged_is_found(config, tmp_path):
    run = Staging(output=str(tmp_path / "features"), config=config, run="run")
    run.claim()
    [name] = staged(run, [clip(0, config)])
    plan = staged_sorting.sort(run, [name])
    path = Path(run.records_file(name))
    content = bytearray(path.read_bytes())
    content[-50] ^= 1
    path.write_bytes(content)
    with pytest.raises(FeatureSetError, match="is damaged"):
        staged_shards.write(run, plan.name, 0)
    path.unlink()
    with pytest.raises(FeatureSetError, match=f"{name}.tfrecord' is missing. Files of a pipeline must stay"):
        staged_shards.write(run, plan.name, 0)
    Path(run.clips_file(name)).unlink()
    with pytest.raises(FeatureSetError, match=f"{name}.parquet' is missing"):
        staged_sorting.sort(run, [name])


def test_a_bundle_that_fails_once_is_written_once(config, output, tmp_path):
    """BundleBasedDirectRunner repeats a bundle that fails."""
    rows = [clip(number, config) for number in range(5)]
    marker = tmp_path / "failed"
    with apache_beam.Pipeline(runner=BundleBasedDirectRunner()) as pipeline:
        features = (
            pipeline
            | apache_beam.Create(rows)
            | apache_beam.ParDo(_FailsOnce(marker, "clip-003"))
            | beam.WriteFeatureSet(output, config)
        )
        _ = features
    assert marker.exists()
    assert FeatureSet(output).ids == [f"clip-{number:03d}" for number in range(5)]
    assert not json.loads(Path(output, "dataset.json").read_text())["obsolete"]
