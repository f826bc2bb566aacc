"""Processes that are forked, in one script without a guard for `__main__`, which must end and not wait for ever."""

import json
import subprocess
import sys

import pytest

SCRIPT = """
import json, os, sys, time
import datasets, numpy
from audiopipe import Transform, hf
from audiopipe.runtime import forks

datasets.disable_progress_bars()
mel, clip, told = Transform("speech-mel-80"), numpy.sin(numpy.arange(16000, dtype="float32")), {}
rows = datasets.Dataset.from_dict({"audio": ["examples/audio/speech.flac", "examples/audio/chirp.wav"] * 2})

def in_a_fork(name):
    reading, writing = os.pipe()
    began = time.monotonic()
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
        told[name] = file.read()
    os.waitpid(child, 0)
    told[name + " took"] = time.monotonic() - began
    told["parent"] = os.getpid()

def doubled(batch):
    return {"feature": [2 * feature for feature in mel(batch)["feature"]]}

def values(mapped):
    return [numpy.asarray(row["feature"], "float32").tobytes().hex() for row in mapped.with_format("numpy")]

told["has run"] = forks.tensorflow_has_run()
in_a_fork("before")
told["has run after a child's run"] = forks.tensorflow_has_run()
told["expected"] = mel(clip).tobytes().hex()
told["has run at last"] = forks.tensorflow_has_run()
in_a_fork("after")
told["subprocess"] = os.popen("echo fine").read()
began = time.monotonic()
try:
    rows.map(mel, batched=True, num_proc=2)
except Exception as error:
    told["datasets"] = f"{type(error).__name__}: {error}"
told["datasets took"] = time.monotonic() - began
one = values(hf.map(rows, mel, keep_in_memory=True))
two = hf.map(rows, mel, num_proc=2)
told["same"] = values(two) == one
told["types"] = two.features["feature"] == hf.feature_type(mel.config)
with hf.spawned():
    own = rows.map(doubled, batched=True, num_proc=2)
told["doubled"] = numpy.array_equal(numpy.float32(own[1]["feature"]), 2 * numpy.float32(two[1]["feature"]))
told["restored"] = __file__.endswith("told.py") and __spec__ is None
json.dump(told, open(sys.argv[1], "w"))
"""


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    folder = tmp_path_factory.mktemp("forks")
    script = folder / "told.py"
    script.write_text(SCRIPT)
    done = subprocess.run(
        [sys.executable, str(script), str(folder / "told.json")], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return json.loads((folder / "told.json").read_text())


def test_a_fork_before_tensorflow_has_run_computes_without_an_alarm(told):
    assert told["before"] == told["expected"]
    assert not told["has run"]
    assert not told["has run after a child's run"]


def test_a_fork_after_tensorflow_has_run_stops_at_once_and_is_told_what_to_do(told):
    assert told["has run at last"]
    assert told["after"].startswith("ForkError: A process that is forked after TensorFlow has run")
    assert f"forked from {told['parent']}. Use audiopipe.hf.map(dataset, transform, num_proc=...)" in told["after"]
    assert told["after took"] < 2


def test_other_programs_are_started_without_an_alarm(told):
    assert told["subprocess"] == "fine\n"


def test_workers_that_datasets_forks_stop_with_the_same_error(told):
    assert told["datasets"].startswith("ForkError: A process that is forked after TensorFlow has run")
    assert told["datasets took"] < 2


def test_several_processes_give_the_bits_and_types_of_one(told):
    assert told["same"]
    assert told["types"]


def test_a_function_of_the_main_script_works_within_spawned(told):
    assert told["doubled"]
    assert told["restored"]
