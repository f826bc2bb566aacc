"""Mapped rows with digests, for tests of what becomes of the digests."""

import datasets
import numpy as np
import xxhash
from datasets import Dataset, Features

from audiopipe import Transform, configs, hf

CONFIG = configs.StftMagnitude(sample_rate=8000, n_fft=16, hop_length=8, input_data_format="channels_last")
OTHER = configs.StftMagnitude(sample_rate=8000, n_fft=16, hop_length=4, input_data_format="channels_last")
STEREO = configs.StftMagnitude(sample_rate=8000, n_fft=16, hop_length=8, channels=2, input_data_format="channels_last")
MEL, FINE, TWO = Transform(CONFIG), Transform(OTHER, feature="fine"), Transform(STEREO)  # each is traced once


def clips(count, channels=1):
    noise = np.random.default_rng(5)
    return [noise.uniform(-1, 1, (40 + 8 * row, channels)).astype(np.float32).squeeze() for row in range(count)]


def mapped_rows():
    columns = {"audio": clips(6), "label": [3, 1, 4, 1, 5, 9], "name": [*"abcdef"]}
    return hf.map(Dataset.from_dict(columns), MEL)


def reference(feature, fingerprint):
    shape = ", ".join(map(str, np.shape(feature)))
    values = b"".join(np.float32(value).tobytes() for value in np.ravel(feature))
    return xxhash.xxh3_64_hexdigest(f"{fingerprint} [{shape}]".encode() + values)


def scaled(rows, **arguments):
    return (
        rows.with_format("numpy").map(lambda row: {"feature": (row["feature"] + 1) / 2}, **arguments).with_format(None)
    )


def in_double_precision(rows):
    """Returns rows with float64 values of a type that names the feature."""
    return Dataset.from_dict(
        {"feature": rows["feature"][:], "feature_digest": rows["feature_digest"][:]},
        features=Features(
            feature=datasets.Array2D((None, 9), "float64", id=rows.features["feature"].id),
            feature_digest=rows.features["feature_digest"],
        ),
    )
