"""Facts about the machine, threads, forks and the start of libraries."""

__all__ = ["forks", "installed", "machine_facts", "startup", "stopping", "threads"]
