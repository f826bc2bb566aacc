"""Tests of the facts that are recorded about a machine."""

import importlib.metadata
import platform
import sys

import pytest

from audiopipe.runtime import machine_facts


def test_versions_are_those_of_the_installed_packages():
    versions = machine_facts.versions()
    for name in ("audiopipe", "keras", "numpy", "soundfile", "soxr", "tensorflow"):
        assert versions[name] == importlib.metadata.version(name)
    assert versions["python"] == platform.python_version()
    assert versions["libsndfile"].split(".")[0] == "1"


@pytest.mark.parametrize(
    ("cpuinfo", "facts"),
    [
        ("processor\t: 0\nvendor_id\t: GenuineIntel\ncpu family\t: 6\n\nvendor_id\t: Other\n", " GenuineIntel 6"),
        ("processor\t: 0\nBogoMIPS\t: 50.00\n", ""),
        ("cpu family\t: 25\nmodel name\t: a: b\n", " 25"),
    ],
)
def test_cpu_family_is_that_of_the_first_processor(tmp_path, monkeypatch, cpuinfo, facts):
    (tmp_path / "cpuinfo").write_text(cpuinfo)
    monkeypatch.setattr(machine_facts, "Path", lambda path: tmp_path / "cpuinfo")
    assert machine_facts.cpu_family() == platform.machine() + facts


def test_cpu_family_is_the_architecture_without_cpuinfo(tmp_path, monkeypatch):
    monkeypatch.setattr(machine_facts, "Path", lambda path: tmp_path / "gone")
    assert machine_facts.cpu_family() == platform.machine()


@pytest.mark.parametrize(
    ("value", "enabled"), [(None, True), ("1", True), ("true", True), ("0", False), ("false", False), ("False", False)]
)
def test_onednn_is_on_unless_it_is_switched_off(monkeypatch, value, enabled):
    monkeypatch.delitem(sys.modules, "tensorflow", raising=False)
    monkeypatch.delenv("TF_ENABLE_ONEDNN_OPTS", raising=False)
    if value is not None:
        monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", value)
    assert machine_facts.onednn_enabled() is enabled


def test_differences_name_each_fact_with_both_values_once():
    here = machine_facts.machine()
    there = {**here, "versions": {**here["versions"], "tensorflow": "1.15.0", "keras": "0.1"}, "onednn": None}
    text = machine_facts.differences([here, there, there])
    assert text.count(f"TensorFlow 1.15.0 there, {here['versions']['tensorflow']} here") == 1
    assert text.count(f"oneDNN None there, {here['onednn']} here") == 1
    assert "eras" not in text  # Keras does no arithmetic of its own
    assert "CPU" not in text
    assert machine_facts.differences([here]) == ""


@pytest.mark.parametrize(
    ("cpuinfo", "found"),
    [
        ("processor\t: 0\nflags\t\t: fpu avx2 sse4_1 avx fma amx_tile rdseed\n", "sse4_1 avx avx2 fma amx_tile"),
        ("processor\t: 0\nFeatures\t: fp asimd evtstrm sve bf16\n", "asimd sve bf16"),
    ],
)
def test_instruction_sets_are_those_that_kernels_are_chosen_by(tmp_path, monkeypatch, cpuinfo, found):
    (tmp_path / "cpuinfo").write_text(cpuinfo)
    monkeypatch.setattr(machine_facts, "Path", lambda path: tmp_path / "cpuinfo")
    assert machine_facts.instruction_sets() == found


@pytest.mark.parametrize(
    ("processor", "found"), [("Intel64 Family 6 Model 158", "Intel64 Family 6 Model 158"), ("", "unknown")]
)
def test_instruction_sets_are_the_name_of_the_processor_without_cpuinfo(tmp_path, monkeypatch, processor, found):
    monkeypatch.setattr(machine_facts, "Path", lambda path: tmp_path / "gone")
    monkeypatch.setattr(platform, "processor", lambda: processor)
    assert machine_facts.instruction_sets() == found


@pytest.mark.parametrize(
    ("variables", "found"),
    [
        ({}, "ALL"),
        ({"ONEDNN_MAX_CPU_ISA": "avx2"}, "AVX2"),
        ({"DNNL_MAX_CPU_ISA": "SSE41"}, "SSE41"),
        ({"ONEDNN_MAX_CPU_ISA": "AVX2", "DNNL_MAX_CPU_ISA": "SSE41"}, "AVX2"),
    ],
)
def test_the_maximum_instruction_set_of_onednn_is_recorded(monkeypatch, variables, found):
    for name in ("ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert machine_facts.machine()["onednn_max_isa"] == found


@pytest.mark.parametrize("fact", ["instruction_sets", "onednn_max_isa"])
def test_another_instruction_set_is_a_difference_but_a_missing_record_is_not(fact):
    here = machine_facts.machine()
    text = machine_facts.differences([{**here, fact: "SSE2"}])
    assert f"SSE2 there, {here[fact]} here" in text
    assert machine_facts.differences([{name: value for name, value in here.items() if name != fact}]) == ""


def test_tensorflow_is_asked_whether_onednn_is_on(monkeypatch):
    from tensorflow.python.util import _pywrap_util_port

    answer = machine_facts.onednn_enabled()
    assert answer == _pywrap_util_port.IsMklEnabled()
    monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", "0" if answer else "1")  # too late, because TensorFlow has read it
    assert machine_facts.onednn_enabled() == answer
