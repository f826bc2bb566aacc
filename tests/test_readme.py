"""The README works as it is typed, and its description on PyPI has no links that break there."""

import re
import shlex
import shutil
import tomllib
from pathlib import Path

import pytest
from typer.testing import CliRunner

from audiopipe.cli import app

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
LINK = re.compile(r"\]\((?!https:)([^)#]*)")


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)


@pytest.fixture
def folder_with_clips(tmp_path, monkeypatch):
    shutil.copytree(ROOT / "examples" / "audio", tmp_path / "clips")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_program_runs_and_what_it_asserts_is_true(folder_with_clips):
    [program] = blocks("python")
    names = {}
    exec(program, names)
    assert names["feature"].shape == (349, 80, 1)
    assert len(program.strip().splitlines()) <= 11


def test_the_commands_succeed_one_after_another(folder_with_clips):
    commands = [shlex.split(line[2:]) for block in blocks("console") for line in block.splitlines()]
    ours = [words[1:] for words in commands if words[0] == "audiopipe"]
    assert [words[0] for words in ours] == ["precompute", "verify", "plot"]
    for words in ours:
        done = CliRunner().invoke(app, words)
        assert done.exit_code == 0, done.output
    assert (folder_with_clips / "speech.png").stat().st_size > 10_000


def test_links_lead_to_files():
    targets = LINK.findall(README)
    assert len(targets) >= 5
    assert [target for target in targets if not (ROOT / target).is_file()] == []


def test_the_description_on_pypi_keeps_the_text_without_relative_links():
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["metadata"]["hooks"]
    text = README
    for substitution in settings["fancy-pypi-readme"]["substitutions"]:
        text = re.sub(substitution["pattern"], substitution["replacement"], text)
    assert LINK.findall(text) == []
    assert "- Get started: a first feature" in text
    assert "landing.png" not in text
