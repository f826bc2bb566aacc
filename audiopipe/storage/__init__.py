"""Local and remote files, ranges of them, and locks."""

__all__ = ["files", "locks", "per_process", "ranges"]
