"""Fixtures of tests of datasets."""

import digest_rows
import pytest


@pytest.fixture(scope="session")
def mapped():
    """Rows of six clips with the feature of `digest_rows.CONFIG` and its digests."""
    return digest_rows.mapped_rows()
