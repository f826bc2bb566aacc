"""Short-time Fourier transforms that keep the phase, and their inverse."""

from audiopipe.composed.parts import compose, resolve_name
from audiopipe.layers import STFT, ComposedLayer, InverseSTFT, MagnitudePhase, PadBegin, RealImaginary
from audiopipe.signal import reconstruction, windows
from audiopipe.signal.framing import Framing


def get_stft_layer(
    input_shape: tuple[int | None, int | None] | None = None,
    n_fft: int = 2048,
    win_length: int | None = None,
    hop_length: int | None = None,
    window_name: str | None = None,
    pad_begin: bool = False,
    pad_end: bool = False,
    input_data_format: str = "default",
    output_data_format: str = "default",
    name: str | None = None,
) -> ComposedLayer:
    """Returns a layer that computes a short-time Fourier transform, with real and imaginary parts as channels.

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
        input_data_format: `"channels_last"`, `"channels_first"` or `"default"`, which follows Keras's setting.
        output_data_format: The same for the output.
        name: Name of the layer. None means a unique name such as `stft`.

    Returns:
        A `ComposedLayer` from `(batch, time, channels)` to `(batch, frames, n_fft // 2 + 1, 2 * channels)`; with
        `channels_first` from `(batch, channels, time)` to `(batch, 2 * channels, frames, n_fft // 2 + 1)`. The real
        parts of all channels come first, then the imaginary parts.

    Raises:
        ArgumentError: If an argument is out of range.

    Example:
        >>> layer = get_stft_layer(n_fft=512, hop_length=256)
        >>> layer(np.zeros((2, 16000, 1), "float32")).shape
        TensorShape([2, 61, 257, 2])
    """
    name = resolve_name(name, "stft")
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
    return compose([stft, RealImaginary(output_data_format, name=f"{name}_real_imaginary")], input_shape, name)


