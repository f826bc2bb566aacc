"""The example of a pipeline joins, filters and writes, and its statistics are those of the clips for training."""

import json
import subprocess
import sys
from pathlib import Path

from audiopipe import FeatureSet, beam, verification

ROOT = Path(__file__).parents[2]


def test_the_example_writes_the_labelled_clips_of_a_second_and_more(tmp_path):
    program = ROOT / "examples" / "beam_pipeline" / "labelled_features.py"
    command = [sys.executable, str(program), str(tmp_path), "--runner=FnApiRunner"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    made = FeatureSet(tmp_path / "features")
    everything = beam.precompute(ROOT / "examples" / "audio", tmp_path / "all", "speech-mel-80")
    expected = [clip["id"] for clip in everything if clip["n_frames"] >= 100 and "array" not in clip["id"]]
    assert made.ids == sorted(expected)
    for clip in made:
        assert clip["feature"].tobytes() == everything[clip["id"]]["feature"].tobytes()
    assert made.classes == {"label": ["music", "speech", "synthetic"]}
    assert verification.verify(made.path).ok
    statistics = json.loads((tmp_path / "train.json").read_text())
    assert statistics == made.where(split="train").statistics.to_dict()
    assert done.stdout.splitlines()[0].startswith("clips: chirp.wav (synthetic), music/strings-stereo.ogg (music), ")
