"""Config classes of other packages: their names, and when they are loaded."""

import functools
import importlib
import json
import os
import re
import subprocess
import sys

import pytest

from audiopipe import configs
from audiopipe.configs import Config, MelSpectrogram, config_classes
from audiopipe.errors import ConfigError
from audiopipe.identity import kernel_versions
from audiopipe.runtime import installed

TEAM_FEATURES = """
import dataclasses
from audiopipe.configs import Config, MelSpectrogram, StftMagnitude

@dataclasses.dataclass(frozen=True, kw_only=True)
class TeamFeature(StftMagnitude):
    smoothing: float = 0.5

class {mel}(MelSpectrogram):
    def layer(self):
        return None

class Outer:
    class Inner(MelSpectrogram):
        kernel_version = 4

def local():
    class Local(StftMagnitude):
        pass
    return Local

@dataclasses.dataclass(frozen=True, kw_only=True)
class Base(Config):
    pass
"""


@pytest.fixture(scope="module")
def teams(tmp_path_factory):
    """Two importable packages with config classes of the same names."""
    folder = tmp_path_factory.mktemp("teams")
    for name in ("team_one", "team_two"):
        (folder / name).mkdir()
        (folder / name / "__init__.py").write_text("")
        (folder / name / "features.py").write_text(TEAM_FEATURES.format(mel="MelSpectrogram"))
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        yield [importlib.import_module(f"{name}.features") for name in ("team_one", "team_two")]


def test_classes_with_the_same_name_in_two_packages_are_different_features(teams):
    one, two = (module.TeamFeature(n_fft=512) for module in teams)
    assert one.to_dict()["feature"] == "team_one.features.TeamFeature"
    assert (
        two.diff(one).splitlines()[0] == "feature: 'team_two.features.TeamFeature' != 'team_one.features.TeamFeature'"
    )
    prints = {module.MelSpectrogram().fingerprint for module in teams} | {MelSpectrogram().fingerprint}
    assert len(prints | {one.fingerprint, two.fingerprint}) == 5


