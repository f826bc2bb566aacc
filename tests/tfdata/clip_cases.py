"""Clips with all kinds of entries, drawn by hypothesis, as a dataset and as NumPy arrays."""

import dataclasses
import functools

import numpy as np
import tensorflow as tf
from hypothesis import settings
from hypothesis import strategies as st

from audiopipe import configs

_STFT = {"sample_rate": 8000, "n_fft": 8, "hop_length": 4, "input_data_format": "channels_last"}
MONO = configs.StftMagnitude(**_STFT, return_decibel=True, output_data_format="channels_last")
FIRST = dataclasses.replace(MONO, channels=2, output_data_format="channels_first")
PHASES = configs.StftMagPhase(**_STFT, return_decibel=True, channels=2, output_data_format="channels_first")
ANY = configs.StftMagPhase(**_STFT, return_decibel=True, channels=None, output_data_format="channels_last")
CONFIGS = {"mono": MONO, "first": FIRST, "phases": PHASES, "any": ANY}
# What a frame of padding holds in each channel, which is -50 dB for decibels and 0 for phases.
PADDING = {"mono": [-50.0], "first": [-50.0, -50.0], "phases": [-50.0, -50.0, 0.0, 0.0], "any": [-50.0, 0.0]}
N_BINS = 5
CLASSES = 3
few_cases = settings(max_examples=8)  # starting an iterator takes longer than a case has clips to compare
ITEMS = {"ints": np.int64, "floats": np.float64, "flags": bool, "texts": object}
PADDED_ITEM = {"ints": -1, "floats": -1.0, "flags": False, "texts": b""}


def shape(name, n_frames):
    """Returns the shape of the feature of a clip of `n_frames` frames."""
    channels = len(PADDING[name])
    first = CONFIGS[name].output_data_format == "channels_first"
    return (channels, n_frames, N_BINS) if first else (n_frames, N_BINS, channels)


def padded(name, feature, n_frames):
    """Returns a feature with frames of padding, up to `n_frames`, by NumPy."""
    axis = CONFIGS[name].frame_axis
    made = np.empty(shape(name, n_frames), np.float32)
    np.moveaxis(made, axis, 0)[:] = np.moveaxis(np.broadcast_to(frame(name), shape(name, 1)), axis, 0)
    np.moveaxis(made, axis, 0)[: feature.shape[axis]] = np.moveaxis(feature, axis, 0)
    return made


def frame(name):
    values = np.float32(PADDING[name])
    return values[:, None, None] if CONFIGS[name].output_data_format == "channels_first" else values


def clip(name, number, n_frames, lists=0, valid=None):
    """Returns the element of a clip. Its values depend on its number.

    Args:
        name: Name of the config.
        number: Number of the clip.
        n_frames: Number of frames.
        lists: Length of its lists, -1 for missing ones.
        valid: Number of valid frames. None means all.
    """
    random = np.random.default_rng([number, n_frames])
    element = {
        "id": f"clip {number}".encode(),
        "feature": random.standard_normal(shape(name, n_frames)).astype(np.float32),
        "n_frames": np.int64(n_frames),
        "valid_frames": np.int64(n_frames if valid is None else min(valid, n_frames)),
        "label": np.int64(number % 3),
        "targets": random.uniform(1, 2, (n_frames, CLASSES)).astype(np.float32),
    }
    for column, dtype in ITEMS.items():
        values = random.integers(0, 5, max(0, lists))
        texts = [str(value).encode() for value in values]
        element[column] = np.array(texts, object) if column == "texts" else values.astype(dtype)
        element[f"{column}_length"] = np.int64(lists)
    return element


class Clips:
    """A dataset whose clips can be replaced, so that many cases are tested without tracing a graph again.

    Attributes:
        elements: The clips of the next iteration.
        dataset: The dataset.
    """

    def __init__(self, name):
        self.elements = []
        spec = {}
        for entry, value in clip(name, 0, 2).items():
            dtype = tf.string if entry in ("id", "texts") else tf.as_dtype(value.dtype)
            shape = [None] * np.ndim(value) if entry in ITEMS else np.shape(value)
            spec[entry] = tf.TensorSpec(shape, dtype)
        config = CONFIGS[name]
        spec["feature"] = tf.TensorSpec(config.feature_shape(None, config.channels), tf.float32)
        spec["targets"] = tf.TensorSpec([None, CLASSES], tf.float32)
        dtypes = [one.dtype for one in spec.values()]

        def element(number):
            values = tf.numpy_function(lambda place: [self.elements[place][entry] for entry in spec], [number], dtypes)
            return {entry: tf.ensure_shape(value, spec[entry].shape) for entry, value in zip(spec, values, strict=True)}

        def numbers(_):
            return tf.data.Dataset.range(tf.numpy_function(lambda: len(self.elements), [], tf.int64))

        # `from_generator` takes three times as long.
        self.dataset = tf.data.Dataset.range(1).flat_map(numbers).map(element)

    def of(self, elements, dataset):
        """Returns the elements of a dataset that was made of `self.dataset`, for certain clips."""
        self.elements = elements
        return list(dataset.as_numpy_iterator())


clips_of = functools.cache(Clips)


@st.composite
def cases(draw, names=tuple(CONFIGS), max_clips=15, max_frames=12):
    """Draws one of the names of configs and clips of that config, with 0 to `max_frames` frames each."""
    name = draw(st.sampled_from(names))
    sizes = st.tuples(st.integers(0, max_frames), st.integers(-1, 3), st.integers(0, max_frames))
    drawn = draw(st.lists(sizes, min_size=1, max_size=max_clips))
    return name, [clip(name, number, *one) for number, one in enumerate(drawn)]


def check_batch(name, batch, clips, frames, mask=True):
    """Compares a batch with its clips."""
    assert set(batch) == {*clips[0]} | ({"mask"} if mask else set())
    for row, one in enumerate(clips):
        np.testing.assert_array_equal(batch["feature"][row], padded(name, one["feature"], frames), strict=True)
        targets = np.zeros([frames, one["targets"].shape[1]], np.float32)
        targets[: len(one["targets"])] = one["targets"]
        np.testing.assert_array_equal(batch["targets"][row], targets, strict=True)
        if mask:
            np.testing.assert_array_equal(batch["mask"][row], np.arange(frames) < one["valid_frames"], strict=True)
    for entry in ("id", "n_frames", "valid_frames", "label", *(f"{column}_length" for column in ITEMS)):
        assert batch[entry].tolist() == [one[entry] for one in clips]
    for column, dtype in ITEMS.items():
        longest = max(len(one[column]) for one in clips)
        items = [[*one[column], *[PADDED_ITEM[column]] * (longest - len(one[column]))] for one in clips]
        expected = np.array(items, dtype).reshape(len(clips), longest)
        np.testing.assert_array_equal(batch[column], expected, strict=True)
