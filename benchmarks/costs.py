"""Estimated cost of jobs of thousands or millions of hours, computed from a measured speed."""

from dataclasses import dataclass

from audiopipe import registry
from audiopipe.precompute import estimate, sharding
from benchmarks import loops

HOURS = (1_000, 1_000_000, 100_000_000)
SECONDS = 10.0  # per clip


@dataclass(frozen=True)
class Cost:
    """Cost of computing the features of some hours of audio.

    Args:
        hours: Hours of audio.
        clips: Number of clips of 10 s.
        core_hours: Computing time of one core, in hours.
        float32_bytes: Size of all records with float32 features.
        float16_bytes: Size of all records with float16 or bfloat16 features.
        shards: Number of shards of 128 MB with float32 features.
    """

    hours: int
    clips: int
    core_hours: float
    float32_bytes: int
    float16_bytes: int
    shards: int


def of(hours: int, clips_per_second_and_core: float) -> Cost:
    """Estimates the cost of some hours of audio.

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
        shards=-(-float32 // sharding.MAX_SHARD),
    )
