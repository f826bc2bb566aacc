"""Nothing that a file says is imported or run: each test does what an attacker would, and looks whether code ran."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from planning import written
from tensorflow.core.protobuf import saved_model_pb2

from audiopipe import registry
from audiopipe.feature_sets import dataset_json
from audiopipe.inputs import scan

DATA = Path(__file__).parent / "data" / "v0.1"
CLASS = "lurking.Feature"
# A module that leaves a trace when it runs, and that would give a valid config class.
CODE = """
import pathlib
pathlib.Path(__file__).with_name("ran").touch()
try:
    from audiopipe.configs import MelSpectrogram
    class Feature(MelSpectrogram): pass
    MEL = Feature(sample_rate=8000)
except ImportError:
    pass
"""
# Modules that audiopipe, its libraries or Python itself import on the way to any command.
SHADOWED = ("rich", "typer", "typing", "json", "numpy", "lazy_loader", "signal", "dataclasses", "fsspec", "tensorflow")


@pytest.fixture
def folder(tmp_path):
    """A feature set as somebody might download it, with a module of the attacker beside it."""
    return copied(tmp_path)


def copied(parent):
    folder = shutil.copytree(DATA / "features", parent / "downloaded")
    (folder / "lurking.py").write_text(CODE)
    return folder


def run(folder, *command, path=None):
    """Run Python within a folder, as somebody does who looks at what was downloaded."""
    environment = {**os.environ, **({} if path is None else {"PYTHONPATH": str(path)})}
    environment.pop("PYTHONSAFEPATH", None)
    command = [sys.executable, *map(str, command)]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def forge_dataset_json(folder):
    """Put the attacker's class into `dataset.json`, with checksums and a fingerprint that fit."""
    content = json.loads((folder / "dataset.json").read_bytes())
    written = json.loads(content["fingerprinted"])
    content["config"]["feature"] = written["config"]["feature"] = CLASS
    content["fingerprinted"] = json.dumps(written, sort_keys=True, separators=(",", ":"))
    content["fingerprint"] = hashlib.sha256(content["fingerprinted"].encode()).hexdigest()
    del content["checksum"]
    (folder / "dataset.json").write_bytes(dataset_json.dump(content))


UNKNOWN = "'lurking.Feature' is not known here"


def assert_refused(done, folder, words=UNKNOWN):
    assert not (folder / "ran").exists(), done.stderr
    assert done.returncode != 0
    assert words in " ".join(done.stderr.split())


def test_a_forged_dataset_json_is_refused_by_every_command(folder):
    forge_dataset_json(folder)
    (folder / "config.json").write_text(json.dumps({"feature": CLASS}))
    for command in (["inspect", "."], ["configs", "show", "./config.json"]):
        assert_refused(run(folder, "-m", "audiopipe", *command), folder)


# With -c the working directory is on `sys.path`, so `import lurking` would work.
# Those of the .keras file come first: it may be refused for another reason, which would hide that an earlier statement
# had imported the module.
STATEMENTS = {
    "load_model of a good file": "import audiopipe; audiopipe.load_model('good.keras', compile=False)",
    "load_model": "import audiopipe; audiopipe.load_model('model.keras')",
    "load_model of a SavedModel": "import audiopipe; audiopipe.load_model('model')",
    "keras": "from audiopipe import fingerprint_of; fingerprint_of('model.keras')",
    "load with keras": "from audiopipe import load; load('.', config='model.keras')",
    "load": "from audiopipe import load; load('forged')",
    "dataset.json": "from audiopipe import fingerprint_of; fingerprint_of('forged')",
    "registry": "from audiopipe import registry; registry.load('names.json')",
    "parquet": "import datasets; from audiopipe import fingerprint_of\n"
    "fingerprint_of(datasets.Dataset.from_parquet('rows.parquet', cache_dir='cache'))",
    "saved model": "from audiopipe import fingerprint_of; fingerprint_of('model')",
}
ASK = """
import json, pathlib, sys
answers = {}
for name, statement in json.loads(sys.argv[1]).items():
    try:
        exec(statement, {})
        error = None
    except Exception as raised:
        error = f"{type(raised).__name__}: {raised}"
    answers[name] = [error, pathlib.Path("ran").exists()]
    pathlib.Path("ran").unlink(missing_ok=True)
    sys.modules.pop("lurking", None)
print(json.dumps(answers))
"""


