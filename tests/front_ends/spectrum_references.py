"""References of the front ends that do not follow Kaldi.

Where the numbers come from, named in brackets below:

- [hf] https://github.com/huggingface/transformers/blob/v5.23.0/src/transformers/models/
- [nemo] https://github.com/NVIDIA/NeMo/blob/8cfedd72/nemo/collections/asr/parts/preprocessing/features.py
- [clap] https://github.com/LAION-AI/CLAP/blob/1fd4c37d/src/laion_clap/
- [hifigan] https://github.com/jik876/hifi-gan/blob/4769534d/
- [bigvgan] https://github.com/NVIDIA/BigVGAN/blob/7d2b4545/
- [tacotron2] https://github.com/NVIDIA/tacotron2/blob/185cd24e/
- [audioset] https://github.com/tensorflow/models/blob/master/research/audioset/
- [panns] https://github.com/qiuqiangkong/audioset_tagging_cnn/blob/d2f4b8c1/
- [musicnn] https://github.com/jordipons/musicnn/blob/516acb2a/musicnn/
- [librosa] https://github.com/librosa/librosa/blob/0.11.0/librosa/
- [torchaudio] https://github.com/pytorch/audio/blob/2326b750/src/torchaudio/
"""

import numpy as np

from front_ends import pieces
from front_ends.reference import DECIBELS, LOG10, Reference


def nemo(samples, n_mels):
    """nemo-mel-80, nemo-mel-128: [nemo]#L246-L278 for the numbers, #L318-L326 for the window, #L59-L92 and #L388-L493.

    The class's window of 320 samples and 64 bands are replaced by 400 and 80 or 128 in the configs of FastConformer,
    Parakeet and Canary. The same numbers: [hf] parakeet/feature_extraction_parakeet.py#L28-L29, #L66-L118, #L248-L269.
    The window is in the middle of the FFT, and only n // 160 frames count.
    """
    window = np.zeros(512)
    window[56:456] = pieces.hann(400, periodic=False)
    emphasized = pieces.emphasized_clip(samples, 0.97)
    frames = pieces.cut(emphasized, 512, pieces.centred_starts(len(samples), 512, 160))
    filters = pieces.mel_filters(16000, 512, n_mels, 0, 8000, scale="slaney", area=True)
    mel, peak = pieces.bands(pieces.magnitudes(window * frames, 512) ** 2, filters)
    log = np.log(mel + 2.0**-24)
    count = len(samples) // 160
    mean, divisor = pieces.normalization(log[:count], ddof=1, std_epsilon=1e-5)
    feature = np.zeros(log.shape)
    feature[:count] = (log[:count] - mean) / divisor
    return Reference(
        mel=mel,
        peak=peak,
        log=log,
        feature=feature,
        power=2,
        floor=2.0**-24,
        gain=1 / divisor,
        normalized=True,
        n_frames=count,
    )


def gemma3n(samples):
    """gemma3n-128: [hf] gemma3n/feature_extraction_gemma3n.py#L65-L85, #L154-L169, #L187-L215, #L233-L254.

    A frame takes 513 samples, of which the last serves no purpose with this kind of pre-emphasis.
    """
    frames = pieces.cut(samples, 513, pieces.inner_starts(len(samples), 513, 160))[:, :512]
    spectrum = pieces.magnitudes(pieces.hann(512, periodic=True) * pieces.emphasized_frames(frames, 0.97), 1024)
    mel, peak = pieces.bands(spectrum, pieces.mel_filters(16000, 1024, 128, 125, 7600))
    log = np.log(np.maximum(mel, 1e-5))
    return Reference(mel=mel, peak=peak, log=log, feature=log, power=1, floor=1e-5)


def lasr(samples):
    """lasr-128: [hf] lasr/feature_extraction_lasr.py#L44-L66 and #L98-L140."""
    frames = pieces.cut(samples, 400, pieces.inner_starts(len(samples), 400, 160))
    spectrum = pieces.magnitudes(pieces.hann(400, periodic=False) * frames, 512) ** 2
    mel, peak = pieces.bands(spectrum, pieces.mel_filters(16000, 512, 128, 125, 7500, sides="mel"))
    log = np.log(np.maximum(mel, 1e-5))
    return Reference(mel=mel, peak=peak, log=log, feature=log, power=2, floor=1e-5)


