"""The tensor operations that layers share, each bit-stable and with finite gradients.

Bit-stable means: what comes out for a clip does not depend on the size of the batch, on the clip's place in it, on the
rank, or on how many threads computed it. Plain TensorFlow operations do not all have this property (see each function).
"""

import math
from collections.abc import Callable, Sequence

import keras
import numpy as np
import tensorflow as tf

from audiopipe import checks, compiled
from audiopipe.errors import MissingDependencyError

if keras.backend.backend() != "tensorflow":
    raise MissingDependencyError(
        "audiopipe's layers compute with TensorFlow and need Keras to run on it. Received: the Keras backend "
        f"{keras.backend.backend()!r}. Set the environment variable KERAS_BACKEND=tensorflow before Keras is imported."
    )

# Vectorised kernels treat the last few values of a buffer, those that do not fill a SIMD register, with other code and
# so other rounding. 16 float32 fill the widest register of today's CPUs (AVX-512).
SIMD_WIDTH = 16


def frame(
    waveform: tf.Tensor, frame_length: int, hop_length: int, pad_end: bool, pad_value: float = 0.0, axis: int = -1
) -> tf.Tensor:
    """Cut an axis into overlapping frames.

    Args:
        waveform: `[..., time, ...]`.
        frame_length: Samples of a frame.
        hop_length: Samples between the starts of neighbouring frames.
        pad_end: Whether `pad_value` follows, so that every sample is the start of a frame or within one.
        pad_value: What follows.
        axis: Where time is.

    Returns:
        `[..., frames, frame_length, ...]`.
    """
    options = {"pad_end": pad_end, "pad_value": pad_value}
    outer = waveform.shape[:-1]
    if axis != -1 or any(size != 1 for size in outer):
        return tf.signal.frame(waveform, frame_length, hop_length, axis=axis, **options)
    # The start of a tensor is no copy along its first axis, and is one along any other.
    frames = tf.signal.frame(tf.reshape(waveform, [-1]), frame_length, hop_length, **options)
    return tf.reshape(frames, [*outer, -1, frame_length])


def without_inaudible(waveform: tf.Tensor) -> tf.Tensor:
    """Samples with those below 2**-63, 380 dB below full scale, replaced by zero.

    Whether arithmetic takes a subnormal number for zero depends on the thread; see `audiopipe.audio.without_inaudible`.
    """
    inaudible = tf.abs(waveform) < tf.constant(checks.QUIETEST_SAMPLE, waveform.dtype)
    return tf.where(inaudible, tf.zeros([], waveform.dtype), waveform)


def rfft(frames: tf.Tensor, n_fft: int) -> tf.Tensor:
    """Fourier transform of real frames.

    TensorFlow's takes subnormal numbers for zero in any thread, but for one sample, of which it makes a copy.

    Args:
        frames: `[..., n_fft]`.
        n_fft: Length of the transform.

    Returns:
        Complex `[..., n_fft // 2 + 1]`.
    """
    return tf.signal.rfft(without_inaudible(frames) if n_fft == 1 else frames, [n_fft])


@tf.custom_gradient
def magnitude(spectrogram: tf.Tensor):
    """Magnitude of complex values, of which those up to 2**-50 (in complex128 2**-498) are zero.

    `tf.abs` computes hypotenuses that neither overflow nor vanish for any float, one value after the other, which takes
    as long as the Fourier transform. These are roots of sums of squares, for which processors have instructions.
    Squares of small values are subnormal numbers, which some threads take for zero: 2**-100 is subtracted from a sum,
    so far above them that nothing of them is left, and rounded away where the magnitude is above 2**-38, 229 dB below
    full scale. From 2**63 on, magnitudes are infinite. The gradient at zero is zero, where that of a root is NaN.

    Args:
        spectrogram: Complex tensor of any shape.

    Returns:
        Real tensor of the same shape.
    """
    magnitudes = (compiled.magnitude if compiled.is_worth_it(spectrogram) else compiled.operations)(spectrogram)

    def gradient(upstream: tf.Tensor) -> tf.Tensor:
        directions = tf.math.divide_no_nan(spectrogram, tf.cast(magnitudes, spectrogram.dtype))
        return tf.cast(upstream, spectrogram.dtype) * directions

    return magnitudes, gradient


