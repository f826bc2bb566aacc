"""Helpers that write a plan in one step and its shards without a pipeline."""

from audiopipe.precompute import plan, planning, shard_writer


def written(output, config, sources, num_shards=None, **keywords):
    """Writes a plan and returns it."""
    with planning.draft(output, config, sources, num_shards=num_shards, **keywords) as drafted:
        return drafted.write()


def write_shard(work, shard):
    """Writes a shard and returns its sidecar."""
    return shard_writer.write_shard(work.clips_file(work.shards()[shard].file), shard)


def clips_of(work, shard):
    """Returns the clips of a shard, as sources."""
    part = plan.read_part(work.clips_file(work.shards()[shard].file), shard)
    return [clip.source for clip in part.clips]
