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

REMARKS = """
import json, sys, warnings
import datasets, numpy, soundfile
from audiopipe import Transform, hf
from audiopipe.errors import AudioRemark

def mapped(rows, mel, **arguments):
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        result = hf.map(rows, mel, **arguments)
    return result, [str(item.message) for item in found if issubclass(item.category, AudioRemark)]

def main():
    datasets.disable_progress_bars()
    path, report = sys.argv[1] + ".wav", {}
    tone = numpy.sin(numpy.arange(16000.0))
    soundfile.write(path, numpy.stack([tone, -tone], axis=1), 16000)
    mel = Transform("speech-mel-80")
    rows = datasets.Dataset.from_dict({"audio": ["gone.wav", "examples/audio/speech.flac", path, "gone.wav"]})
    one = mapped(rows, mel, on_error="skip")[1]
    several = mapped(rows, mel, on_error="skip", num_proc=2)[1]
    report["warnings"] = [len(one), several == one]
    column, texts = mapped(rows, mel, on_error="null", num_proc=2, remarks=True)
    report["column"] = [text is not None and text.startswith("the channels cancel") for text in column["remark"][:]]
    report["beside the column"] = texts
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
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    return json.loads((folder / "report.json").read_text())


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    pytest.importorskip("torch")
    return run(LOADER, tmp_path_factory.mktemp("loader"))


@pytest.mark.faults
def test_a_map_in_several_processes_works_in_a_script_with_a_guard(tmp_path):
    assert run(MAP, tmp_path) == {"same": True, "restored": True}


@pytest.mark.faults
def test_remarks_of_several_processes_reach_the_parent(tmp_path):
    report = run(REMARKS, tmp_path)
    assert report["warnings"] == [2, True]
    assert report["column"] == [False, False, True, False]
    assert report["beside the column"] == []


def test_workers_that_a_loader_forks_fail_at_once_with_advice(report):
    assert report["fork"].startswith("ForkError: ")
    assert "give a torch DataLoader multiprocessing_context='forkserver'" in report["fork"]


@pytest.mark.parametrize("context", ["spawn", "forkserver"])
def test_workers_of_a_loader_that_are_not_forked_compute_the_same_bits(report, context):
    assert report[context]


def test_forked_workers_can_read_computed_features(report):
    assert report["mapped"]
