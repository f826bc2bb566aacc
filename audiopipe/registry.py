"""Registry of names for configs. A name never changes its meaning.

Names come from four places: the built-in presets, registry files, the entry points of installed packages in the group
`audiopipe.configs`, and `register`. The first three are read at the first use of the registry.

The environment variable `AUDIOPIPE_REGISTRY` lists the registry files, separated as in `PATH`. If it is not set,
`~/.config/audiopipe/registry.json` is read, if that file exists. `XDG_CONFIG_HOME` replaces `~/.config`.

Example:
    >>> from audiopipe import configs, registry
    >>> registry.get("speech-mel-80").n_mels
    80
    >>> registry.register("speech-mel-80", configs.MelSpectrogram(sample_rate=16000, n_mels=64))
    Traceback (most recent call last):
    ...
    audiopipe.errors.RegistryError: ...
"""

import contextlib
import json
import os
import re
import threading
from collections.abc import Iterator
from importlib.metadata import EntryPoint

from audiopipe import checks, configs, wording
from audiopipe.configs import parsing
from audiopipe.configs.base import Config
from audiopipe.configs.presets import presets
from audiopipe.errors import ArgumentError, ConfigError, RegistryError
from audiopipe.runtime import installed
from audiopipe.storage import files, turns

ENVIRONMENT_VARIABLE = "AUDIOPIPE_REGISTRY"
ENTRY_POINT_GROUP = "audiopipe.configs"
PRESETS = "audiopipe's presets"
FORMAT_VERSION = 1
MIN_FINGERPRINT_PREFIX = 6

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


