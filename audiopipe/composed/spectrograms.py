"""Spectrograms: magnitudes of a short-time Fourier transform, with or without a filterbank."""

from audiopipe.composed.parts import compose, decibel_layers, resolve_name
from audiopipe.layers import STFT, ApplyFilterbank, ComposedLayer, Magnitude
from audiopipe.signal.filterbanks import C1_HERTZ


def get_stft_magnitude_layer(
    input_shape: tuple[int | None, int | None] | None = None,
    n_fft: int = 2048,
    win_length: int | None = None,
    hop_length: int | None = None,
    window_name: str | None = None,
    pad_begin: bool = False,
    pad_end: bool = False,
    return_decibel: bool = False,
    db_amin: float = 1e-5,
    db_ref_value: float = 1.0,
    db_dynamic_range: float = 80.0,
    input_data_format: str = "default",
    output_data_format: str = "default",
    name: str | None = None,
) -> ComposedLayer:
    """Returns a layer that computes the magnitude of a short-time Fourier transform.

    Args:
        input_shape: Shape of a clip without the batch, `(time, channels)` or `(channels, time)`, where a size may be
            None. If given, the layer is built at once.
        n_fft: Length of the Fourier transform, in samples.
        win_length: Length of the window, in samples, at most `n_fft`. None means `n_fft`.
        hop_length: Samples between neighbouring frames. None means `win_length // 4`.
        window_name: `"hann_window"`, `"hamming_window"`, `"kaiser_window"`, `"kaiser_bessel_derived_window"`,
            `"vorbis_window"`, `"blackman_window"`, `"povey_window"`, `"rectangular_window"`, or None for
            `"hann_window"`.
        pad_begin: Whether to put `n_fft - hop_length` zeros before the waveform.
        pad_end: Whether to put zeros after the waveform, so that no sample is dropped.
        return_decibel: Whether to convert the result to decibels, see `MagnitudeToDecibel`.
        db_amin: Smaller values are raised to this one before the logarithm.
        db_ref_value: The value that becomes 0 dB.
        db_dynamic_range: Dynamic range in decibels: smaller values are raised to the maximum of the clip minus this
            range. The clip is the whole row, unless the layer gets `lengths`, see `audiopipe.layers.ComposedLayer`.
        input_data_format: `"channels_last"`, `"channels_first"` or `"default"`, which follows Keras's setting.
        output_data_format: The same for the output.
        name: Name of the layer. None means a unique name such as `stft_magnitude`.

    Returns:
        A `ComposedLayer` from `(batch, time, channels)` to `(batch, frames, n_fft // 2 + 1, channels)`; with
        `channels_first` from `(batch, channels, time)` to `(batch, channels, frames, n_fft // 2 + 1)`.

    Raises:
        ArgumentError: If an argument is out of range.

    Example:
        >>> layer = get_stft_magnitude_layer(n_fft=512, hop_length=256)
        >>> layer(np.zeros((2, 16000, 1), "float32")).shape
        TensorShape([2, 61, 257, 1])
        >>> [type(inner).__name__ for inner in layer.layers]
        ['STFT', 'Magnitude']
    """
    name = resolve_name(name, "stft_magnitude")
    stft = STFT(
        n_fft=n_fft,
        win_length=win_length,
        hop_length=hop_length,
        window_name=window_name,
        pad_begin=pad_begin,
        pad_end=pad_end,
        input_data_format=input_data_format,
        output_data_format=output_data_format,
        name=f"{name}_stft",
    )
    decibel = decibel_layers(name, return_decibel, db_ref_value, db_amin, db_dynamic_range)
    return compose([stft, Magnitude(name=f"{name}_magnitude"), *decibel], input_shape, name)


