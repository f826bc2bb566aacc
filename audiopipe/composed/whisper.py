"""Log-mel spectrogram of Whisper."""

from audiopipe import checks
from audiopipe.composed.parts import compose, resolve_name
from audiopipe.layers import (
    STFT,
    ApplyFilterbank,
    Chunk,
    ComposedLayer,
    Magnitude,
    Power,
    ReflectionPadding,
    WhisperScale,
)
from audiopipe.layers.audio_layer import AudioLayer, resolve_data_format
from audiopipe.signal import whisper


def get_whisper_log_mel_layer(
    input_shape: tuple[int | None, int | None] | None = None,
    n_mels: int = 80,
    chunk_seconds: float | None = whisper.CHUNK_SECONDS,
    input_data_format: str = "default",
    output_data_format: str = "default",
    name: str | None = None,
) -> ComposedLayer:
    """Returns a layer that computes the input of Whisper: the features of `transformers.WhisperFeatureExtractor`.

    The sample rate is 16 kHz. Frames of 400 samples are centred at the samples 0, 160, 320, ... of the clip, which
    reflection extends on both sides. The last frame is dropped. Powers are summed into Slaney's mel bands from 0 to
    8000 Hz. The decimal logarithms of the bands are raised to at least the maximum of the clip minus 8. Then 4 is
    added, and the sum is divided by 4. The clip is the whole row of a batch, unless the layer gets `lengths`, see
    `audiopipe.layers.ComposedLayer`.

    The layer does not compute frames that lie entirely in the padding of a chunk, because their values are known. The
    bits are the same as if it did.

    Args:
        input_shape: Shape of a clip without the batch, `(time, channels)` or `(channels, time)`, where a size may be
            None. If given, the layer is built at once.
        n_mels: Number of mel bands: 80, or 128 for `whisper-large-v3` and later models.
        chunk_seconds: Length that clips are cut or padded with zeros to, a multiple of 0.01 seconds. None keeps the
            length of each clip.
        input_data_format: `"channels_last"`, `"channels_first"` or `"default"`, which follows Keras's setting.
        output_data_format: The same for the output.
        name: Name of the layer. None means a unique name such as `whisper_log_mel`.

    Returns:
        A `ComposedLayer` from `(batch, time, channels)` to `(batch, frames, n_mels, channels)`; with `channels_first`
        from `(batch, channels, time)` to `(batch, channels, frames, n_mels)`. A chunk of 30 seconds has 3000 frames;
        without chunks, a clip has `time // 160` frames. Whisper models accept `(batch, n_mels, frames)`. For mono clips
        in `channels_last`, that is `tf.transpose(feature[..., 0], [0, 2, 1])`.

    Raises:
        ArgumentError: If an argument is out of range.

    Example:
        >>> layer = get_whisper_log_mel_layer()
        >>> layer(np.zeros((2, 16000, 1), "float32")).shape
        TensorShape([2, 3000, 80, 1])
    """
    name = resolve_name(name, "whisper_log_mel")
    input_data_format = resolve_data_format("input_data_format", input_data_format)
    output_data_format = resolve_data_format("output_data_format", output_data_format)
    chunk_seconds = whisper.canonical_chunk_seconds("chunk_seconds", chunk_seconds)
    filterbank = {
        "sample_rate": whisper.SAMPLE_RATE,
        "n_freq": whisper.N_FFT // 2 + 1,
        "n_mels": checks.integer("n_mels", n_mels, minimum=1),
        "f_max": whisper.F_MAX,
    }
    layers: list[AudioLayer] = []
    n_frames = None
    if chunk_seconds is not None:
        n_frames = whisper.n_frames(0, chunk_seconds)
        # A margin of half a frame: frames that are centred after it contain zeros only.
        chunk = Chunk(
            whisper.chunk_samples(chunk_seconds),
            margin=whisper.N_FFT // 2,
            multiple=whisper.HOP_LENGTH,
            data_format=input_data_format,
            name=f"{name}_chunk",
        )
        layers.append(chunk)
    layers += [
        ReflectionPadding(*whisper.PADDING, input_data_format, name=f"{name}_padding"),
        STFT(
            whisper.N_FFT,
            hop_length=whisper.HOP_LENGTH,
            input_data_format=input_data_format,
            output_data_format=output_data_format,
            name=f"{name}_stft",
        ),
        Magnitude(name=f"{name}_magnitude"),
        Power(2.0, name=f"{name}_power"),
        ApplyFilterbank("mel", filterbank, output_data_format, name=f"{name}_filterbank"),
        WhisperScale(n_frames, output_data_format, name=f"{name}_scale"),
    ]
    return compose(layers, input_shape, name)
