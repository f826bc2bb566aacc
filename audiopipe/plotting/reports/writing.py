"""Writing of a report about a feature set."""

import importlib.metadata
import os
from collections.abc import Callable, Sequence
from typing import Any

from audiopipe import checks
from audiopipe.errors import ArgumentError
from audiopipe.feature_sets.feature_set import FeatureSet
from audiopipe.inputs import SeveralInputs
from audiopipe.plotting.figures import require_matplotlib
from audiopipe.plotting.reports import balances, charts, facts, groups, page, sides, sounds
from audiopipe.storage import files

MOST_CLIPS = 100
MARK = b'<meta name="generator" content="audiopipe report">'
_MARK_BYTES = 1024  # of the start of a report that has the mark

Set = str | os.PathLike[str] | FeatureSet


def write_report(
    feature_set: Set,
    output: str | os.PathLike[str],
    *,
    input: "str | os.PathLike[str] | SeveralInputs | None" = None,
    compare: Set | None = None,
    n_clips: int = 12,
    seed: int = 0,
    overwrite: bool = False,
    on_step: Callable[[str, int, int], None] | None = None,
) -> None:
    """Writes a report about a feature set: one HTML file that needs no other file and no network.

    The report has the config and its fingerprint, counts, durations, class balance, statistics per bin, levels and
    silence, failures and remarks by kind, random clips, the most unusual clips, and the machines that computed the set.
    It reads `dataset.json`, the index, the statistics and at most 256 records, so it takes about as long for large sets
    as for small ones. The same arguments give the same bytes.

    Args:
        feature_set: Folder of a feature set, or a `FeatureSet`, which may be a view.
        output: Path of the HTML file, local or remote. It is written as a whole or not at all.
        input: The input that the set was made from, as in `audiopipe.inputs.scan`. Each clip that is shown then has an
            audio player with at most 10 s of what its feature was computed from. None shows clips without sound.
        compare: Another feature set, to show beside the first one. Clips with the same id are shown together. Sets of
            different features can be compared too.
        n_clips: Number of random clips to show, at most 100. 0 shows no clips at all.
        seed: Seed of the choice of clips.
        overwrite: Whether to replace a file that is not a report. A report is replaced in any case.
        on_step: Function of the name of a step, how much of it is done, and how much there is in all.

    Raises:
        ArgumentError: If `output` is a file but not a report, or cannot be written, or an argument is out of range.
        MissingDependencyError: If matplotlib or jinja2 is not installed.
        IncompleteFeatureSetError: If there is no feature set.
        CorruptFeatureSetError: If a file of a feature set is missing or damaged.
        InputError: If the input is missing or has none of the clips.

    Example:
        >>> write_report("tests/data/v0.1/features", "report.html", n_clips=3)  # doctest: +SKIP
    """
    n_clips = checks.integer("n_clips", n_clips, minimum=0, maximum=MOST_CLIPS)
    seed = checks.integer("seed", seed, minimum=0)
    path = os.fspath(output)
    require_matplotlib()
    page.require_jinja2()
    _check_output(path, overwrite)
    show = on_step or _show_nothing
    given = [feature_set] if compare is None else [feature_set, compare]
    opened = [item if isinstance(item, FeatureSet) else FeatureSet(item) for item in given]
    source = input if input is None or isinstance(input, SeveralInputs) else os.fspath(input)
    if source is not None:
        sounds.check_input(opened[0], source)
    letters = "AB" if len(opened) > 1 else [""]
    found = [sides.side_of(one, letter, seed, show) for one, letter in zip(opened, letters, strict=True)]
    shown = groups.groups_of(found, n_clips, seed, charts.N_CHARTS, show)
    if source is not None:
        shown = _with_sounds(shown, opened, source, show)
    content = page.rendered(_context(found, shown))
    try:
        files.write_bytes(path, content)
    except OSError as error:
        raise ArgumentError(f"Could not write the report {path!r}: {error.strerror or error}.") from error


def _context(found: Sequence[sides.Side], shown: Sequence[groups.Group]) -> dict[str, Any]:
    bars, others = balances.balances(found), balances.others(found)
    return {
        "title": " and ".join(page.text(side.name) for side in found),
        "version": importlib.metadata.version("audiopipe"),
        "sides": found,
        "compared": len(found) > 1,
        "same_feature": len({side.feature_set.fingerprint for side in found}) == 1,
        "sections": page.sections(shown, bool(bars or others)),
        "figures": facts.figures(found),
        "identity": facts.identity_rows(found),
        "config": facts.config_rows(found),
        "storage": facts.storage_rows(found),
        "durations_chart": charts.durations(found),
        "statistics_charts": charts.statistics(found),
        "levels_charts": charts.levels(found),
        "balances": bars,
        "other_columns": others,
        "groups": shown,
        "max_seconds": f"{sounds.MAX_SECONDS:g}",
    }


def _with_sounds(
    shown: Sequence[groups.Group], opened: Sequence[FeatureSet], source: str | SeveralInputs, show: sides.OnStep
) -> list[groups.Group]:
    """Returns groups of clips with the sounds of the clips that the first feature set has."""
    ids = dict.fromkeys(card.clip_id for group in shown for card in group.cards if card.clip_id in opened[0])
    found = sounds.of_clips(opened[0], source, list(ids), lambda done, total: show("reading sound", done, total))
    return [group.with_sounds(found) for group in shown]


def _check_output(path: str, overwrite: bool) -> None:
    """Raises an error if the report cannot be written to a path, before anything is read.

    A file that is not a report is replaced only if `overwrite` says so.
    """
    if files.is_folder(path):
        raise ArgumentError(
            f"The output must be a file. Received: {path!r}, which is a folder. Name a file in it, such as "
            f"{files.join(path, 'report.html')!r}."
        )
    if not files.exists(path):
        folder = os.path.dirname(path) or os.curdir
        if not path or not (files.is_remote(path) or os.path.isdir(folder)):
            raise ArgumentError(
                f"The output must be a file in a folder that exists. Received: {path!r}. Create the folder {folder!r}, "
                "or choose another name."
            )
        return
    if overwrite:
        return
    with files.open_binary(path) as file:
        if MARK in file.read(_MARK_BYTES):
            return
    raise ArgumentError(
        f"The output must be a new file or an earlier report. Received: {path!r}, which is something else. Choose "
        "another name, or pass overwrite=True (--overwrite)."
    )


def _show_nothing(step: str, done: int, total: int) -> None:
    """Does nothing."""
