"""Entry points of installed distributions only.

`importlib.metadata` finds distributions in every folder of `sys.path`, which may include the working directory or a
folder of downloaded data. This module searches only the folders that package managers install to, so a file beside data
never decides which code runs.
"""

import importlib.metadata
import importlib.util
import json
import os
import site
import sys
import sysconfig
import urllib.parse
import urllib.request
from importlib.metadata import Distribution, EntryPoint
from typing import Any

from audiopipe.errors import ForeignCodeError


def entry_points(group: str) -> list[EntryPoint]:
    """Returns the entry points of a group that installed distributions declare.

    Args:
        group: Name of the group, for example `"audiopipe.configs"`.

    Returns:
        The entry points. If a distribution is installed twice, the first one on `sys.path` counts.

    Example:
        >>> [entry_point.value for entry_point in entry_points("console_scripts") if entry_point.name == "audiopipe"]
        ['audiopipe.cli:main']
    """
    distributions: dict[str, Distribution] = {}
    for distribution in importlib.metadata.distributions(path=install_folders()):
        distributions.setdefault(distribution.metadata["Name"], distribution)
    return [
        entry_point
        for distribution in distributions.values()
        for entry_point in distribution.entry_points
        if entry_point.group == group
    ]


def load(entry_point: EntryPoint) -> Any:
    """Imports the module of an entry point and returns the object that it names.

    Args:
        entry_point: An entry point that `entry_points` returned.

    Raises:
        ForeignCodeError: If Python would import the module from a folder that package managers do not install to.
        Exception: Any error that the import raises.
    """
    top = entry_point.module.partition(".")[0]
    spec = importlib.util.find_spec(top)
    origins = [] if spec is None else [spec.origin, *(spec.submodule_search_locations or [])]
    trusted = [*install_folders(), *_editable_folder(entry_point.dist)]
    foreign = [
        origin
        for origin in origins
        if origin not in (None, "built-in", "frozen") and not any(_is_below(origin, folder) for folder in trusted)
    ]
    if foreign:
        raise ForeignCodeError(
            f"The module {top!r} must come from the folder that its distribution is installed to. Received: "
            f"{foreign[0]!r}, which hides the installed one. Remove that folder from sys.path, or run the program in "
            "another working directory."
        )
    return entry_point.load()


def install_folders() -> list[str]:
    """Returns the folders of `sys.path` that package managers install to, in the order of `sys.path`."""
    folders = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib"), *site.getsitepackages()}
    if site.ENABLE_USER_SITE:
        folders.add(site.getusersitepackages())
    real = {os.path.realpath(folder) for folder in folders}
    return [folder for folder in sys.path if folder and os.path.realpath(folder) in real]


def _editable_folder(distribution: Distribution | None) -> list[str]:
    """Returns the project folder of a distribution installed with `pip install --editable`, or an empty list."""
    text = None if distribution is None else distribution.read_text("direct_url.json")
    try:
        origin = json.loads(text or "{}")
        is_editable = origin.get("dir_info", {}).get("editable") is True
        url = urllib.parse.urlsplit(origin["url"]) if is_editable else None
    except (ValueError, KeyError, TypeError, AttributeError):
        return []
    return [urllib.request.url2pathname(url.path)] if url is not None and url.scheme == "file" else []


def _is_below(path: str, folder: str) -> bool:
    folder = os.path.realpath(folder)
    return os.path.commonpath([folder, os.path.realpath(path)]) == folder
