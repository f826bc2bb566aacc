"""The example trains far above chance and saves a model that predicts the same from audio as from stored features."""

import runpy
import sys
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parents[2] / "examples" / "train_from_features.py"


@pytest.mark.faults
def test_the_model_knows_new_speakers_and_predicts_the_same_from_raw_audio(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["train_from_features.py", str(tmp_path)])
    accuracy = runpy.run_path(str(EXAMPLE))["main"]()
    assert accuracy > 0.8  # chance is 0.25
    assert "predicts the same from 100 audio files" in capsys.readouterr().out
