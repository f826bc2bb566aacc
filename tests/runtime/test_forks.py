"""Forks in one script without a guard for `__main__`. The script must end and not wait forever."""

import json
import subprocess
import sys

import pytest

pytestmark = pytest.mark.faults

SCRIPT = """
import json, os, sys, time
import datasets, numpy
from audiopipe import Transform, hf
from audiopipe.runtime import forks

datasets.disable_progress_bars()
mel, clip, report = Transform("speech-mel-80"), numpy.sin(numpy.arange(16000, dtype="float32")), {}
rows = datasets.Dataset.from_dict({"audio": ["examples/audio/speech.flac", "examples/audio/chirp.wav"] * 2})

def in_a_fork(name):
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            answer = mel(clip).tobytes().hex()
        except BaseException as error:
            answer = f"{type(error).__name__}: {error}"
        os.write(writing, answer.encode())
        os._exit(0)
    os.close(writing)
    with open(reading) as file:
        report[name] = file.read()
    os.waitpid(child, 0)
    report["parent"] = os.getpid()

def doubled(batch):
    return {"feature": [2 * feature for feature in mel(batch)["feature"]]}

def values(mapped):
    return [numpy.asarray(row["feature"], "float32").tobytes().hex() for row in mapped.with_format("numpy")]

report["has run"] = forks.tensorflow_has_run()
in_a_fork("before")
report["has run after a child's run"] = forks.tensorflow_has_run()
report["expected"] = mel(clip).tobytes().hex()
report["has run at last"] = forks.tensorflow_has_run()
in_a_fork("after")
report["subprocess"] = os.popen("echo fine").read()
try:
    rows.map(doubled, batched=True, num_proc=2)
except Exception as error:
    report["datasets"] = f"{type(error).__name__}: {error}"
one = hf.map(rows, mel, keep_in_memory=True)
two = hf.map(rows, mel, num_proc=2)
report["same"] = values(two) == values(one) and two["feature_digest"][:] == one["feature_digest"][:]
report["types"] = two.features["feature"] == hf.feature_type(mel.config)
of_datasets = rows.map(mel, batched=True, num_proc=2)
report["same of datasets"] = of_datasets["feature_digest"][:] == one["feature_digest"][:]
with hf.spawned():
    own = rows.map(doubled, batched=True, num_proc=2)
report["doubled"] = numpy.array_equal(numpy.float32(own[1]["feature"]), 2 * numpy.float32(two[1]["feature"]))
report["restored"] = __file__.endswith("script.py") and __spec__ is None
json.dump(report, open(sys.argv[1], "w"))
"""


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    folder = tmp_path_factory.mktemp("forks")
    script = folder / "script.py"
    script.write_text(SCRIPT)
    done = subprocess.run(
        [sys.executable, str(script), str(folder / "report.json")], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return json.loads((folder / "report.json").read_text())


def test_a_fork_before_tensorflow_has_run_can_compute(report):
    assert report["before"] == report["expected"]
    assert not report["has run"]
    assert not report["has run after a child's run"]


def test_a_fork_after_tensorflow_has_run_fails_at_once_with_advice(report):
    assert report["has run at last"]
    assert report["after"].startswith("ForkError: A process that is forked after TensorFlow has run")
    assert f"forked from {report['parent']}. Use audiopipe.hf.map(dataset, transform, num_proc=...)" in report["after"]


def test_other_programs_can_be_started(report):
    assert report["subprocess"] == "fine\n"


def test_workers_that_datasets_forks_fail_with_the_same_error(report):
    assert report["datasets"].startswith("ForkError: A process that is forked after TensorFlow has run")


def test_several_processes_give_the_bits_and_types_of_one(report):
    assert report["same"]
    assert report["types"]
    assert report["same of datasets"]


def test_a_function_of_the_main_script_can_be_mapped_with_spawned(report):
    assert report["doubled"]
    assert report["restored"]
