"""Jobs that run long enough to be disturbed, and the feature sets that they give when undisturbed."""

from types import SimpleNamespace

import pytest
from recordings import RATE, damaged, recorded

from audiopipe import beam, configs


def _work(folder, count, shards):
    # Strongly overlapping frames and few bins take much work and few bytes.
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
    """60 clips, ten of them damaged, in 30 shards. They take a few seconds."""
    return _work(tmp_path_factory.mktemp("work"), 60, 30)


@pytest.fixture(scope="session")
def small_work(tmp_path_factory):
    """20 clips, ten of them damaged, in 10 shards."""
    return _work(tmp_path_factory.mktemp("small"), 20, 10)
