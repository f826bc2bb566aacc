"""Computes a feature of one's own in every door, and reads it back from a model.

    python examples/own_feature/compute.py FOLDER

FOLDER gets a feature set of the recordings in examples/audio, a figure and a model.
"""

import sys
from pathlib import Path

import keras
import numpy as np
from team_features import FLUX_40

from audiopipe import FeatureSet, Transform, beam, fingerprint_of, tfdata

AUDIO = Path(__file__).parents[1] / "audio"


def main() -> None:
    """Runs the example."""
    folder = Path(sys.argv[1])
    transform = Transform(FLUX_40)  # checks that the layer computes what the config says
    speech = transform.read(AUDIO / "speech.flac")
    print("feature:", transform(speech).shape)  # frames, bins, and a channel for each quantity

    beam.precompute(AUDIO, folder / "features", FLUX_40)
    stored = FeatureSet(folder / "features")
    print("clips:", len(stored))
    for element in tfdata.from_audio(AUDIO, FLUX_40).map(transform):
        row = stored.metadata["id"].to_pylist().index(element["id"].numpy().decode())
        np.testing.assert_array_equal(stored[row]["feature"], element["feature"])

    audio = keras.Input((None, 1))
    model = keras.Model(audio, keras.layers.GlobalAveragePooling2D()(FLUX_40.layer()(audio)))
    model.save(folder / "model.keras")
    restored = keras.models.load_model(folder / "model.keras")
    print("same feature:", fingerprint_of(restored).fingerprint == stored.config.fingerprint == FLUX_40.fingerprint)


if __name__ == "__main__":
    main()
