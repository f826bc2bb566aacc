"""Patches and copies of features, as models take them that do not read a spectrogram as a whole.

A feature stays `[frames, bins, channels]` wherever it is stored. These functions come after it, and give the same
values for NumPy arrays and tensors: in `tf.data` and `datasets` maps, in Beam, and inside models.
"""

import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from audiopipe import checks, registry
from audiopipe.configs import clip_lengths
from audiopipe.configs.base import Config
from audiopipe.errors import ArgumentError
from audiopipe.signal.framing import any_samples
from audiopipe.signal.sliding import SlidingWindows

__all__ = ["frame_patches", "pad_waveform", "stacked_copies"]

ENDS = ("drop", "pad")


def frame_patches(
    feature: Any,
    n_frames: int,
    config: "Config | str | os.PathLike[str]",
    *,
    hop: int | None = None,
    last: str = "drop",
) -> Any:
    """Cuts a feature into patches of `n_frames` frames, which start every `hop` frames.

    VGGish takes patches of 96 frames every 96 frames, YAMNet of 96 frames every 48. Both leave out the frames after the
    last whole patch: `frame` of
    https://github.com/tensorflow/models/blob/master/research/audioset/vggish/mel_features.py, and
    https://github.com/tensorflow/models/blob/master/research/audioset/yamnet/features.py. YAMNet's model first pads the
    waveform, so that no frame is left out: `pad_waveform` does so. `last="pad"` comes close to that for features that
    are stored already. It lacks the frames that begin in the clip and end in the zeros after it.

    Args:
        feature: float `[frames, bins, channels]`, or `[channels, frames, bins]` if the config says `channels_first`: a
            NumPy array or a tensor. It may have an axis of a batch before them. `[frames, bins]`, without the axis of a
            single channel, is a row of `datasets`. A list of features is a batch of clips of any length.
        n_frames: Number of frames of a patch.
        config: Config of the feature, a registered name, or the path of a JSON file.
        hop: Number of frames from the start of a patch to that of the next one, at most `n_frames`. None means
            `n_frames`: patches do not overlap.
        last: `"drop"` leaves out the frames after the last whole patch, so that a short clip gives no patch. `"pad"`
            fills up the last patch with `config.padding`.

    Returns:
        `[patches, n_frames, bins, channels]`, `[patches, channels, n_frames, bins]` or `[patches, n_frames, bins]`, of
        the same kind and dtype as the feature, after the axis of a batch. A list gives a list.

    Raises:
        ArgumentError: If an argument is out of range, or the feature does not fit the config.

    Example:
        >>> feature = np.zeros((300, 64, 1), np.float32)
        >>> frame_patches(feature, 96, "vggish").shape, frame_patches(feature, 96, "yamnet", hop=48).shape
        ((3, 96, 64, 1), (5, 96, 64, 1))
        >>> frame_patches(feature, 96, "yamnet", hop=48, last="pad").shape
        (6, 96, 64, 1)
    """
    config = registry.resolve(config)
    sliding = SlidingWindows.resolve(n_frames, hop)
    checks.choice("last", last, ENDS)
    if isinstance(feature, (list, tuple)):
        return [_patches(_array(one), sliding, config, last) for one in feature]
    return _patches(_array(feature), sliding, config, last)


def stacked_copies(feature: Any, count: int) -> Any:
    """Stacks copies of a feature along a new axis, which comes first.

    CLAP with feature fusion takes four spectrograms of each clip. For a clip of up to 10 seconds they are copies of one
    (`_get_input_mel` of `transformers.ClapFeatureExtractor`).

    Args:
        feature: A NumPy array or a tensor, `[frames, bins, channels]`, `[channels, frames, bins]`, or `[frames, bins]`
            as in a row of `datasets`. It may have an axis of a batch before three others. A list of features is a
            batch.
        count: Number of copies, at least 1.

    Returns:
        The copies, with an axis of size `count` before the feature and after the axis of a batch. A list gives a list.

    Raises:
        ArgumentError: If `count` is not an integer of at least 1, or the feature has another form.

    Example:
        >>> stacked_copies(np.zeros((1001, 64), np.float32), 4).shape
        (4, 1001, 64)
        >>> stacked_copies(np.zeros((16, 1001, 64, 1), np.float32), 4).shape
        (16, 4, 1001, 64, 1)
    """
    checks.integer("count", count, minimum=1)
    if isinstance(feature, (list, tuple)):
        return [stacked_copies(_array(one), count) for one in feature]
    feature = _array(feature)
    rank = _rank(feature)
    if rank not in (2, 3, 4):
        raise checks.fail("feature", "of rank 2 or 3, or 4 with the axis of a batch", _form(feature))
    copies, axis = [feature] * count, rank // 4  # behind the axis of a batch
    if isinstance(feature, np.ndarray):
        return np.stack(copies, axis)
    import tensorflow as tf

    return tf.stack(copies, axis)


