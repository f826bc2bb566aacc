"""Long recordings of which a feature covers only the start: the rest is read and counted, but not kept or computed."""

import weakref

import numpy as np
import pytest
import soundfile

from audiopipe import Transform, configs
from audiopipe.errors import AudioError
from audiopipe.layers import Chunk, PadFrames
from audiopipe.transform import block_graphs, row_features

RATE = 8000
LAST = {"input_data_format": "channels_last", "output_data_format": "channels_last"}
FIRST = {"input_data_format": "channels_first", "output_data_format": "channels_first"}
SMALL = {"sample_rate": RATE, "n_fft": 128, "hop_length": 80, "n_mels": 4, **LAST}

CHUNKS = {
    "whisper": configs.WhisperLogMel(n_mels=4, chunk_seconds=0.5, **LAST),
    "clip_seconds": configs.LogMel(**SMALL, clip_seconds=0.5, pad_mode="reflect", gain=32768.0),
    "clip_seconds, normalized, channels first": configs.LogMel(
        **{**SMALL, **FIRST}, clip_seconds=0.5, short_clips="repeat", normalization="clip", fixed_frames=10, channels=2
    ),
}
FIXED = {
    "fixed": configs.LogMel(**SMALL, fixed_frames=50, pad_mode="reflect"),
    "fixed, stacked, masked": configs.LogMel(
        **SMALL, fixed_frames=20, stack_frames=3, masked_frames=2, padding_value=0.0
    ),
    "fixed, cepstra": configs.Mfcc(**SMALL, n_mfcc=3, deltas=2, delta_mode="interp", fixed_frames=50),
    "fixed, channels first": configs.LogMel(**{**SMALL, **FIRST}, edges="snip", fixed_frames=50, channels=None),
}
CASES = {**CHUNKS, **FIXED}


def noise(n_samples):
    return np.random.default_rng(n_samples).uniform(-0.5, 0.5, (n_samples, 2)).astype(np.float32)


class Recording:
    """Blocks of ten seconds of a recording, noise and then zeros. It counts the blocks that somebody still holds."""

    def __init__(self, seconds):
        self.n_blocks = seconds // 10
        self.read = self.held = self.most_held = 0

    def __iter__(self):
        for number in range(self.n_blocks):
            block = np.zeros((10 * RATE, 2), np.float32) if number else noise(10 * RATE)
            self.read, self.held = self.read + 1, self.held + 1
            self.most_held = max(self.held, self.most_held)
            weakref.finalize(block, self._release)
            yield block

    def _release(self):
        self.held -= 1


def watched(compute, sizes):
    """Returns a function that also lists the number of samples of each call."""

    def watch(samples):
        sizes.append(len(samples))
        return compute(samples)

    return watch


@pytest.mark.cases(2)
@pytest.mark.parametrize("name", CASES)
def test_the_bits_are_those_of_the_whole_clip(name, monkeypatch):
    mel = Transform(CASES[name])
    monkeypatch.setattr(row_features, "LONG_SECONDS", 0)
    monkeypatch.setattr(block_graphs, "BLOCK_VALUES", 7 * 128)
    for n_samples in (3000, 3999, 4000, 4001, 5000, 9001):
        clip = noise(n_samples)
        blocks = [clip[start : start + 1300] for start in range(0, n_samples, 1300)]
        expected = mel(clip)
        np.testing.assert_array_equal(mel.compute(blocks).view(np.uint32), expected.view(np.uint32), strict=True)
        np.testing.assert_array_equal(mel.compute(clip), expected)


@pytest.mark.cases(2)
@pytest.mark.parametrize("name", ["whisper", "fixed, stacked, masked", "clip_seconds"])
def test_an_hour_is_neither_joined_nor_computed_beyond_what_the_feature_covers(name, monkeypatch):
    config = CASES[name]
    mel, hour, computed = Transform(config), Recording(3600), []
    for owner, method in ((mel._kernel, "clip"), (mel._kernel.blocks, "frames")):
        monkeypatch.setattr(owner, method, watched(getattr(owner, method), computed))
    feature = mel.compute(hour)
    assert hour.read == hour.n_blocks, "the whole recording must be read, because its end may be missing"
    assert hour.most_held <= row_features.LONG_SECONDS * config.sample_rate // (10 * RATE) + 3
    assert sum(computed) <= 20 * RATE
    np.testing.assert_array_equal(feature, mel(noise(10 * RATE)))


@pytest.mark.cases(1)
@pytest.mark.parametrize("name", ["fixed", "whisper"])
def test_what_is_left_out_of_a_long_file_is_counted_and_its_missing_end_found(name, tmp_path):
    config, path = CASES[name], tmp_path / "long.wav"
    rate = config.sample_rate
    soundfile.write(path, np.resize(noise(rate), (65 * rate, 2)), rate, subtype="PCM_16")
    remarks = []
    [(_, n_frames, valid)] = Transform(config).rows([str(path)], on_remark=lambda _, remark: remarks.append(remark))
    assert (n_frames, valid) == (50, 50)
    [remark] = remarks
    kept = int(config.kept_samples(65 * rate))
    assert remark.facts == {"dropped_seconds": 65 - kept / rate}
    path.write_bytes(path.read_bytes()[:-100_000])
    [error] = Transform(config).rows([str(path)])
    assert isinstance(error, AudioError)
    tolerant = Transform(config, accept_truncated=True)
    [_] = tolerant.rows([str(path)], on_remark=lambda _, remark: remarks.append(remark))
    assert [remark.stage for remark in remarks] == ["feature", "decode", "feature"]
    assert remarks[-1].facts["dropped_seconds"] == pytest.approx(65 - (kept + 25_000) / rate)


def test_a_clip_that_is_too_long_is_refused_while_its_blocks_come_in(monkeypatch):
    monkeypatch.setattr(row_features, "LONG_SECONDS", 1)
    mel, hour = Transform(configs.LogMel(**SMALL, clip_seconds=15, long_clips="error")), Recording(3600)
    with pytest.raises(AudioError, match="longer than this feature allows: 15 s"):
        mel.compute(hour)
    assert hour.read == 2
    assert len(mel.compute(Recording(10))) == 1501


def test_a_layer_that_refuses_long_clips_still_sees_that_a_clip_is_too_long():
    assert (Chunk(5).most_samples, Chunk(5, longer="error").most_samples) == (5, 6)
    assert (PadFrames(n_frames=3).most_frames, PadFrames(count=3).most_frames) == (3, None)
