"""Tests of the memory that two hours of 44.1 kHz stereo take. Run them with `make test-long`."""

import json
import subprocess
import sys

import numpy as np
import pytest
import soundfile

SECONDS = 2 * 3600
MEGABYTE = 1e6

SCRIPT = """
import json, re, sys
from audiopipe import beam, configs
from audiopipe.transform.segments import Segments

def kilobytes(name):
    with open("/proc/self/status") as file:
        return int(re.search(name + r":\\s+(\\d+) kB", file.read())[1])

warm_up, recording, output, settings = sys.argv[1:]
segments = Segments(**json.loads(settings)) if settings else None
config = configs.MelSpectrogram(
    sample_rate=16000, n_fft=512, win_length=400, hop_length=160, n_mels=64, return_decibel=True
)
beam.precompute(warm_up, output + "/warm-up", config, segments=segments)
with open("/proc/self/clear_refs", "w") as file:
    file.write("5")  # resets the peak
before = kilobytes("VmRSS")
feature_set = beam.precompute(recording, output + "/features", config, segments=segments)
added = kilobytes("VmHWM") - before
size = sum(shard["bytes"] for shard in feature_set.shards)
print(json.dumps({"added": added * 1024, "bytes": size, "counts": feature_set.counts}))
"""

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")]


@pytest.fixture(scope="module")
def write(tmp_path_factory):
    folder = tmp_path_factory.mktemp("long")
    minute = (0.1 * np.random.default_rng(0).standard_normal((60 * 44100, 2))).astype(np.float32)

    def write(name, seconds):
        with soundfile.SoundFile(folder / name, "w", 44100, 2, "PCM_16") as file:
            for _ in range(seconds // 60):
                file.write(minute)
        return folder / name

    yield write
    for path in folder.iterdir():
        path.unlink()


def measure(write, tmp_path, settings):
    arguments = [write("warm-up.wav", 120), write("recording.wav", SECONDS), tmp_path, settings]
    done = subprocess.run([sys.executable, "-c", SCRIPT, *map(str, arguments)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    measured = json.loads(done.stdout.splitlines()[-1])
    print(f"{settings or 'whole'}: {measured['added'] / MEGABYTE:.0f} MB added, {measured['bytes'] / MEGABYTE:.0f} MB")
    return measured


def test_one_clip_of_64_mels_adds_at_most_three_times_its_feature_and_300_mb(write, tmp_path):
    measured = measure(write, tmp_path, "")
    frames = (SECONDS * 16000 - 400) // 160 + 1
    assert measured["counts"]["frames"] == frames
    assert measured["added"] <= 3 * frames * 64 * 4 + 300 * MEGABYTE


def test_segments_of_30_s_add_at_most_400_mb(write, tmp_path):
    measured = measure(write, tmp_path, json.dumps({"seconds": 30}))
    assert measured["counts"]["clips"] == SECONDS // 30
    assert measured["added"] <= 400 * MEGABYTE