def pad_waveform(
    waveform: Any, n_frames: int, config: "Config | str | os.PathLike[str]", *, hop: int | None = None
) -> Any:
    """Appends zeros to a clip, so that whole patches cover it.

    The padded clip has at least one patch, and no more samples than its patches need. This is the rule of
    `pad_waveform` in https://github.com/tensorflow/models/blob/master/research/audioset/yamnet/features.py.

    Args:
        waveform: float `[time]` or `[time, channels]`, a NumPy array or a tensor.
        n_frames: Number of frames of a patch.
        config: Config of the feature, a registered name, or the path of a JSON file.
        hop: Number of frames from the start of a patch to that of the next one, as in `frame_patches`.

    Returns:
        The waveform with zeros after its end, of the same kind and dtype.

    Raises:
        ArgumentError: If an argument is out of range, or the config gives every clip the same number of frames.

    Example:
        >>> pad_waveform(np.ones(16000, np.float32), 96, "yamnet", hop=48).shape  # 15,600 samples give one patch
        (23280,)
    """
    config = registry.resolve(config)
    sliding = SlidingWindows.resolve(n_frames, hop)
    first, second = (clip_lengths.fewest_samples(config, sliding.spanned(count)) for count in (1, 2))
    if not first < second < clip_lengths.MAX_SAMPLES:
        raise ArgumentError(
            "A longer clip must have more frames, so that zeros can fill up its last patch. Received: a config whose "
            f"feature always has {config.n_frames(1)} frames. Cut its feature into patches without padding the clip."
        )
    samples = SlidingWindows(length=first, hop=second - first)
    waveform = _array(waveform)
    if _rank(waveform) not in (1, 2):
        raise checks.fail("waveform", "[time] or [time, channels]", _form(waveform))
    if isinstance(waveform, np.ndarray):
        zeros = [(0, _missing(samples, len(waveform))), *[(0, 0)] * (waveform.ndim - 1)]
        return np.pad(waveform, zeros)
    import tensorflow as tf

    missing = _missing(samples, tf.shape(waveform, tf.int64)[0])
    return tf.pad(waveform, [[0, missing], *[[0, 0]] * (waveform.shape.rank - 1)])


def _missing(samples: SlidingWindows, size: Any) -> Any:
    """Returns the number of samples that a clip lacks to whole windows, at least one."""
    return samples.spanned(samples.covering(size + 1 - any_samples(size))) - size


def _patches(feature: Any, sliding: SlidingWindows, config: Config, last: str) -> Any:
    rank = _rank(feature)
    if rank not in (2, 3, 4) or not _fits(feature, config):
        raise ArgumentError(
            f"A feature must be {_shape(config)}, after an axis of a batch or not, or [frames, {config.n_bins}] as a "
            f"row of datasets. Received: {_form(feature)}. If it is a batch of such rows, pass a list: list(batch)."
        )
    axis = 0 if rank == 2 else config.frame_axis + rank - 3
    place = max(rank - 3, 0)  # of the patches
    if isinstance(feature, np.ndarray):
        size = feature.shape[axis]
        starts = sliding.hop * np.arange(sliding.covering(size) if last == "pad" else sliding.inside(size))
        missing = max(0, int(starts[-1]) + sliding.length - size) if len(starts) else 0
        if missing:
            feature = np.concatenate([feature, _padding(feature, config, missing)], axis)
        found = np.take(feature, starts[:, None] + np.arange(sliding.length), axis)
        return np.moveaxis(found, axis, place)
    return _patches_of_tensor(feature, sliding, config, axis, place, last)


def _patches_of_tensor(feature: Any, sliding: SlidingWindows, config: Config, axis: int, place: int, last: str) -> Any:
    import tensorflow as tf

    from audiopipe.transform import paddings

    size = tf.shape(feature)[axis]
    count = sliding.inside(size)
    if last == "pad":
        count = sliding.covering(size)
        has_channels = feature.shape.rank > 2
        feature = feature if has_channels else feature[tf.newaxis] if config.frame_axis else feature[..., tf.newaxis]
        feature = paddings.pad_frames(config, feature, tf.maximum(size, sliding.spanned(count)))
        feature = feature if has_channels else tf.squeeze(feature, config.channel_axis)
    frames = sliding.hop * tf.range(count)[:, tf.newaxis] + tf.range(sliding.length)
    found = tf.gather(feature, frames, axis=axis)
    order = list(range(found.shape.rank))
    order.insert(place, order.pop(axis))
    return found if axis == place else tf.transpose(found, order)


def _padding(feature: np.ndarray, config: Config, n_frames: int) -> np.ndarray:
    """Returns frames of padding in the form of a feature."""
    if feature.ndim == 2:
        frame = np.squeeze(config.padding_frame(1), config.channel_axis)
    else:
        channels = feature.shape[config.channel_axis + feature.ndim - 3]
        frame = config.padding_frame(channels // len(config.quantities))
    axis = 0 if feature.ndim == 2 else config.frame_axis
    repeated = np.repeat(frame.astype(feature.dtype), n_frames, axis)
    return np.broadcast_to(repeated, (*feature.shape[: feature.ndim - repeated.ndim], *repeated.shape))


def _array(values: Any) -> Any:
    """Returns a NumPy array or a tensor as it is."""
    if isinstance(values, np.ndarray):
        return values
    import tensorflow as tf

    if not tf.is_tensor(values) or isinstance(values, tf.RaggedTensor):
        raise ArgumentError(
            f"A feature must be a NumPy array or a dense tensor. Received: {type(values).__name__}. Rows of datasets "
            'have NumPy arrays with dataset.with_format("numpy").'
        )
    if values.shape.rank is None:
        raise ArgumentError("The rank of a tensor must be known. Received: a tensor of unknown shape. Set it before.")
    return values


def _rank(values: Any) -> int:
    return len(values.shape)


def _fits(feature: Any, config: Config) -> bool:
    channels = None if config.feature_channels is None else config.feature_channels // len(config.quantities)
    expected: Sequence[int | None] = config.feature_shape(None, channels)
    if _rank(feature) == 2:
        expected = (None, config.n_bins)
    found = tuple(feature.shape)[-len(expected) :]
    return all(one is None or two is None or one == two for one, two in zip(found, expected, strict=True))


def _shape(config: Config) -> str:
    sizes = ["frames", str(config.n_bins)]
    sizes.insert(config.channel_axis, str(config.feature_channels or "channels"))
    return f"[{', '.join(sizes)}]"


def _form(values: Any) -> str:
    return f"shape {tuple(values.shape)}"
