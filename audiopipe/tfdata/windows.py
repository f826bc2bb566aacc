"""Windows that cover a clip."""

from typing import Any

import tensorflow as tf

from audiopipe.signal.sliding import SlidingWindows
from audiopipe.tfdata import elements
from audiopipe.tfdata.crops import Crops
from audiopipe.transform.entry_names import N_FRAMES


def sliding_windows(dataset: tf.data.Dataset, n_frames: int, config: Any, *, hop: int | None = None) -> tf.data.Dataset:
    """Cuts each clip into windows of `n_frames` frames that cover all its frames, for example for evaluation.

    Args:
        dataset: Dataset of dicts, as in `padded_batch`.
        n_frames: Number of frames of a window.
        config: Config of the features, as in `padded_batch`.
        hop: Number of frames between the starts of neighbouring windows, at most `n_frames`. None means `n_frames`, so
            that windows do not overlap.

    Returns:
        A dataset of windows, with the entries of `random_crop`. It has all windows of the first clip in order, then all
        windows of the second clip, and so on. The number of windows is unknown. If the last window of a clip reaches
        beyond the clip, it ends with padding. A clip without frames gives no window. If clips have `valid_frames`, a
        window may hold no audio, and its `valid_frames` is then 0.

    Raises:
        ArgumentError: As in `random_crop`.
        tf.errors.InvalidArgumentError: As in `random_crop`.

    Example:
        >>> from audiopipe import FeatureSet, load
        >>> sets = FeatureSet("tests/data/v0.1/features")
        >>> windows = sliding_windows(load(sets.where(clean=True)), n_frames=15, config=sets)
        >>> [(int(window["start_frame"]), int(window["n_frames"])) for window in windows]
        [(0, 15), (15, 15), (30, 8), (0, 15), (15, 13)]
    """
    clips = elements.of(dataset, config)
    crops = Crops(clips, n_frames)
    sliding = SlidingWindows.resolve(crops.n_frames, hop)

    @tf.autograph.experimental.do_not_convert
    def windows(element: dict[str, tf.Tensor]) -> tf.data.Dataset:
        count = sliding.covering(tf.cast(element[N_FRAMES], tf.int64))
        return tf.data.Dataset.range(count).map(lambda number: crops.cut(element, number * sliding.hop))

    return clips.prepared().flat_map(windows)
