"""Tests of the probes that workers write, and of how a job collects them."""

import json
import shutil
from pathlib import Path

import damage
import pytest
from planning import write_shard, written

from audiopipe import beam
from audiopipe.feature_sets.description import Description
from audiopipe.inputs import Source
from audiopipe.precompute import probed_machines
from audiopipe.runtime import machine_facts
from audiopipe.transform import probe


@pytest.fixture
def work(tmp_path, config, clips):
    folder = tmp_path / "features"
    folder.mkdir()
    names = ["mono.wav", "quiet.wav", "broken.wav"]
    return written(str(folder), config, [Source(id=name, path=str(clips / name)) for name in names], 3)


@pytest.fixture
def copied_clips(clips, tmp_path):
    return Path(shutil.copytree(clips, tmp_path / "clips"))


def probes_in(folder):
    return sorted(path.name for path in Path(folder, "plan").glob("probe-*.json"))


def test_sidecars_have_the_digest_and_the_folder_the_probe_once(work, config):
    sidecars = [write_shard(work, shard) for shard in range(2)]
    digest = probe.here(config).digest[:16]
    assert [sidecar["probe"] for sidecar in sidecars] == [digest] * 2
    assert all(sidecar["machine"] == machine_facts.machine() for sidecar in sidecars)
    assert max(len(json.dumps({**sidecar, "sums": None})) for sidecar in sidecars) < 2000
    assert probes_in(work.output) == [f"probe-{digest}.json"]
    [machine] = probed_machines.of_sidecars(work, sidecars, [])
    assert machine == probe.record(config)


def test_a_shard_without_a_computed_feature_names_no_machine(work):
    sidecar = write_shard(work, 2)
    assert (sidecar["records"], sidecar["machine"], sidecar["probe"]) == (0, None, None)
    assert probes_in(work.output) == []
    assert probed_machines.of_sidecars(work, [sidecar], [{"versions": {}}]) == [{"versions": {}}]


@pytest.mark.parametrize("content", [None, b"{", b'{"files": 3}'], ids=["gone", "cut", "foreign"])
def test_a_probe_that_is_gone_or_damaged_costs_the_probe_alone(work, content):
    sidecar = write_shard(work, 0)
    path = Path(work.output, "plan", probes_in(work.output)[0])
    path.unlink() if content is None else path.write_bytes(content)
    assert probed_machines.of_sidecars(work, [sidecar], []) == [machine_facts.machine()]
    if content is None:  # the next shard writes it again
        assert probed_machines.of_sidecars(work, [write_shard(work, 1)], []) == [probe.record(work.config)]


def test_an_update_keeps_the_probe_of_the_machine_before(copied_clips, tmp_path, config):
    folder, manifest = tmp_path / "features", copied_clips / "manifest.jsonl"
    beam.precompute(manifest, folder, config, num_shards=2)
    damage.edit(folder, damage.compute_elsewhere)
    [before] = Description.open(folder).machines
    text = manifest.read_text()
    manifest.write_text(text.replace('"speaker": "Di"', '"speaker": "Ed"'))  # its record is copied
    assert beam.precompute(manifest, folder, config, update=True).machines == [before]
    shutil.copy(copied_clips / "mono.wav", copied_clips / "quiet.wav")
    updated = beam.precompute(manifest, folder, config, update=True)
    assert updated.machines == [before, probe.record(config)]
    assert not Path(folder, "plan").exists() or not probes_in(folder)
