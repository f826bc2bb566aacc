"""Filterbank features of Kaldi and of the speech toolkits that follow it.

Sources: the options of Kaldi's frames and mel banks,
https://github.com/kaldi-asr/kaldi/blob/master/src/feat/feature-window.h (`FrameExtractionOptions`),
https://github.com/kaldi-asr/kaldi/blob/master/src/feat/mel-computations.h (`MelBanksOptions`) and
https://github.com/kaldi-asr/kaldi/blob/master/src/feat/feature-fbank.cc (`FbankComputer::Compute`, where the floor is
the epsilon of float32). `fbank` of https://github.com/pytorch/audio/blob/main/src/torchaudio/compliance/kaldi.py
computes the same.
"""

from typing import Any

from audiopipe.configs.log_mel import LogMel
from audiopipe.configs.presets.formats import CHANNELS_LAST

__all__ = ["kaldi_fbank_80", "lhotse_fbank_80", "wenet_80"]

# Kaldi reads 16-bit integers as they are. Front ends that follow it multiply samples in -1 .. 1 by this.
INT16_GAIN = 2.0**15

# Frames of 25 ms every 10 ms at 16 kHz, rounded up to a power of 2 for the transform; the bands start at 20 Hz.
FBANK: dict[str, Any] = {
    "sample_rate": 16000,
    "n_fft": 512,
    "win_length": 400,
    "hop_length": 160,
    "window": "povey",
    "edges": "snip",
    "remove_dc_offset": True,
    "preemphasis": 0.97,
    "preemphasis_of": "frame",
    "power": 2.0,
    "f_min": 20.0,
    "f_max": 8000.0,
    "mel_scale": "htk",
    "mel_triangles": "mel",
    "log": "ln",
    "log_floor": 2.0**-23,
    **CHANNELS_LAST,
}


def kaldi_fbank_80() -> LogMel:
    """Kaldi's filterbank features with 80 bands, of samples in -1 .. 1.

    Used by: models whose code calls kaldi-native-fbank, torchaudio's `kaldi.fbank` or Kaldi without dithering, and
    does not scale the samples. Code that passes 16-bit integers, or multiplies by 2^15, is `wenet-80`: the two differ
    by a constant where no value is at the floor.

    Source: see the module. 80 bands are the choice of most recipes; Kaldi's default is 23.

    Agreement: 5.4e-7 of a frame's maximum before the logarithm, 4.4e-4 after it.
    """
    return LogMel(n_mels=80, **FBANK)


def wenet_80() -> LogMel:
    """WeNet and other Kaldi-style recipes: 80 filterbank features of 16-bit samples.

    Used by: WeNet and its pretrained models (`num_mel_bins: 80`, without dithering at inference), and FireRedASR before
    it subtracts its mean.

    Source: `compute_fbank` of https://github.com/wenet-e2e/wenet/blob/main/wenet/dataset/processor.py (gain of 2^15,
    `num_mel_bins`), and the module for the rest. WeNet pads batches with zeros and masks them; `config.padding` is
    silence here.

    Agreement: 5.4e-7 of a frame's maximum before the logarithm, 4.4e-4 after it.
    """
    return LogMel(gain=INT16_GAIN, n_mels=80, **FBANK)


def lhotse_fbank_80() -> LogMel:
    """Lhotse's `Fbank`, for icefall and k2 models: 80 bands up to 7600 Hz, one frame per 10 ms.

    Used by: icefall's recipes and the models of sherpa that were trained with them, such as Zipformer.

    Source: `FbankConfig` of
    https://github.com/lhotse-speech/lhotse/blob/a79cc864e4275f6342bb94261313526a14d385fb/lhotse/features/kaldi/extractors.py
    (`snip_edges=False`, `high_freq=-400`, no gain) and `Wav2LogFilterBank` of `layers.py` beside it, where the floor is
    the epsilon of float32 and not `energy_floor`. Lhotse pads batches with `log(1e-10)`; `config.padding` is silence
    here, the logarithm of the floor.

    Agreement: 1.4e-6 of a frame's maximum before the logarithm, 4.6e-4 after it.
    """
    return LogMel(n_mels=80, **FBANK | {"edges": "midpoint", "window_position": "start", "f_max": 7600.0})
