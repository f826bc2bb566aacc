"""What the probe says of another environment is what real recordings say.

Each case computes recordings and the probe in a process of its own, and compares both with what this process computes.
Nothing depends on the kind of machine: where a setting changes no bit, both have to agree.
"""

import functools
import json
import os
import subprocess
import sys
from pathlib import Path

import computed_elsewhere
import numpy as np
import pytest
import soundfile

from audiopipe import registry
from audiopipe.runtime import machine_facts
from audiopipe.transform import probe

ROOT = Path(__file__).parents[2]
RECORDINGS = sorted(
    str(path)
    for folder in (ROOT / "examples" / "audio", ROOT.parent / "shared" / "audio")
    for path in folder.rglob("*")
    if path.suffix in (".aiff", ".flac", ".mp3", ".ogg", ".opus", ".wav")
)
SETTINGS = [
    ("speech-mel-80", {"TF_ENABLE_ONEDNN_OPTS": "0"}),
    ("speech-mel-80", {"SOXR_USE_SIMD": "0"}),
    ("kaldi-fbank-80", {}),
    ("kaldi-fbank-80", {"TF_NUM_INTRAOP_THREADS": "1"}),
    ("kaldi-fbank-80", {"ONEDNN_MAX_CPU_ISA": "AVX2"}),
    ("kaldi-fbank-80", {"ONEDNN_MAX_CPU_ISA": "AVX2", "TF_ENABLE_ONEDNN_OPTS": "0"}),
    ("whisper-80", {"ONEDNN_MAX_CPU_ISA": "AVX2"}),
    ("whisper-80", {"TF_ENABLE_ONEDNN_OPTS": "0"}),
    ("music-mel-128", {"SOXR_USE_SIMD": "0"}),
]
# Float32 rounds most in bins with almost no power, of which a recording may have more than the probe.
FACTOR = 100


@functools.cache
def features(name):
    return computed_elsewhere.features(registry.get(name), RECORDINGS)


def compute_elsewhere(name, folder, settings):
    """Returns the features and the facts about the machine of a process with some environment variables."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("ONEDNN_", "SOXR_"))}
    path = os.pathsep.join(filter(None, [settings.get("PYTHONPATH"), *sys.path]))
    done = subprocess.run(
        [sys.executable, computed_elsewhere.__file__, folder, registry.get(name).to_json(), *RECORDINGS],
        env={**environment, **settings, "PYTHONPATH": path},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return np.load(folder / "features.npz"), json.loads((folder / "machine.json").read_text())


def checked_verdict(name, there, machine):
    """Returns the verdict of the probe, after checking that recordings say the same."""
    config, here = registry.get(name), features(name)
    verdict = probe.verdict(machine, config)
    agrees = {file.name: file.step is None for file in verdict.files}
    same = {path: bool((here[path].view(np.int32) == there[path].view(np.int32)).all()) for path in RECORDINGS}
    unchanged = {path for path in RECORDINGS if soundfile.info(path).samplerate == config.sample_rate}
    assert {same[path] for path in unchanged} == {agrees["voice.flac"]}
    assert {same[path] for path in same.keys() - unchanged} == {agrees["music.mp3"], agrees["sweep.opus"]}
    largest = max(float(np.abs(here[path].astype(np.float64) - there[path]).max()) for path in RECORDINGS)
    assert verdict.max_difference / FACTOR <= largest <= verdict.max_difference * FACTOR
    return verdict


@pytest.mark.cases(1)
@pytest.mark.parametrize(
    ("name", "settings"), SETTINGS, ids=lambda value: value if isinstance(value, str) else " ".join(value) or "none"
)
def test_the_verdict_of_the_probe_is_that_of_real_recordings(tmp_path, name, settings):
    there, machine = compute_elsewhere(name, tmp_path, settings)
    verdict = checked_verdict(name, there, machine)
    different = machine_facts.different_facts(machine, machine_facts.machine())
    if settings.keys() <= {"TF_NUM_INTRAOP_THREADS"}:
        assert (different, verdict.agrees) == ([], True)
    elif not verdict.agrees:
        assert different  # or `load` would not compute the probe


@pytest.mark.faults
@pytest.mark.parametrize("package", ["soxr==0.5.0.post1", "soxr==1.0.0", "soundfile==0.12.1", "soundfile==0.13.1"])
def test_the_verdict_is_right_for_other_versions(tmp_path, package):
    """soundfile 0.12.1 comes with libsndfile 1.2.0."""
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--only-binary", ":all:", "--target"]
    folder = tmp_path / "packages"
    installed = subprocess.run([*pip, folder, package], capture_output=True, text=True)
    if installed.returncode:
        pytest.skip(f"{package} cannot be installed here: {installed.stderr[-200:]}")
    there, machine = compute_elsewhere("speech-mel-80", tmp_path, {"PYTHONPATH": str(folder)})
    name, _, version = package.partition("==")
    assert machine["versions"][name] == version
    checked_verdict("speech-mel-80", there, machine)
