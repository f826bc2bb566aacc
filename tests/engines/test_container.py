"""Tests of the Dockerfile of the SDK container. Building it needs a registry of images, so only its text is checked."""

import re
import tomllib

from packaging.specifiers import SpecifierSet
from process_groups import ROOT

SETTINGS = tomllib.loads((ROOT / "pyproject.toml").read_text())
PROJECT = SETTINGS["project"]
# A line that ends with a backslash continues on the next line.
LINES = (ROOT / "Dockerfile").read_text().replace("\\\n", " ").splitlines()


def instructions(name):
    """Returns the arguments of each instruction with this name."""
    return [line.removeprefix(f"{name} ") for line in LINES if line.startswith(f"{name} ")]


def copied():
    """Returns the paths that are copied into the container."""
    return [path for arguments in instructions("COPY") for path in arguments.split()[:-1]]


def test_the_base_image_has_the_pinned_version_of_beam_and_a_supported_python():
    [image] = instructions("FROM")
    python, beam = re.fullmatch(r"apache/beam_python(\d+\.\d+)_sdk:(.+)", image).groups()
    pins = dict(line.split("==", 1) for line in (ROOT / "constraints.txt").read_text().splitlines())
    assert beam == pins["apache-beam"]
    assert SpecifierSet(PROJECT["requires-python"]).contains(f"{python}.0")
    assert f"Programming Language :: Python :: {python}" in PROJECT["classifiers"]


def test_the_entry_point_of_the_base_image_is_kept():
    assert not instructions("ENTRYPOINT")
    assert not instructions("CMD")


def test_all_files_that_the_build_needs_are_copied_and_not_ignored():
    [readme] = SETTINGS["tool"]["hatch"]["metadata"]["hooks"]["fancy-pypi-readme"]["fragments"]
    needed = {readme["path"], *PROJECT["license-files"], "pyproject.toml", "constraints.txt", "audiopipe"}
    assert set(copied()) == needed
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    assert "*" in ignored
    assert {line.removeprefix("!") for line in ignored if line.startswith("!")} == needed
    assert all((ROOT / path).exists() for path in needed)


def test_the_package_is_installed_with_pinned_versions_and_existing_extras():
    [command] = [command for command in instructions("RUN") if "pip install" in command]
    assert "--constraint /tmp/audiopipe/constraints.txt" in command
    [extras] = re.findall(r'"/tmp/audiopipe\[(.+?)\]"', command)
    assert set(extras.split(",")) == {"beam", "gcs"} <= PROJECT["optional-dependencies"].keys()


def test_each_worker_process_has_one_tensorflow_thread():
    settings = dict(pair.split("=") for arguments in instructions("ENV") for pair in arguments.split())
    assert settings["TF_NUM_INTRAOP_THREADS"] == settings["TF_NUM_INTEROP_THREADS"] == "1"
