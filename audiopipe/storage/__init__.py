"""Local and remote files, digests of their bytes, and locks."""

__all__ = ["digests", "files", "locks"]
