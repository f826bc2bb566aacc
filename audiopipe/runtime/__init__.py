"""Process and machine: forks, threads, machine facts, installed packages and the import of heavy libraries."""

__all__ = ["forks", "installed", "machine_facts", "startup", "stopping", "threads"]