@pytest.fixture(scope="module")
def answers(tmp_path_factory):
    """The error of each statement in a folder of forged files, and whether the attacker's module ran.

    One process runs them all, because importing TensorFlow takes most of the time.
    """
    folder = copied(tmp_path_factory.mktemp("forged"))
    forge_dataset_json(shutil.copytree(DATA / "features", folder / "forged"))
    forge_registry(folder)
    forge_parquet(folder)
    forge_saved_model(folder)
    forge_keras_file(folder)
    shutil.copy(DATA / "model.keras", folder / "good.keras")
    done = run(folder, "-c", ASK, json.dumps(STATEMENTS))
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def forge_registry(folder):
    content = {"format_version": 1, "configs": {"team-mel": {"feature": CLASS}}}
    (folder / "names.json").write_text(json.dumps(content))


def forge_parquet(folder):
    table = pq.read_table(DATA / "mapped.parquet")
    text = table.schema.metadata[b"huggingface"].decode()
    forged = text.replace('\\"feature\\":\\"MelSpectrogram\\"', f'\\"feature\\":\\"{CLASS}\\"')
    assert forged != text
    pq.write_table(table.replace_schema_metadata({b"huggingface": forged.encode()}), folder / "rows.parquet")


def forge_keras_file(folder):
    with zipfile.ZipFile(DATA / "model.keras") as whole, zipfile.ZipFile(folder / "model.keras", "w") as forged:
        for name in whole.namelist():
            content = whole.read(name).replace(b'"MelSpectrogram"', f'"{CLASS}"'.encode())
            forged.writestr(name, content.replace(b'\\"MelSpectrogram\\"', f'\\"{CLASS}\\"'.encode()))


def forge_saved_model(folder):
    saved = saved_model_pb2.SavedModel.FromString((DATA / "saved_model/saved_model.pb").read_bytes())
    functions = [function for graph in saved.meta_graphs for function in graph.graph_def.library.function]
    nodes = [node for function in functions for node in function.node_def if "audiopipe_config" in node.name]
    assert nodes
    for node in nodes:
        text = node.attr["value"].tensor.string_val[0].decode()
        node.attr["value"].tensor.string_val[0] = text.replace('"MelSpectrogram"', f'"{CLASS}"').encode()
    (folder / "model").mkdir()
    (folder / "model/saved_model.pb").write_bytes(saved.SerializeToString())


@pytest.mark.cases(2)
@pytest.mark.parametrize("name", [name for name in STATEMENTS if "keras" not in name and "load_model" not in name])
def test_a_forged_file_is_refused_in_a_program_that_could_import_the_module(answers, name):
    error, ran = answers[name]
    assert not ran
    assert UNKNOWN in error


def test_a_forged_keras_file_is_refused(answers):
    error, ran = answers["keras"]
    assert not ran
    assert "FingerprintError" in error
    assert "is not known here" in error or "was edited" in error
    error, ran = answers["load with keras"]
    assert not ran
    assert error is not None


def test_load_model_needs_no_import_of_layers_and_imports_nothing_of_a_file(answers):
    """The first statement of the process loads a valid model of release 0.1."""
    assert answers["load_model of a good file"] == [None, False]
    for name, expected in (("load_model", "was edited"), ("load_model of a SavedModel", "ModelError")):
        error, ran = answers[name]
        assert not ran
        assert expected in error


def test_a_module_that_the_user_names_is_imported(folder):
    forge_dataset_json(folder)
    done = run(folder, "-m", "audiopipe", "inspect", ".", "--import", "lurking")
    assert_refused(done, folder, "--import must name a module that Python can import. Received: 'lurking'")
    done = run(folder.parent, "-m", "audiopipe", "inspect", folder, "--import", "lurking", path=folder)
    assert done.returncode == 0, done.stderr
    assert (folder / "ran").exists()
    assert CLASS in done.stdout


