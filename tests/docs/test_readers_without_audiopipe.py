"""The readers that the guide shows return what audiopipe returns."""

import runpy
from pathlib import Path

import numpy as np
import pytest
import soundfile
from console_blocks import blocks_of, read_page

from audiopipe import FeatureSet, beam

GUIDE = Path(__file__).parents[2] / "docs/how-to/read-without-audiopipe.md"


@pytest.fixture(params=["float32", "float16"])
def sets(request, tmp_path, monkeypatch):
    """A feature set in two shards in the working folder, beside the programs of the guide."""
    monkeypatch.chdir(tmp_path)
    for block in blocks_of(read_page(GUIDE)):
        if block.kind == "file":
            Path(block.name).write_text(block.text)
    draw = np.random.default_rng(0)
    for name, n_samples in {"a/0": 3000, "a/1": 9000, "b/0": 700, "b/1": 5000}.items():
        Path("clips", name).parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(f"clips/{name}.wav", 0.1 * draw.standard_normal((n_samples, 2)), 16000)
    options = {"label_from_folder": True, "class_columns": ["label"], "num_shards": 2, "dtype": request.param}
    beam.precompute("clips", "features", "kaldi-fbank-80", **options)
    return FeatureSet("features")


def test_the_numpy_reader_returns_the_features_of_audiopipe(sets):
    features = runpy.run_path("read_numpy.py")["Features"]("features")
    assert len(features) == len(sets) == 4
    for number, expected in enumerate(sets):
        clip = features[number]
        assert (clip["id"], clip["label"]) == (expected["id"], expected["label"])
        assert clip["feature"].dtype == np.float32
        np.testing.assert_array_equal(clip["feature"], expected["feature"])
    np.testing.assert_array_equal(features.mean, sets.statistics.mean)
    np.testing.assert_array_equal(features.std, sets.statistics.std)
    assert features.class_names == {"label": ["a", "b"]}


def test_the_tensorflow_reader_returns_the_features_of_audiopipe(sets):
    clips = list(runpy.run_path("read_tensorflow.py")["dataset"]().as_numpy_iterator())
    assert len(clips) == 4
    for clip, expected in zip(clips, sets, strict=True):
        assert (clip["id"].decode(), clip["label"], clip["n_frames"]) == (
            expected["id"],
            expected["label"],
            expected["n_frames"],
        )
        assert clip["feature"].dtype == np.float32
        np.testing.assert_array_equal(clip["feature"], expected["feature"])
