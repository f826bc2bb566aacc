"""Tests of the memory that an hour of audio takes where frames are local. Run them with `make test-long`."""

import json
import subprocess
import sys

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")]

MEGABYTE = 1e6
HOUR = 230 * MEGABYTE  # of samples at 16 kHz

SCRIPT = """
import json, re, sys
import numpy as np
from audiopipe import Transform, configs

def kilobytes(name):
    with open("/proc/self/status") as file:
        return int(re.search(name + r":\\s+(\\d+) kB", file.read())[1])

name, fields, door = json.loads(sys.argv[1])
mel = Transform(getattr(configs, name)(**fields))

def blocks(seconds):
    random = np.random.default_rng(0)
    for _ in range(seconds // 2):
        yield random.uniform(-0.5, 0.5, (2 * mel.config.sample_rate, 1)).astype("float32")

def run(seconds):
    if door == "compute":
        return len(mel.compute(blocks(seconds)))
    stream = mel.stream()
    return sum(len(stream.push(block)) for block in blocks(seconds)) + len(stream.finish())

run(120)
with open("/proc/self/clear_refs", "w") as file:
    file.write("5")  # resets the peak
before = kilobytes("VmRSS")
frames = run(3600)
print(json.dumps({"added": (kilobytes("VmHWM") - before) * 1024, "frames": frames}))
"""

LOG_MEL = {"n_fft": 512, "win_length": 400, "hop_length": 160, "n_mels": 8}
CASES = {
    "snip": ["LogMel", {**LOG_MEL, "edges": "snip"}, "compute"],
    "center": ["LogMel", {**LOG_MEL, "edges": "center", "pad_mode": "reflect", "gain": 32768.0}, "compute"],
    "same": [
        "LogMel",
        {**LOG_MEL, "edges": "same", "preemphasis": 0.97, "preemphasis_of": "waveform", "normalization": "clip"},
        "compute",
    ],
    "midpoint": ["LogMel", {**LOG_MEL, "edges": "midpoint", "remove_dc_offset": True}, "compute"],
    "whisper": ["WhisperLogMel", {"n_mels": 8, "chunk_seconds": None}, "compute"],
    "keras": ["KerasMelSpectrogram", {"fft_length": 512, "sequence_stride": 160, "num_mel_bins": 8}, "compute"],
    "stream": ["LogMel", {**LOG_MEL, "edges": "center", "pad_mode": "reflect", "stack_frames": 2}, "stream"],
}


@pytest.mark.parametrize("name", CASES)
def test_an_hour_of_audio_takes_little_more_memory_than_its_feature(name):
    done = subprocess.run([sys.executable, "-c", SCRIPT, json.dumps(CASES[name])], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    measured = json.loads(done.stdout.splitlines()[-1])
    print(name, measured)
    assert measured["frames"] >= 3600 * 100 // 2 - 3
    feature = 0 if name == "stream" else measured["frames"] * 8 * 4
    # What the feature is computed from and its result are in memory, some of it twice.
    assert measured["added"] < 5 * feature + 30 * MEGABYTE < HOUR / 2
