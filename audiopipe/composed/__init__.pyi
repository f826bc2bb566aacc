from .frequency_aware import get_frequency_aware_conv2d as get_frequency_aware_conv2d
from .keras_mel import get_keras_melspectrogram_layer as get_keras_melspectrogram_layer
from .log_mel import get_log_mel_layer as get_log_mel_layer
from .mfcc import get_mfcc_layer as get_mfcc_layer
from .normalized_waveform import get_normalized_waveform_layer as get_normalized_waveform_layer
from .spectrograms import get_log_frequency_spectrogram_layer as get_log_frequency_spectrogram_layer
from .spectrograms import get_melspectrogram_layer as get_melspectrogram_layer
from .spectrograms import get_stft_magnitude_layer as get_stft_magnitude_layer
from .stfts import get_perfectly_reconstructing_stft_istft as get_perfectly_reconstructing_stft_istft
from .stfts import get_stft_layer as get_stft_layer
from .stfts import get_stft_mag_phase as get_stft_mag_phase
from .whisper import get_whisper_log_mel_layer as get_whisper_log_mel_layer

__all__ = [
    "get_frequency_aware_conv2d",
    "get_keras_melspectrogram_layer",
    "get_log_frequency_spectrogram_layer",
    "get_log_mel_layer",
    "get_melspectrogram_layer",
    "get_mfcc_layer",
    "get_normalized_waveform_layer",
    "get_perfectly_reconstructing_stft_istft",
    "get_stft_layer",
    "get_stft_mag_phase",
    "get_stft_magnitude_layer",
    "get_whisper_log_mel_layer",
]
