"""Local and remote files, ranges and digests of their bytes, and locks."""

__all__ = ["digests", "files", "locks", "per_process", "ranges"]
