"""`WhisperFeatureExtractor` of transformers.

https://github.com/huggingface/transformers/blob/v5.23.0/src/transformers/models/whisper/feature_extraction_whisper.py
"""

from audiopipe.configs.extractors.settings import MAX_BINS, MAX_SECONDS, Settings
from audiopipe.configs.presets.formats import CHANNELS_LAST
from audiopipe.configs.whisper import WhisperLogMel
from audiopipe.signal import whisper as numbers

_FIXED = "configs.WhisperLogMel has the frames and the rate that Whisper was trained with."


def whisper(settings: Settings) -> WhisperLogMel:
    """Whisper's log-mel spectrogram of a chunk.

    At the call only: `padding="longest"` or `False` keeps the length of a clip, which is
    `WhisperLogMel(chunk_seconds=None)`; `do_normalize=True` normalizes the waveform, which no config does.
    """
    settings.only("sampling_rate", numbers.SAMPLE_RATE, _FIXED)
    settings.only("hop_length", numbers.HOP_LENGTH, _FIXED)
    settings.only("n_fft", numbers.N_FFT, _FIXED)
    settings.only("padding_value", 0.0, "A chunk is filled up with zeros, as Whisper was trained with.")
    settings.ignore(("mel_filters", "do_normalize"))
    chunk_seconds = settings.real("chunk_length", 30, above=0, maximum=MAX_SECONDS)
    settings.derived("n_samples", round(chunk_seconds * numbers.SAMPLE_RATE))
    settings.derived("nb_max_frames", round(chunk_seconds * numbers.SAMPLE_RATE) // numbers.HOP_LENGTH)
    own = {"n_mels": "feature_size", "chunk_seconds": "chunk_length"}
    return settings.config(
        WhisperLogMel,
        own,
        n_mels=settings.integer("feature_size", 80, maximum=MAX_BINS),
        chunk_seconds=chunk_seconds,
        **CHANNELS_LAST,
    )
