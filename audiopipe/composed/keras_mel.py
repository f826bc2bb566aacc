"""Mel spectrogram of Keras for clips with channels."""

from collections.abc import Sequence

from audiopipe.composed.parts import compose, resolve_name
from audiopipe.layers import ComposedLayer, MelSpectrogram
from audiopipe.layers.audio_layer import resolve_data_format


def get_keras_melspectrogram_layer(
    input_shape: tuple[int | None, int | None] | None = None,
    fft_length: int = 2048,
    sequence_stride: int = 512,
    sequence_length: int | None = None,
    window: str | Sequence[float] | None = "hann",
    sample_rate: int = 16000,
    num_mel_bins: int = 128,
    min_freq: float = 20.0,
    max_freq: float | None = None,
    power_to_db: bool = True,
    top_db: float = 80.0,
    mag_exp: float = 2.0,
    min_power: float = 1e-10,
    ref_power: float = 1.0,
    input_data_format: str = "default",
    output_data_format: str = "default",
    name: str | None = None,
) -> ComposedLayer:
    """Returns a layer that computes the mel spectrogram of `keras.layers.MelSpectrogram` for each channel of a clip.

    The arguments are those of `audiopipe.layers.MelSpectrogram`, except that `sampling_rate` is called `sample_rate`
    as in every composed layer.

    Args:
        input_shape: Shape of a clip without the batch, `(time, channels)` or `(channels, time)`, where a size may be
            None. If given, the layer is built at once.
        fft_length: Length of the Fourier transform, in samples.
        sequence_stride: Samples between neighbouring frames.
        sequence_length: Length of the window, in samples, at most `fft_length`. None means `fft_length`.
        window: `"hann"`, `"hamming"`, the `sequence_length` values of the window, or None for no window. Without a
            window, a frame has `fft_length` samples and `sequence_length` has no effect, as in Keras.
        sample_rate: Samples per second of the waveform, in hertz; Keras's `sampling_rate`.
        num_mel_bins: Number of mel bands.
        min_freq: Lowest frequency of the filterbank, in hertz.
        max_freq: Highest frequency, in hertz. None means `sample_rate // 2`.
        power_to_db: Whether to convert the result to decibels.
        top_db: Dynamic range in decibels: smaller values are raised to the maximum of the clip, over all its channels,
            minus `top_db`. The clip is the whole row, unless the layer gets `lengths`, see
            `audiopipe.layers.ComposedLayer`.
        mag_exp: Exponent of the magnitude, greater than 0: 1 for magnitudes, 2 for powers.
        min_power: Smaller values are raised to this one before the logarithm.
        ref_power: The value that becomes 0 dB.
        input_data_format: `"channels_last"`, `"channels_first"` or `"default"`, which follows Keras's setting.
        output_data_format: The same for the output.
        name: Name of the layer. None means a unique name such as `keras_melspectrogram`.

    Returns:
        A `ComposedLayer` from `(batch, time, channels)` to `(batch, frames, num_mel_bins, channels)`; with
        `channels_first` from `(batch, channels, time)` to `(batch, channels, frames, num_mel_bins)`. Frames come
        before bands, as in every composed layer; in Keras's layer they come after.

    Raises:
        ArgumentError: If an argument is out of range.

    Example:
        >>> layer = get_keras_melspectrogram_layer(fft_length=512, sequence_stride=160, num_mel_bins=40)
        >>> layer(np.zeros((2, 16000, 1), "float32")).shape
        TensorShape([2, 101, 40, 1])
    """
    name = resolve_name(name, "keras_melspectrogram")
    mel = MelSpectrogram(
        fft_length=fft_length,
        sequence_stride=sequence_stride,
        sequence_length=sequence_length,
        window=window,
        sampling_rate=sample_rate,
        num_mel_bins=num_mel_bins,
        min_freq=min_freq,
        max_freq=max_freq,
        power_to_db=power_to_db,
        top_db=top_db,
        mag_exp=mag_exp,
        min_power=min_power,
        ref_power=ref_power,
        name=name,
    )
    input_data_format = resolve_data_format("input_data_format", input_data_format)
    output_data_format = resolve_data_format("output_data_format", output_data_format)
    return compose(mel.stages(input_data_format, output_data_format, name), input_shape, name)