@pytest.mark.parametrize("name", ["TeamFeature", "MelSpectrogram", "Outer.Inner"])
def test_a_class_of_another_package_is_read_from_json_if_its_module_is_imported(teams, name):
    cls = functools.reduce(getattr, name.split("."), teams[0])
    config = cls(sample_rate=16000)
    assert configs.from_json(config.to_json()) == config
    code = """
import sys, team_one.features
from audiopipe import configs
print(configs.from_json(sys.argv[1]).fingerprint)
"""
    path = os.pathsep.join([os.path.dirname(os.path.dirname(teams[0].__file__)), *sys.path])
    done = subprocess.run(
        [sys.executable, "-c", code, config.to_json()],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == config.fingerprint


def test_a_class_of_another_package_has_checked_fields_and_its_own_kernel_version(teams):
    with pytest.raises(ConfigError, match=r"smoothing must be a number. Received: smoothing='much'"):
        teams[0].TeamFeature(smoothing="much")
    assert configs.from_json('{"feature": "team_one.features.TeamFeature", "smoothing": 1}').smoothing == 1.0
    assert kernel_versions.VERSIONS["team_one.features.Outer.Inner"] == teams[0].Outer.Inner().kernel_version == 4
    assert MelSpectrogram.kernel_version == kernel_versions.VERSIONS["MelSpectrogram"] != 4


@pytest.mark.parametrize(
    "name",
    ["team_one.features.Nothing", "no_such_team.Feature", "team_one..Feature", "json.dumps", "team_one.features.Base"],
)
def test_an_unknown_class_is_refused_with_advice(teams, name):
    module = re.escape(name.rpartition(".")[0])
    with pytest.raises(ConfigError, match=rf"{name!r} is not known here.*'import {module}'.*audiopipe\.config_classes"):
        configs.from_dict({"feature": name})


@pytest.mark.parametrize("name", ["TeamFeature", "", 7, None])
def test_a_name_without_a_module_must_be_a_class_of_audiopipe(teams, name):
    with pytest.raises(
        ConfigError, match=rf"must be one of KerasMelSpectrogram, .*Received: feature={name!r}|the keys"
    ):
        configs.from_dict({"feature": name, "n_fft": 512})


def test_a_class_name_never_imports_its_module(tmp_path, monkeypatch):
    (tmp_path / "lured.py").write_text(
        "from audiopipe.configs import StftMagnitude\nclass Feature(StftMagnitude): pass\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ConfigError, match=r"'lured\.Feature' is not known here, and audiopipe never imports a module"):
        configs.from_dict({"feature": "lured.Feature"})
    assert "lured" not in sys.modules
    importlib.import_module("lured")
    assert configs.from_dict({"feature": "lured.Feature"}).n_fft == 2048


@pytest.fixture
def declare(tmp_path, monkeypatch):
    """Returns a function that installs a package whose entry point declares a config class."""

    def install(module, code, *, folder=tmp_path, installed_to=tmp_path):
        folder.mkdir(exist_ok=True)
        (folder / f"{module}.py").write_text(code)
        info = installed_to / f"{module}-1.0.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[audiopipe.config_classes]\nany = {module}:Feature\n")
        monkeypatch.syspath_prepend(folder)
        return info

    folders = installed.install_folders()
    monkeypatch.setattr(installed, "install_folders", lambda: [str(tmp_path), *folders])
    return install


FEATURE = "from audiopipe.configs import StftMagnitude\nclass Feature(StftMagnitude): pass\n"


def test_only_the_named_class_of_installed_distributions_is_loaded(declare):
    declare("declared_one", FEATURE)
    declare("declared_two", FEATURE)
    assert configs.from_dict({"feature": "declared_one.Feature", "n_fft": 512}).n_fft == 512
    assert "declared_two" not in sys.modules


def test_a_declared_class_that_cannot_be_imported_is_refused(declare):
    declare("declared_broken", "raise RuntimeError('no licence')")
    with pytest.raises(ConfigError, match=r"declared_broken:Feature'.*RuntimeError: no licence.*uninstall"):
        configs.from_dict({"feature": "declared_broken.Feature"})


def test_a_declared_class_that_does_not_exist_is_refused(declare):
    declare("declared_other", FEATURE.replace("Feature(", "Other("))
    with pytest.raises(ConfigError, match=r"declared_other:Feature'.*AttributeError"):
        configs.from_dict({"feature": "declared_other.Feature"})


def test_a_module_that_shadows_a_declared_one_is_refused(declare, tmp_path):
    declare("declared_hidden", FEATURE)
    data = tmp_path.parent / f"{tmp_path.name}-data"
    data.mkdir()
    (data / "declared_hidden.py").write_text("raise SystemExit('ran')")
    sys.path.insert(0, str(data))
    try:
        with pytest.raises(
            ConfigError, match=r"ForeignCodeError: The module 'declared_hidden' must come from the folder"
        ):
            configs.from_dict({"feature": "declared_hidden.Feature"})
    finally:
        sys.path.remove(str(data))
    assert "declared_hidden" not in sys.modules


def test_a_module_of_an_editable_installation_is_loaded(declare, tmp_path):
    project = tmp_path.parent / f"{tmp_path.name}-project"
    info = declare("declared_editable", FEATURE, folder=project)
    with pytest.raises(ConfigError, match="ForeignCodeError"):
        configs.from_dict({"feature": "declared_editable.Feature"})
    (info / "direct_url.json").write_text(json.dumps({"url": project.as_uri(), "dir_info": {"editable": True}}))
    assert configs.from_dict({"feature": "declared_editable.Feature"}).n_fft == 2048


def test_a_class_that_other_programs_cannot_import_is_refused(teams, monkeypatch):
    with pytest.raises(ConfigError, match=r"can import\. Received: team_one\.features\.local\.<locals>\.Local\. Move"):
        teams[0].local()()
    monkeypatch.setattr(teams[0].TeamFeature, "__module__", "__main__")
    with pytest.raises(ConfigError, match=r"Received: __main__\.TeamFeature"):
        teams[0].TeamFeature()


def test_two_classes_of_audiopipe_cannot_have_the_same_name():
    with pytest.raises(ConfigError, match=r"a unique name.*audiopipe.configs.mel.MelSpectrogram has that name"):
        type("MelSpectrogram", (Config,), {"composed": "get_other_layer", "__module__": "audiopipe.others"})
    assert config_classes._classes["MelSpectrogram"] is MelSpectrogram
