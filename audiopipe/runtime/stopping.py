"""Requests to stop jobs of this process. The code that writes a shard checks them after each clip."""

_stopped: set[str] = set()


def stop(output: str) -> None:
    """Stops this process from writing shards to a folder after the current clip. The shards stay unfinished."""
    _stopped.add(output)


def allow(output: str) -> None:
    """Cancels `stop`."""
    _stopped.discard(output)


def is_stopped(output: str) -> bool:
    """Returns whether writing to a folder has to stop."""
    return output in _stopped
