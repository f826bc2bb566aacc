"""Scripts with a guard for `__main__` whose workers compute features: those of `hf.map` and of a torch `DataLoader`."""

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
    mel, told = Transform("speech-mel-80"), {}
    rows = datasets.Dataset.from_dict({"audio": ["examples/audio/speech.flac", "examples/audio/chirp.wav"]})
    one = values(hf.map(rows, mel, keep_in_memory=True))
    told["same"] = values(hf.map(rows, mel, num_proc=2)) == one
    told["restored"] = __file__.endswith("script.py") and __spec__ is None
    json.dump(told, open(sys.argv[1], "w"))

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
    mel, told = Transform("speech-mel-80"), {}
    rows = datasets.Dataset.from_dict({"audio": ["examples/audio/speech.flac", "examples/audio/chirp.wav"]})
    fly, mapped = hf.with_transform(rows, mel), hf.map(rows, mel).with_format("torch")
    expected = [row["feature"].tobytes().hex() for row in fly]
    began = time.monotonic()
    try:
        loaded(fly, multiprocessing_context="fork")
    except Exception as error:
        told["fork"] = f"{type(error).__name__}: {error}"
    told["fork took"] = time.monotonic() - began
    for context in ("spawn", "forkserver"):
        told[context] = loaded(fly, multiprocessing_context=context) == expected
    told["mapped"] = loaded(mapped, multiprocessing_context="fork") == expected
    json.dump(told, open(sys.argv[1], "w"))

if __name__ == "__main__":
    main()
"""


def run(script, folder):
    """What a script tells, which has to end in time."""
    (folder / "script.py").write_text(script)
    command = [sys.executable, str(folder / "script.py"), str(folder / "told.json")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return json.loads((folder / "told.json").read_text())


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    pytest.importorskip("torch")
    return run(LOADER, tmp_path_factory.mktemp("loader"))


@pytest.mark.faults
def test_a_map_in_several_processes_works_with_a_guard_as_well(tmp_path):
    assert run(MAP, tmp_path) == {"same": True, "restored": True}


def test_workers_that_a_loader_forks_stop_at_once_and_are_told_what_to_do(told):
    assert told["fork"].startswith("ForkError: ")
    assert "give a torch DataLoader multiprocessing_context='forkserver'" in told["fork"]
    assert told["fork took"] < 2


@pytest.mark.parametrize("context", ["spawn", "forkserver"])
def test_workers_of_a_loader_that_start_anew_compute_the_same_bits(told, context):
    assert told[context]


def test_forked_workers_read_features_that_are_computed(told):
    assert told["mapped"]
