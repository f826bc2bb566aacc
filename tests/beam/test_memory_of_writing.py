"""Test of the memory of `WriteFeatureSet` and `ReadFeatureSet`. Run it with `make test-long`."""

import subprocess
import sys
from pathlib import Path

import pytest

from audiopipe import FeatureSet, verification
from benchmarks import machine

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")]

CLIP_BYTES = 998 * 80 * 4
MOST_MEMORY = 1.2e9
TOLERANCE = 1.25


def peak_of(program, *arguments):
    process = subprocess.Popen([sys.executable, str(Path(__file__).with_name(program)), *map(str, arguments)])
    memory = machine.Memory(process)
    process.wait()
    memory.join()
    assert process.returncode == 0
    return memory.peak


def test_2_gb_of_features_are_written_and_read_in_the_memory_of_200_mb(tmp_path):
    peaks = {}
    for size in (2e8, 2e9):
        clips, output = round(size / CLIP_BYTES), tmp_path / f"{size:g}"
        peaks[size] = peak_of("large_set.py", output, clips)
        assert len(FeatureSet(output)) == clips
        assert verification.verify(output).ok
        read = peak_of("read_large_set.py", output)
        print(f"{clips} clips: {peaks[size] / 1e6:.0f} MB to write, {read / 1e6:.0f} MB to read")
        assert read < MOST_MEMORY
    assert peaks[2e9] < MOST_MEMORY
    assert peaks[2e9] < TOLERANCE * peaks[2e8]
