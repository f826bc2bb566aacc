"""Numbers of the clips of a view: of clips with an id, and of clips in the sets that the view is of."""

import functools
import operator
from typing import TYPE_CHECKING, Any

import numpy as np

from audiopipe import checks
from audiopipe.errors import ClipNotFoundError

if TYPE_CHECKING:
    from audiopipe.feature_sets.index import Rows
    from audiopipe.feature_sets.joined_sets import JoinedSets


class ClipNumbers:
    """Finds the clips of a view.

    Args:
        sets: The whole sets.
        rows: Numbers of the clips of the view in these sets.
    """

    def __init__(self, sets: "JoinedSets", rows: "Rows"):
        self._sets = sets
        self._rows = rows

    def row(self, clip: Any) -> int:
        """Returns the number in the whole sets of the clip with a number in the view.

        Args:
            clip: The number, from 0 or, if it is negative, from the end.

        Raises:
            ArgumentError: If it is not a number.
            ClipNotFoundError: If there is no such clip.
        """
        if isinstance(clip, (bool, np.bool_)):
            raise checks.fail(
                "clip", "the number or the id of a clip", clip, "Pass numpy.flatnonzero(mask) for a mask."
            )
        try:
            number = operator.index(clip)
        except TypeError:
            raise checks.fail("clip", "the number or the id of a clip", clip) from None
        if not -len(self._rows) <= number < len(self._rows):
            raise ClipNotFoundError(f"The number of a clip must be less than {len(self._rows)}. Received: {number}.")
        return int(self._rows[number])

    def position(self, clip_id: str) -> int | None:
        """Returns the number in the view of the first clip with an id, or None."""
        for row in self._sets.find(clip_id):
            if isinstance(self._rows, range):
                if row in self._rows:
                    return self._rows.index(row)
                continue
            ordered, order = self._ordered
            place = int(np.searchsorted(ordered, row))
            if place < len(ordered) and ordered[place] == row:
                return int(order[place])
        return None

    @functools.cached_property
    def _ordered(self) -> tuple[np.ndarray, np.ndarray]:
        """The rows in ascending order, and the position of each."""
        order = np.argsort(self._rows, kind="stable")
        return np.asarray(self._rows)[order], order
