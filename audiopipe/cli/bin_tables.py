"""Tables with a row for each bin of a feature, or for some neighbouring bins."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from audiopipe.cli.terminal import VerbatimTable
from audiopipe.configs.base import Config

if TYPE_CHECKING:
    from audiopipe.signal.statistics import Statistics

MOST_ROWS = 20  # of each channel, unless all bins are asked for


@dataclass(frozen=True)
class Pooled:
    """Statistics of all values of some bins of a channel.

    Args:
        mean: Mean of the values.
        std: Standard deviation of the values.
        min: Smallest value. None if it is not known.
        max: Largest value. None if it is not known.
    """

    mean: float
    std: float
    min: float | None
    max: float | None


def pooled(statistics: "Statistics", bins: slice, channels: slice = slice(None)) -> Pooled:
    """Returns the statistics of all values of some bins and channels, each of which has as many values.

    The variance of all values is the mean of the variances of the bins plus the variance of their means.

    Example:
        >>> from audiopipe.signal.statistics import Statistics
        >>> pooled(Statistics(mean=[-1, 1], std=[0, 0]), slice(2))
        Pooled(mean=0.0, std=1.0, min=None, max=None)
    """
    means, stds = statistics.mean[bins, channels], statistics.std[bins, channels]
    mean = means.mean()
    variance = (stds**2).mean() + ((means - mean) ** 2).mean()
    least, most = (
        None if limits is None else float(reduced(limits[bins, channels]))
        for limits, reduced in ((statistics.min, np.min), (statistics.max, np.max))
    )
    return Pooled(float(mean), float(np.sqrt(variance)), least, most)


def groups(n_bins: int, most: int = MOST_ROWS) -> Iterator[slice]:
    """Yields neighbouring bins in groups of one size, which are at most `most`. The last one may be smaller.

    Example:
        >>> list(groups(5, most=3))
        [slice(0, 2, None), slice(2, 4, None), slice(4, 5, None)]
    """
    size = -(-n_bins // most)
    for start in range(0, n_bins, size):
        yield slice(start, min(start + size, n_bins))


def channel_names(config: Config, n_channels: int) -> list[str]:
    """Returns a name for each channel of statistics, which is empty if there is only one.

    Example:
        >>> from audiopipe import configs
        >>> channel_names(configs.StftMagPhase(channels=2), 4)
        ['magnitude, channel 0', 'magnitude, channel 1', 'phase, channel 0', 'phase, channel 1']
    """
    from audiopipe.plotting.panels import panel_name

    return [", ".join(panel_name(channel, n_channels, config.quantities)) for channel in range(n_channels)]


def bin_table(config: Config, n_channels: int, columns: Sequence[str]) -> VerbatimTable:
    """Returns an empty table for rows from `bin_cells` and further columns of numbers."""
    table = VerbatimTable()
    if n_channels > 1:
        table.add_column("channel")
    for name in ("bin", *_frequency_header(config), *columns):
        table.add_column(name, justify="right")
    return table


def bin_cells(config: Config, bins: slice, channel: str) -> list[str]:
    """Returns the first cells of a row: the name of the channel if it has one, the bins, and their frequencies."""
    cells = [channel] if channel else []
    first, last = bins.start, bins.stop - 1
    cells.append(f"{first}" if first == last else f"{first} .. {last}")
    if _frequency_header(config):
        low, high = config.frequencies()[[first, last]]
        cells.append(f"{low:.0f}" if first == last else f"{low:.0f} .. {high:.0f}")
    return cells


def number(value: float | None) -> str:
    """Returns a number with 5 significant digits, or nothing for None."""
    return "" if value is None else f"{value:.5g}"


def _frequency_header(config: Config) -> list[str]:
    """Returns the header of the column of frequencies, if bins have frequencies."""
    from audiopipe.plotting.bin_axis import bin_label

    label = bin_label(config)
    return [label] if "Hz" in label and config.n_bins > 1 else []