def get_stft_mag_phase(
    input_shape: tuple[int | None, int | None] | None,
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
    """Returns a layer that computes the magnitude and phase of a short-time Fourier transform, as channels.

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
        return_decibel: Whether to convert the magnitudes to decibels, see `MagnitudeToDecibel`.
        db_amin: Smaller magnitudes are raised to this one before the logarithm.
        db_ref_value: The magnitude that becomes 0 dB.
        db_dynamic_range: Dynamic range in decibels: smaller magnitudes are raised to the maximum of the clip minus this
            range. The clip is the whole row, unless the layer gets `lengths`, see `audiopipe.layers.ComposedLayer`.
        input_data_format: `"channels_last"`, `"channels_first"` or `"default"`, which follows Keras's setting.
        output_data_format: The same for the output.
        name: Name of the layer. None means a unique name such as `stft_mag_phase`.

    Returns:
        A `ComposedLayer` from `(batch, time, channels)` to `(batch, frames, n_fft // 2 + 1, 2 * channels)`; with
        `channels_first` from `(batch, channels, time)` to `(batch, 2 * channels, frames, n_fft // 2 + 1)`. The
        magnitudes of all channels come first, then the phases. A phase is in radians, and 0 at silence.

    Raises:
        ArgumentError: If an argument is out of range.

    Example:
        >>> layer = get_stft_mag_phase((16000, 2), n_fft=512, hop_length=256, return_decibel=True)
        >>> layer.output_shape
        (None, 61, 257, 4)
    """
    name = resolve_name(name, "stft_mag_phase")
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
    magnitude_phase = MagnitudePhase(
        return_decibel=return_decibel,
        db_amin=db_amin,
        db_ref_value=db_ref_value,
        db_dynamic_range=db_dynamic_range,
        data_format=output_data_format,
        name=f"{name}_magnitude_phase",
    )
    return compose([stft, magnitude_phase], input_shape, name)


def get_perfectly_reconstructing_stft_istft(
    stft_input_shape: tuple[int | None, int | None] | None = None,
    istft_input_shape: tuple[int | None, int | None, int | None] | None = None,
    n_fft: int = 2048,
    win_length: int | None = None,
    hop_length: int | None = None,
    forward_window_name: str | None = None,
    waveform_data_format: str = "default",
    stft_data_format: str = "default",
    stft_name: str | None = None,
    istft_name: str | None = None,
) -> tuple[ComposedLayer, ComposedLayer]:
    """Returns two layers: a short-time Fourier transform that keeps every sample, and its inverse.

    With `trim_begin = win_length - hop_length`, `istft(stft(x))[:, trim_begin : trim_begin + time]` equals `x` within
    1e-5 of full scale. The transform puts `trim_begin` zeros before the waveform, and enough zeros after it that every
    sample is in all its frames. The inverse keeps these zeros.

    Args:
        stft_input_shape: Shape of a clip without the batch, `(time, channels)` or `(channels, time)`, where a size may
            be None. If given, the layer is built at once.
        istft_input_shape: The same for a spectrogram, `(frames, n_fft // 2 + 1, channels)` or
            `(channels, frames, n_fft // 2 + 1)`.
        n_fft: Length of the Fourier transform, in samples.
        win_length: Length of the window, in samples, at most `n_fft`. None means `n_fft`.
        hop_length: Samples between neighbouring frames. None means `win_length // 4`.
        forward_window_name: `"hann_window"`, `"hamming_window"`, `"kaiser_window"`, `"kaiser_bessel_derived_window"`,
            `"vorbis_window"`, `"blackman_window"`, `"povey_window"`, `"rectangular_window"`, or None for
            `"hann_window"`.
        waveform_data_format: `"channels_last"`, `"channels_first"` or `"default"`, which follows Keras's setting.
        stft_data_format: The same for the spectrogram.
        stft_name: Name of the transform. None means a unique name such as `stft`.
        istft_name: Name of the inverse. None means a unique name such as `istft`.

    Returns:
        Two instances of `ComposedLayer`, from `(batch, time, channels)` to complex
        `(batch, frames, n_fft // 2 + 1, channels)` and back; with `channels_first` from `(batch, channels, time)` to
        complex `(batch, channels, frames, n_fft // 2 + 1)` and back.

    Raises:
        ArgumentError: If an argument is out of range, or frames of this window and hop cannot reconstruct every sample.

    Example:
        >>> stft, istft = get_perfectly_reconstructing_stft_istft(n_fft=512, hop_length=128)
        >>> waveform = np.random.default_rng(0).uniform(-1, 1, (2, 1000, 1)).astype("float32")
        >>> again = istft(stft(waveform))[:, 384 : 384 + 1000]
        >>> bool(np.abs(again - waveform).max() < 1e-5)
        True
    """
    istft_name = resolve_name(istft_name, "istft")
    stft_name = resolve_name(stft_name, "stft")
    framing = Framing.resolve(n_fft=n_fft, win_length=win_length, hop_length=hop_length)
    window_name = windows.canonical_window_name(forward_window_name)
    window = windows.window(window_name, framing.win_length)
    reconstruction.check_reconstruction(window_name, window, framing.hop_length)
    # STFT's own padding would be too long for a window that is shorter than the transform.
    pad = PadBegin(framing.win_length - framing.hop_length, waveform_data_format, name=f"{stft_name}_pad_begin")
    stft = STFT(
        n_fft=n_fft,
        win_length=win_length,
        hop_length=hop_length,
        window_name=window_name,
        pad_end=True,
        input_data_format=waveform_data_format,
        output_data_format=stft_data_format,
        name=f"{stft_name}_stft",
    )
    istft = InverseSTFT(
        n_fft=n_fft,
        win_length=win_length,
        hop_length=hop_length,
        forward_window_name=window_name,
        input_data_format=stft_data_format,
        output_data_format=waveform_data_format,
        name=f"{istft_name}_inverse_stft",
    )
    return compose([pad, stft], stft_input_shape, stft_name), compose([istft], istft_input_shape, istft_name)
