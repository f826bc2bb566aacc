"""A feature of a team's own: a log-mel spectrogram beside its flux, the increase since an earlier frame.

Programs import this module, and the command line gets `--import team_features`. See docs/how-to/own-feature.md.
"""

import dataclasses
import functools

import keras
import tensorflow as tf

from audiopipe import configs, layers
from audiopipe.errors import ConfigError


@keras.saving.register_keras_serializable(package="team_features")
class AppendFlux(layers.SpectrogramLayer):
    """Appends the increase of each bin since an earlier frame, as more channels.

    The flux of a frame is `max(x[t] - x[t - lag], 0)`, and 0 for the first frames.

    Args:
        lag: Number of frames to look back, at least 1.
        data_format: `"channels_last"`, `"channels_first"` or `"default"`, which follows Keras's setting.
    """

    def __init__(self, lag=1, data_format="default", **kwargs):
        super().__init__(data_format, **kwargs)
        self.lag = lag

    def call(self, spectrogram):
        """Computes the flux of a batch of spectrograms."""
        self.check_input(spectrogram)
        frames = tf.shape(spectrogram)[self.frame_axis]
        earlier = tf.maximum(tf.range(frames) - self.lag, 0)
        before = tf.gather(spectrogram, earlier, axis=self.frame_axis)
        started = tf.cast(tf.range(frames) >= self.lag, spectrogram.dtype)
        started = started[:, None, None] if self.frame_axis == 1 else started[:, None]
        flux = tf.maximum(spectrogram - before, 0) * started
        return tf.concat([spectrogram, flux], axis=self.channel_axis)

    def compute_output_shape(self, input_shape):
        """Returns the shape of the input with twice the channels."""
        shape = list(super().compute_output_shape(input_shape))
        channels = shape[self.channel_axis]
        shape[self.channel_axis] = None if channels is None else 2 * channels
        return tuple(shape)

    def get_config(self):
        """Returns the arguments, from which Keras makes the layer again."""
        return {**super().get_config(), "lag": self.lag}


@dataclasses.dataclass(frozen=True, kw_only=True)
class LogMelWithFlux(configs.Config):
    """Log-mel spectrogram and its flux.

    Args:
        sample_rate: Sample rate in hertz.
        n_fft: Length of the Fourier transform and of a frame, in samples.
        hop_length: Samples between neighbouring frames.
        n_mels: Number of mel bands.
        lag: Number of frames that the flux looks back.
    """

    sample_rate: int = 16000
    n_fft: int = 512
    hop_length: int = 160
    n_mels: int = 40
    lag: int = 1

    def __post_init__(self):
        """Checks the fields."""
        super().__post_init__()  # checks the types and the fields of Config
        if self.lag < 1:
            raise ConfigError(f"lag must be at least 1. Received: lag={self.lag}.")
        _ = self._log_mel  # checks the other fields

    @functools.cached_property
    def _log_mel(self):
        return configs.LogMel(
            sample_rate=self.sample_rate,
            n_fft=self.n_fft,
            hop_length=self.hop_length,
            n_mels=self.n_mels,
            edges="snip",
            input_data_format=self.input_data_format,
            output_data_format=self.output_data_format,
        )

    def layer(self, name=None):
        """Returns the composed layer, in float32 whatever the policy of the model is."""
        flux = AppendFlux(self.lag, self.output_data_format, dtype="float32")
        chain = [*self._log_mel.layer().layers, flux]
        layer = layers.ComposedLayer(chain, name=name or "log_mel_with_flux", output_dtype="float32")
        layer.config_json = self.to_json()
        return layer

    @property
    def quantities(self):
        """What each half of the channels is."""
        return ("log power", "flux")

    @property
    def n_bins(self):
        """Number of bins of a frame."""
        return self.n_mels

    def frequencies(self):
        """Returns the centres of the bins in hertz."""
        return self._log_mel.frequencies()

    def n_frames(self, n_samples):
        """Returns the number of frames of a clip."""
        return self._log_mel.n_frames(n_samples)

    def frame_times(self, n_frames):
        """Returns the starts of frames in seconds."""
        return self._log_mel.frame_times(n_frames)

    def frame_centres(self, n_frames):
        """Returns the centres of frames in seconds."""
        return self._log_mel.frame_centres(n_frames)

    @property
    def framing(self):
        """Which samples each frame of the log-mel spectrogram covers, so that long clips are computed in blocks."""
        return self._log_mel.framing


FLUX_40 = LogMelWithFlux()
