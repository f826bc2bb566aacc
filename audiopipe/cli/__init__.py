"""Command line, with one command per module."""

from audiopipe.cli.command_line import app, main

__all__ = ["app", "main"]
