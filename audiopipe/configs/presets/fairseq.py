"""Speech models of Meta that were trained with fairseq."""

import dataclasses

from audiopipe.configs.log_mel import LogMel
from audiopipe.configs.presets.kaldi import FBANK, INT16_GAIN

__all__ = ["seamless_m4t", "speech_to_text", "w2v_bert"]


def seamless_m4t() -> LogMel:
    """SeamlessM4T: 80 Kaldi bands, normalized per clip, two frames per row.

    Used by: SeamlessM4T and SeamlessM4T v2 in all sizes.

    Source: `SeamlessM4TFeatureExtractor` of transformers,
    https://github.com/huggingface/transformers/blob/v5.23.0/src/transformers/models/seamless_m4t/feature_extraction_seamless_m4t.py
    (`_extract_fbank_features`: gain and bands; `__call__`: `ddof=1`, `1e-7` added to the variance, padding with 0 after
    the normalization, two frames stacked). Of `ceil(T / 2)` rows `T // 2` are valid, as in its attention mask.

    Agreement: 5.4e-7 of a frame's maximum before the logarithm, 4.4e-4 after it.
    """
    return LogMel(
        gain=INT16_GAIN,
        n_mels=80,
        normalization="clip",
        ddof=1,
        variance_epsilon=1e-7,
        stack_frames=2,
        padding_value=0.0,
        **FBANK,
    )


def w2v_bert() -> LogMel:
    """Wav2Vec2-BERT: 80 Kaldi bands, normalized per clip, two frames per row, padded with 1.

    Used by: facebook/w2v-bert-2.0 and models that were fine-tuned from it.

    Source: `convert_wav2vec2_bert_checkpoint` of
    https://github.com/huggingface/transformers/blob/v4.57.0/src/transformers/models/wav2vec2_bert/convert_wav2vec2_seamless_checkpoint.py,
    which saves `SeamlessM4TFeatureExtractor(padding_value=1)`. Everything else is as in `seamless-m4t`, so the two
    differ in padding only: in the second half of the last row of a clip with an odd number of frames.

    Agreement: 5.4e-7 of a frame's maximum before the logarithm, 4.4e-4 after it.
    """
    return dataclasses.replace(seamless_m4t(), padding_value=1.0)


def speech_to_text() -> LogMel:
    """Speech2Text (S2T): 80 Kaldi bands, mean and variance normalized per clip.

    Used by: facebook/s2t-small-librispeech-asr and the other S2T models.

    Source: `Speech2TextFeatureExtractor` of transformers,
    https://github.com/huggingface/transformers/blob/v5.23.0/src/transformers/models/speech_to_text/feature_extraction_speech_to_text.py
    (`_extract_fbank_features`: gain and bands; `utterance_cmvn`: `ddof=0`, no epsilon, padding with 0 after the
    normalization). A bin that does not vary is 0 here; the extractor divides 0 by 0.

    Agreement: 5.4e-7 of a frame's maximum before the logarithm, 4.4e-4 after it.
    """
    return LogMel(gain=INT16_GAIN, n_mels=80, normalization="clip", padding_value=0.0, **FBANK)