class Registry:
    """Mapping from names to configs. The functions of this module use the one registry of this process.

    Args:
        environment: Whether to read registry files and entry points.
    """

    def __init__(self, environment: bool = True):
        self._lock = threading.RLock()
        self._environment = environment
        self._loaded = False
        self._configs: dict[str, Config] = {}
        self._sources: dict[str, str] = {}

    def register(self, name: str, config: Config, source: str = "registry.register") -> Config:
        """Registers a config under a name. Registering an equal config again has no effect.

        Args:
            name: The name, of letters, digits, `.`, `_` and `-`.
            config: The config.
            source: Origin of the name, for error messages.

        Returns:
            The registered config.

        Raises:
            RegistryError: If the name is malformed or belongs to another config.
        """
        self._load_sources()
        return self._register(name, config, source)

    def get(self, name: str) -> Config:
        """Returns the config of a name, or of `name@fingerprint` after checking the start of its fingerprint.

        Raises:
            RegistryError: If the name is unknown, or its config has another fingerprint.
        """
        self._load_sources()
        bare, at, prefix = name.partition("@")
        with self._lock:
            if bare not in self._configs:
                raise RegistryError(
                    f"The name of a config must be registered. Received: {bare!r}."
                    f"{wording.did_you_mean(bare, self._configs)} The command audiopipe configs list shows all names. "
                    "Add a name with audiopipe configs add, or in this process with registry.register. If another "
                    "process knows the name, write it to a file there with registry.save, and list that file in the "
                    f"environment variable {ENVIRONMENT_VARIABLE}."
                )
            config = self._configs[bare]
        if at:
            if len(prefix) < MIN_FINGERPRINT_PREFIX or not re.fullmatch("[0-9a-f]+", prefix):
                raise RegistryError(
                    f"The @ in a name must be followed by at least {MIN_FINGERPRINT_PREFIX} hexadecimal characters of "
                    f"a fingerprint. Received: {name!r}."
                )
            if not config.fingerprint.startswith(prefix):
                raise RegistryError(
                    f"The config {bare!r} does not have the fingerprint in {name!r}. Received: {config.fingerprint}, "
                    f"from {self._sources[bare]}. Find out who changed its meaning, or use "
                    f"{bare}@{config.fingerprint[:6]}."
                )
        return config

    def names(self) -> list[str]:
        """Returns all names, sorted."""
        self._load_sources()
        with self._lock:
            return sorted(self._configs)

    def source(self, name: str) -> str:
        """Returns where a name comes from, such as `"audiopipe's presets"` or `"the file team.json"`.

        Raises:
            RegistryError: If the name is unknown.
        """
        self.get(name)
        return self._sources[name]

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes all names and their configs, except audiopipe's presets, to a registry file.

        `load` reads the file, and so does every process that finds it in `AUDIOPIPE_REGISTRY`.

        Raises:
            RegistryError: If the file cannot be written.
        """
        self._load_sources()
        with self._lock:
            own = {name: config for name, config in self._configs.items() if self._sources[name] != PRESETS}
        _write(os.fspath(path), own)

    def add(self, name: str, config: Config, path: str | os.PathLike[str] | None = None) -> str | None:
        """Registers a config under a name, and adds the name to a registry file. Registers all other names in the file,
        too.

        Args:
            name: The name, of letters, digits, `.`, `_` and `-`.
            config: The config.
            path: Path of the file, which need not exist. None means the file that `default_file` returns.

        Returns:
            The path of the file. None means that nothing was written, because the name already belongs to this config
            and is in the file or, without a `path`, comes from elsewhere.

        Raises:
            RegistryError: If the name is malformed or belongs to another config, or the file cannot be read or written.
        """
        chosen = default_file() if path is None else os.fspath(path)
        source = f"the file {chosen}"
        self._load_sources(absent=None if files.exists(chosen) else chosen)
        with self._lock:
            there = self._names_in(chosen, source)
            self._check(name, config, "registry.add")
            if name in (self._configs if path is None else there):
                return None
            _make_folder(os.path.dirname(chosen))
            with _turn(chosen):
                there = self._names_in(chosen, source)  # another process may have added names meanwhile
                self._check(name, config, "registry.add")
                _write(chosen, {known: self._configs[known] for known in there} | {name: config})
            self._register(name, config, source)
        return chosen

    def load(self, path: str | os.PathLike[str]) -> list[str]:
        """Registers all names in a registry file, such as one that `save` wrote.

        Returns:
            The names in the file.

        Raises:
            RegistryError: If the file cannot be read, or a name in it belongs to another config. Then no name is
                registered.
        """
        self._load_sources()
        return self._load_file(path, source=f"the file {os.fspath(path)}")

    def _register(self, name: str, config: Config, source: str) -> Config:
        with self._lock:
            self._check(name, config, source)
            self._configs.setdefault(name, config)
            self._sources.setdefault(name, source)
            return self._configs[name]

    def _check(self, name: str, config: Config, source: str) -> None:
        if not isinstance(name, str) or not _NAME.fullmatch(name) or name.endswith(".json"):
            raise RegistryError(
                "A name must consist of letters, digits, '.', '_' and '-', start with a letter or digit, and not end "
                f"in '.json'. Received: {name!r} from {source}."
            )
        if not isinstance(config, Config):
            raise RegistryError(f"{name!r} must be the name of a config. Received: {config!r} from {source}.")
        with self._lock:
            known = self._configs.get(name)
        if known is not None and known.fingerprint != config.fingerprint:
            raise RegistryError(
                f"{name!r} already belongs to another config, and a name never changes its meaning. The name comes "
                f"from {self._sources[name]} (left), and now from {source} too (right):\n{known.diff(config)}\n"
                "Choose a new name for the new config."
            )

    def _names_in(self, path: str, source: str) -> list[str]:
        """Registers all names in a file, which may be missing, and returns them."""
        return self._load_file(path, source) if files.exists(path) else []

    def _load_file(self, path: str | os.PathLike[str], source: str) -> list[str]:
        loaded = _read(os.fspath(path), source)
        with self._lock:
            for name, config in loaded.items():
                self._check(name, config, source)
            for name, config in loaded.items():
                self._register(name, config, source)
        return sorted(loaded)

    def _load_sources(self, absent: str | None = None) -> None:
        """Loads presets, files and entry points once. A source that cannot be read raises an error at every use.

        Args:
            absent: Path of a file that may be missing.
        """
        with self._lock:
            if self._loaded:
                return
            for name, config in presets().items():
                self._register(name, config, PRESETS)
            if self._environment:
                listed = os.environ.get(ENVIRONMENT_VARIABLE)
                for path in registry_files():
                    if path != absent and (listed is not None or files.exists(path)):
                        where = "" if listed is None else f" in {ENVIRONMENT_VARIABLE}"
                        self._load_file(path, source=f"the file {path}{where}")
                for entry_point in installed.entry_points(ENTRY_POINT_GROUP):
                    self._register(
                        entry_point.name, _load_entry_point(entry_point), f"the entry point {entry_point.value}"
                    )
            self._loaded = True


def _load_entry_point(entry_point: EntryPoint) -> Config:
    try:
        return installed.load(entry_point)
    except Exception as error:
        raise RegistryError(
            f"The entry point {entry_point.name} = {entry_point.value!r} of the group {ENTRY_POINT_GROUP} cannot be "
            f"loaded: {type(error).__name__}: {error}. Fix or uninstall the package that declares it."
        ) from error


def registry_files() -> list[str]:
    """Returns the paths of the registry files that this process reads.

    `AUDIOPIPE_REGISTRY` lists them. If it is not set, the only path is the user's own file, which may not exist.
    """
    listed = os.environ.get(ENVIRONMENT_VARIABLE)
    if listed is not None:
        return [path for path in listed.split(os.pathsep) if path]
    settings = os.environ.get("XDG_CONFIG_HOME") or os.path.join("~", ".config")
    return [os.path.expanduser(os.path.join(settings, "audiopipe", "registry.json"))]


def default_file() -> str:
    """Returns the path of the file that `add` writes to: the first one of `registry_files`.

    Raises:
        RegistryError: If there is none, because `AUDIOPIPE_REGISTRY` is empty.
    """
    found = registry_files()
    if not found:
        raise RegistryError(
            f"A name must be added to a file. Received: no path, and an empty {ENVIRONMENT_VARIABLE}. Pass the path of "
            "the file, or put it into the variable."
        )
    return found[0]


def _read(path: str, source: str) -> dict[str, Config]:
    """Returns the configs in a registry file by their names."""
    try:
        content = json.loads(files.read_bytes(path), object_pairs_hook=checks.unique_keys)
        if content["format_version"] != FORMAT_VERSION:
            raise RegistryError(
                f"{source} must have format_version {FORMAT_VERSION}. Received: {content['format_version']!r}. "
                "It was written by another version of audiopipe."
            )
        return {name: configs.from_dict(fields) for name, fields in content["configs"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        if isinstance(error, RegistryError):
            raise
        raise RegistryError(
            f"Could not read a registry from {source}: {type(error).__name__}: {error}. "
            "Expected a JSON file that registry.save wrote."
        ) from error


def _make_folder(path: str) -> None:
    try:
        files.make_folder(path or ".")
    except OSError as error:
        raise RegistryError(f"Could not create the folder {path!r}: {error.strerror or error}.") from error


@contextlib.contextmanager
def _turn(path: str) -> Iterator[None]:
    """Waits until no other process changes a registry file."""
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(turns.turn(path))
        except TimeoutError as error:
            raise RegistryError(
                f"Another process has been changing {path!r} for {turns.WAIT_SECONDS:g} s. Wait until it is done, or "
                "stop it."
            ) from error
        except OSError as error:
            raise RegistryError(f"Could not write {path!r}: {error.strerror or error}.") from error
        yield


def _write(path: str, named: dict[str, Config]) -> None:
    """Writes a registry file."""
    content = {"format_version": FORMAT_VERSION, "configs": {name: named[name].to_dict() for name in sorted(named)}}
    try:
        files.write_bytes(path, (json.dumps(content, indent=2, sort_keys=True) + "\n").encode())
    except OSError as error:
        raise RegistryError(f"Could not write {path!r}: {error.strerror or error}.") from error


_default = Registry()
register = _default.register
get = _default.get
names = _default.names
save = _default.save
load = _default.load
add = _default.add
source = _default.source


def resolve(config: "Config | str | os.PathLike[str]") -> Config:
    """Returns the config for a config, a registered name, or the path of a JSON file.

    The file has one config, as `Config.to_json` writes it, or is the `preprocessor_config.json` or
    `processor_config.json` of a feature extractor of transformers, see `configs.from_extractor`.

    Raises:
        ConfigError: If the file is missing or has no valid config.
        RegistryError: If the name is unknown.
        ArgumentError: If `config` is none of the three.
    """
    if isinstance(config, Config):
        return config
    if isinstance(config, os.PathLike) or (isinstance(config, str) and config.endswith(".json")):
        try:
            text = files.read_bytes(os.fspath(config)).decode("utf-8-sig")  # editors on Windows write a byte order mark
        except (OSError, ValueError) as error:  # ValueError if the file is not UTF-8
            raise ConfigError(f"Could not read a config from {os.fspath(config)!r}: {error}.") from error
        try:
            return parsing.from_file(text)
        except ConfigError as error:
            raise ConfigError(f"{os.fspath(config)!r}: {error}") from error
    if isinstance(config, str):
        return get(config)
    raise ArgumentError(
        "config must be a config, a registered name, or the path of a JSON file. Received: "
        f"{checks.shown(config, length=200)}."
    )
