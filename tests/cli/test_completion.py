"""Tests of the completion of words in a shell."""

import json
import subprocess
import sys

from audiopipe.cli import completion

COMPLETE = """
import contextlib, io, json, os, sys
from audiopipe.cli import main

found = {}
lines, sys.argv = sys.argv[1:], ["audiopipe"]
for line in lines:
    os.environ |= {"_AUDIOPIPE_COMPLETE": "complete_bash", "COMP_WORDS": line, "COMP_CWORD": str(line.count(" "))}
    with contextlib.suppress(SystemExit), contextlib.redirect_stdout(io.StringIO()) as printed:
        main()
    found[line] = printed.getvalue().splitlines()
heavy = sorted({"tensorflow", "keras", "apache_beam", "datasets", "matplotlib", "pyarrow"} & sys.modules.keys())
print(json.dumps([found, heavy]))
"""
EXPECTED = {
    "audiopipe ver": {"verify"},
    "audiopipe configs a": {"add"},
    "audiopipe precompute clips features --config speech-m": {"speech-mel-80"},
    "audiopipe configs show whisper-": {"whisper-80", "whisper-128"},
    "audiopipe configs diff ast speech-m": {"speech-mel-80"},
    "audiopipe precompute clips features --dtype bf": {"bfloat16"},
    "audiopipe precompute clips features --retr": {"--retry-failures"},
    "audiopipe precompute --import a_module_that_is_not_there --segment-h": {"--segment-hop"},
    "audiopipe verify features --door ": {"tfdata", "hf", "both"},
}


def test_a_shell_completes_words_without_heavy_imports():
    done = subprocess.run([sys.executable, "-c", COMPLETE, *EXPECTED], capture_output=True, text=True, check=True)
    found, heavy = json.loads(done.stdout)
    assert {line: set(words) for line, words in found.items()} == EXPECTED
    assert heavy == []
    assert done.stderr == ""


def test_names_have_their_purpose_beside_them():
    [(name, purpose)] = completion.config_names("kaldi-fbank-80")
    assert (name, purpose) == ("kaldi-fbank-80", "Kaldi's filterbank features with 80 bands, of samples in -1 .. 1.")


def test_a_broken_registry_completes_nothing(monkeypatch, tmp_path):
    from audiopipe import registry

    monkeypatch.setenv("AUDIOPIPE_REGISTRY", str(tmp_path / "gone.json"))
    monkeypatch.setattr(registry, "names", registry.Registry().names)
    assert completion.config_names("") == []
