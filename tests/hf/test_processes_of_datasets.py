"""Scripts with a guard for `__main__` that compute features in workers of `hf.map` and of a torch `DataLoader`."""

import json
import subprocess
import sys

import pytest

MAP = """
import json, sys, time
import datasets, numpy
from audiopipe import Transform, hf

def values(mapped):
    return [numpy.asarray(row["feature"], "float32").tobytes().hex() for row in mapped.with_format("numpy")]

def main():
    datasets.disable_progress_bars()
    mel, report = Transform("speech-mel-80"), {}
    rows = datasets.Dataset.from_dict({"audio": ["examples/audio/speech.flac", "examples/audio/chirp.wav"]})
    one = values(hf.map(rows, mel, keep_in_memory=True))
    report["same"] = values(hf.map(rows, mel, num_proc=2)) == one
    report["restored"] = __file__.endswith("script.py") and __spec__ is None
    json.dump(report, open(sys.argv[1], "w"))

if __name__ == "__main__":
    main()
"""

LOADER = """
import json, sys, time
import datasets
from torch.utils.data import DataLoader
from audiopipe import Transform, hf

def loaded(rows, **arguments):
    return [row["feature"].numpy().tobytes().hex() for row in DataLoader(rows, None, num_workers=1, **arguments)]

def main():
    datasets.disable_progress_bars()
    mel, report = Transform("speech-mel-80"), {}
    rows = datasets.Dataset.from_dict({"audio": ["examples/audio/speech.flac", "examples/audio/chirp.wav"]})
    fly, mapped = hf.with_transform(rows, mel), hf.map(rows, mel).with_format("torch")
    expected = [row["feature"].tobytes().hex() for row in fly]
    try:
        loaded(fly, multiprocessing_context="fork")
    except Exception as error:
        report["fork"] = f"{type(error).__name__}: {error}"
    for context in ("spawn", "forkserver"):
        report[context] = loaded(fly, multiprocessing_context=context) == expected
    report["mapped"] = loaded(mapped, multiprocessing_context="fork") == expected
    json.dump(report, open(sys.argv[1], "w"))

if __name__ == "__main__":
    main()
"""


def run(script, folder):
    """Runs a script, which has to end in time, and returns the report that it writes."""
    (folder / "script.py").write_text(script)
    command = [sys.executable, str(folder / "script.py"), str(folder / "report.json")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return json.loads((folder / "report.json").read_text())


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    pytest.importorskip("torch")
    return run(LOADER, tmp_path_factory.mktemp("loader"))


@pytest.mark.faults
def test_a_map_in_several_processes_works_in_a_script_with_a_guard(tmp_path):
    assert run(MAP, tmp_path) == {"same": True, "restored": True}


def test_workers_that_a_loader_forks_fail_at_once_with_advice(report):
    assert report["fork"].startswith("ForkError: ")
    assert "give a torch DataLoader multiprocessing_context='forkserver'" in report["fork"]


@pytest.mark.parametrize("context", ["spawn", "forkserver"])
def test_workers_of_a_loader_that_are_not_forked_compute_the_same_bits(report, context):
    assert report[context]


def test_forked_workers_can_read_computed_features(report):
    assert report["mapped"]
