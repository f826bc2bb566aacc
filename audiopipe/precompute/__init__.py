"""The job that computes a feature set: plan, shards, resume, progress, pipeline and engines."""

__all__ = [
    "completion",
    "engines",
    "estimate",
    "finished_shards",
    "job",
    "merging",
    "overview",
    "pending",
    "pipeline",
    "plan",
    "planning",
    "processes",
    "progress",
    "retained_records",
    "shard_writer",
    "worker",
]
