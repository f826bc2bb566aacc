"""The references agree with the code that they describe.

Some of that code runs here. Values of what needs torch, Kaldi or lhotse are stored, see `write_upstream_values.py`.
"""

import warnings

import librosa
import numpy as np
import pytest
import tensorflow as tf

from front_ends import agreement, clips, references, write_upstream_values

transformers = pytest.importorskip("transformers")
reference_features = pytest.importorskip("benchmarks.reference_features")


def _samples(extractor, clip, sample_rate):
    return extractor(clip, sampling_rate=sample_rate, return_tensors="np")


def _seamless_m4t(clip):
    return _samples(transformers.SeamlessM4TFeatureExtractor(), clip, 16000).input_features[0]


def _w2v_bert(clip):
    return _samples(transformers.SeamlessM4TFeatureExtractor(padding_value=1), clip, 16000).input_features[0]


def _speech_to_text(clip):
    return _samples(transformers.Speech2TextFeatureExtractor(), clip, 16000).input_features[0]


def _speecht5(clip):
    extractor = transformers.SpeechT5FeatureExtractor()
    return extractor(audio_target=clip, sampling_rate=16000, return_tensors="np").input_values[0]


def _whisper(n_mels):
    extractor = transformers.WhisperFeatureExtractor(feature_size=n_mels)
    return lambda clip: _samples(extractor, clip, 16000).input_features[0].T


def _univnet(**arguments):
    extractor = transformers.UnivNetFeatureExtractor(**arguments)
    return lambda clip: extractor(clip, sampling_rate=extractor.sampling_rate, return_noise=False).input_features[0]


def _gemma3n(clip):
    extractor = transformers.Gemma3nAudioFeatureExtractor()
    return extractor(clip, pad_to_multiple_of=None, return_tensors="np").input_features[0]


def _librosa(clip, log, **arguments):
    return log(librosa.feature.melspectrogram(y=clip.astype(np.float64), dtype=np.float64, **arguments)).T


def _musicnn(clip):
    arguments = {"sr": 16000, "hop_length": 256, "n_fft": 512, "n_mels": 96, "pad_mode": "reflect"}
    return _librosa(clip, lambda mel: np.log10(10000 * mel + 1), **arguments)


def _tacotron2(clip):
    arguments = {"sr": 22050, "n_fft": 1024, "hop_length": 256, "n_mels": 80, "fmax": 8000, "power": 1}
    return _librosa(clip, lambda mel: np.log(np.maximum(mel, 1e-5)), pad_mode="reflect", **arguments)


def _panns(clip):
    arguments = {"sr": 32000, "n_fft": 1024, "hop_length": 320, "n_mels": 64, "fmin": 50, "fmax": 14000}
    return _librosa(clip, lambda mel: librosa.power_to_db(mel, top_db=None), pad_mode="reflect", **arguments)


def _librosa_mel(clip):
    return _librosa(clip, librosa.power_to_db, sr=22050)


def _torchaudio_mel(clip):
    arguments = {"sr": 16000, "n_fft": 400, "hop_length": 200, "htk": True, "norm": None}
    return _librosa(clip, lambda mel: mel, pad_mode="reflect", **arguments)


def _audioset(offset):
    matrix = tf.signal.linear_to_mel_weight_matrix(64, 257, 16000, 125.0, 7500.0, dtype=tf.float64)

    def compute(clip):
        spectrum = tf.abs(tf.signal.stft(tf.constant(clip, tf.float64), 400, 160, 512))
        return np.log((spectrum @ matrix).numpy() + offset)

    return compute


UPSTREAM = {
    "kaldi-fbank-80": reference_features.kaldi(80),
    "wenet-80": reference_features.kaldi(80, gain=2.0**15),
    "seamless-m4t": _seamless_m4t,
    "w2v-bert": _w2v_bert,
    "speech-to-text": _speech_to_text,
    "beats": reference_features.beats,
    "whisper-80": _whisper(80),
    "whisper-128": _whisper(128),
    "speecht5": _speecht5,
    "univnet": _univnet(),
    "bigvgan-24k-100": _univnet(),
    "hifigan-22k-80": _univnet(sampling_rate=22050, num_mel_bins=80, fmax=8000),
    "tacotron2-80": _tacotron2,
    "vggish": _audioset(0.01),
    "yamnet": _audioset(0.001),
    "panns-32k-64": _panns,
    "gemma3n-128": _gemma3n,
    "musicnn-96": _musicnn,
    "librosa-mel-128": _librosa_mel,
    "torchaudio-mel-128": _torchaudio_mel,
}

# librosa reflects the end of a clip without the sample before that end, which shows where hops fill half a frame.
INEXACT_UPSTREAM = {("torchaudio-mel-128", 200 * count) for count in range(1, 10)}


def _stored():
    for path in sorted(write_upstream_values.FOLDER.glob("*.npz")):
        with np.load(path) as arrays:
            for name in arrays.files:
                preset, _, rest = name.partition("/")
                if rest.endswith("/values"):
                    yield path.stem, preset, rest.removesuffix("/values")


STORED = list(_stored())


@pytest.mark.cases(16)
@pytest.mark.parametrize(("package", "preset", "clip"), STORED)
def test_reference_agrees_with_stored_values(package, preset, clip):
    samples = write_upstream_values.stored_clips(references.sample_rate(preset))[clip]
    reference = references.reference(preset, samples)
    with np.load(write_upstream_values.FOLDER / f"{package}.npz") as arrays:
        rows, values, shape = (arrays[f"{preset}/{clip}/{kind}"] for kind in ("rows", "values", "shape"))
    assert reference.feature.shape == tuple(shape)
    if package == "torchaudio" and preset == "torchaudio-mel-128":  # its filters are rounded to float32 midway
        np.testing.assert_allclose(values, reference.feature[rows], rtol=2e-5, atol=2e-5 * reference.mel.max())
        return
    feature = reference.feature.copy()
    feature[rows] = values
    assert agreement.judge(feature, reference) == []


def test_every_preset_without_code_here_has_stored_values():
    stored = {preset for _, preset, _ in STORED}
    assert {*references.NAMES} - {*UPSTREAM} <= stored


@pytest.mark.cases(7)
@pytest.mark.parametrize("preset", UPSTREAM)
def test_reference_agrees_with_upstream_code(preset):
    sample_rate = references.sample_rate(preset)
    for name, clip in clips.signals(sample_rate, sample_rate // 4 + 37).items():
        assert _disagreement(preset, clip) == [], name


@pytest.mark.cases(9)
@pytest.mark.parametrize("preset", [preset for preset in UPSTREAM if not preset.startswith("whisper")])
def test_reference_has_the_frames_of_upstream_code_around_each_boundary(preset):
    for length in clips.boundaries(*references.framing(preset)):
        if (preset, length) not in INEXACT_UPSTREAM:
            assert _disagreement(preset, clips.noise(length)) == [], length


def _disagreement(preset, clip):
    reference = references.reference(preset, clip)
    if len(reference.feature) == 0:
        return []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # filters without a bin, and 0 / 0 on silence
        feature = np.asarray(UPSTREAM[preset](clip))
    if reference.normalized:
        # In bins that change by less than float32 shows, upstream divides 0, or what its mean was rounded by, by 0 or
        # an epsilon. `pieces.normalization` states the rule instead.
        constant = np.tile(np.ptp(reference.log, axis=0) < 1e-5, reference.stack)
        feature = np.where(constant, reference.feature, feature)
    return agreement.judge(feature, reference)
