"""Jobs and examples as people launch them."""

import runpy
import subprocess
import sys
from pathlib import Path

import matplotlib.image
import numpy as np

from audiopipe import load

ROOT = Path(__file__).parents[1]


def test_the_beam_job_takes_what_precompute_takes(clips, tmp_path, config, shared_feature_set):
    (tmp_path / "stft.json").write_text(config.to_json())
    command = ["-m", "pipelines.precompute", clips / "manifest.jsonl", tmp_path / "out"]
    options = ["--config", tmp_path / "stft.json", "--num-shards", "2", "--direct_num_workers=1"]
    subprocess.run([sys.executable, *command, *options], cwd=ROOT, check=True, capture_output=True)
    for shard in shared_feature_set.glob("*.tfrecord"):
        assert (tmp_path / "out" / shard.name).read_bytes() == shard.read_bytes()


def test_the_demo_computes_verifies_and_plots_the_projects_clips_from_any_folder(tmp_path, monkeypatch, capsys):
    (tmp_path / "mine").write_text("not the demo's to remove")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["demo.py", "."])
    demo = runpy.run_path(str(ROOT / "examples" / "demo.py"))
    demo["main"]()
    printed = capsys.readouterr().out
    assert "$ audiopipe precompute " in printed
    assert "Every bit agrees." in printed
    assert (tmp_path / "mine").exists()
    assert matplotlib.image.imread(tmp_path / "feature.png").shape == (480, 1080, 4)
    elements = {element["id"].decode(): element for element in load("features").as_numpy_iterator()}
    audio = ROOT / "examples" / "audio"
    assert sorted(elements) == sorted(str(path.relative_to(audio)) for path in audio.rglob("*.*"))
    loudest = elements["chirp.wav"]["feature"][:, :, 0].argmax(axis=1)
    assert (np.diff(loudest) >= 0).all()
    assert loudest[-1] > loudest[0] + 60
