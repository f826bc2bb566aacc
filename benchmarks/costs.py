"""From a measured speed to what a job of thousands or millions of hours costs: an estimate, by plain arithmetic."""

from dataclasses import dataclass

from audiopipe import registry
from audiopipe.precompute import estimate, planning
from benchmarks import loops

HOURS = (1_000, 1_000_000, 100_000_000)
SECONDS = 10.0  # of a clip


@dataclass(frozen=True)
class Cost:
    """What a number of hours costs.

    Args:
        hours: Of audio.
        clips: Clips of 10 s.
        core_hours: Clips over clips per second and core, in hours.
        float32_bytes: Clips times the bytes of a record.
        float16_bytes: The same, stored as float16 or bfloat16.
        shards: float32 bytes over 128 MB.
    """

    hours: int
    clips: int
    core_hours: float
    float32_bytes: int
    float16_bytes: int
    shards: int


def of(hours: int, clips_per_second_and_core: float) -> Cost:
    """Compute the cost of some hours of audio.

    Example:
        >>> cost = of(1000, 100.0)
        >>> cost.clips, cost.core_hours, cost.float32_bytes, cost.shards
        (360000, 1.0, 115041600000, 899)
    """
    clips = round(hours * 3600 / SECONDS)
    config = registry.get(loops.CONFIG)
    float32, float16 = (clips * estimate.record_bytes(SECONDS, config, None, itemsize) for itemsize in (4, 2))
    return Cost(
        hours=hours,
        clips=clips,
        core_hours=clips / clips_per_second_and_core / 3600,
        float32_bytes=float32,
        float16_bytes=float16,
        shards=-(-float32 // planning.GREATEST_SHARD),
    )
