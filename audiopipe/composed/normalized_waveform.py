"""Waveform with mean 0 and variance 1."""

from audiopipe.composed.parts import compose, resolve_name
from audiopipe.layers import ClipNormalization, ComposedLayer, Frame


def get_normalized_waveform_layer(
    input_shape: tuple[int | None, int | None] | None = None,
    variance_epsilon: float = 1e-7,
    name: str | None = None,
) -> ComposedLayer:
    """Returns a layer that normalizes a waveform to mean 0 and variance 1, as Wav2Vec2 and HuBERT expect it.

    The result is `(x - mean) / sqrt(variance + variance_epsilon)` over all samples of a clip and channel, as in
    `zero_mean_unit_var_norm` of
    https://github.com/huggingface/transformers/blob/v5.23.0/src/transformers/models/wav2vec2/feature_extraction_wav2vec2.py.
    A constant clip becomes 0. Each sample is a frame of one bin.

    Args:
        input_shape: Shape of a clip without the batch, `(time, channels)`, where a size may be None. If given, the
            layer is built at once.
        variance_epsilon: Number that is added to the variance, at least 0.
        name: Name of the layer. None means a unique name such as `normalized_waveform`.

    Returns:
        A `ComposedLayer` from `(batch, time, channels)` to `(batch, time, 1, channels)`. The layer takes each row of a
        batch for one clip unless it gets the `lengths` of the clips, see `audiopipe.layers.ComposedLayer`.

    Raises:
        ArgumentError: If an argument is out of range.

    Example:
        >>> layer = get_normalized_waveform_layer()
        >>> layer(np.array([[[1.0], [3.0]]], "float32")).numpy().ravel()
        array([-1.,  1.], dtype=float32)
    """
    name = resolve_name(name, "normalized_waveform")
    layers = [
        Frame(1, 1, data_format="channels_last", name=f"{name}_samples"),
        ClipNormalization(variance_epsilon=variance_epsilon, data_format="channels_last", name=f"{name}_normalization"),
    ]
    return compose(layers, input_shape, name)
