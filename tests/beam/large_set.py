"""Writes a feature set of random features with a pipeline: `python large_set.py OUTPUT CLIPS`."""

import sys

import apache_beam
import numpy as np
from apache_beam.runners.portability.fn_api_runner import FnApiRunner

from audiopipe import beam, registry
from audiopipe.feature_sets import row_digests

FRAMES = 998  # of 10 s
CONFIG = registry.get("speech-mel-80")


def clip(number):
    """Returns the element of a clip of 320 kB."""
    feature = np.random.default_rng(number).random((FRAMES, 80, 1), np.float32)
    digest = row_digests.digest(feature, CONFIG.fingerprint)
    return {"id": f"{number:08d}", "feature": feature, "n_frames": FRAMES, "feature_digest": digest, "take": number}


if __name__ == "__main__":
    with apache_beam.Pipeline(runner=FnApiRunner()) as pipeline:
        features = pipeline | apache_beam.Create(range(int(sys.argv[2]))) | apache_beam.Map(clip)
        _ = features | beam.WriteFeatureSet(sys.argv[1], CONFIG)
