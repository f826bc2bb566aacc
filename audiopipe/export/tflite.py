"""Models for TFLite, with its built-in operators only."""

import keras
import tensorflow as tf

from audiopipe import checks
from audiopipe.errors import ArgumentError
from audiopipe.signal import real_arithmetic


def to_tflite(model: keras.layers.Layer, input_shape: tuple[int, ...], batch_size: int = 1) -> bytes:
    """Convert a composed layer, or a model that has some in it, to TFLite.

    The composed layers are exported in real arithmetic. Where `n_fft` is no power of two, which TFLite's own Fourier
    transform does not take, a product with a matrix stands in its place: it is exact and slower, and adds
    `8 * win_length * (n_fft // 2 + 1)` bytes. The model that you pass is not changed.

    Args:
        model: A composed layer, or a Keras model with one input.
        input_shape: Shape of one example without the batch, for a waveform `(time, channels)` or `(channels, time)` as
            the model has it. All sizes are fixed.
        batch_size: Clips of a batch.

    Returns:
        The content of a `.tflite` file. A composed layer whose result is complex has two outputs there: the real and
        the imaginary part.

    Raises:
        ArgumentError: If a size is unknown.

    Example:
        >>> from audiopipe import composed
        >>> content = to_tflite(composed.get_stft_magnitude_layer(n_fft=400), input_shape=(16000, 1))
        >>> content[4:8]
        b'TFL3'
    """
    if not input_shape:
        raise ArgumentError(f"input_shape must have the sizes of one example. Received: input_shape={input_shape!r}.")
    sizes = [checks.integer("input_shape", size, minimum=1) for size in input_shape]
    sizes = [checks.integer("batch_size", batch_size, minimum=1), *sizes]
    function = tf.function(model, input_signature=[tf.TensorSpec(sizes, tf.float32)])
    with real_arithmetic.activated():
        concrete = function.get_concrete_function()
    converter = tf.lite.TFLiteConverter.from_concrete_functions([concrete])
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
    return converter.convert()
