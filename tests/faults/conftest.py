"""Recordings that take long enough to be disturbed, and what a job makes of them when it is left alone."""

from types import SimpleNamespace

import pytest
from recordings import RATE, damaged, recorded

from audiopipe import beam, configs


def _work(folder, count, shards):
    # Much work for few bytes: overlapping frames, few bins.
    config = configs.MelSpectrogram(sample_rate=RATE, n_fft=2048, hop_length=40, n_mels=8)
    (folder / "config.json").write_text(config.to_json())
    source = recorded(folder / "clips", count, seconds=20)
    damaged(source, range(1, count, count // 10))
    beam.precompute(source, folder / "clean", config, num_shards=shards, workers=1)
    return SimpleNamespace(
        source=source,
        config=folder / "config.json",
        clean=folder / "clean",
        options=("--num-shards", shards),
        shards=shards,
    )


@pytest.fixture(scope="session")
def work(tmp_path_factory):
    """60 clips, ten of them damaged, in 30 shards: some seconds of work."""
    return _work(tmp_path_factory.mktemp("work"), 60, 30)


@pytest.fixture(scope="session")
def small_work(tmp_path_factory):
    """20 clips, ten of them damaged, in 10 shards."""
    return _work(tmp_path_factory.mktemp("small"), 20, 10)
