"""What the sidecars of a plan and the clips that it keeps add up to."""

from collections.abc import Iterator
from typing import Any

from audiopipe.precompute.finished_shards import Finished
from audiopipe.precompute.holdings import SUMS, input_clip
from audiopipe.precompute.plan import Plan
from audiopipe.transform import ends


class Collected:
    """Facts about all clips of a finished plan.

    There may be a remark about every recording, so memory holds only the remarks that an update keeps. All others, and
    the sums of the shards, are read from the sidecars whenever they are needed.

    Args:
        work: The plan.
        finished: Its finished shards.

    Attributes:
        sidecars: Sidecars of the computed shards without their remarks and sums.
        failures: Facts about each clip that failed.
        n_remarks: Number of remarks.
        n_short: Number of recordings that are too short for a segment.
        ends: Counts about the ends of clips, see `ends.totals`.
    """

    def __init__(self, work: Plan, finished: Finished):
        self._finished = finished
        self._kept = work.remarks()
        self.sidecars: list[dict[str, Any]] = []
        self.n_remarks = self.n_short = 0
        self.ends = ends.totals(self._counted())
        self.failures = [failure for sidecar in self.sidecars for failure in sidecar["failures"]]

    def remarks(self) -> Iterator[dict[str, Any]]:
        """Yields the remarks: those about clips that are kept or copied, and then those of the shards."""
        yield from self._kept
        for sidecar in self._finished.sidecars():
            yield from sidecar["remarks"]

    def sums(self) -> Iterator[dict[str, Any] | None]:
        """Yields the sums of each computed shard that has records. None if an older release wrote the shard."""
        for sidecar in self._finished.sidecars():
            if sidecar["records"]:
                yield sidecar.get(SUMS)

    def _counted(self) -> Iterator[dict[str, Any]]:
        """Yields the remarks once, in another order, and sets the attributes."""
        about, computed = set(map(input_clip, self._kept)), set[str]()
        for sidecar in self._finished.sidecars():
            remarks = sidecar.pop("remarks")
            sidecar.pop(SUMS, None)
            computed.update(about.intersection(map(input_clip, (*sidecar["failures"], *remarks))))
            self.sidecars.append(sidecar)
            yield from map(self._count, remarks)
        # A clip that should have been copied was computed if its record was damaged.
        self._kept = [remark for remark in self._kept if input_clip(remark) not in computed]
        yield from map(self._count, self._kept)

    def _count(self, remark: dict[str, Any]) -> dict[str, Any]:
        self.n_remarks += 1
        self.n_short += bool(remark.get("short"))
        return remark
