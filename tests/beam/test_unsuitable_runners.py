"""Runners that lose elements are refused by name."""

import sys

import apache_beam
import pytest
from apache_beam.options.pipeline_options import PipelineOptions, StandardOptions
from apache_beam.runners.direct.direct_runner import BundleBasedDirectRunner
from apache_beam.runners.portability.fn_api_runner import FnApiRunner

from audiopipe import beam
from audiopipe.beam import unsuitable_runners
from audiopipe.errors import ArgumentError

PATH = "apache_beam.runners.dask.dask_runner.DaskRunner"
REFUSED = r"Received: DaskRunner, which drops elements .* use audiopipe\.beam\.precompute"


def test_an_instance_of_the_runner_for_dask_is_refused(mel):
    runner = pytest.importorskip("apache_beam.runners.dask.dask_runner").DaskRunner()
    created = apache_beam.Pipeline(runner=runner) | apache_beam.Create(["a.wav"])
    with pytest.raises(ArgumentError, match=REFUSED):
        created | beam.ComputeFeatures(mel)


def test_the_name_of_the_runner_for_dask_in_the_options_is_refused(mel):
    pytest.importorskip("apache_beam.runners.dask.dask_runner")
    created = apache_beam.Pipeline(options=PipelineOptions([f"--runner={PATH}"])) | apache_beam.Create(["a.wav"])
    with pytest.raises(ArgumentError, match=REFUSED):
        created | beam.ComputeFeatures(mel)


def test_every_building_block_refuses_the_runner_for_dask(config, shared_feature_set, tmp_path):
    runner = pytest.importorskip("apache_beam.runners.dask.dask_runner").DaskRunner()
    pipeline = apache_beam.Pipeline(runner=runner)
    created = pipeline | apache_beam.Create([{}])
    uses = [
        (created, beam.WriteFeatureSet(tmp_path / "features", config)),
        (created, beam.ToExamples(config)),
        (created, beam.FeatureStatistics(config)),
        (pipeline, beam.ReadFeatureSet(shared_feature_set)),
    ]
    for collection, transform in uses:
        with pytest.raises(ArgumentError, match=REFUSED):
            collection | transform
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["DaskRunner", "dask", PATH])
def test_a_runner_for_dask_that_only_the_options_name_is_refused(name):
    pipeline = apache_beam.Pipeline(runner=FnApiRunner())
    pipeline.options.view_as(StandardOptions).runner = name
    with pytest.raises(ArgumentError, match=REFUSED):
        unsuitable_runners.check(pipeline)


def test_a_runner_that_wraps_the_one_for_dask_is_refused():
    class Wrapper(FnApiRunner):
        _underlying_runner = pytest.importorskip("apache_beam.runners.dask.dask_runner").DaskRunner()

    with pytest.raises(ArgumentError, match=REFUSED):
        unsuitable_runners.check(apache_beam.Pipeline(runner=Wrapper()))


@pytest.mark.parametrize("runner", [FnApiRunner, BundleBasedDirectRunner, lambda: "DirectRunner"])
def test_other_runners_are_accepted(runner, monkeypatch):
    monkeypatch.setitem(sys.modules, "apache_beam.runners.dask.dask_runner", None)  # which may not be installed
    unsuitable_runners.check(apache_beam.Pipeline(runner=runner()))
