"""References of the front ends that follow Kaldi.

Where the numbers come from, named in brackets below:

- [kaldi] https://github.com/kaldi-asr/kaldi/blob/f4007661/src/feat/
- [hf] https://github.com/huggingface/transformers/blob/v5.23.0/src/transformers/models/
- [lhotse] https://github.com/lhotse-speech/lhotse/blob/a79cc864/lhotse/features/kaldi/
- [wenet] https://github.com/wenet-e2e/wenet/blob/01546996/wenet/
- [unilm] https://github.com/microsoft/unilm/blob/768a3c87/
- [torchaudio] https://github.com/pytorch/audio/blob/2326b750/src/torchaudio/
"""

import numpy as np

from front_ends import pieces
from front_ends.reference import Reference

# [kaldi] feature-fbank.cc#L86, [torchaudio] compliance/kaldi.py#L22: the epsilon of float32.
KALDI_FLOOR = 2.0**-23

# Samples as 16-bit integers, as Kaldi reads them.
FULL_SCALE = 2.0**15


def kaldi_mel(samples, n_mels, window, gain=1.0, starts=None, f_max=8000):
    """Computes Kaldi's powers `[frames, n_mels]` at 16 kHz, and the maxima of frames.

    Sources: [kaldi] feature-window.h#L55-L63 (frames of 25 ms every 10 ms, pre-emphasis 0.97, mean removed, FFT of the
    next power of two), feature-window.cc#L101 (the first sample of a frame), mel-computations.h#L57 (20 Hz to half the
    rate) and mel-computations.cc#L113 (sides straight over mel, no norm).
    """
    starts = pieces.inner_starts(len(samples), 400, 160) if starts is None else starts
    frames = pieces.without_mean(pieces.cut(gain * samples.astype(np.float64), 400, starts, mode="symmetric"))
    spectrum = pieces.magnitudes(window * pieces.emphasized_frames(frames, 0.97), 512) ** 2
    return pieces.bands(spectrum, pieces.mel_filters(16000, 512, n_mels, 20, f_max, sides="mel"))


def kaldi_log(mel):
    """Takes Kaldi's logarithm: [kaldi] feature-fbank.cc#L86."""
    return np.log(np.maximum(mel, KALDI_FLOOR))


def kaldi_fbank(samples):
    """kaldi-fbank-80: [kaldi] feature-window.h#L60 for the window; the 80 bands are what recipes choose."""
    mel, peak = kaldi_mel(samples, 80, pieces.povey(400))
    log = kaldi_log(mel)
    return Reference(mel=mel, peak=peak, log=log, feature=log, power=2, floor=KALDI_FLOOR)


def wenet(samples):
    """wenet-80: [wenet] dataset/processor.py#L245-L254; 80 bands: examples/aishell/s0/conf/train_conformer.yaml."""
    mel, peak = kaldi_mel(samples, 80, pieces.povey(400), gain=FULL_SCALE)
    log = kaldi_log(mel)
    return Reference(mel=mel, peak=peak, log=log, feature=log, power=2, floor=KALDI_FLOOR)


def lhotse_fbank(samples):
    """lhotse-fbank-80: [lhotse] extractors.py#L24-L43 for the numbers, layers.py#L753-L756 for the frames.

    Samples beyond the ends are mirrored as often as it takes, as in [kaldi] feature-window.cc#L205-L212; lhotse itself
    mirrors once and reads beyond its buffer for clips that are shorter than that.
    """
    starts = [t * 160 + 80 - 200 for t in range((len(samples) + 80) // 160)]
    mel, peak = kaldi_mel(samples, 80, pieces.povey(400), starts=starts, f_max=8000 - 400)
    log = kaldi_log(mel)
    return Reference(mel=mel, peak=peak, log=log, feature=log, power=2, floor=KALDI_FLOOR)


def beats(samples):
    """beats: [unilm] beats/BEATs.py#L118-L131; window and limits are [torchaudio] compliance/kaldi.py's defaults."""
    mel, peak = kaldi_mel(samples, 128, pieces.povey(400), gain=FULL_SCALE)
    log = kaldi_log(mel)
    feature = (log - 15.41663) / (2 * 6.55582)
    return Reference(mel=mel, peak=peak, log=log, feature=feature, power=2, floor=KALDI_FLOOR, gain=1 / (2 * 6.55582))


def ast(samples):
    """ast: [hf] audio_spectrogram_transformer/feature_extraction_audio_spectrogram_transformer.py#L71-L158.

    Frames up to 1024 are padded with 0 before the mean is subtracted.
    """
    mel, peak = kaldi_mel(samples, 128, pieces.hann(400, periodic=False))
    log = kaldi_log(mel)
    fixed = np.zeros((1024, 128))
    fixed[: len(log)] = log[:1024]
    feature = (fixed + 4.2677393) / (2 * 4.5689974)
    return Reference(
        mel=mel,
        peak=peak,
        log=log,
        feature=feature,
        power=2,
        floor=KALDI_FLOOR,
        gain=1 / (2 * 4.5689974),
        n_frames=min(1024, len(log)),
    )


def seamless_m4t(samples, padding=0.0):
    """seamless-m4t: [hf] seamless_m4t/feature_extraction_seamless_m4t.py#L73-L85, #L123-L137, #L259, #L282-L292."""
    mel, peak = kaldi_mel(samples, 80, pieces.povey(400), gain=FULL_SCALE)
    log = kaldi_log(mel)
    mean, divisor = pieces.normalization(log, ddof=1, variance_epsilon=1e-7)
    rows = np.full((len(log) + len(log) % 2, 80), padding)
    rows[: len(log)] = (log - mean) / divisor
    return Reference(
        mel=mel,
        peak=peak,
        log=log,
        feature=rows.reshape(-1, 160),
        power=2,
        floor=KALDI_FLOOR,
        gain=1 / divisor,
        normalized=True,
        stack=2,
    )


def w2v_bert(samples):
    """w2v-bert: the class of seamless-m4t. Its checkpoints pad with 1, as the script says that converted them.

    https://github.com/huggingface/transformers/blob/fc161dde/src/transformers/models/wav2vec2_bert/convert_wav2vec2_seamless_checkpoint.py#L147
    """
    return seamless_m4t(samples, padding=1.0)


def speech_to_text(samples):
    """speech-to-text: [hf] speech_to_text/feature_extraction_speech_to_text.py#L90-L102, #L112-L138, #L151-L155."""
    mel, peak = kaldi_mel(samples, 80, pieces.povey(400), gain=FULL_SCALE)
    log = kaldi_log(mel)
    mean, divisor = pieces.normalization(log, ddof=0)
    return Reference(
        mel=mel,
        peak=peak,
        log=log,
        feature=(log - mean) / divisor,
        power=2,
        floor=KALDI_FLOOR,
        gain=1 / divisor,
        normalized=True,
    )