def phase(spectrogram: tf.Tensor) -> tf.Tensor:
    """Angle of complex values in radians, and 0 at silence, as is the gradient.

    `tf.math.angle` is pi where silence is a negative zero, NaN for subnormal values, and its gradient at zero is NaN.
    """
    silent = _is_silent(tf.math.real(spectrogram), tf.math.imag(spectrogram))
    return tf.math.angle(tf.where(silent, tf.ones([], spectrogram.dtype), spectrogram))


def phase_of_parts(real: tf.Tensor, imaginary: tf.Tensor) -> tf.Tensor:
    """`phase` of values whose parts are apart, without complex tensors. Not bit-stable: `atan2` is not."""
    silent = _is_silent(real, imaginary)
    zero, one = tf.zeros([], real.dtype), tf.ones([], real.dtype)
    return tf.math.atan2(tf.where(silent, zero, imaginary), tf.where(silent, one, real))


def _is_silent(real: tf.Tensor, imaginary: tf.Tensor) -> tf.Tensor:
    """Whether both parts are so small that the square of the magnitude, by which gradients divide, is subnormal.

    That is 2**-63 in float32, 380 dB below full scale. The squares themselves are not compared, because whether a
    subnormal number is taken for zero depends on the thread.
    """
    smallest = math.sqrt(np.finfo(real.dtype.as_numpy_dtype).tiny)
    return tf.maximum(tf.abs(real), tf.abs(imaginary)) < tf.constant(smallest, real.dtype)


def apply_filterbank(spectrogram: tf.Tensor, filterbank: tf.Tensor) -> tf.Tensor:
    """Multiply the last axis with a matrix.

    `tf.matmul` and `tf.tensordot` round differently for other ranks, for a single frame and for other numbers of
    threads; this form of `einsum` does not.

    Args:
        spectrogram: `[..., frequency]`.
        filterbank: `[frequency, bins]`, of the same dtype.

    Returns:
        `[..., bins]`.
    """
    return tf.einsum("...f,fm->...m", spectrogram, filterbank)


def apply_in_parts(spectrogram: tf.Tensor, filterbank: tf.Tensor, parts: Sequence[tuple[int, np.ndarray]]) -> tf.Tensor:
    """`apply_filterbank` with a filterbank that was cut into parts, without most of its zeros.

    The gradient is that of the whole filterbank, in one product: to add those of the parts takes longer.

    Args:
        spectrogram: `[..., frequency]`.
        filterbank: `[frequency, bins]`, of the same dtype.
        parts: What `audiopipe.banded.parts` gives of it. Fewer than two mean the whole.

    Returns:
        `[..., bins]`.
    """
    if len(parts) < 2:
        return apply_filterbank(spectrogram, filterbank)

    @tf.custom_gradient
    def product(spectrogram: tf.Tensor):
        cut = [(spectrogram[..., first : first + len(weights)], tf.constant(weights)) for first, weights in parts]
        bands = tf.concat([apply_filterbank(bins, weights) for bins, weights in cut], axis=-1)
        return bands, lambda upstream: tf.einsum("...m,fm->...f", upstream, filterbank)

    return product(spectrogram)


def combine_bins(
    spectrogram: tf.Tensor,
    matrix: tf.Tensor,
    data_format: str,
    parts: Sequence[tuple[int, np.ndarray]] = (),
) -> tf.Tensor:
    """Multiply the bins of a batch of spectrograms with a matrix, see `apply_filterbank`.

    Args:
        spectrogram: `[batch, frames, bins, channels]`, or `[batch, channels, frames, bins]` for `channels_first`.
        matrix: `[bins, new bins]`, of the same dtype.
        data_format: `"channels_last"` or `"channels_first"`.
        parts: The matrix cut into parts, see `apply_in_parts`.

    Returns:
        The same with `new bins`.
    """
    if data_format == "channels_first":
        return apply_in_parts(spectrogram, matrix, parts)
    return tf.transpose(apply_in_parts(tf.transpose(spectrogram, [0, 3, 1, 2]), matrix, parts), [0, 2, 3, 1])


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


