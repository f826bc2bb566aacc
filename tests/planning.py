"""Helpers that write a plan in one step and its shards without a pipeline."""

import contextlib

from audiopipe.inputs import InputOptions
from audiopipe.precompute import planned_clips, planning, shard_writer
from audiopipe.precompute.listing import listed
from audiopipe.precompute.settings import Settings


@contextlib.contextmanager
def drafted(output, config, sources, num_shards=None, *, options=None, report=None, **settings):
    """Yields the draft of a plan for a new folder."""
    chosen = Settings(
        output=output, config=config, num_shards=num_shards, options=options or InputOptions(), **settings
    )
    with listed(sources, chosen.options, report) as listing:
        yield planning.draft(chosen, listing)


def written(output, config, sources, num_shards=None, **keywords):
    """Writes a plan and returns it."""
    with drafted(output, config, sources, num_shards, **keywords) as draft:
        return draft.write()


def write_shard(work, shard):
    """Writes a shard and returns its sidecar."""
    return shard_writer.write_shard(work.clips_file(work.shards()[shard].file), shard)


def clips_of(work, shard):
    """Returns the clips of a shard, as sources."""
    part = planned_clips.of_shard(work.clips_file(work.shards()[shard].file), shard)
    return [clip.listed.source for clip in part.clips]
