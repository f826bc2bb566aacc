"""Shared fixtures: a reference implementation, a few clips, and a feature set of these clips."""

import importlib.util
import json
import os
import shutil

import fsspec
import numpy as np
import pytest
import scipy.signal
import soundfile
import soxr
from hypothesis import settings

from audiopipe import configs

# Doctests are collected from every module, and several modules called conftest would clash.
collect_ignore_glob = ["*/conftest.py"]
if importlib.util.find_spec("torch") is None:
    collect_ignore_glob.append("distributed/rank.py")  # a program that imports torch

settings.register_profile("deep", max_examples=1800, deadline=None)  # of `make test-deep`
# Every change is judged by the same cases. `make test-deep` draws more.
settings.register_profile("repeatable", max_examples=16, deadline=None, derandomize=True)
settings.load_profile("repeatable")

FIXED = {"input_data_format": "channels_last", "output_data_format": "channels_last"}
METADATA = {
    "mono": {"speaker": "Zoë", "take": 7, "gain": 0.1, "clean": True, "age": 31, "note": None},
    "stereo": {"speaker": "Bo", "take": -(2**62), "gain": 1e-300, "clean": False, "age": None, "note": "café"},
    "resampled": {"speaker": "", "take": 0, "gain": -2.5, "clean": True, "age": 5, "note": "x"},
    "quiet": {"speaker": "Di", "take": 1, "gain": 1 / 3, "clean": False, "age": 44, "note": None},
    "broken": {"speaker": "Al", "take": 2, "gain": 0.0, "clean": True, "age": 1, "note": "no audio"},
}


@pytest.fixture(scope="session")
def config():
    return configs.StftMagnitude(sample_rate=8000, n_fft=256, hop_length=100, return_decibel=True, **FIXED)


@pytest.fixture(scope="session")
def reference():
    """Returns a function that computes the feature of a `StftMagnitude` config without padding, in float64."""

    def compute(clip, config):
        clip = np.asarray(clip, np.float64).reshape(len(clip), -1)
        starts = range(0, len(clip) - config.win_length + 1, config.hop_length)
        frames = np.array([clip[start : start + config.win_length] for start in starts])
        window = scipy.signal.get_window("hann", config.win_length)
        magnitudes = np.abs(np.fft.rfft(frames * window[:, None], config.n_fft, axis=1))
        if not config.return_decibel:
            return magnitudes
        decibels = 10 * np.log10(np.maximum(magnitudes, config.db_amin) / config.db_ref_value)
        return np.maximum(decibels, decibels.max() - config.db_dynamic_range)

    return compute


@pytest.fixture(scope="session")
def clips(tmp_path_factory):
    """Returns a folder of four good clips and a broken one, with a manifest that has all types of metadata."""
    folder = tmp_path_factory.mktemp("clips")
    noise = np.random.default_rng(0)
    soundfile.write(folder / "mono.wav", 0.3 * noise.standard_normal(4000), 8000, subtype="FLOAT")
    soundfile.write(folder / "stereo.flac", 0.1 * noise.standard_normal((2500, 2)), 8000)
    soundfile.write(folder / "resampled.wav", 0.2 * noise.standard_normal(9000), 16000)
    soundfile.write(folder / "quiet.wav", 1e-3 * noise.standard_normal(1000), 8000, subtype="FLOAT")
    (folder / "broken.wav").write_text("this is no audio")
    names = ["mono.wav", "stereo.flac", "resampled.wav", "quiet.wav", "broken.wav"]
    ids = [name.partition(".")[0] for name in names]
    lines = [json.dumps({"id": id, "path": name, **METADATA[id]}) for id, name in zip(ids, names, strict=True)]
    (folder / "manifest.jsonl").write_text("\n".join(lines))
    return folder


@pytest.fixture(scope="session")
def samples(clips):
    """Returns the samples of the good clips by id, in the order of the manifest, mixed down and at 8 kHz.

    Other libraries compute them.
    """
    read = {name: soundfile.read(clips / f"{name}.wav", dtype="float32")[0] for name in ("mono", "resampled", "quiet")}
    return {
        "mono": read["mono"],
        "stereo": soundfile.read(clips / "stereo.flac", dtype="float32")[0].mean(axis=1, dtype=np.float64),
        "resampled": soxr.resample(read["resampled"], 16000, 8000, quality="HQ"),
        "quiet": read["quiet"],
    }


@pytest.fixture(scope="session")
def metadata():
    return METADATA


@pytest.fixture(scope="session")
def shared_feature_set(tmp_path_factory, clips, config):
    """Returns a feature set of all clips, in two shards. Tests that change it use `feature_set` instead."""
    from audiopipe import beam

    folder = tmp_path_factory.mktemp("shared") / "features"
    beam.precompute(clips / "manifest.jsonl", folder, config, num_shards=2)
    return folder


@pytest.fixture(scope="session")
def mel(config):
    from audiopipe import Transform

    return Transform(config)


@pytest.fixture(scope="module")
def quiet_bars():
    """Disables the progress bars of `datasets`."""
    import datasets

    datasets.disable_progress_bars()
    yield
    datasets.enable_progress_bars()


@pytest.fixture
def feature_set(shared_feature_set, tmp_path):
    return shutil.copytree(shared_feature_set, tmp_path / "features")


@pytest.fixture
def read_sizes(monkeypatch):
    """Returns a list that gets the size of each range that is read from a local file into an array."""
    sizes, preadv = [], os.preadv

    def read(number, buffers, offset):
        sizes.extend(map(len, buffers))
        return preadv(number, buffers, offset)

    monkeypatch.setattr(os, "preadv", read)
    return sizes


@pytest.fixture
def memory():
    """Yields an empty folder in fsspec's memory filesystem."""
    yield "memory://test"
    filesystem = fsspec.filesystem("memory")
    if filesystem.exists("/test"):
        filesystem.rm("/test", recursive=True)


@pytest.fixture
def keras_settings():
    """Yields `keras.config` and restores the global policy and the data format after the test."""
    import keras

    policy, data_format = keras.config.dtype_policy(), keras.config.image_data_format()
    yield keras.config
    keras.config.set_dtype_policy(policy)
    keras.config.set_image_data_format(data_format)


@pytest.hookimpl(tryfirst=True)  # before tests are selected by their markers
def pytest_collection_modifyitems(items):
    """Gives the marker `faults` to the cases that the marker `cases` leaves out."""
    tests = {}
    for item in items:
        marker = item.get_closest_marker("cases")
        if marker is not None:
            tests.setdefault(item.nodeid.partition("[")[0], (marker.args[0], []))[1].append(item)
    for count, cases in tests.values():
        kept = {number * len(cases) // count for number in range(count)}
        for number, item in enumerate(cases):
            if number not in kept:
                item.add_marker(pytest.mark.faults)


def pytest_terminal_summary(terminalreporter):
    """Prints the number of cases that the invariance tests tried in all processes."""
    reports = [report for kind in terminalreporter.stats.values() for report in kind if hasattr(report, "when")]
    properties = [entry for report in reports if report.when == "teardown" for entry in report.user_properties]
    count = sum(value for name, value in properties if name == "invariance_cases")
    if count:
        terminalreporter.write_line(f"{count} cases of bit-invariance")
