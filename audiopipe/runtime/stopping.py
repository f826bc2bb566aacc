"""Jobs of this process that are to stop: what writes a shard looks here after each clip."""

_stopped: set[str] = set()


def stop(output: str) -> None:
    """Make the shards of a folder that this process is writing end after their current clip, unfinished."""
    _stopped.add(output)


def allow(output: str) -> None:
    """Take back `stop`."""
    _stopped.discard(output)


def is_stopped(output: str) -> bool:
    """Whether nothing more is to be written to a folder."""
    return output in _stopped
