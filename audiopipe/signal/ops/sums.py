"""Sums in a fixed order."""

import tensorflow as tf

from audiopipe import checks


def pairwise_sum(values: tf.Tensor, axis: int = -1) -> tf.Tensor:
    """Sum over an axis: one half is added to the other, until one value is left.

    `tf.reduce_sum` leaves the order of a sum, and so its rounding, to the machine, and a graph reorders a chain of
    additions where it knows the shapes. Here a split stands between any two additions, so that their order is fixed,
    and rounding errors grow with the logarithm of the size only.

    Args:
        values: Tensor whose size along `axis` is known and at least 1.
        axis: The axis, which the result lacks.
    """
    size = values.shape[axis]
    while size > 1:
        half, odd = divmod(size, 2)
        first, second, *rest = tf.split(values, [half, half, odd] if odd else [half, half], axis=axis)
        values = tf.concat([first + second, *rest], axis=axis) if odd else first + second
        size = half + odd
    return tf.squeeze(values, axis)


def mix_down(waveform: tf.Tensor) -> tf.Tensor:
    """Mean over the channels: added from the first to the last, then multiplied with the rounded reciprocal.

    Order and reciprocal are part of the definition: a sum of floats depends on its order, and a graph may replace a
    division by a constant with such a product. The sum is a loop because a graph reorders a long chain of additions.
    `audiopipe.audio.mix_down` is the same computation in NumPy, where subnormal numbers are computed with and here
    are not: so samples below 2**-63 become zero first, unless there is nothing to add.

    Args:
        waveform: `[time, channels]`, with any number of channels, also an unknown one.

    Returns:
        `[time, 1]`.
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

    # A choice of branches, not of values: to look for inaudible samples takes a tenth of the time of a mel spectrogram.
    total = tf.cond(channels > 1, total_of_many, lambda: waveform[:, 0])
    return (total * (1 / tf.cast(channels, waveform.dtype)))[:, None]


def without_inaudible(waveform: tf.Tensor) -> tf.Tensor:
    """Samples with those below 2**-63, 380 dB below full scale, replaced by zero.

    Whether arithmetic takes a subnormal number for zero depends on the thread; see `audiopipe.audio.without_inaudible`.
    """
    inaudible = tf.abs(waveform) < tf.constant(checks.QUIETEST_SAMPLE, waveform.dtype)
    return tf.where(inaudible, tf.zeros([], waveform.dtype), waveform)
