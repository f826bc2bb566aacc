"""What readers of clips produce, item by item: clips that are in memory, and long clips in blocks.

A reader may put other items between them, such as remarks. They keep their place.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True, slots=True, eq=False)
class Whole:
    """Clip that is in memory and has at least one frame.

    Args:
        key: What the caller knows the clip by.
        samples: float32 `[time, channels]`.
    """

    key: Any
    samples: np.ndarray


@dataclass(frozen=True, slots=True, eq=False)
class Long:
    """Start of a long clip. Its blocks follow, and then its end, or a `Failed` instead.

    Args:
        key: As in `Whole`.
    """

    key: Any


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """Block of a long clip.

    Args:
        samples: float32 `[time, channels]`.
    """

    samples: np.ndarray


@dataclass(frozen=True, slots=True)
class End:
    """End of a long clip."""


@dataclass(frozen=True, slots=True, eq=False)
class Failed:
    """Clip that could not be read.

    Args:
        key: As in `Whole`.
        error: The error.
        while_reading: Whether it occurred while samples were read, and not in a step after it.
    """

    key: Any
    error: Exception
    while_reading: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Computed:
    """Clip with its feature.

    Args:
        key: As in `Whole`.
        feature: float32 `[frames, bins, channels]`, or `[channels, frames, bins]` for `channels_first`; or the error
            that its computation raised.
        n_samples: Number of samples of the clip.
        seconds: How long the computation took, without waiting for samples.
    """

    key: Any
    feature: np.ndarray | Exception
    n_samples: int
    seconds: float
