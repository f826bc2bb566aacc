"""A feature has the same bits in processes with any number of threads."""

import json
import subprocess
import sys
from pathlib import Path

from hypothesis import settings
from invariance import POOL

PROGRAM = Path(__file__).with_name("invariance_digests.py")
DEEP = settings.get_current_profile_name() == "deep"


def test_processes_with_any_number_of_threads_compute_the_same_bits(record_property):
    step = 1 if DEEP else 5
    found = {}
    for threads in (1, 2, 4) if DEEP else (1, 4):
        command = [sys.executable, PROGRAM, str(threads), str(step)]
        found[threads] = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    record_property("invariance_cases", len(found[1]))
    assert len(set(found[1])) > len(POOL[::step])
    assert all(digests == found[1] for digests in found.values())
