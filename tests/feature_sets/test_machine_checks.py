"""Tests of what `load`, `verify` and `audiopipe machine` say about other machines."""

import dataclasses
import json

import damage
import pytest
from typer.testing import CliRunner

from audiopipe import load, merge
from audiopipe.cli import app
from audiopipe.errors import MachineWarning
from audiopipe.feature_sets import loading, machine_checks
from audiopipe.feature_sets.description import Description
from audiopipe.runtime import machine_facts
from audiopipe.transform import probe


@pytest.fixture(autouse=True)
def _nothing_was_warned_about(monkeypatch):
    monkeypatch.setattr(loading, "_warned", set())


def elsewhere(content):
    content["machines"][0]["versions"]["tensorflow"] = "1.15.0"


def without_probe(content):
    elsewhere(content)
    del content["machines"][0]["probe"]


def machine(folder, *options):
    return CliRunner().invoke(app, ["machine", str(folder), *options])


def test_another_machine_whose_bits_agree_is_not_mentioned(feature_set, recwarn):
    damage.edit(feature_set, elsewhere)
    load(feature_set)
    assert not [warning for warning in recwarn if warning.category is MachineWarning]


def test_a_set_with_other_bits_gets_one_warning_with_the_largest_difference(feature_set, recwarn):
    damage.edit(feature_set, damage.compute_elsewhere)
    with pytest.warns(MachineWarning) as caught:
        load(feature_set)
    assert caught[0].filename == __file__
    here = machine_facts.versions()["tensorflow"]
    assert str(caught[0].message) == (
        f"The feature set {str(feature_set)!r} was computed in another environment. TensorFlow 1.15.0 there, {here} "
        "here: the feature of the probe files differs here by at most 0.0011 (0.0011 dB): the layer differs for "
        "voice.flac, every bit agrees for music.mp3 and sweep.opus."
    )
    recwarn.clear()
    load(feature_set)
    assert not [warning for warning in recwarn if warning.category is MachineWarning]


def test_a_set_without_a_probe_gets_the_facts_that_differ(feature_set):
    damage.edit(feature_set, without_probe)
    with pytest.warns(MachineWarning, match="Bits may differ from those computed here: TensorFlow 1.15.0 there"):
        load(feature_set)


def test_nothing_is_computed_on_the_same_machine(feature_set, monkeypatch):
    monkeypatch.setattr(probe, "here", lambda config: pytest.fail("The probe was computed."))
    load(feature_set)


def test_a_probe_of_an_older_kernel_is_not_compared(config, shared_feature_set):
    facts = {**Description.open(shared_feature_set).machines[0], "onednn": None}
    assert machine_checks.differences([facts], config, config.kernel_version) == ""
    text = machine_checks.differences([facts], config, config.kernel_version + 1)
    assert text.startswith("Bits may differ from those computed here: oneDNN None there")


def test_facts_that_hardly_change_bits_are_measured_but_never_guessed(config, shared_feature_set):
    [facts] = Description.open(shared_feature_set).machines
    other = {**facts, "versions": {**facts["versions"], "numpy": "2.0.0", "keras": "3.10"}}
    [check] = machine_checks.check([other], config)
    assert [fact.split(" there")[0] for fact in check.different] == ["Keras 3.10", "NumPy 2.0.0"]
    assert (check.deciding, check.verdict.agrees) == ((), True)
    del other["probe"]
    assert machine_checks.differences([other], config) == ""


def test_every_machine_of_merged_sets_is_compared(shared_feature_set, feature_set, tmp_path, config):
    damage.edit(feature_set, damage.compute_elsewhere)
    merged = merge([shared_feature_set, feature_set], tmp_path / "merged", prefix=["a/", "b/"])
    own, other = (Description.open(folder).machines[0] for folder in (shared_feature_set, feature_set))
    assert merged.machines == [own, other]
    checks = machine_checks.check(merged.machines, config, always=True)
    assert [check.verdict.agrees for check in checks] == [True, False]
    with pytest.warns(MachineWarning, match="differs here by at most 0.0011"):
        load(merged)


def test_the_command_succeeds_if_every_bit_agrees(shared_feature_set):
    ran = machine(shared_feature_set)
    assert ran.exit_code == 0
    for part in (
        "this one",
        "1 of the feature set",
        "nothing that is recorded",
        "voice.flac",
        "has the same bits here",
    ):
        assert part in ran.stdout
    content = json.loads(machine(shared_feature_set, "--json").stdout)
    [found] = content["machines"]
    assert (content["path"], content["agrees"], found["agrees"]) == (str(shared_feature_set), True, True)
    assert (found["different"], found["max_difference"]) == ([], 0)
    assert found["text"] == "the feature of the probe files has the same bits here."
    assert content["here"] == {name: value for name, value in found["facts"].items() if name != "probe"}
    assert set(found["facts"]["probe"]["files"]["music.mp3"]) == {"decoded", "samples", "feature"}
    assert found["probes"]["music.mp3"] == {"differs_from": None, "max_difference": 0}


def test_the_command_fails_and_says_how_much_differs(feature_set):
    damage.edit(feature_set, lambda content: damage.compute_elsewhere(content, difference=0.5))
    ran = machine(feature_set)
    assert ran.exit_code == 1
    assert "TensorFlow 1.15.0 there" in ran.stdout
    assert "the layer differs, the feature by at most 0.51" in ran.stdout
    ran = machine(feature_set, "--json")
    [found] = json.loads(ran.stdout)["machines"]
    assert ran.exit_code == 1
    assert (found["agrees"], found["max_difference"], found["decibels"]) == (False, *[pytest.approx(0.5, rel=1e-5)] * 2)
    assert found["probes"]["voice.flac"] == {"differs_from": "feature", "max_difference": found["max_difference"]}


def test_a_difference_without_a_number_is_null_in_json(feature_set):
    damage.edit(feature_set, lambda content: damage.compute_elsewhere(content, difference=float("inf")))
    assert "in its shape, or in where it is not a finite number" in machine(feature_set).stdout

    def refuse(name):
        raise AssertionError(f"JSON has no {name}")

    [found] = json.loads(machine(feature_set, "--json").stdout, parse_constant=refuse)["machines"]
    assert (found["agrees"], found["max_difference"], found["decibels"]) == (False, None, None)
    assert found["probes"]["voice.flac"] == {"differs_from": "feature", "max_difference": None}


@pytest.mark.parametrize("machines", [[], [{"versions": {}}]], ids=["none", "no probe"])
def test_the_command_fails_if_nothing_is_known(feature_set, machines):
    description = Description.open(feature_set)
    dataclasses.replace(description, machines=machines).write()
    ran = machine(feature_set)
    assert ran.exit_code == 1
    assert ("cannot be compared" if machines else "does not record which machines") in ran.output
    assert json.loads(machine(feature_set, "--json").stdout)["agrees"] is False


def test_inspect_shows_the_digest_of_the_probe_and_no_values(shared_feature_set):
    ran = CliRunner().invoke(app, ["inspect", str(shared_feature_set)])
    digest = Description.open(shared_feature_set).machines[0]["probe"]["digest"]
    assert digest[:16] in ran.stdout
    shown = CliRunner().invoke(app, ["inspect", str(shared_feature_set), "--json"])
    assert len(shown.stdout) < 10_000
    assert json.loads(shown.stdout)["machines"][0]["probe"]["digest"] == digest
