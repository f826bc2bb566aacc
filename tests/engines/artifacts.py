"""Programs that the tests of the engines run: their versions are pinned, and their bytes are checked.

The tools that know where each registry is fetch them: Maven, pip and Go. They stay in a cache outside of the
repository, `$AUDIOPIPE_ENGINES_CACHE` or `~/.cache/audiopipe/engines`. A test is skipped if a tool is absent.
"""

import contextlib
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import filelock
import pytest

SECONDS = 900  # for a download; the largest file has half a gigabyte
_PINNED = json.loads(Path(__file__).with_suffix(".json").read_text())


def cache() -> Path:
    """Returns the folder of what was fetched."""
    folder = os.environ.get("AUDIOPIPE_ENGINES_CACHE") or "~/.cache/audiopipe/engines"
    path = Path(folder).expanduser().resolve()
    path.mkdir(parents=True, exist_ok=True)
    return path


def version(name: str) -> str:
    """Returns the pinned version of an artifact."""
    return _PINNED["artifacts"][name]["version"]


def require(*tools: str) -> None:
    """Skips the test if one of these programs is not installed."""
    for tool in tools:
        if shutil.which(tool) is None:
            pytest.skip(f"needs {tool}, which is not installed")


def jar(name: str) -> Path:
    """Returns the path of a program in Java, for `java -jar`. Skips the test without Java or Maven.

    Maven fetches its modules and all that they need. The checksum is that of the list of their names and checksums. The
    jar itself only names them and the main class.
    """
    require("java")
    pinned = _PINNED["artifacts"][name]
    target = cache() / f"{name}-{pinned['version']}"
    with _locked(target.name):
        if not target.exists():
            require("mvn")
            with _temporary() as folder:
                (folder / "pom.xml").write_text(_pom(pinned))
                goal = f"{_PINNED['maven_plugin']}:copy-dependencies"
                options = ["--batch-mode", "--quiet", "-DincludeScope=runtime", f"-DoutputDirectory={folder / 'lib'}"]
                _run("mvn", *options, "-f", str(folder / "pom.xml"), goal)
                os.replace(folder / "lib", target)
        files = sorted(target.glob("*.jar"))
        listing = "".join(f"{_sha256(file)}  {file.name}\n" for file in files)
        _check(target, hashlib.sha256(listing.encode()).hexdigest(), pinned["sha256"])
        packed = target.with_suffix(f"{target.suffix}.jar")
        with zipfile.ZipFile(f"{packed}.tmp", "w") as content:
            content.writestr("META-INF/MANIFEST.MF", _manifest(pinned["main"], files))
        os.replace(f"{packed}.tmp", packed)
    return packed


def _pom(pinned: dict) -> str:
    def dependencies(modules: list[str]) -> str:
        names = ("groupId", "artifactId", "version")
        fields = [zip(names, module.split(":"), strict=True) for module in modules]
        inner = ["".join(f"<{name}>{value}</{name}>" for name, value in pairs) for pairs in fields]
        return "<dependencies>" + "".join(f"<dependency>{text}</dependency>" for text in inner) + "</dependencies>"

    return (
        '<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>'
        "<groupId>local</groupId><artifactId>engine</artifactId><version>1</version><packaging>pom</packaging>"
        f"<dependencyManagement>{dependencies(pinned['managed'])}</dependencyManagement>"
        f"{dependencies(pinned['modules'])}</project>"
    )


def _manifest(main: str, files: list[Path]) -> str:
    """Returns a manifest that names the main class and the jars. Its lines have at most 72 characters."""
    text = f"Class-Path: {' '.join(file.as_uri() for file in files)}"
    lines = [text[:72], *(f" {text[start : start + 71]}" for start in range(72, len(text), 71))]
    return "\r\n".join(["Manifest-Version: 1.0", f"Main-Class: {main}", *lines, "", ""])


def archive(name: str) -> Path:
    """Returns the path of a file of PyPI as it was downloaded."""
    pinned = _PINNED["artifacts"][name]

    def fetch(folder: Path) -> None:
        options = ["--no-deps", "--no-build-isolation", "--disable-pip-version-check", "--quiet", "--dest", str(folder)]
        _run(sys.executable, "-m", "pip", "download", *options, f"{pinned['package']}=={pinned['version']}")

    return _fetched(pinned["file"], pinned["sha256"], fetch)


def unpacked(name: str) -> Path:
    """Returns the folder with the content of a file of PyPI."""
    packed = archive(name)
    target = packed.with_name(f"{packed.name}.unpacked")
    with _locked(target.name):
        if not target.exists():
            with _temporary() as folder:
                if zipfile.is_zipfile(packed):
                    with zipfile.ZipFile(packed) as content:
                        content.extractall(folder)
                else:
                    with tarfile.open(packed) as content:
                        content.extractall(folder, filter="data")
                (folder / ".").rename(target)
    return target


def prism() -> Path:
    """Returns the path of Prism, Apache Beam's runner in Go. Skips the test without Go.

    The checksum is that of the module's source, because the bytes of the program depend on the compiler.
    """
    pinned = _PINNED["artifacts"]["prism"]
    require("go")
    target = cache() / f"prism-{pinned['version']}"
    with _locked(target.name):
        if not target.exists():
            module = f"{pinned['module']}@{pinned['version']}"
            found = json.loads(_run("go", "mod", "download", "-json", module))["Sum"]
            assert found == pinned["sum"], f"{module} has the checksum {found}. Expected: {pinned['sum']}."
            with _temporary() as folder:
                package = f"{pinned['module']}/{pinned['package']}@{pinned['version']}"
                _run("go", "install", package, variables={"GOBIN": str(folder)})
                os.replace(folder / Path(pinned["package"]).name, target)
    return target


def _fetched(file: str, sha256: str, fetch) -> Path:
    """Returns the path of a file in the cache, which `fetch` brings into a folder if it is not there yet."""
    target = cache() / file
    with _locked(file):
        if not target.exists():
            with _temporary() as folder:
                fetch(folder)
                names = sorted(path.name for path in folder.iterdir())
                assert names == [file], f"fetched {names}. Expected: {file}."
                os.replace(folder / file, target)
        _check(target, _sha256(target), sha256)
    return target


def _sha256(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _check(target: Path, found: str, expected: str) -> None:
    assert found == expected, f"{target} has the SHA-256 {found}. Expected: {expected}. Remove it to fetch it again."


@contextlib.contextmanager
def _locked(name: str) -> Iterator[None]:
    with filelock.FileLock(cache() / f".{name}.lock", timeout=SECONDS):
        yield


@contextlib.contextmanager
def _temporary() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir=cache(), prefix=".fetch-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


def _run(*command: str, variables: dict[str, str] | None = None) -> str:
    """Runs a command in a folder without files, and returns its output. Fails with what it printed."""
    done = subprocess.run(
        command,
        cwd=cache(),
        env={**os.environ, **(variables or {})},
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )
    assert done.returncode == 0, f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}"
    return done.stdout
