"""Sums in a fixed order."""

import tensorflow as tf

from audiopipe import checks

NEIGHBOURS = 64  # values that `ordered_sum` adds in pairs


def pairwise_sum(values: tf.Tensor, axis: int = -1) -> tf.Tensor:
    """Sums over an axis by adding one half to the other until one value is left.

    The order of `tf.reduce_sum`, and so its rounding, depends on the machine, and a graph reorders a chain of additions
    of known shapes. Here a split between any two additions fixes their order. Rounding errors grow only with the
    logarithm of the size.

    Args:
        values: Tensor with a static size of at least 1 along `axis`.
        axis: The axis to sum over. The result does not have it.
    """
    size = values.shape[axis]
    while size > 1:
        half, odd = divmod(size, 2)
        first, second, *rest = tf.split(values, [half, half, odd] if odd else [half, half], axis=axis)
        values = tf.concat([first + second, *rest], axis=axis) if odd else first + second
        size = half + odd
    return tf.squeeze(values, axis)


def ordered_sum(values: tf.Tensor, axis: int) -> tf.Tensor:
    """Sums over an axis of any size, which may be unknown, for example over the frames of a clip.

    The place of a value alone determines how it is added: 64 neighbours in pairs, 64 of these sums in pairs, and the
    sums of 4096 values from first to last. Zeros at the end do not change the result, nor do other clips of a batch.

    Args:
        values: Tensor with a known rank.
        axis: The axis to sum over, counted from the front.

    Returns:
        Tensor of the same shape, but with size 1 along `axis`. A sum of no values is 0.
    """

    @tf.custom_gradient
    def total(values: tf.Tensor):
        shape = tf.shape(values)
        before, after = tf.reduce_prod(shape[:axis]), tf.reduce_prod(shape[axis + 1 :])
        size = values.shape[axis]
        sums = tf.reshape(values, [before, shape[axis] if size is None else size, after])
        sums = _first_to_last(_sums_of_neighbours(_sums_of_neighbours(sums)))
        sums = tf.reshape(sums, tf.concat([shape[:axis], [1], shape[axis + 1 :]], axis=0))
        # A gradient of this form needs no memory for each step, and XLA compiles it for clips of any length.
        return sums, lambda upstream: tf.broadcast_to(upstream, shape)

    return total(values)


def _sums_of_neighbours(values: tf.Tensor) -> tf.Tensor:
    """Sums `[before, size, after]` in groups of 64, of which there is at least one: `[before, groups, after]`."""
    size = tf.shape(values)[1] if values.shape[1] is None else values.shape[1]
    smallest = max(size, 1) if isinstance(size, int) else tf.maximum(size, 1)
    groups = -(-smallest // NEIGHBOURS)
    before, after = tf.shape(values)[0], tf.shape(values)[2]
    zeros = tf.zeros([before, groups * NEIGHBOURS - size, after], values.dtype)
    filled = tf.concat([values, zeros], axis=1)
    return pairwise_sum(tf.reshape(filled, [before, groups, NEIGHBOURS, after]), axis=2)


def _first_to_last(values: tf.Tensor) -> tf.Tensor:
    """Sums `[before, size, after]` from first to last, which gives `[before, after]`."""
    if values.shape[1] == 1:
        return values[:, 0]
    return tf.while_loop(
        lambda index, _: index < tf.shape(values)[1],
        lambda index, total: (index + 1, total + values[:, index]),
        (tf.constant(1), values[:, 0]),
    )[1]


def mix_down(waveform: tf.Tensor) -> tf.Tensor:
    """Computes the mean over the channels: their sum from first to last, times the rounded reciprocal of their number.

    The order and the reciprocal are part of the definition, because a sum of floats depends on its order and a graph
    may replace a division by a constant with such a product. The sum is a loop because a graph reorders a long chain of
    additions.

    `audiopipe.audio.mix_down` is the same computation in NumPy. NumPy computes with subnormal numbers and TensorFlow
    does not. With two or more channels, samples below 2**-63 therefore become zero first.

    Args:
        waveform: Tensor of shape `[time, channels]`. The number of channels may be unknown.

    Returns:
        Tensor of shape `[time, 1]`.
    """
    if waveform.shape[-1] == 1:
        return waveform
    channels = tf.shape(waveform)[-1]

    def total_of_many() -> tf.Tensor:
        audible = without_inaudible(waveform)
        return tf.while_loop(
            lambda index, _: index < channels,
            lambda index, total: (index + 1, total + audible[:, index]),
            (tf.constant(1), audible[:, 0]),
        )[1]

    # tf.cond, not tf.where: the search for inaudible samples takes a tenth of the time of a mel spectrogram.
    total = tf.cond(channels > 1, total_of_many, lambda: waveform[:, 0])
    return (total * (1 / tf.cast(channels, waveform.dtype)))[:, None]


def without_inaudible(waveform: tf.Tensor) -> tf.Tensor:
    """Replaces samples below 2**-63, 380 dB below full scale, by zero.

    Some threads flush subnormal numbers to zero and others do not; see `audiopipe.audio.without_inaudible`.
    """
    inaudible = tf.abs(waveform) < tf.constant(checks.QUIETEST_SAMPLE, waveform.dtype)
    return tf.where(inaudible, tf.zeros([], waveform.dtype), waveform)
