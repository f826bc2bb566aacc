"""Log-mel spectrograms of every front end."""

from audiopipe.composed.log_mel_chain import LogMelChain
from audiopipe.composed.parts import compose, resolve_name
from audiopipe.layers import ComposedLayer
from audiopipe.signal import log_mel


def get_log_mel_layer(
    input_shape: tuple[int | None, int | None] | None = None,
    sample_rate: int = 16000,
    clip_seconds: float | None = None,
    short_clips: str | None = None,
    long_clips: str | None = None,
    gain: float = 1.0,
    preemphasis: float = 0.0,
    preemphasis_of: str | None = None,
    n_fft: int = 512,
    win_length: int | None = None,
    hop_length: int | None = None,
    window: str = "hann",
    periodic: bool | None = None,
    frame_length: int | None = None,
    window_position: str | None = None,
    edges: str = "center",
    pad_mode: str | None = None,
    remove_dc_offset: bool = False,
    power: float = 2.0,
    magnitude_offset: float = 0.0,
    n_mels: int = 80,
    f_min: float = 0.0,
    f_max: float | None = None,
    mel_scale: str = "htk",
    mel_norm: str | None = None,
    mel_triangles: str = "hertz",
    log: str | None = "ln",
    log_floor: float | None = None,
    log_factor: float = 1.0,
    log_offset: float = 0.0,
    top_db: float | None = None,
    normalization: str | None = None,
    ddof: int = 0,
    std_epsilon: float = 0.0,
    variance_epsilon: float = 0.0,
    center_value: float = 0.0,
    scale_value: float = 1.0,
    stack_frames: int = 1,
    fixed_frames: int | None = None,
    masked_frames: int = 0,
    padding_value: float | None = None,
    input_data_format: str = "default",
    output_data_format: str = "default",
    name: str | None = None,
    warn_of_empty_bands: bool = True,
) -> ComposedLayer:
    """Returns a layer that computes a log-mel spectrogram as librosa, torchaudio, Kaldi or a published model does.

    The arguments between `input_shape` and `name` are the fields of `audiopipe.configs.LogMel`, which says what each of
    them is called in librosa, torchaudio and Kaldi, and what None means.

    `normalization`, `top_db` and the fixed lengths depend on the whole clip. The layer takes each row of a batch for
    one clip unless it gets the `lengths` of the clips, see `audiopipe.layers.ComposedLayer`.

    Args:
        input_shape: Shape of a clip without the batch, `(time, channels)` or `(channels, time)`, where a size may be
            None. If given, the layer is built at once.
        sample_rate: Samples per second of the waveform, in hertz.
        clip_seconds: Length that clips get before anything else, in seconds.
        short_clips: What fills shorter clips: `"pad"` (zeros) or `"repeat"` (repetitions).
        long_clips: What happens to longer clips: `"cut"` or `"error"`.
        gain: Factor on the samples.
        preemphasis: Coefficient of the pre-emphasis, at least 0 and less than 1.
        preemphasis_of: What is filtered: `"waveform"` or each `"frame"`.
        n_fft: Length of the Fourier transform, in samples.
        win_length: Length of the window, in samples.
        hop_length: Samples between neighbouring frames.
        window: `"hann"`, `"hamming"`, `"povey"`, `"blackman"` or `"rectangular"`.
        periodic: Whether the window is periodic instead of symmetric.
        frame_length: Number of samples that a frame needs.
        window_position: Where the window lies in the frame: `"start"` or `"center"`.
        edges: How frames meet the ends of a clip: `"snip"`, `"center"`, `"same"` or `"midpoint"`.
        pad_mode: What extends a clip: `"constant"`, `"reflect"` or `"symmetric"`.
        remove_dc_offset: Whether to subtract the mean of each frame.
        power: 1.0 for magnitudes, 2.0 for powers.
        magnitude_offset: Number that is added under the root of magnitudes.
        n_mels: Number of mel bands.
        f_min: Lowest frequency of the bands, in hertz.
        f_max: Highest frequency, in hertz.
        mel_scale: `"htk"` or `"slaney"`.
        mel_norm: `"slaney"` for bands of the same area, None for the same peak.
        mel_triangles: Scale over which the sides of the bands are straight: `"hertz"` or `"mel"`.
        log: `"ln"`, `"log10"`, `"db"` or None.
        log_floor: Smaller mel values are raised to it before the logarithm.
        log_factor: Factor on the mel values in the logarithm.
        log_offset: Number that is added in the logarithm.
        top_db: Dynamic range of a clip, in decibels.
        normalization: `"clip"` normalizes each bin over the frames of the clip.
        ddof: The variance is divided by the number of frames minus `ddof`, 0 or 1.
        std_epsilon: Number that is added to the standard deviation.
        variance_epsilon: Number that is added to the variance.
        center_value: Number that is subtracted from the feature.
        scale_value: Number that the difference is divided by.
        stack_frames: Number of neighbouring frames that become one row.
        fixed_frames: Number of rows that each clip gets.
        masked_frames: Number of frames at the end of each clip that hold padding.
        padding_value: Value of padding before `center_value` and `scale_value`. None means silence.
        input_data_format: `"channels_last"`, `"channels_first"` or `"default"`, which follows Keras's setting.
        output_data_format: The same for the output.
        name: Name of the layer. None means a unique name such as `log_mel`.
        warn_of_empty_bands: Whether to warn of mel bands that reach no frequency bin. Some published front ends have
            such bands.

    Returns:
        A `ComposedLayer` from `(batch, time, channels)` to `(batch, frames, bins, channels)`; with `channels_first`
        from `(batch, channels, time)` to `(batch, channels, frames, bins)`. There are `stack_frames * n_mels` bins.

    Raises:
        ArgumentError: If an argument is out of range or contradicts another one.

    Example:
        >>> layer = get_log_mel_layer(win_length=400, hop_length=160, edges="snip", window="povey")
        >>> layer(np.zeros((2, 16000, 1), "float32")).shape
        TensorShape([2, 98, 80, 1])
    """
    values = log_mel.resolve(locals())
    chain = LogMelChain(
        values, input_data_format, output_data_format, resolve_name(name, "log_mel"), warn_of_empty_bands
    )
    return compose(chain.layers(), input_shape, chain.name, log_mel.padding(values))
