"""Figures of several features over the same time."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from audiopipe.configs.base import Config
from audiopipe.errors import ArgumentError
from audiopipe.plotting import drawing, figures
from audiopipe.plotting.panels import panels_of, shared_limits


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
        axes: Axes to draw on, one for each panel, the panels of the first feature first. None makes a figure with
            `matplotlib.pyplot`. The panels are under each other, or in a column for each feature if a feature has
            several channels.
        start: Time at which the clips start, in seconds.
        title: Title of a new figure. With `axes`, it is put above the first name.

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
    panels_by_name = {name: panels_of(feature, config) for name, (feature, config) in features.items()}
    panels = [panel for found in panels_by_name.values() for panel in found]
    counts = {len(found) for found in panels_by_name.values()}
    columns = len(features) if counts != {1} and len(counts) == 1 else 1
    places = figures.panels(axes, len(panels), columns)
    ranges = shared_limits(panels)
    low, high = np.inf, -np.inf
    for panel, place in zip(panels, places, strict=True):
        limits = ranges[panel.scale]
        if panel.is_line:
            drawing.line(place, panel, limits, start)
        else:
            image = drawing.picture(place, panel, limits, start)
            if image is not None:
                drawing.colour_bar(image, [place], [panel], limits)
        first, last, _ = drawing.spans(panel, start)
        low, high = min(low, first), max(high, last)
    for place in places:
        place.set_xlim(low, high)
    firsts = np.cumsum([0, *map(len, panels_by_name.values())])[:-1]
    for name, first in zip(features, firsts, strict=True):
        figures.set_title(places[first], name)
    if title is not None and axes is None:
        places[0].figure.suptitle(figures.printable(title), parse_math=False)
    elif title is not None:
        figures.set_title(places[0], f"{title}\n{places[0].get_title()}")
    return places
