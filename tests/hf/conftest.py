"""Fixtures of tests of datasets."""

import digest_rows
import pytest

from audiopipe import Transform


@pytest.fixture(scope="session")
def mapped():
    """Rows of six clips with the feature of `digest_rows.CONFIG` and its digests."""
    return digest_rows.mapped_rows()


@pytest.fixture
def calls(monkeypatch):
    """The audio of the rows that are read, and so computed."""
    calls, read_blocks = [], Transform.read_blocks
    monkeypatch.setattr(
        Transform,
        "read_blocks",
        lambda self, value, **options: calls.append(value) or read_blocks(self, value, **options),
    )
    return calls