def get_melspectrogram_layer(
    input_shape: tuple[int | None, int | None] | None = None,
    n_fft: int = 2048,
    win_length: int | None = None,
    hop_length: int | None = None,
    window_name: str | None = None,
    pad_begin: bool = False,
    pad_end: bool = False,
    sample_rate: int = 22050,
    n_mels: int = 128,
    mel_f_min: float = 0.0,
    mel_f_max: float | None = None,
    mel_htk: bool = False,
    mel_norm: str | float | None = "slaney",
    return_decibel: bool = False,
    db_amin: float = 1e-5,
    db_ref_value: float = 1.0,
    db_dynamic_range: float = 80.0,
    input_data_format: str = "default",
    output_data_format: str = "default",
    name: str | None = None,
) -> ComposedLayer:
    """Returns a layer that computes a mel spectrogram: the magnitudes summed by a mel filterbank.

    Args:
        input_shape: Shape of a clip without the batch, `(time, channels)` or `(channels, time)`, where a size may be
            None. If given, the layer is built at once.
        n_fft: Length of the Fourier transform, in samples.
        win_length: Length of the window, in samples, at most `n_fft`. None means `n_fft`.
        hop_length: Samples between neighbouring frames. None means `win_length // 4`.
        window_name: `"hann_window"`, `"hamming_window"`, `"kaiser_window"`, `"kaiser_bessel_derived_window"`,
            `"vorbis_window"`, `"blackman_window"`, `"povey_window"`, `"rectangular_window"`, or None for
            `"hann_window"`.
        pad_begin: Whether to put `n_fft - hop_length` zeros before the waveform.
        pad_end: Whether to put zeros after the waveform, so that no sample is dropped.
        sample_rate: Samples per second of the waveform, in hertz.
        n_mels: Number of mel bands.
        mel_f_min: Lowest frequency of the filterbank, in hertz.
        mel_f_max: Highest frequency, in hertz. None means half the sample rate.
        mel_htk: Whether to use HTK's mel scale instead of Slaney's.
        mel_norm: `"slaney"` (equal area), a number or `"inf"` (p-norm), or None (peaks at 1).
        return_decibel: Whether to convert the result to decibels, see `MagnitudeToDecibel`.
        db_amin: Smaller values are raised to this one before the logarithm.
        db_ref_value: The value that becomes 0 dB.
        db_dynamic_range: Dynamic range in decibels: smaller values are raised to the maximum of the clip minus this
            range. The clip is the whole row, unless the layer gets `lengths`, see `audiopipe.layers.ComposedLayer`.
        input_data_format: `"channels_last"`, `"channels_first"` or `"default"`, which follows Keras's setting.
        output_data_format: The same for the output.
        name: Name of the layer. None means a unique name such as `melspectrogram`.

    Returns:
        A `ComposedLayer` from `(batch, time, channels)` to `(batch, frames, n_mels, channels)`; with
        `channels_first` from `(batch, channels, time)` to `(batch, channels, frames, n_mels)`.

    Raises:
        ArgumentError: If an argument is out of range.

    Example:
        >>> layer = get_melspectrogram_layer(sample_rate=16000, n_fft=512, hop_length=160, n_mels=80)
        >>> layer(np.zeros((2, 16000, 1), "float32")).shape
        TensorShape([2, 97, 80, 1])
    """
    name = resolve_name(name, "melspectrogram")
    magnitude = get_stft_magnitude_layer(
        n_fft=n_fft,
        win_length=win_length,
        hop_length=hop_length,
        window_name=window_name,
        pad_begin=pad_begin,
        pad_end=pad_end,
        input_data_format=input_data_format,
        output_data_format=output_data_format,
        name=name,
    )
    filterbank = {
        "sample_rate": sample_rate,
        "n_freq": n_fft // 2 + 1,
        "n_mels": n_mels,
        "f_min": mel_f_min,
        "f_max": mel_f_max,
        "htk": mel_htk,
        "norm": mel_norm,
        "n_fft": n_fft,
    }
    bands = ApplyFilterbank("mel", filterbank, output_data_format, name=f"{name}_filterbank")
    decibel = decibel_layers(name, return_decibel, db_ref_value, db_amin, db_dynamic_range)
    return compose([*magnitude.layers, bands, *decibel], input_shape, name)


