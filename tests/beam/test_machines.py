"""Machines of the features that pipelines write: they are named wherever the features went in between."""

import json

import apache_beam
import numpy as np
import pytest
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from computed_clips import clip, complete, staged

from audiopipe import FeatureSet, beam
from audiopipe.precompute import known_machines
from audiopipe.precompute.known_machines import Machines, joined
from audiopipe.precompute.staging import Staging
from audiopipe.transform import probe

NOTE = "It is not known which machines computed some of the features."
OTHER = [{"versions": {"audiopipe": "0.1.0"}, "cpu_family": "other"}]


def texts(machines):
    return sorted(json.dumps(machine, sort_keys=True) for machine in machines)


class _Process:
    """A process with a memory of its own."""

    def __init__(self, monkeypatch):
        self._monkeypatch = monkeypatch
        self._memory = {"_known": {}, "_n_added": 0, "_reported": {}}

    def __enter__(self):
        for name, value in self._memory.items():
            self._monkeypatch.setattr(known_machines, name, value)

    def __exit__(self, *_):
        self._memory = {name: getattr(known_machines, name) for name in self._memory}


@pytest.fixture
def processes(monkeypatch):
    return [_Process(monkeypatch) for _ in range(3)]


@pytest.fixture
def run(config, tmp_path):
    made = Staging(output=str(tmp_path / "features"), config=config, run="run")
    made.claim()
    return made


def test_processes_that_write_what_others_computed_name_all_machines(config, run, processes):
    """As behind a `Reshuffle`."""
    here, there, _ = processes
    rows = [clip(number, config) for number in range(6)]
    with here:
        for row in rows[:3]:
            known_machines.computed_here(row["feature_digest"])
    with there:
        for row in rows[3:]:
            known_machines.computed_by(row["feature_digest"], OTHER)
    with here:
        names = staged(run, rows[3:5])
    with there:
        names += staged(run, [rows[5], *rows[:3]])
    found = FeatureSet(complete(run, names, []))
    assert NOTE not in found.notes
    assert texts(found.machines) == texts([*OTHER, probe.record(config)])


def test_machines_of_features_that_were_left_out_are_not_named(config, run, processes):
    here, there, _ = processes
    rows = [clip(number, config) for number in range(4)]
    with here:
        known_machines.computed_by(rows[0]["feature_digest"], OTHER)
        names = staged(run, rows[1:2])
    with there:
        for row in rows[1:]:
            known_machines.computed_here(row["feature_digest"])
        names += staged(run, rows[2:])
    found = FeatureSet(complete(run, names, []))
    assert (found.machines, found.notes) == ([probe.record(config)], [])


def test_what_no_process_knows_is_noted(config, run, processes):
    here, there, _ = processes
    rows = [clip(number, config) for number in range(3)]
    with here:
        known_machines.computed_by(rows[0]["feature_digest"], OTHER)
        names = staged(run, rows[:1])
    with there:
        names += staged(run, rows[1:])
    found = FeatureSet(complete(run, names, []))
    assert (found.machines, found.notes) == (OTHER, [NOTE])


def test_features_of_sets_without_machines_stay_unknown(config, processes):
    digest = clip(0, config)["feature_digest"]
    with processes[0]:
        known_machines.computed_by(digest, [])
        machines = Machines(config, "run")
        machines.add(digest)
        report = machines.to_dict()
    assert report["others"] == []
    assert joined([report]) == ([], False)


def test_each_feature_is_reported_once_in_a_run_and_again_in_the_next(config, processes):
    digests = [clip(number, config)["feature_digest"] for number in range(4)]

    def report(run, *added):
        machines = Machines(config, run)
        for digest in added:
            machines.add(digest)
        return [len(known_machines._unpacked(other["digests"])) for other in machines.to_dict()["others"]]

    with processes[0]:
        for digest in digests[:3]:
            known_machines.computed_by(digest, OTHER)
        assert report("one", digests[0]) == [2]
        assert report("one") == []
        known_machines.computed_by(digests[3], OTHER)
        assert report("one") == [1]
        assert report("two") == [4]


def test_the_memory_of_a_process_is_limited(config, processes, monkeypatch):
    monkeypatch.setattr(known_machines, "MOST", 3)
    monkeypatch.setattr(known_machines, "MOST_RUNS", 2)
    with processes[0]:
        for number in range(5):
            known_machines.computed_by(f"{number:016x}", OTHER)
            Machines(config, f"run {number}").to_dict()
        assert list(known_machines._known) == [2, 3, 4]
        assert list(known_machines._reported) == ["run 3", "run 4"]


def test_no_clip_has_no_machine():
    assert joined([]) == ([], True)


def test_a_pipeline_with_a_reshuffle_names_the_machine(clips, mel, tmp_path):
    with apache_beam.Pipeline(runner=FnApiRunner()) as pipeline:
        paths = pipeline | apache_beam.Create([str(clips / "mono.wav"), str(clips / "stereo.flac")])
        features = (paths | beam.ComputeFeatures(mel)).features | apache_beam.Reshuffle()
        _ = features | beam.WriteFeatureSet(tmp_path / "features", mel.config)
    found = FeatureSet(tmp_path / "features")
    assert found.machines == [probe.record(mel.config)]
    assert NOTE not in found.notes


@pytest.mark.faults
def test_several_processes_behind_a_reshuffle_name_the_machine(clips, mel, tmp_path):
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, 4000).astype(np.float32)
    rows = [{"id": str(number), "audio": noise / (1 + number)} for number in range(40)]
    options = PipelineOptions(["--direct_running_mode=multi_processing", "--direct_num_workers=2"])
    with apache_beam.Pipeline(runner=FnApiRunner(), options=options) as pipeline:
        computed = pipeline | apache_beam.Create(rows) | beam.ComputeFeatures(mel)
        shuffled = computed.features | apache_beam.Reshuffle()
        _ = shuffled | beam.WriteFeatureSet(tmp_path / "features", mel.config)
    found = FeatureSet(tmp_path / "features")
    assert len(found) == 40
    assert found.machines == [probe.record(mel.config)]
    assert NOTE not in found.notes