def overlap_add(frames: tf.Tensor, hop_length: int) -> tf.Tensor:
    """Add overlapping frames: the inverse of `frame`.

    `tf.signal.overlap_and_add` rounds differently for other batches where the hop is a few samples, and where it is
    longer than the frame it is wrong.

    Args:
        frames: `[..., frames, frame_length]`, of a known frame length.
        hop_length: Samples between the starts of neighbouring frames.

    Returns:
        `[..., time]` with `(frames - 1) * hop_length + frame_length` samples, or none where there are no frames.
    """
    frame_length = frames.shape[-1]
    segments = -(-frame_length // hop_length)
    outer, count = tf.shape(frames)[:-2], tf.shape(frames)[-2]
    untouched = [[0, 0]] * (frames.shape.rank - 2)

    def reshape(tensor: tf.Tensor, inner: list) -> tf.Tensor:
        return tf.reshape(tensor, tf.concat([outer, inner], axis=0))

    # Segments are as long as a hop. Rows hold the first segments of all frames, the second ones, and so on, each row
    # with zeros behind it. Cutting the rows' common buffer into rows that are one segment shorter shifts each row by
    # one segment against the row before, which puts below one another what has to be added.
    padded = tf.pad(frames, [*untouched, [0, segments], [0, segments * hop_length - frame_length]])
    rows = tf.experimental.numpy.swapaxes(reshape(padded, [count + segments, segments, hop_length]), -3, -2)
    samples = (count + segments - 1) * hop_length
    shifted = reshape(reshape(rows, [-1])[..., : segments * samples], [segments, samples])
    n_samples = tf.minimum(count, 1) * ((count - 1) * hop_length + frame_length)
    return pairwise_sum(shifted, axis=-2)[..., :n_samples]


def log10(values: tf.Tensor, factor: float = 1.0) -> tf.Tensor:
    """`factor * log10(values)` of positive values, with the same bits wherever a value stands in memory.

    The factor belongs to the operation because a graph folds two constant factors into one, with other rounding than
    the same two products done eagerly.
    """
    return in_whole_registers(lambda x: tf.math.log(x) * tf.constant(factor / math.log(10), x.dtype), values)


def power(values: tf.Tensor, exponent: float) -> tf.Tensor:
    """`values ** exponent` of values that are not negative, with the same bits wherever a value stands in memory.

    A graph replaces the exponents 0.5, 2 and 3 by a root and products, an eager call does not: so they are written as
    such here. The gradient at zero is zero, also where that of the formula is infinite.

    Args:
        values: Not negative. Subnormal values count as zero.
        exponent: Greater than 0.
    """
    if exponent == 1:
        return values
    if exponent == 2:
        return values * values
    if exponent == 3:
        return values * values * values
    positive = values >= np.finfo(values.dtype.as_numpy_dtype).tiny
    values = tf.where(positive, values, tf.ones([], values.dtype))
    if exponent == 0.5:
        powers = tf.sqrt(values)
    else:
        powers = in_whole_registers(lambda x: tf.pow(x, tf.constant(exponent, x.dtype)), values)
    return tf.where(positive, powers, tf.zeros([], values.dtype))


def log1p(values: tf.Tensor) -> tf.Tensor:
    """`log(1 + values)` of values above -1, with the same bits wherever a value stands in memory."""
    return in_whole_registers(tf.math.log1p, values)


def expm1(values: tf.Tensor) -> tf.Tensor:
    """`exp(values) - 1`, with the same bits wherever a value stands in memory."""
    return in_whole_registers(tf.math.expm1, values)


def in_whole_registers(function: Callable[[tf.Tensor], tf.Tensor], values: tf.Tensor) -> tf.Tensor:
    """Apply a function of single values to a buffer that is filled up to a multiple of the SIMD width with ones.

    Kernels such as `tf.math.log` and `tf.pow` round the tail of a buffer, where it fills no register, differently from
    the rest. So filled, a value has the same result wherever it stands. Nothing is filled up where the known part of
    the shape says that the buffer is full: with 80 mels, for example, for any number of frames.
    """
    if math.prod(size for size in values.shape if size is not None) % SIMD_WIDTH == 0:
        return function(values)
    flat = tf.reshape(values, [-1])
    size = tf.size(flat)
    filled = tf.pad(flat, [[0, -size % SIMD_WIDTH]], constant_values=tf.ones([], values.dtype))
    return tf.reshape(function(filled)[:size], tf.shape(values))


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
