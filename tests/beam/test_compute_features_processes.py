"""`ComputeFeatures` in threads and processes of Apache Beam."""

import os

import apache_beam
import numpy as np
import pytest
from collecting import pipeline
from saving import save, saved

from audiopipe import Transform, beam, configs

NOISE = np.random.default_rng(0).uniform(-0.5, 0.5, 4000).astype(np.float32)


@pytest.mark.faults
@pytest.mark.parametrize("mode", ["multi_threading", "multi_processing"])
def test_threads_and_processes_compute_the_bits_of_this_process(clips, tmp_path, monkeypatch, config, mode):
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([os.path.dirname(__file__), os.environ.get("PYTHONPATH", "")]))
    transforms = [
        Transform(config),
        Transform(configs.MelSpectrogram(sample_rate=8000, n_fft=256, hop_length=80, n_mels=20), feature="mel"),
    ]
    rows = [{"id": path.name, "audio": str(path)} for path in clips.iterdir() if path.suffix != ".jsonl"]
    rows += [{"id": str(number), "audio": NOISE[: 1000 + 10 * number]} for number in range(60)]
    for transform in transforms:
        folder = tmp_path / transform.feature
        for name in ("features", "failures"):
            (folder / name).mkdir(parents=True)
    with pipeline(f"--direct_running_mode={mode}", "--direct_num_workers=2") as made:
        created = made | apache_beam.Create(rows)
        for transform in transforms:
            name, folder = transform.feature, tmp_path / transform.feature
            computed = created | f"Compute {name}" >> beam.ComputeFeatures(transform, "collect")
            computed.features | f"Features {name}" >> apache_beam.Map(save, str(folder / "features"))
            computed.failures | f"Failures {name}" >> apache_beam.Map(save, str(folder / "failures"))
    for transform in transforms:
        features, processes = saved(tmp_path / transform.feature / "features")
        failures, _ = saved(tmp_path / transform.feature / "failures")
        assert failures.keys() == {"broken.wav"}
        assert features.keys() == {row["id"] for row in rows} - failures.keys()
        assert len(processes) == (2 if mode == "multi_processing" else 1)
        for row in rows:
            if row["id"] in features:
                expected = transform.compute(transform.read(row["audio"]))
                np.testing.assert_array_equal(features[row["id"]][transform.feature], expected)
