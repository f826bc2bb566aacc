"""What is recorded about a machine."""

import importlib.metadata
import platform

import pytest

from audiopipe import environment


def test_versions_are_those_of_the_installed_packages():
    versions = environment.versions()
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
    monkeypatch.setattr(environment, "Path", lambda path: tmp_path / "cpuinfo")
    assert environment.cpu_family() == platform.machine() + facts


def test_cpu_family_is_the_architecture_where_linux_says_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(environment, "Path", lambda path: tmp_path / "gone")
    assert environment.cpu_family() == platform.machine()


@pytest.mark.parametrize(
    ("value", "enabled"), [(None, True), ("1", True), ("true", True), ("0", False), ("false", False), ("False", False)]
)
def test_onednn_is_on_unless_it_is_switched_off(monkeypatch, value, enabled):
    monkeypatch.delenv("TF_ENABLE_ONEDNN_OPTS", raising=False)
    if value is not None:
        monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", value)
    assert environment.onednn_enabled() is enabled


def test_differences_name_each_fact_with_both_values_once():
    here = environment.machine()
    there = {**here, "versions": {**here["versions"], "tensorflow": "1.15.0", "keras": "0.1"}, "onednn": None}
    said = environment.differences([here, there, there])
    assert said.count(f"TensorFlow 1.15.0 there, {here['versions']['tensorflow']} here") == 1
    assert said.count(f"oneDNN None there, {here['onednn']} here") == 1
    assert "eras" not in said  # Keras adds no arithmetic of its own
    assert "CPU" not in said
    assert environment.differences([here]) == ""
