"""Sound of clips in reports."""

import base64
import io

import numpy as np
import pytest
import soundfile

from audiopipe import beam, configs
from audiopipe.errors import InputError
from audiopipe.plotting.reports import sounds
from audiopipe.transform.segments import Segments

RATE = 8000
CONFIG = configs.StftMagnitude(sample_rate=RATE, n_fft=256, hop_length=100, channels=None)


def tone(seconds, hertz=440, channels=1, rate=RATE):
    times = np.arange(round(seconds * rate)) / rate
    return np.repeat(0.5 * np.sin(2 * np.pi * hertz * times)[:, None], channels, axis=1)


def decoded(uri):
    kind, _, content = uri.partition(";base64,")
    assert kind == "data:audio/mpeg"
    return soundfile.read(io.BytesIO(base64.b64decode(content)), always_2d=True)


def hertz(samples, rate):
    spectrum = np.abs(np.fft.rfft(samples[:, 0]))
    return np.fft.rfftfreq(len(samples), 1 / rate)[spectrum.argmax()]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("clips")
    soundfile.write(path / "short.wav", tone(1), RATE)
    soundfile.write(path / "long.wav", np.concatenate([tone(10.5), tone(2, 1000)]), RATE)
    soundfile.write(path / "stereo.wav", tone(0.5, channels=2), RATE)
    return path


@pytest.fixture(scope="module")
def features(folder, tmp_path_factory):
    return beam.precompute(folder, tmp_path_factory.mktemp("sounds") / "features", CONFIG)


def of_clips(features, source, ids):
    return sounds.of_clips(features, str(source), ids, lambda *_: None)


def test_sound_is_that_of_the_clip_and_is_cut_after_10_seconds(features, folder):
    found = of_clips(features, folder, ["short.wav", "long.wav", "stereo.wav"])
    lengths = {name: len(decoded(sound.uri)[0]) / RATE for name, sound in found.items()}
    assert lengths == pytest.approx({"short.wav": 1, "long.wav": 10, "stereo.wav": 0.5}, abs=0.2)
    assert {name: sound.is_cut for name, sound in found.items()} == {
        "short.wav": False,
        "long.wav": True,
        "stereo.wav": False,
    }
    samples, rate = decoded(found["long.wav"].uri)
    assert hertz(samples[-4 * RATE :], rate) == pytest.approx(440, abs=2)  # not the 1000 Hz behind 10.5 s


def test_a_segment_has_the_sound_of_its_stretch(folder, tmp_path):
    features = beam.precompute(folder / "long.wav", tmp_path / "features", CONFIG, segments=Segments(seconds=2.1))
    found = of_clips(features, folder / "long.wav", ["long.wav#00000", "long.wav#00004"])
    assert hertz(*decoded(found["long.wav#00000"].uri)) == pytest.approx(440, abs=2)
    samples, rate = decoded(found["long.wav#00004"].uri)  # 8.4 s to 10.5 s
    assert len(samples) / rate == pytest.approx(2.1, abs=0.2)


def test_a_clip_that_the_input_lacks_says_so(features, folder):
    found = of_clips(features, folder / "short.wav", ["short.wav", "long.wav"])
    assert found["short.wav"].uri
    assert found["long.wav"] == sounds.Sound(fault="The input does not have this clip.")


def test_an_input_without_any_of_the_clips_is_refused(features, tmp_path):
    soundfile.write(tmp_path / "other.wav", tone(1), RATE)
    with pytest.raises(InputError, match=r"none of the 1 clips .* such as 'short\.wav'\. Pass the input"):
        of_clips(features, tmp_path, ["short.wav"])


def test_a_file_that_can_no_longer_be_read_says_why(features, tmp_path):
    (tmp_path / "short.wav").write_bytes(b"no audio")
    assert "Could not decode" in of_clips(features, tmp_path, ["short.wav"])["short.wav"].fault


@pytest.mark.parametrize(("rate", "expected"), [(16000, 16000), (22050, 22050), (6000, 8000), (96000, 48000)])
def test_any_sample_rate_becomes_one_that_browsers_play(rate, expected):
    samples, found = decoded(sounds.encoded(tone(1, rate=rate).astype(np.float32), rate))
    assert found == expected
    assert len(samples) / found == pytest.approx(1, abs=0.2)
    assert hertz(samples, found) == pytest.approx(440, abs=2)


def test_many_channels_are_mixed_down_and_loud_samples_are_clipped():
    samples, _ = decoded(sounds.encoded(8 * tone(1, channels=6).astype(np.float32), RATE))
    assert samples.shape[1] == 1
    assert np.abs(samples).max() < 1.5


def test_without_an_mp3_encoder_the_sound_is_wav(monkeypatch):
    monkeypatch.setattr(soundfile, "available_formats", lambda: {"WAV": ""})
    uri = sounds.encoded(tone(0.1).astype(np.float32), RATE)
    kind, _, content = uri.partition(";base64,")
    assert kind == "data:audio/wav"
    assert soundfile.read(io.BytesIO(base64.b64decode(content)))[0].shape == (800,)
