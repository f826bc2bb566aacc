"""The example with grain continues after any end as if it had not ended, also in a new process with workers."""

import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("grain")

EXAMPLE = Path(__file__).parents[2] / "examples" / "grain_training.py"


def here(*arguments, monkeypatch):
    """Runs the example in this process, without workers."""
    monkeypatch.setattr(sys, "argv", ["grain_training.py", *map(str, arguments)])
    main = runpy.run_path(str(EXAMPLE))["main"]
    main.__globals__["WORKERS"] = 0
    main()


def in_a_process(*arguments):
    done = subprocess.run([sys.executable, str(EXAMPLE), *map(str, arguments)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_training_that_ended_continues_to_the_same_weights(tmp_path, monkeypatch, capsys):
    here(tmp_path / "whole", 60, monkeypatch=monkeypatch)
    assert float(capsys.readouterr().out.split()[-1]) > 0.95  # accuracy; chance is 0.5
    shutil.copytree(tmp_path / "whole" / "features", tmp_path / "parts" / "features")
    here(tmp_path / "parts", 25, monkeypatch=monkeypatch)
    here(tmp_path / "parts", 60, monkeypatch=monkeypatch)
    assert "continues after step 20" in capsys.readouterr().out
    whole, parts = (tmp_path / name / "checkpoint.json" for name in ("whole", "parts"))
    assert whole.read_bytes() == parts.read_bytes()


@pytest.mark.faults
def test_new_processes_with_workers_continue_to_the_same_weights(tmp_path):
    in_a_process(tmp_path / "whole", 60)
    shutil.copytree(tmp_path / "whole" / "features", tmp_path / "parts" / "features")
    in_a_process(tmp_path / "parts", 25)
    assert "continues after step 20" in in_a_process(tmp_path / "parts", 60)
    whole, parts = (tmp_path / name / "checkpoint.json" for name in ("whole", "parts"))
    assert whole.read_bytes() == parts.read_bytes()
