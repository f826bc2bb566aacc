"""The job that every engine is tested with."""

import pytest
from matrix import Matrix, Work


@pytest.fixture(scope="session")
def engine_work(tmp_path_factory, config):
    return Work.prepare(tmp_path_factory.mktemp("engines"), config)


@pytest.fixture
def matrix(engine_work, tmp_path):
    return Matrix(engine_work, tmp_path)
