"""Figures of several features over the same time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from audiopipe import checks
from audiopipe.configs.base import Config
from audiopipe.errors import ArgumentError
from audiopipe.plotting import drawing, figures
from audiopipe.plotting.panels import Panel, panels_of, shared_limits


@dataclass(frozen=True, eq=False)
class Item:
    """One of several features.

    Args:
        title: Title above its first panel.
        panels: Its panels.
        start: Time at which its clip starts, in seconds.
    """

    title: str
    panels: Sequence[Panel]
    start: float = 0.0


def plot_comparison(
    features: Mapping[str, tuple[Any, Config]],
    axes: Any = None,
    *,
    start: float = 0.0,
    title: str | None = None,
) -> np.ndarray:
    """Plots several features over the same seconds: of one clip with several configs, or of several clips.

    Features of the same quantity and unit have the same colours for the same values.

    Args:
        features: Features by name, each with its config, as in `plot_feature`. Leave out padding: `feature[:valid]`.
        axes: Axes to draw on, one for each panel. The panels of the first feature come first. None makes a figure with
            `matplotlib.pyplot`. Its panels are under each other. If a feature has several channels, each feature has a
            column.
        start: Time at which the clips start, in seconds.
        title: Title of a new figure. With `axes`, the title is above the first name.

    Returns:
        The axes of the panels: `[panels]`.

    Raises:
        MissingDependencyError: If matplotlib is not installed.
        ArgumentError: If there are no features, or one does not fit its config.

    Example:
        >>> from audiopipe import Transform, plotting
        >>> features = {}
        >>> for name in ("speech-mel-80", "kaldi-fbank-80"):
        ...     transform = Transform(name)
        ...     clip = transform.read("examples/audio/speech.flac")
        ...     features[name] = transform.compute(clip), transform.config
        >>> [axes.get_title() for axes in plotting.plot_comparison(features)]
        ['speech-mel-80', 'kaldi-fbank-80']
    """
    if not isinstance(features, Mapping) or not features:
        raise ArgumentError(
            "features must be a dict of at least one name with a feature and its config. Received: "
            f"{type(features).__name__}."
        )
    checks.real("start", start)
    items = [Item(name, panels_of(feature, config), start) for name, (feature, config) in features.items()]
    counts = {len(item.panels) for item in items}
    columns = len(items) if counts != {1} and len(counts) == 1 else 1
    places = figures.panels(axes, sum(len(item.panels) for item in items), columns)
    draw(items, places)
    if title is not None and axes is None:
        places[0].figure.suptitle(figures.printable(title), parse_math=False)
    elif title is not None:
        figures.set_title(places[0], f"{title}\n{items[0].title}")
    return places


def draw(items: Sequence[Item], places: np.ndarray) -> None:
    """Draws several features over the same seconds, with the same colours for the same values.

    Args:
        items: The features.
        places: The axes of all panels, those of the first feature first.
    """
    panels = [(panel, item.start) for item in items for panel in item.panels]
    ranges = shared_limits([panel for panel, _ in panels])
    low, high = np.inf, -np.inf
    for (panel, start), place in zip(panels, places, strict=True):
        image = drawing.panel(place, panel, ranges[panel.scale], start)
        if image is not None:
            drawing.colour_bar(image, [place], [panel], ranges[panel.scale])
        low, high = min(low, place.get_xlim()[0]), max(high, place.get_xlim()[1])
    for place in places:
        place.set_xlim(low, high)
    figures.drop_inner_labels(places)
    firsts = np.cumsum([0, *(len(item.panels) for item in items)])
    for item, first in zip(items, firsts, strict=False):
        figures.set_title(places[first], item.title)