def centred_spectrum(samples, n_fft, hop_length, mode):
    """Computes the magnitudes of frames with a periodic Hann window, centred as librosa and torch do."""
    starts = pieces.centred_starts(len(samples), n_fft, hop_length)
    return pieces.magnitudes(pieces.hann(n_fft, periodic=True) * pieces.cut(samples, n_fft, starts, mode), n_fft)


def clap(samples, fused):
    """clap-fused, clap-unfused: [hf] clap/feature_extraction_clap.py#L86-L139, #L167-L176, #L245-L252.

    The class starts at 0 Hz. Checkpoints start at 50 Hz: [clap] clap_module/model_configs/HTSAT-tiny.json#L10.
    """
    length = 480_000
    if 0 < len(samples) < length:
        samples = np.tile(samples, length // len(samples))
    samples = np.pad(samples, (0, length - len(samples)))
    kind = {} if fused else {"scale": "slaney", "area": True}
    filters = pieces.mel_filters(48000, 1024, 64, 50, 14000, **kind)
    mel, peak = pieces.bands(centred_spectrum(samples, 1024, 480, "reflect") ** 2, filters)
    log = 10 * np.log10(np.maximum(mel, 1e-10))
    return Reference(mel=mel, peak=peak, log=log, feature=log, power=2, floor=1e-10, log_unit=DECIBELS)


def whisper(samples, n_mels):
    """whisper-80, whisper-128: [hf] whisper/feature_extraction_whisper.py#L69-L104 and #L116-L130.

    Values more than 8 decades below the clip's maximum are raised to that. A frame counts whose hop starts in the clip.
    """
    clip = np.pad(samples[:480_000], (0, max(0, 480_000 - len(samples))))
    filters = pieces.mel_filters(16000, 400, n_mels, 0, 8000, scale="slaney", area=True)
    mel, peak = pieces.bands(centred_spectrum(clip, 400, 160, "reflect")[:-1] ** 2, filters)
    log = np.log10(np.maximum(mel, 1e-10))
    log = np.maximum(log, log.max() - 8)
    valid_frames = min(3000, -(-len(samples) // 160))
    feature = (log + 4) / 4
    return Reference(
        mel=mel,
        peak=peak,
        log=log,
        feature=feature,
        power=2,
        floor=1e-10,
        log_unit=LOG10,
        gain=1 / 4,
        valid_frames=valid_frames,
    )


def speecht5(samples):
    """speecht5: [hf] speecht5/feature_extraction_speecht5.py#L76-L115 and #L147-L157."""
    filters = pieces.mel_filters(16000, 1024, 80, 80, 7600, scale="slaney", area=True)
    mel, peak = pieces.bands(centred_spectrum(samples, 1024, 256, "reflect"), filters)
    log = np.log10(np.maximum(mel, 1e-10))
    return Reference(mel=mel, peak=peak, log=log, feature=log, power=1, floor=1e-10, log_unit=LOG10)


def hifigan_mel(samples, sample_rate, n_mels, f_max):
    """Computes the features of HiFi-GAN and its successors.

    Sources: [hifigan] meldataset.py#L49-L72, also [bigvgan] meldataset.py#L51-L120 and
    [hf] univnet/feature_extraction_univnet.py#L103-L168, #L195-L226.
    """
    frames = pieces.cut(samples, 1024, pieces.vocoder_starts(len(samples), 1024, 256), "reflect")
    spectrum = np.sqrt(pieces.magnitudes(pieces.hann(1024, periodic=True) * frames, 1024) ** 2 + 1e-9)
    filters = pieces.mel_filters(sample_rate, 1024, n_mels, 0, f_max, scale="slaney", area=True)
    mel, peak = pieces.bands(spectrum, filters)
    log = np.log(np.maximum(mel, 1e-5))
    return Reference(mel=mel, peak=peak, log=log, feature=log, power=1, floor=1e-5)


def univnet(samples):
    """univnet: [hf] univnet/feature_extraction_univnet.py#L103-L118. The extractor cuts clips at 10 s."""
    return hifigan_mel(samples, 24000, 100, 12000)


def bigvgan(samples):
    """bigvgan-24k-100: [bigvgan] configs/bigvgan_v2_24khz_100band_256x.json, configs/bigvgan_24khz_100band.json."""
    return hifigan_mel(samples, 24000, 100, 12000)


def hifigan(samples):
    """hifigan-22k-80: [hifigan] config_v1.json#L18-L27."""
    return hifigan_mel(samples, 22050, 80, 8000)


def tacotron2(samples):
    """tacotron2-80: [tacotron2] layers.py#L42-L80, stft.py#L82-L101, audio_processing.py#L78-L84."""
    filters = pieces.mel_filters(22050, 1024, 80, 0, 8000, scale="slaney", area=True)
    mel, peak = pieces.bands(centred_spectrum(samples, 1024, 256, "reflect"), filters)
    log = np.log(np.maximum(mel, 1e-5))
    return Reference(mel=mel, peak=peak, log=log, feature=log, power=1, floor=1e-5)


def audioset(samples, offset):
    """vggish, yamnet: [audioset] mel_features.py and vggish/vggish_params.py, yamnet/features.py and yamnet/params.py.

    They differ in the offset, which is LOG_OFFSET = 0.01 of VGGish and log_offset = 0.001 of YAMNet.
    """
    frames = pieces.cut(samples, 400, pieces.inner_starts(len(samples), 400, 160))
    spectrum = pieces.magnitudes(pieces.hann(400, periodic=True) * frames, 512)
    mel, peak = pieces.bands(spectrum, pieces.mel_filters(16000, 512, 64, 125, 7500, sides="mel"))
    log = np.log(mel + offset)
    return Reference(mel=mel, peak=peak, log=log, feature=log, power=1, floor=offset)


def panns(samples):
    """panns-32k-64: [panns] pytorch/models.py#L145-L160 with the arguments of README.md#L217-L221."""
    filters = pieces.mel_filters(32000, 1024, 64, 50, 14000, scale="slaney", area=True)
    mel, peak = pieces.bands(centred_spectrum(samples, 1024, 320, "reflect") ** 2, filters)
    log = 10 * np.log10(np.maximum(mel, 1e-10))
    return Reference(mel=mel, peak=peak, log=log, feature=log, power=2, floor=1e-10, log_unit=DECIBELS)


def musicnn(samples):
    """musicnn-96: [musicnn] configuration.py#L2-L5, extractor.py#L42-L48.

    Ends are reflected, as librosa 0.7 did when the models were trained. The extractor rounds mel values and their
    logarithms to 16 bits, which this reference leaves out.
    """
    filters = pieces.mel_filters(16000, 512, 96, 0, 8000, scale="slaney", area=True)
    mel, peak = pieces.bands(centred_spectrum(samples, 512, 256, "reflect") ** 2, filters)
    log = np.log10(1e4 * mel + 1)
    return Reference(mel=mel, peak=peak, log=log, feature=log, power=2, floor=1e-4, log_unit=LOG10)


def librosa_mel(samples):
    """librosa-mel-128: [librosa] feature/spectral.py, melspectrogram, and core/spectrum.py, power_to_db, by default."""
    filters = pieces.mel_filters(22050, 2048, 128, 0, 11025, scale="slaney", area=True)
    mel, peak = pieces.bands(centred_spectrum(samples, 2048, 512, "constant") ** 2, filters)
    log = 10 * np.log10(np.maximum(mel, 1e-10))
    log = np.maximum(log, log.max(initial=-np.inf) - 80)
    return Reference(mel=mel, peak=peak, log=log, feature=log, power=2, floor=1e-10, log_unit=DECIBELS)


def torchaudio_mel(samples):
    """torchaudio-mel-128: [torchaudio] transforms/_transforms.py, MelSpectrogram's defaults, without a logarithm."""
    filters = pieces.mel_filters(16000, 400, 128, 0, 8000)
    mel, peak = pieces.bands(centred_spectrum(samples, 400, 200, "reflect") ** 2, filters)
    return Reference(mel=mel, peak=peak, log=mel, feature=mel, power=2, floor=0.0, logarithmic=False)
