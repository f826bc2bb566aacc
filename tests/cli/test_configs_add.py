"""Tests of `audiopipe configs add`, and of commands that find the name."""

import json
import subprocess
import sys

import pytest

from audiopipe import configs

MEL = configs.MelSpectrogram(sample_rate=16000, n_mels=64)
OTHER = configs.MelSpectrogram(sample_rate=16000, n_mels=40)


@pytest.fixture(autouse=True)
def settings(tmp_path, monkeypatch):
    """The folder of a user's settings, which is empty."""
    monkeypatch.delenv("AUDIOPIPE_REGISTRY", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "settings"))
    return tmp_path / "settings"


@pytest.fixture
def mel(tmp_path):
    (tmp_path / "mel.json").write_text(MEL.to_json())
    return tmp_path / "mel.json"


def audiopipe(*words):
    return subprocess.run([sys.executable, "-m", "audiopipe", *map(str, words)], capture_output=True, text=True)


def test_an_added_name_is_known_to_later_commands(mel, settings):
    added = audiopipe("configs", "add", "team-mel", mel)
    path = settings / "audiopipe" / "registry.json"
    assert (added.returncode, added.stdout) == (0, "")
    assert added.stderr == f"added team-mel (fingerprint {MEL.fingerprint[:12]}) to {path}\n"
    assert audiopipe("configs", "show", "team-mel").stdout.count("n_mels") == 1
    again = audiopipe("configs", "add", "team-mel", mel)
    assert again.stderr == f"team-mel is this config already, from the file {path}. Nothing was written.\n"


def test_a_name_with_another_meaning_is_refused(mel, tmp_path):
    audiopipe("configs", "add", "team-mel", mel)
    (tmp_path / "other.json").write_text(OTHER.to_json())
    refused = audiopipe("configs", "add", "team-mel", tmp_path / "other.json")
    assert refused.returncode == 1
    assert "RegistryError: 'team-mel' already belongs to another config" in refused.stderr
    assert "n_mels: 64 != 40" in refused.stderr


def test_a_name_can_be_added_to_a_file_of_the_team(mel, tmp_path, monkeypatch):
    team = tmp_path / "team.json"
    added = audiopipe("configs", "add", "team-mel", mel, "--registry", team)
    assert json.loads(team.read_text())["configs"].keys() == {"team-mel"}
    assert added.stderr.endswith("Commands and programs know the name if AUDIOPIPE_REGISTRY lists this file.\n")
    monkeypatch.setenv("AUDIOPIPE_REGISTRY", str(team))
    (tmp_path / "other.json").write_text(OTHER.to_json())
    assert audiopipe("configs", "add", "other-mel", tmp_path / "other.json").stderr.endswith(f"to {team}\n")


def test_a_file_without_a_config_is_refused(tmp_path, settings):
    (tmp_path / "mel.json").write_text("{}")
    refused = audiopipe("configs", "add", "team-mel", tmp_path / "mel.json")
    assert (refused.returncode, settings.exists()) == (1, False)
    assert refused.stderr.startswith("ConfigError: ")
