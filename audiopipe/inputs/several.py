"""Several files as one input: the matches of a glob, or a list of paths."""

import os
import posixpath
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import takewhile

from audiopipe.errors import InputError
from audiopipe.inputs import extensions, folders, manifests, table_clips
from audiopipe.inputs.options import InputOptions
from audiopipe.inputs.scan_report import ScanReport
from audiopipe.inputs.source import Source
from audiopipe.storage import files
from audiopipe.wording import count_of

WILDCARDS = "*?["
SHOWN = 5  # paths that an error names
ScanOne = Callable[[str, InputOptions, ScanReport, str], Iterator[Source]]


@dataclass(frozen=True)
class SeveralInputs:
    """Paths that are one input together, such as the matches of a glob that a shell expanded.

    Names in ids are relative to the folder that all paths have in common, as those of the glob would be. A single path
    is read as if it were given alone.

    Args:
        paths: Files, folders or globs.

    Example:
        >>> SeveralInputs(["clips/b.wav", "clips/a.wav"]).paths
        ('clips/b.wav', 'clips/a.wav')
    """

    paths: Sequence[str | os.PathLike[str]]

    def __post_init__(self) -> None:
        object.__setattr__(self, "paths", tuple(os.fspath(path) for path in self.paths))


def scan_glob(pattern: str, options: InputOptions, report: ScanReport, prefix: str = "") -> Iterator[Source]:
    """Lists the clips of the files that match a pattern: audio files or, without any, Parquet files or manifests.

    Args:
        pattern: A path with `*`, `?`, `[...]` or `**`.
        options: Options of the input.
        report: Gets the files that were left out.
        prefix: What ids that are relative paths start with.

    Returns:
        The clips, without hidden files unless the pattern has their dot. The name of a file in an id is relative to the
        part of the pattern before the first wildcard.
    """
    base = _glob_base(pattern)
    hidden = "/." in pattern.removeprefix(base[:-1])  # the pattern itself asks for hidden files
    found = [path for path in files.glob(pattern) if hidden or "/." not in path.removeprefix(base[:-1])]
    return _scan_files(found, base, options, report, prefix, repr(pattern))


def scan_several(
    paths: Sequence[str], options: InputOptions, report: ScanReport, scan_one: ScanOne, *, strict: bool
) -> Iterator[Source]:
    """Lists the clips of several files, folders or globs, sorted by path.

    Args:
        paths: The paths, from the root.
        options: Options of the input.
        report: Gets the files that were left out.
        scan_one: Function that lists the clips of a folder or a glob.
        strict: Whether files that are not audio, manifests or Parquet are an error. Otherwise they are left out, as
            from a glob.

    Returns:
        The clips. The name of a file in an id is relative to the folder that all paths have in common.

    Raises:
        InputError: If a path does not exist, or the paths are of kinds that do not go together.
    """
    wholes, single = [], []
    for path in sorted(paths):
        if files.is_folder(path) or (not files.exists(path) and is_glob(path)):
            wholes.append(path)
        elif not files.exists(path):
            raise extensions.missing(path)
        elif strict and extensions.kind(path) is None:
            raise extensions.refusal(path)
        else:
            single.append(path)
    base = _common_folder([*map(_parent, wholes), *map(posixpath.dirname, single)])
    kinds = {extensions.kind(path) for path in single}
    if (wholes and kinds & {"manifest", "table"}) or (strict and len(kinds) > 1):
        raise _mixed("The list of paths", sorted(paths))
    left_out = (None, "manifest") if wholes or "audio" in kinds else (None,)
    for path in single:
        # `_scan_files` counts those that look like audio, as for a glob.
        if extensions.kind(path) in left_out and not extensions.looks_like_audio(path):
            report.left_out[posixpath.splitext(path)[1].lower() or posixpath.basename(path)] += 1
    if not wholes:
        return _scan_files(single, base, options, report, "", "the list of paths")
    return _scan_wholes(wholes, single, base, options, report, scan_one)


def is_glob(path: str) -> bool:
    """Returns whether a path has wildcards."""
    return any(character in path for character in WILDCARDS)


def _scan_wholes(
    wholes: list[str], single: list[str], base: str, options: InputOptions, report: ScanReport, scan_one: ScanOne
) -> Iterator[Source]:
    inside = set(wholes)
    for path in sorted([*wholes, *single]):
        if path in inside:
            parent = path.rstrip("/") + "/" if files.exists(path) else _parent(path) + "/"
            yield from scan_one(path, options, report, parent.removeprefix(base))
        else:
            yield from folders.audio_clips([(path, path.removeprefix(base))], options, report)


def _scan_files(
    paths: Sequence[str], base: str, options: InputOptions, report: ScanReport, prefix: str, named: str
) -> Iterator[Source]:
    """Lists the clips of files, which are audio, Parquet or manifests, besides others that are left out."""
    kinds = {extensions.kind(path) for path in paths}
    if "audio" in kinds or not kinds & {"manifest", "table"}:
        return folders.audio_clips(((path, prefix + path.removeprefix(base)) for path in paths), options, report)
    if {"manifest", "table"} <= kinds:
        raise _mixed(named, paths)
    taken = [path for path in paths if extensions.kind(path) is not None]
    for path in paths:
        if extension := extensions.looks_like_audio(path):
            report.left_out[extension] += 1
    manifests.refuse_label(taken[0], options)
    if "table" in kinds:
        named_tables = [(path, prefix + path.removeprefix(base)) for path in taken]
        return table_clips.scan_tables(named_tables, options, report)
    return _scan_manifests(taken, base, options, report, prefix)


def _scan_manifests(
    paths: Sequence[str], base: str, options: InputOptions, report: ScanReport, prefix: str
) -> Iterator[Source]:
    for path in paths:
        below = posixpath.dirname(path.removeprefix(base))
        yield from manifests.scan_manifest(path, options, report, prefix + below + "/" if below else prefix)
    report.say(f"read as {count_of(len(paths), 'manifest')}")


def _mixed(named: str, paths: Sequence[str]) -> InputError:
    shown = ", ".join(paths[:SHOWN]) + (", ..." if len(paths) > SHOWN else "")
    return InputError(
        f"{named} has files of different kinds: audio or folders, manifests, and Parquet files do not go together. "
        f"Received: {shown}. Pass only one kind."
    )


def _parent(path: str) -> str:
    """Returns the folder that the names of a folder's or a glob's files are relative to."""
    if files.exists(path):
        return posixpath.dirname(path.rstrip("/"))
    return _glob_base(path).rstrip("/")


def _common_folder(folders_of_paths: Sequence[str]) -> str:
    """Returns the deepest folder that all folders are or are in, with a slash at the end. Without one, it is empty."""
    common: list[str] | None = None
    for folder in set(folders_of_paths):
        parts = folder.rstrip("/").split("/")
        common = parts if common is None else [one for one, _ in takewhile(_same, zip(common, parts, strict=False))]
    return "/".join(common) + "/" if common else ""


def _same(pair: tuple[str, str]) -> bool:
    return pair[0] == pair[1]


def _glob_base(pattern: str) -> str:
    """Returns the folder of a pattern before its first wildcard, with a slash at the end."""
    first = min(pattern.index(character) for character in WILDCARDS if character in pattern)
    return pattern[: pattern.rindex("/", 0, first) + 1]
