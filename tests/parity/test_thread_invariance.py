"""A feature has the same bits in processes with any number of threads."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import settings
from invariance import POOL

PROGRAM = Path(__file__).with_name("invariance_digests.py")


@pytest.mark.skipif(settings.get_current_profile_name() != "deep", reason="takes three new processes; make test-deep")
def test_processes_with_any_number_of_threads_compute_the_same_bits(record_property):
    found = {}
    for threads in (1, 2, 4):
        command = [sys.executable, PROGRAM, str(threads)]
        found[threads] = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    record_property("invariance_cases", len(found[1]))
    assert len(set(found[1])) > len(POOL)
    assert all(digests == found[1] for digests in found.values())
