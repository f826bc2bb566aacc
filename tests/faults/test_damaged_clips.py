"""Tests of clips with ten kinds of damage. Each fails at its stage, and neither other clips nor memory are affected."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from damaged_audio import KINDS
from recordings import RATE, damaged, recorded
from running import AS_ANYBODY, PERMISSIONS_HOLD
from vanishing import Vanishing

from audiopipe import beam, configs, load

CONFIG = configs.MelSpectrogram(sample_rate=RATE, n_fft=512, hop_length=100, n_mels=20)


def check(output, kinds, good):
    """Checks that each damaged clip failed at its stage and each good one has a feature. Returns the features by id."""
    failures = [json.loads(line) for line in (output / "failures.jsonl").read_text().splitlines()]
    assert [(failure["id"], failure["stage"]) for failure in failures] == [
        (name, KINDS[kind]) for name, kind in kinds.items()
    ]
    for failure in failures:
        if kinds[failure["id"]] == "vanished":
            assert failure["error"].endswith("--retry-failures.")
            assert "and is gone now" in failure["error"]
        if kinds[failure["id"]] == "permission denied" and PERMISSIONS_HOLD and good > 100:
            assert "Permission denied" in failure["error"]
    clips = list(load(output).as_numpy_iterator())
    ids = {clip["id"].decode() for clip in clips}
    assert len(clips) == len(ids) == good
    assert not ids & kinds.keys()
    return {clip["id"]: clip["feature"].tobytes() for clip in clips}


def test_ten_damaged_clips_fail_and_fifty_good_ones_do_not(tmp_path):
    source = recorded(tmp_path / "clips", 60, seconds=0.3)
    kinds = damaged(source, range(3, 60, 6), left=["vanished"])
    vanishing = Vanishing([source / name for name, kind in kinds.items() if kind == "vanished"])
    beam.precompute(source, tmp_path / "out", CONFIG, num_shards=4, workers=1, reporter=vanishing)
    check(tmp_path / "out", kinds, 50)


@pytest.mark.faults
@pytest.mark.skipif(not PERMISSIONS_HOLD, reason="root may read everything here")
def test_thirty_damaged_clips_among_a_thousand_fail_without_using_more_memory(tmp_path):
    (tmp_path / "config.json").write_text(CONFIG.to_json())
    source = recorded(tmp_path / "clips", 1000, seconds=0.3)
    clean = shutil.copytree(source, tmp_path / "good")
    kinds = damaged(source, range(7, 1000, 34)[:30], left=["vanished", "permission denied"])
    for name, kind in kinds.items():
        (clean / name).unlink()
        if kind == "permission denied":
            (source / name).chmod(0)
    vanishing = [source / name for name, kind in kinds.items() if kind == "vanished"]
    memory = []
    for folder, paths in ((clean, []), (source, vanishing)):
        program = Path(__file__).with_name("vanishing.py")
        command = [*AS_ANYBODY, sys.executable, program, folder, f"{folder}-out", tmp_path / "config.json", *paths]
        done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=200)
        assert done.returncode == 0, done.stderr
        memory.append(int(done.stdout))
    expected = check(tmp_path / "good-out", {}, 970)
    assert check(tmp_path / "clips-out", kinds, 970) == expected
    print(f"peak memory: {memory[0] / 1e6:.0f} MB without and {memory[1] / 1e6:.0f} MB with damaged clips")
    assert memory[1] < 1.1 * memory[0]
