"""Crops at random places."""

from typing import Any

import tensorflow as tf

from audiopipe.feature_sets.epoch_seeds import random_numbers, restorable
from audiopipe.tfdata import elements
from audiopipe.tfdata.crops import Crops
from audiopipe.transform.entry_names import N_FRAMES


def random_crop(dataset: tf.data.Dataset, n_frames: int, config: Any, *, seed: int | None = None) -> tf.data.Dataset:
    """Cuts a crop of `n_frames` frames out of each clip, at a new random place in each epoch.

    All places are equally probable. Shorter clips are padded at the end. Clips with `valid_frames` are cropped within
    these frames, because other frames hold no audio. For feature sets, `audiopipe.load(crop_frames=...)` is faster,
    because it reads only the frames of the crop.

    For `random_crop(load(path))` of a local set in its own order, a restored iterator is exact only to the end of its
    epoch. For later epochs, call `load(path).repeat()` before cropping, or use `ResumeEpochs`.

    Args:
        dataset: Dataset of dicts, as in `padded_batch`.
        n_frames: Number of frames of a crop.
        config: Config of the features, as in `padded_batch`.
        seed: Seed of the places. With a seed, the places depend only on the seed, the epoch and the position of the
            clip in the epoch. None uses the seed of `keras.utils.set_random_seed`.

    Returns:
        The dataset with crops, and with as many elements as before. These entries change.

        - `feature` has `n_frames` frames. Frames beyond the end of the clip hold `config.padding`.
        - `n_frames` is the number of frames of the clip in the crop.
        - `valid_frames`, if it is there, is the number of frames of the crop that hold audio.
        - `start_frame` (int64) is the first frame of the crop. If the clip is a crop itself and has this entry, it
          counts from the start of the whole clip.
        - `clip_frames` (int64) is the number of frames of the whole clip that hold audio.
        - Entries of rank 2 or more whose first axis is the axis of frames, such as `targets`, are cut too and padded
          with zeros.

    Raises:
        ArgumentError: If the dataset does not fit the config, an argument is out of range, or an entry of rank 1 may or
            may not have an axis of frames.
        tf.errors.InvalidArgumentError: During iteration, if the first axis of an entry such as `targets` is not that
            of the frames.

    Example:
        >>> from audiopipe import FeatureSet, load
        >>> sets = FeatureSet("tests/data/v0.1/features")
        >>> crops = random_crop(load(sets), n_frames=30, config=sets, seed=1)
        >>> crops.element_spec["feature"].shape
        TensorShape([30, 20, 1])
        >>> [int(crop["n_frames"]) for crop in crops]
        [30, 28, 28]
        >>> starts = [[int(crop["start_frame"]) for crop in crops] for epoch in range(2)]
        >>> starts[0] == starts[1], starts[0][1:]
        (False, [0, 0])
    """
    clips = elements.of(dataset, config)
    crops = Crops(clips, n_frames)

    @tf.autograph.experimental.do_not_convert
    def cropped(element: dict[str, tf.Tensor], number: tf.Tensor) -> dict[str, tf.Tensor]:
        frames = tf.cast(element[clips.valid_frames or N_FRAMES], tf.int64)
        places = tf.maximum(frames - crops.n_frames, 0) + 1
        # Crops of crops have other places, even with the same seed, as their length is part of the seed.
        start = tf.random.stateless_uniform([], [number, crops.n_frames], 0, places, tf.int64)
        return crops.cut(element, start)

    numbered = tf.data.Dataset.zip(clips.prepared(), random_numbers(seed))
    return restorable(numbered.map(cropped, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True))