def test_a_forged_plan_is_refused(folder, tmp_path):
    output, manifest = tmp_path / "output", DATA / "clips/manifest.jsonl"
    written(str(output), registry.get("speech-mel-80"), scan(manifest))
    header = json.loads((output / "plan/plan.json").read_text())
    header["config"]["feature"] = CLASS
    (output / "plan/plan.json").write_text(json.dumps(header))
    command = ["precompute", manifest, output, "--config", "speech-mel-80"]
    assert_refused(run(folder, "-m", "audiopipe", *command), folder)


def test_code_that_the_file_of_a_feature_extractor_names_is_not_run(folder):
    known = {"feature_extractor_type": "WhisperFeatureExtractor", "auto_map": {"AutoFeatureExtractor": CLASS}}
    for settings, words in (
        ({"feature_extractor_type": CLASS}, "Received: lurking.Feature in './preprocessor_config.json'"),
        (known, "must not name code of their own"),
    ):
        (folder / "preprocessor_config.json").write_text(json.dumps(settings))
        assert_refused(run(folder, "-c", "from audiopipe import configs; configs.from_extractor('.')"), folder, words)


@pytest.mark.parametrize("in_path", [False, True], ids=["beside the data", "on PYTHONPATH"])
def test_entry_points_of_a_distribution_beside_the_data_do_not_count(folder, in_path):
    forge_dataset_json(folder)
    info = folder / "lurking-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: lurking\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[audiopipe.config_classes]\nFeature = lurking:Feature\n\n[audiopipe.configs]\nlurking = lurking:MEL\n"
    )
    path = folder if in_path else None
    assert_refused(run(folder, "-c", "from audiopipe import fingerprint_of; fingerprint_of('.')", path=path), folder)
    listed = run(folder, "-m", "audiopipe", "configs", "list", path=path)
    assert listed.returncode == 0, listed.stderr
    assert "lurking" not in listed.stdout
    assert not (folder / "ran").exists()


def test_modules_in_the_working_directory_that_have_the_names_of_libraries_do_not_run(folder):
    for name in SHADOWED:
        (folder / f"{name}.py").write_text(CODE)
    done = run(folder, "-m", "audiopipe", "inspect", ".")
    assert not (folder / "ran").exists(), done.stderr
    assert done.returncode == 0, done.stderr
    assert "MelSpectrogram" in done.stdout


@pytest.mark.faults
def test_no_process_of_a_job_runs_modules_of_the_working_directory(folder, tmp_path):
    for name in SHADOWED:
        (folder / f"{name}.py").write_text(CODE)
    command = ["precompute", DATA / "clips/manifest.jsonl", tmp_path / "out", "--config", "speech-mel-80"]
    done = run(folder, "-m", "audiopipe", *command, "--workers=2", "--num-shards=2")
    assert not (folder / "ran").exists(), done.stderr
    assert done.returncode == 0, done.stderr


SCRIPT = """
import sys
from team_feature import Halved
from audiopipe import beam

if __name__ == "__main__":
    made = beam.precompute(sys.argv[1], sys.argv[2], Halved(sample_rate=8000), num_shards=2, workers=2)
    print(made.counts["clips"], made.config.to_dict()["feature"])
"""
TEAM_FEATURE = """
import dataclasses
from audiopipe.configs import StftMagnitude

@dataclasses.dataclass(frozen=True, kw_only=True)
class Halved(StftMagnitude):
    n_fft: int = 128
"""


@pytest.mark.faults
def test_a_class_in_the_folder_of_a_script_reaches_the_workers(tmp_path):
    (tmp_path / "scripts").mkdir()
    (tmp_path / "scripts/job.py").write_text(SCRIPT)
    (tmp_path / "scripts/team_feature.py").write_text(TEAM_FEATURE)
    done = run(tmp_path, "scripts/job.py", DATA / "clips/manifest.jsonl", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["3", "team_feature.Halved"]
    shown = run(tmp_path, "-m", "audiopipe", "inspect", tmp_path / "out")
    assert "'team_feature.Halved' is not known here" in " ".join(shown.stderr.split())
    shown = run(tmp_path, "-m", "audiopipe", "inspect", "out", "--import", "team_feature", path=tmp_path / "scripts")
    assert shown.returncode == 0, shown.stderr
