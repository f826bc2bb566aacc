"""Writes values of front ends that need torch, Kaldi or lhotse to `tests/data/front-ends`, one file per package.

`make test` compares the references with these files and needs none of these packages. Write them in two environments,
because `transformers` computes with torchaudio wherever that is installed:

    python -m venv values
    values/bin/pip install torch transformers==5.23.0 librosa kaldi-native-fbank lhotse torchlibrosa
    PYTHONPATH=tests values/bin/python tests/front_ends/write_upstream_values.py \
        transformers kaldi_native_fbank lhotse torchlibrosa
    python -m venv torchaudio
    torchaudio/bin/pip install torch torchaudio
    PYTHONPATH=tests torchaudio/bin/python tests/front_ends/write_upstream_values.py torchaudio

A file holds the feature of a preset and a clip as "preset/clip/rows", "preset/clip/values" (float32, these rows alone)
and "preset/clip/shape" (of the whole feature), and the versions as "versions".
"""

import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np

from front_ends import clips, references

FOLDER = Path(__file__).parents[1] / "data" / "front-ends"


def stored_clips(sample_rate):
    """Returns the clips whose values are stored: one second, and a short one with a length of no round number."""
    second = clips.speech_like(sample_rate, sample_rate) + clips.noise(sample_rate, 1e-3)
    return {"second": second, "short": clips.noise(sample_rate // 16 + 7, 0.1, seed=2)}


def _torch(clip):
    import torch

    return torch.from_numpy(clip)


def of_transformers():
    """Returns functions from a clip to a feature, by the preset's name: the extractors that need torch."""
    import transformers

    def ast(clip):
        return transformers.ASTFeatureExtractor()(clip, sampling_rate=16000, return_tensors="np").input_values[0]

    def clap(truncation):
        extractor = transformers.ClapFeatureExtractor(frequency_min=50, frequency_max=14000, truncation=truncation)
        return lambda clip: extractor(clip, sampling_rate=48000, return_tensors="np").input_features[0, 0]

    def parakeet(n_mels):
        extractor = transformers.ParakeetFeatureExtractor(feature_size=n_mels)
        return lambda clip: extractor(clip, sampling_rate=16000, return_tensors="np").input_features[0]

    def lasr(clip):
        return transformers.LasrFeatureExtractor()(clip, sampling_rate=16000, return_tensors="np").input_features[0]

    return {
        "ast": ast,
        "clap-fused": clap("fusion"),
        "clap-unfused": clap("rand_trunc"),
        "nemo-mel-80": parakeet(80),
        "nemo-mel-128": parakeet(128),
        "lasr-128": lasr,
    }


def of_kaldi_native_fbank():
    import kaldi_native_fbank

    def fbank(gain=1.0, snip_edges=True, high_freq=0.0):
        options = kaldi_native_fbank.FbankOptions()
        options.frame_opts.dither = 0
        options.frame_opts.snip_edges = snip_edges
        options.mel_opts.num_bins = 80
        options.mel_opts.high_freq = high_freq

        def compute(clip):
            computer = kaldi_native_fbank.OnlineFbank(options)
            computer.accept_waveform(16000, (gain * clip).tolist())
            computer.input_finished()
            return np.array([computer.get_frame(t) for t in range(computer.num_frames_ready)])

        return compute

    return {
        "kaldi-fbank-80": fbank(),
        "wenet-80": fbank(gain=2.0**15),
        "lhotse-fbank-80": fbank(snip_edges=False, high_freq=-400.0),
    }


def of_lhotse():
    import lhotse

    return {"lhotse-fbank-80": lambda clip: lhotse.Fbank().extract(clip, 16000)}


def of_torchlibrosa():
    import torchlibrosa

    def panns(clip):
        spectrogram = torchlibrosa.Spectrogram(n_fft=1024, hop_length=320)(_torch(clip)[None])
        mel = torchlibrosa.LogmelFilterBank(sr=32000, n_fft=1024, n_mels=64, fmin=50, fmax=14000, top_db=None)
        return mel(spectrogram)[0, 0].numpy()

    return {"panns-32k-64": panns}


def of_torchaudio():
    import torchaudio
    from torchaudio.compliance import kaldi

    def fbank(n_mels, gain=1.0, **options):
        return lambda clip: kaldi.fbank(_torch(gain * clip)[None], num_mel_bins=n_mels, **options).numpy()

    def beats(clip):
        return (fbank(128, 2.0**15)(clip) - 15.41663) / (2 * 6.55582)

    def mel(clip):
        return torchaudio.transforms.MelSpectrogram()(_torch(clip)).numpy().T

    return {
        "kaldi-fbank-80": fbank(80),
        "wenet-80": fbank(80, 2.0**15, energy_floor=0.0),
        "lhotse-fbank-80": fbank(80, snip_edges=False, high_freq=-400.0),
        "beats": beats,
        "torchaudio-mel-128": mel,
    }


PACKAGES = {
    "transformers": of_transformers,
    "kaldi_native_fbank": of_kaldi_native_fbank,
    "lhotse": of_lhotse,
    "torchlibrosa": of_torchlibrosa,
    "torchaudio": of_torchaudio,
}


def kept_rows(count):
    """Returns the rows that are stored: those at both ends, and some between."""
    return sorted({*range(min(count, 3)), *np.linspace(0, count - 1, 9).astype(int).tolist(), count - 2, count - 1})


def write(package):
    arrays = {"versions": np.array([f"{name} {version(name)}" for name in (package, "torch")])}
    for preset, compute in PACKAGES[package]().items():
        for name, clip in stored_clips(references.sample_rate(preset)).items():
            feature = np.asarray(compute(clip), np.float32)
            rows = kept_rows(len(feature))
            arrays[f"{preset}/{name}/rows"] = np.array(rows, np.int16)
            arrays[f"{preset}/{name}/values"] = feature[rows]
            arrays[f"{preset}/{name}/shape"] = np.array(feature.shape, np.int16)
    FOLDER.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(FOLDER / f"{package}.npz", **arrays)


if __name__ == "__main__":
    for requested in sys.argv[1:]:
        write(requested)
