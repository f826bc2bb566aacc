"""Reading of clips ahead, in threads.

Every door that reads clips outside TensorFlow's pipelines does so here: jobs of precompute and rows of `datasets`. A
unit is what one thread reads: a row, or a recording with its stretches or segments.

Besides the clips that are being computed, at most `CLIPS` clips with `VALUES` values in all are in memory, and one more
in each thread. A clip with more values than that is read when its turn comes. A long clip passes in blocks.
"""

from collections.abc import Generator, Iterable
from typing import Any

from audiopipe.runtime import read_ahead, threads
from audiopipe.runtime.read_ahead import Unit
from audiopipe.transform.clip_items import Block, Whole
from audiopipe.transform.kernel import GROUP

CLIPS = 2 * GROUP
VALUES = 1 << 24  # 64 MB


def ahead(units: Iterable[Unit[Any]]) -> Generator[Any, None, None]:
    """Yields the items of all units, in their order, while threads read ahead.

    There is one thread per processor, see `audiopipe.runtime.threads`. With a single one, as in a worker process of a
    job, no thread is started.

    Args:
        units: The units, whose items are those of `audiopipe.transform.clip_items` and any others.

    Yields:
        The items, and `audiopipe.runtime.read_ahead.Waiting` where the next one takes long to come.
    """
    return read_ahead.in_order(units, _weight, most=VALUES, threads=threads.available())


def _weight(item: Any) -> int:
    """Returns the number of values of an item. A clip counts as so many that there are at most `CLIPS`."""
    if isinstance(item, Whole):
        return max(item.samples.size, VALUES // CLIPS)
    return item.samples.size if isinstance(item, Block) else 0
