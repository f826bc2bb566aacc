"""The page of a report, from its templates."""

from collections.abc import Sequence
from typing import Any

from audiopipe import wording
from audiopipe.errors import MissingDependencyError
from audiopipe.plotting.figures import printable

MOST_CHARACTERS = 600  # of a text from elsewhere, such as an error


def rendered(context: dict[str, Any]) -> bytes:
    """Returns the page as UTF-8. Text is escaped unless it is markup.

    Args:
        context: Variables of the template.

    Raises:
        MissingDependencyError: If jinja2 is not installed.
    """
    require_jinja2()
    import jinja2

    from audiopipe.plotting.reports import facts, sentences

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("audiopipe.plotting.reports"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "text": text,
        "count": wording.count_of,
        "sentence": facts.sentence,
        "machines": facts.machines,
        "durations_sentence": sentences.of_durations,
        "statistics_sentence": sentences.of_statistics,
        "levels_sentence": sentences.of_levels,
        "units": facts.with_units,
    }
    return environment.get_template("report.html").render(context).encode("utf-8", "backslashreplace")


def require_jinja2() -> None:
    """Raises an error that says what to install if jinja2 is missing.

    Raises:
        MissingDependencyError: If jinja2 is not installed.
    """
    try:
        import jinja2  # noqa: F401
    except ImportError as error:
        raise MissingDependencyError(
            'Reports need the package jinja2, which is not installed: pip install "audiopipe[plot]".'
        ) from error


def text(value: str) -> str:
    r"""Returns text from elsewhere as a page shows it: of bounded length, with escapes of what cannot be printed.

    Characters that change the direction of the text around them are among these.

    Example:
        >>> text("take\u202e7\x00"), len(text("a" * 10_000))
        ('take\\u202e7\\x00', 600)
    """
    shown = printable(value)
    return shown if len(shown) <= MOST_CHARACTERS else f"{shown[: MOST_CHARACTERS - 1]}…"


def sections(groups: Sequence[Any], has_metadata: bool) -> list[tuple[str, str]]:
    """Returns the anchors and names of the sections for the navigation.

    Args:
        groups: The groups of clips.
        has_metadata: Whether there are metadata columns.
    """
    return [
        ("feature", "Feature"),
        ("durations", "Durations"),
        *([("balance", "Class balance")] if has_metadata else []),
        ("statistics", "Statistics"),
        ("levels", "Levels and silence"),
        ("failures", "Failures and remarks"),
        *((group.anchor, group.title) for group in groups),
        ("storage", "Storage and machines"),
    ]
