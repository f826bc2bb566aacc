"""Export of models to TFLite with built-in operators only."""

import keras
import tensorflow as tf

from audiopipe import checks
from audiopipe.errors import ArgumentError
from audiopipe.signal import real_arithmetic


def to_tflite(model: keras.layers.Layer, input_shape: tuple[int, ...], batch_size: int = 1) -> bytes:
    """Converts a composed layer, or a model that contains composed layers, to TFLite.

    Composed layers are exported in real arithmetic. The Fourier transform of TFLite supports powers of two only. For
    any other `n_fft`, a matrix product replaces it, which is exact but slower and adds
    `8 * win_length * (n_fft // 2 + 1)` bytes. The model that you pass is not changed.

    Args:
        model: A composed layer, or a Keras model with one input.
        input_shape: Shape of one example without the batch, for a waveform `(time, channels)` or `(channels, time)` as
            the model expects it. All sizes are fixed.
        batch_size: Number of clips per batch.

    Returns:
        The content of a `.tflite` file. A composed layer with a complex result has two outputs, the real and the
        imaginary part, in an order that TFLite chooses.

    Raises:
        ArgumentError: If `input_shape` is empty, or a size is not a positive integer.

    Example:
        >>> from audiopipe import composed
        >>> content = to_tflite(composed.get_stft_magnitude_layer(n_fft=400), input_shape=(16000, 1))
        >>> content[4:8]
        b'TFL3'
    """
    if not input_shape:
        raise ArgumentError(f"input_shape must have at least one dimension. Received: input_shape={input_shape!r}.")
    sizes = [checks.integer("input_shape", size, minimum=1) for size in input_shape]
    sizes = [checks.integer("batch_size", batch_size, minimum=1), *sizes]
    function = tf.function(model, input_signature=[tf.TensorSpec(sizes, tf.float32)])
    with real_arithmetic.activated():
        concrete = function.get_concrete_function()
    converter = tf.lite.TFLiteConverter.from_concrete_functions([concrete])
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
    return converter.convert()