def get_log_frequency_spectrogram_layer(
    input_shape: tuple[int | None, int | None] | None = None,
    n_fft: int = 2048,
    win_length: int | None = None,
    hop_length: int | None = None,
    window_name: str | None = None,
    pad_begin: bool = False,
    pad_end: bool = False,
    sample_rate: int = 22050,
    log_n_bins: int = 84,
    log_f_min: float | None = None,
    log_bins_per_octave: int = 12,
    log_spread: float = 0.125,
    return_decibel: bool = False,
    db_amin: float = 1e-5,
    db_ref_value: float = 1.0,
    db_dynamic_range: float = 80.0,
    input_data_format: str = "default",
    output_data_format: str = "default",
    name: str | None = None,
) -> ComposedLayer:
    """Returns a layer that computes a spectrogram whose bins are evenly spaced in octaves.

    Args:
        input_shape: Shape of a clip without the batch, `(time, channels)` or `(channels, time)`, where a size may be
            None. If given, the layer is built at once.
        n_fft: Length of the Fourier transform, in samples.
        win_length: Length of the window, in samples, at most `n_fft`. None means `n_fft`.
        hop_length: Samples between neighbouring frames. None means `win_length // 4`.
        window_name: `"hann_window"`, `"hamming_window"`, `"kaiser_window"`, `"kaiser_bessel_derived_window"`,
            `"vorbis_window"`, `"blackman_window"`, `"povey_window"`, `"rectangular_window"`, or None for
            `"hann_window"`.
        pad_begin: Whether to put `n_fft - hop_length` zeros before the waveform.
        pad_end: Whether to put zeros after the waveform, so that no sample is dropped.
        sample_rate: Samples per second of the waveform, in hertz.
        log_n_bins: Number of bins.
        log_f_min: Centre of the first bin, in hertz. None means C1, 32.70319566 Hz.
        log_bins_per_octave: Number of bins per octave.
        log_spread: Standard deviation of a filter, as a fraction of the distance between neighbouring bins.
        return_decibel: Whether to convert the result to decibels, see `MagnitudeToDecibel`.
        db_amin: Smaller values are raised to this one before the logarithm.
        db_ref_value: The value that becomes 0 dB.
        db_dynamic_range: Dynamic range in decibels: smaller values are raised to the maximum of the clip minus this
            range. The clip is the whole row, unless the layer gets `lengths`, see `audiopipe.layers.ComposedLayer`.
        input_data_format: `"channels_last"`, `"channels_first"` or `"default"`, which follows Keras's setting.
        output_data_format: The same for the output.
        name: Name of the layer. None means a unique name such as `log_frequency_spectrogram`.

    Returns:
        A `ComposedLayer` from `(batch, time, channels)` to `(batch, frames, log_n_bins, channels)`; with
        `channels_first` from `(batch, channels, time)` to `(batch, channels, frames, log_n_bins)`.

    Raises:
        ArgumentError: If an argument is out of range or the bins extend beyond half the sample rate.

    Warns:
        UserWarning: If a filter is so narrow that it reaches no frequency bin, so that its output is always zero.

    Example:
        >>> layer = get_log_frequency_spectrogram_layer(n_fft=2048, hop_length=512)
        >>> layer(np.zeros((1, 22050, 1), "float32")).shape
        TensorShape([1, 40, 84, 1])
    """
    name = resolve_name(name, "log_frequency_spectrogram")
    magnitude = get_stft_magnitude_layer(
        n_fft=n_fft,
        win_length=win_length,
        hop_length=hop_length,
        window_name=window_name,
        pad_begin=pad_begin,
        pad_end=pad_end,
        input_data_format=input_data_format,
        output_data_format=output_data_format,
        name=name,
    )
    filterbank = {
        "sample_rate": sample_rate,
        "n_freq": n_fft // 2 + 1,
        "n_bins": log_n_bins,
        "bins_per_octave": log_bins_per_octave,
        "f_min": C1_HERTZ if log_f_min is None else log_f_min,
        "spread": log_spread,
        "n_fft": n_fft,
    }
    bins = ApplyFilterbank("log", filterbank, output_data_format, name=f"{name}_filterbank")
    decibel = decibel_layers(name, return_decibel, db_ref_value, db_amin, db_dynamic_range)
    return compose([*magnitude.layers, bins, *decibel], input_shape, name)
