"""`ParakeetFeatureExtractor` of transformers, the front end of NeMo's models.

https://github.com/huggingface/transformers/blob/v5.23.0/src/transformers/models/parakeet/feature_extraction_parakeet.py
"""

from audiopipe.configs.extractors.settings import MAX_BINS, Settings
from audiopipe.configs.log_mel import LogMel
from audiopipe.configs.presets.nemo import MEL


def parakeet(settings: Settings) -> LogMel:
    """Parakeet's log-mel spectrogram, normalized over the valid frames.

    It returns `n // hop_length + 1` rows, of which the last one is padding, like the extractor. At the call only:
    `padding="max_length"` and `pad_to_multiple_of` append rows of padding, and `truncation=True` cuts long clips.
    """
    settings.ignore(("mel_filters",))
    settings.only("padding_value", 0.0, "It fills up the waveforms of a batch, and the rows of padding are 0.")
    rate = settings.sample_rate(16000, even=True)
    n_fft = settings.even("n_fft", 512)
    own = {"sample_rate": "sampling_rate", "n_mels": "feature_size"}
    return settings.config(
        LogMel,
        own,
        **MEL
        | {
            "sample_rate": rate,
            "n_fft": n_fft,
            "win_length": settings.integer("win_length", 400, minimum=3, maximum=n_fft),
            "hop_length": settings.integer("hop_length", 160),
            "preemphasis": settings.optional("preemphasis", 0.97, settings.real, minimum=0) or 0.0,
            "preemphasis_of": "waveform" if settings.get("preemphasis", 0.97) else None,
            "n_mels": settings.integer("feature_size", 80, maximum=MAX_BINS),
            "f_max": rate / 2,
        },
    )
