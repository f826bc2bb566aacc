"""What an import costs, what packages list, and how long a module may be."""

import ast
import importlib
import importlib.util
import json
import subprocess
import sys
import types
from pathlib import Path

import pytest

import audiopipe

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "audiopipe"

# The order of imports is held by the contracts of import-linter in pyproject.toml, which `make lint` checks.
PACKAGES = sorted(path.parent.relative_to(ROOT).as_posix().replace("/", ".") for path in PACKAGE.rglob("__init__.py"))


def _run(code, *arguments):
    return subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, cwd=ROOT)


def _imported_by(code):
    """Top-level names of what a new process has imported after `code`."""
    done = _run(f"import json, sys\n{code}\nprint(json.dumps(sorted({{name.split('.')[0] for name in sys.modules}})))")
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_names_of_the_root_are_not_imported_from_within():
    """import-linter takes `from audiopipe import load` for an import of the root, and would not see where it leads."""
    homes = vars(audiopipe)["_HOMES"]
    wrong = [
        f"{path.relative_to(ROOT)}: {item.name}"
        for path in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and node.module == "audiopipe" and path != PACKAGE / "__init__.py"
        for item in node.names
        if item.name in homes
    ]
    assert not wrong


def test_importing_a_package_imports_nothing_heavy():
    # Keras finds the layers of a saved model only once they are registered, so this package imports them all.
    light = [package for package in PACKAGES if package != "audiopipe.layers"]
    done = _run(
        "import importlib, json, sys\n"
        "heavy = {'tensorflow', 'keras', 'apache_beam', 'datasets', 'matplotlib', 'pyarrow'}\n"
        "for package in sys.argv[1:]:\n"
        "    importlib.import_module(package)\n"
        "    print(json.dumps([package, sorted(heavy & sys.modules.keys())]))",
        *light,
        "audiopipe.layers",
    )
    assert done.returncode == 0, done.stderr
    *found, (_, of_layers) = map(json.loads, done.stdout.splitlines())
    assert found == [[package, []] for package in light]
    assert "tensorflow" in of_layers


@pytest.mark.parametrize("package", PACKAGES)
def test_a_package_lists_its_names(package):
    module = importlib.import_module(package)
    assert sorted(module.__all__) == sorted(set(module.__all__))
    for name in module.__all__:
        importlib.import_module(f"{package}.{name}") if not hasattr(module, name) else getattr(module, name)


@pytest.mark.parametrize("package", PACKAGES)
def test_no_name_of_a_package_is_hidden_by_a_module(package):
    module = importlib.import_module(package)
    hidden = [name for name in module.__all__ if importlib.util.find_spec(f"{package}.{name}") is not None]
    # As soon as the module is imported, it takes the place of a function that has its name.
    assert all(isinstance(getattr(module, name), types.ModuleType) for name in hidden), hidden


def test_importing_the_package_imports_nothing_heavy():
    assert not _imported_by("import audiopipe") & {"tensorflow", "apache_beam", "datasets", "keras", "numpy"}


HELP = "import contextlib\nfrom audiopipe import cli\nwith contextlib.suppress(SystemExit):\n    cli.app(['--help'])"


# `rich` before release 14 imports `attr` where it is installed, and `typer` 0.19 imports `typing_extensions`.
HELP_PACKAGES = {"annotated_doc", "attr", "click", "markdown_it", "mdurl", "pygments", "rich", "shellingham", "typer"}
HELP_PACKAGES |= {"lazy_loader", "typing_extensions"}


# A bare Python takes 15 ms of processor time and each module about 0.5 ms: these are 0.03 s and 0.2 s in all.
@pytest.mark.parametrize(
    ("code", "most", "packages"),
    [
        ("import audiopipe", 40, set()),
        (HELP, 400, HELP_PACKAGES),
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
        "from audiopipe import configs, registry\n"
        "from audiopipe.audio import layouts, reading\n"
        "from audiopipe.inputs import metadata_types, scanning, tables\n"
        "from audiopipe.precompute import plan\n"
        "from audiopipe.storage import files, locks\n"
        "assert len(configs.MelSpectrogram().fingerprint) == 64\n"
        "assert registry.get('music-log-84').n_bins == 84"
    )
    assert {"numpy", "soundfile"} <= imported
    assert not imported & {"tensorflow", "keras", "apache_beam", "datasets", "pyarrow"}


def test_a_merge_of_feature_sets_needs_no_tensorflow():
    code = (
        "import tempfile, audiopipe\n"
        "with tempfile.TemporaryDirectory() as folder:\n"
        "    audiopipe.merge(['tests/data/v0.1/features'], folder)"
    )
    assert not _imported_by(code) & {"tensorflow", "keras", "apache_beam", "datasets"}


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
