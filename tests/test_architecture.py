"""Who may import whom, what an import costs, and how long a module may be."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "audiopipe"

# A module may import only modules of a smaller rank, so modules of one rank never import one another.
RANKS = {
    "errors": 0,
    "environment": 0,
    "kernel_versions": 0,
    "stamps": 0,
    "comparison": 0,
    "startup": 0,
    "stopping": 0,
    "mpeg": 0,
    "forks": 1,
    "threads": 1,
    "containers": 1,
    "progress": 0,
    "checks": 1,
    "schema": 1,
    "files": 1,
    "storage": 2,
    "framing": 2,
    "compiled": 1,
    "ops": 2,
    "filterbanks": 2,
    "banded": 2,
    "whisper": 2,
    "reconstruction": 2,
    "sources": 2,
    "audio": 3,
    "duplicates": 2,
    "tables": 2,
    "locks": 2,
    "inputs": 3,
    "cutting": 3,
    "segments": 4,
    "identities": 4,
    "real_arithmetic": 3,
    "layers": 4,
    "composed": 5,
    "tflite": 5,
    "config": 6,
    "estimate": 7,
    "configs": 7,
    "registry": 8,
    "rows": 9,
    "kernel": 9,
    "plotting": 9,
    "transform": 10,
    "dataset_json": 2,
    "featureset": 11,
    "fingerprints": 12,
    "plan": 12,
    "records": 13,
    "finished": 13,
    "draft": 13,
    "completion": 14,
    "kept": 14,
    "job": 15,
    "shards": 15,
    "pipeline": 16,
    "worker": 16,
    "processes": 17,
    "engines": 18,
    "tfdata": 19,
    "hf": 19,
    "beam": 19,
    "recompute": 20,
    "verify": 21,
    "cli": 22,
    "__main__": 23,
}
# Names that audiopipe/__init__.py takes from other modules: importing one of them is importing its module.
HOMES = {
    "AudiopipeError": "errors",
    "Transform": "transform",
    "fingerprint_of": "fingerprints",
    "load": "records",
}
FEATURELESS = ("audio", "containers", "duplicates", "files", "identities", "inputs", "mpeg", "sources", "tables")


def _sources(module):
    path = PACKAGE / module
    return sorted(path.glob("*.py")) if path.is_dir() else [path.with_suffix(".py")]


def _imports(path):
    """Full dotted names of all that a file imports, in functions as well."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found.update(item.name for item in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name} has a relative import, which this test does not follow"
            found.update(f"{node.module}.{item.name}" for item in node.names)
    return found


def _own_imports(module):
    names = {name for path in _sources(module) for name in _imports(path) if name.startswith("audiopipe.")}
    heads = {name.split(".")[1] for name in names}
    return {HOMES.get(head, head) for head in heads} - {module}


def _run(code, *arguments):
    return subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, cwd=ROOT)


def _imported_by(code):
    """Top-level names of what a new process has imported after `code`."""
    done = _run(f"import json, sys\n{code}\nprint(json.dumps(sorted({{name.split('.')[0] for name in sys.modules}})))")
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_every_module_has_a_rank():
    files = {path.stem for path in PACKAGE.glob("*.py")} - {"__init__"}
    folders = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert files | folders == set(RANKS)


@pytest.mark.parametrize("module", RANKS)
def test_imports_go_down_only(module):
    upward = {name for name in _own_imports(module) if RANKS[name] >= RANKS[module]}
    assert not upward, f"{module} (rank {RANKS[module]}) imports { {name: RANKS[name] for name in upward} }"


@pytest.mark.parametrize("module", FEATURELESS)
def test_storage_knows_nothing_of_features(module):
    reached, waiting = set(), [module]
    while waiting:
        name = waiting.pop()
        reached.add(name)
        waiting.extend(_own_imports(name) - reached)
    assert reached <= {*FEATURELESS, "checks", "errors", "schema"}
    foreign = {name.split(".")[0] for below in reached for path in _sources(below) for name in _imports(path)}
    assert not foreign & {"tensorflow", "keras", "apache_beam"}


def test_importing_the_package_imports_nothing_heavy():
    assert not _imported_by("import audiopipe") & {"tensorflow", "apache_beam", "datasets", "keras", "numpy"}


HELP = "import contextlib\nfrom audiopipe import cli\nwith contextlib.suppress(SystemExit):\n    cli.app(['--help'])"


# A bare Python takes 15 ms of processor time and each module about 0.5 ms: these are 0.03 s and 0.2 s in all.
@pytest.mark.parametrize(
    ("code", "most", "packages"),
    [
        ("import audiopipe", 40, set()),
        (HELP, 400, {"annotated_doc", "click", "markdown_it", "mdurl", "pygments", "rich", "shellingham", "typer"}),
    ],
    ids=["import", "help"],
)
def test_starting_takes_few_modules(code, most, packages):
    done = _run(f"import json, sys\nbefore = set(sys.modules)\n{code}\nprint(json.dumps([*{{*sys.modules}} - before]))")
    assert done.returncode == 0, done.stderr
    modules = json.loads(done.stdout.splitlines()[-1])
    assert "audiopipe" in modules
    assert len(modules) <= most
    assert {name.split(".")[0] for name in modules} - sys.stdlib_module_names <= {"audiopipe", *packages}


def test_a_config_and_its_fingerprint_need_no_tensorflow():
    imported = _imported_by(
        "from audiopipe import audio, configs, files, inputs, plan, registry, schema, tables\n"
        "assert len(configs.MelSpectrogram().fingerprint) == 64\n"
        "assert registry.get('music-log-84').n_bins == 84"
    )
    assert {"numpy", "soundfile"} <= imported
    assert not imported & {"tensorflow", "keras", "apache_beam", "datasets", "pyarrow"}


def test_help_of_the_command_line_needs_no_tensorflow():
    done = _run(
        "import runpy, sys\n"
        "sys.argv = ['audiopipe', '--help']\n"
        "try:\n"
        "    runpy.run_module('audiopipe', run_name='__main__')\n"
        "finally:\n"
        "    print('IMPORTED', *sys.modules.keys() & {'tensorflow', 'keras', 'numpy', 'apache_beam'})\n"
    )
    assert done.returncode == 0, done.stderr
    assert "precompute" in done.stdout
    assert done.stdout.splitlines()[-1].split() == ["IMPORTED"]


def test_public_names_are_listed_and_unknown_ones_refused():
    import audiopipe
    from audiopipe import errors

    assert audiopipe.AudiopipeError is errors.AudiopipeError
    assert dir(audiopipe) == sorted(audiopipe.__all__)
    with pytest.raises(AttributeError, match="'audiopipe' has no attribute 'spectrum'"):
        _ = audiopipe.spectrum


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_modules_stay_short(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 400


def test_no_module_collects_leftovers():
    folders = ("audiopipe", "pipelines", "examples", "benchmarks", "tests")
    assert not [path for folder in folders for path in (ROOT / folder).rglob("utils.py")]
