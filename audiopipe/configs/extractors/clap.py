"""`ClapFeatureExtractor` of transformers.

https://github.com/huggingface/transformers/blob/v5.23.0/src/transformers/models/clap/feature_extraction_clap.py
"""

from audiopipe.configs.extractors.settings import MAX_BINS, MAX_SECONDS, Settings
from audiopipe.configs.log_mel import LogMel
from audiopipe.configs.presets.clap import FUSION_FILTERS, MEL, OTHER_FILTERS

_CROPS = (
    'The extractor has "fusion" and "rand_trunc", which choose the filterbank. It crops long audio at random; the '
    "config makes a clip that is too long a failure. Cut long recordings into segments."
)
_OWN = {
    "sample_rate": "sampling_rate",
    "clip_seconds": "max_length_s",
    "n_fft": "fft_window_size",
    "n_mels": "feature_size",
    "f_min": "frequency_min",
    "f_max": "frequency_max",
}
_REPEATS = 'Use "repeatpad", which repeats a clip as a whole and appends zeros, or "pad".'


def clap(settings: Settings) -> LogMel:
    """CLAP's decibels of a clip of up to `max_length_s` seconds.

    The config is the one spectrogram. With `truncation="fusion"`, the extractor stacks four copies of it, and those of
    longer audio are three random crops and a smaller version of the whole. It ignores `top_db` and `padding_value`. At
    the call only: `truncation`, `padding` and `max_length` replace the settings.
    """
    settings.ignore(("top_db", "padding_value", "mel_filters", "mel_filters_slaney"))
    settings.ignore(("chunk_length_s", "n_fft", "nb_max_frames"))  # in the checkpoints of LAION, without a meaning
    rate = settings.sample_rate(48000, even=True)
    n_fft = settings.even("fft_window_size", 1024)
    truncation = settings.choice("truncation", "fusion", ("fusion", "rand_trunc"), _CROPS)
    padding = settings.choice("padding", "repeatpad", ("repeatpad", "pad"), _REPEATS)
    seconds = settings.real("max_length_s", 10, above=0, maximum=MAX_SECONDS)
    low, high = settings.band("frequency_min", 0, "frequency_max", 14000, rate)
    settings.derived("nb_frequency_bins", n_fft // 2 + 1)
    settings.derived("nb_max_samples", round(seconds * rate))
    fields = MEL | (FUSION_FILTERS if truncation == "fusion" else OTHER_FILTERS)
    return settings.config(
        LogMel,
        _OWN,
        **fields
        | {
            "sample_rate": rate,
            "clip_seconds": seconds,
            "short_clips": "repeat" if padding == "repeatpad" else "pad",
            "n_fft": n_fft,
            "hop_length": settings.integer("hop_length", 480),
            "n_mels": settings.integer("feature_size", 64, maximum=MAX_BINS),
            "f_min": low,
            "f_max": high,
        },
    )
