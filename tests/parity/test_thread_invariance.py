"""A feature has the same bits in processes with any number of threads."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import settings
from invariance import POOL
from invariance_digests import digests

from audiopipe import registry

PROGRAM = Path(__file__).with_name("invariance_digests.py")
# Frames of Kaldi, and sums over a clip.
SOME_PRESETS = ("ast", "nemo-mel-80")


def digests_with(threads, *presets):
    command = [sys.executable, PROGRAM, str(threads), *presets]
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


@pytest.mark.faults
def test_presets_have_the_same_bits_in_a_process_with_one_thread():
    here = digests(registry.get(name) for name in SOME_PRESETS)
    assert len(set(here)) == 3 * len(SOME_PRESETS)  # of one clip, the layer and the transform have equal bits
    assert digests_with(1, *SOME_PRESETS) == here


@pytest.mark.skipif(settings.get_current_profile_name() != "deep", reason="takes three new processes; make test-deep")
def test_processes_with_any_number_of_threads_compute_the_same_bits(record_property):
    found = {threads: digests_with(threads) for threads in (1, 2, 4)}
    record_property("invariance_cases", len(found[1]))
    assert len(set(found[1])) > len(POOL)
    assert all(digests == found[1] for digests in found.values())
