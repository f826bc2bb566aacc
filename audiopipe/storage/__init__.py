"""Local and remote files, and locks."""

__all__ = ["files", "locks"]
