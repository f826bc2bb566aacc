"""Remarks reach the caller, or become warnings that name the clip."""

import io
import warnings

import numpy as np
import pytest
import soundfile

from audiopipe import audio
from audiopipe.audio import Remark
from audiopipe.errors import AudioRemark

RATE = 16000


def _wav(samples):
    file = io.BytesIO()
    soundfile.write(file, samples, RATE, format="WAV", subtype="PCM_16")
    return file.getvalue()


def _noise(frames, channels=1):
    return (0.1 * np.random.default_rng(0).standard_normal((frames, channels))).astype("float32")


def test_a_truncated_file_is_read_with_a_remark_if_that_is_accepted():
    content, remarks = _wav(_noise(16000)), []
    samples = audio.read(content[:20044], sample_rate=RATE, accept_truncated=True, on_remark=remarks.append)
    np.testing.assert_array_equal(samples, soundfile.read(io.BytesIO(content), dtype="float32")[0][:10000, None])
    assert [remark.stage for remark in remarks] == ["decode"]
    assert "20000 of 32000 bytes" in remarks[0].text


def test_without_a_function_a_remark_is_a_warning_that_names_the_clip_and_the_caller(tmp_path):
    (tmp_path / "cut.wav").write_bytes(_wav(_noise(16000))[:20044])
    with pytest.warns(AudioRemark, match=r"cut\.wav': .*20000 of 32000 bytes.*\.$") as caught:
        audio.read(tmp_path / "cut.wav", sample_rate=RATE, accept_truncated=True)
    assert [warning.filename for warning in caught] == [__file__]


def test_channels_that_cancel_get_a_remark():
    noise, remarks = _noise(8000), []
    samples = audio.read(_wav(np.hstack([noise, -noise])), sample_rate=8000, on_remark=remarks.append)
    assert np.abs(samples).max() < 2**-15
    expected = "the channels cancel each other, so the mixdown to one channel is silent"
    assert remarks == [Remark("decode", expected)]


@pytest.mark.parametrize("case", ["silence", "heard later", "kept apart", "mono"])
def test_clips_whose_channels_do_not_cancel_get_no_remark(case):
    noise = _noise(8000)
    clip = np.hstack([noise, -noise])
    if case == "silence":
        clip[:] = 0
    elif case == "heard later":
        clip[-1] = 0.5
    elif case == "mono":
        clip = np.zeros((8000, 1))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        audio.read(_wav(clip), sample_rate=8000, channels=None if case == "kept apart" else 1)


def test_decoded_blocks_get_the_same_remark():
    noise, remarks = _noise(8000), []
    blocks = [(np.hstack([noise, -noise]), RATE)] * 2
    list(audio.convert_blocks(blocks, sample_rate=RATE, channels=1, resampler_quality="HQ", on_remark=remarks.append))
    assert len(remarks) == 1
