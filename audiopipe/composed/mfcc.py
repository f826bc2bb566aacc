"""Mel-frequency cepstral coefficients."""

from audiopipe.composed.log_mel_chain import LogMelChain
from audiopipe.composed.parts import compose, resolve_name
from audiopipe.layers import ComposedLayer, Deltas, LogmelToMFCC
from audiopipe.layers.audio_layer import AudioLayer
from audiopipe.signal import log_mel, mfcc


def get_mfcc_layer(  # noqa: D417
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
    n_mfcc: int = 20,
    dct_norm: str = "ortho",
    lifter: float = 0.0,
    liftering: str | None = None,
    deltas: int = 0,
    delta_width: int | None = None,
    delta_mode: str | None = None,
    input_data_format: str = "default",
    output_data_format: str = "default",
    name: str | None = None,
    warn_of_empty_bands: bool = True,
) -> ComposedLayer:
    """Returns a layer that computes cepstral coefficients of a log-mel spectrogram, as librosa, torchaudio or Kaldi.

    The arguments between `input_shape` and `name` are the fields of `audiopipe.configs.Mfcc`, which describes them.

    `normalization`, `top_db`, `deltas` and the fixed lengths depend on the whole clip. The layer takes each row of a
    batch for one clip unless it gets the `lengths` of the clips, see `audiopipe.layers.ComposedLayer`.

    Args:
        input_shape: Shape of a clip without the batch, `(time, channels)` or `(channels, time)`, where a size may be
            None. If given, the layer is built at once.
        name: Name of the layer. None means a unique name such as `mfcc`.
        warn_of_empty_bands: Whether to warn of mel bands that reach no frequency bin.

    Returns:
        A `ComposedLayer` from `(batch, time, channels)` to `(batch, frames, bins, channels)`; with `channels_first`
        from `(batch, channels, time)` to `(batch, channels, frames, bins)`. There are `n_mfcc` bins, then as many for
        each order of `deltas`.

    Raises:
        ArgumentError: If an argument is out of range or contradicts another one.

    Example:
        >>> layer = get_mfcc_layer(n_mfcc=13, deltas=2, win_length=400, hop_length=160)
        >>> layer(np.zeros((2, 16000, 1), "float32")).shape
        TensorShape([2, 101, 39, 1])
    """
    values = mfcc.resolve(locals())
    chain = _MfccChain(values, input_data_format, output_data_format, resolve_name(name, "mfcc"), warn_of_empty_bands)
    return compose(chain.layers(), input_shape, chain.name, log_mel.padding(values))


class _MfccChain(LogMelChain):
    """Layers of cepstral coefficients."""

    def after_logarithm(self) -> list[AudioLayer]:
        values = self.values
        arguments = {"norm": values["dct_norm"], "lifter": values["lifter"], "liftering": values["liftering"]}
        return [self.on_output(LogmelToMFCC, "dct", n_mfccs=values["n_mfcc"], **arguments)]

    def before_normalization(self) -> list[AudioLayer]:
        values = self.values
        if not values["deltas"]:
            return []
        arguments = {"order": values["deltas"], "win_length": values["delta_width"], "mode": values["delta_mode"]}
        return [self.on_output(Deltas, "deltas", **arguments)]
