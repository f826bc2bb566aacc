"""Datasets with a feature column and given metadata, without audio."""

import datasets
import numpy as np

from audiopipe import configs, hf

CONFIG = configs.StftMagnitude(sample_rate=8000, n_fft=16, hop_length=8, input_data_format="channels_last")


def feature_rows(types, **columns):
    """Returns a dataset of features of 1, 2, ... frames, with metadata columns of the given types."""
    count = len(next(iter(columns.values())))
    features = [np.full((row + 1, 9), row, np.float32) for row in range(count)]
    declared = datasets.Features({"feature": hf.feature_type(CONFIG), **types})
    return hf.with_digests(datasets.Dataset.from_dict({"feature": features, **columns}, features=declared))
