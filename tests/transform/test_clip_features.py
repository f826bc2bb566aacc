"""Tests of the computation of clips that a reader has read."""

import types

import numpy as np
import pytest

from audiopipe import Transform, configs
from audiopipe.errors import AudioError
from audiopipe.runtime.read_ahead import Waiting
from audiopipe.transform import clip_features
from audiopipe.transform.clip_items import Block, Computed, End, Failed, Long, Whole
from audiopipe.transform.kernel import GROUP

RATE = 8000
CONFIG = configs.MelSpectrogram(sample_rate=RATE, n_fft=256, hop_length=100, n_mels=16, return_decibel=True)
NOISE = np.random.default_rng(0).uniform(-0.5, 0.5, (3000, 1)).astype(np.float32)


class Doubling:
    """Kernel whose feature is twice the samples. It counts the clips of each call, and fails for negative samples."""

    config = CONFIG

    def __init__(self):
        self.calls = []

    def clips(self, clips):
        if clips:
            self.calls.append(len(clips))
        samples = [np.asarray(clip) for clip in clips]
        if any((clip < 0).any() for clip in samples):
            raise ValueError("negative")
        return [2 * clip for clip in samples]

    def stream(self, blocks):
        return self.clips([np.concatenate(list(blocks))])[0]


@pytest.fixture
def kernel():
    return Doubling()


def clip(key, value=1):
    return Whole(key, np.full((3, 1), value, np.float32))


def found(items, kernel):
    """Returns the key and the first value of each feature, and all other items as they are."""
    shown = []
    for item in clip_features.computed(items, kernel):
        if isinstance(item, Computed):
            is_error = isinstance(item.feature, Exception)
            shown.append((item.key, str(item.feature) if is_error else item.feature[0, 0].item()))
        else:
            shown.append(item)
    return shown


def test_clips_are_computed_in_full_groups_and_other_items_keep_their_place(kernel):
    items = ["start"] + [item for number in range(20) for item in (clip(number, number), f"after {number}")]
    expected = ["start"] + [item for number in range(20) for item in ((number, 2 * number), f"after {number}")]
    assert found(items, kernel) == expected
    assert kernel.calls == [GROUP, GROUP, 4]


def test_groups_of_large_clips_are_smaller(kernel, monkeypatch):
    monkeypatch.setattr(clip_features, "MAX_VALUES", 8)  # a clip has 3 values
    assert found([clip(number, number) for number in range(7)], kernel) == [(number, 2 * number) for number in range(7)]
    assert kernel.calls == [3, 3, 1]


def test_clips_do_not_wait_for_their_group_while_the_next_one_takes_long_to_come(kernel):
    items = clip_features.computed(iter([clip(0), Waiting(), clip(1)]), kernel)
    assert next(items).key == 0
    assert kernel.calls == [1]


def test_clips_do_not_wait_behind_any_number_of_other_items(kernel):
    items = clip_features.computed(iter([clip(0), *range(10 * clip_features.MAX_HELD)]), kernel)
    assert next(items).key == 0


def test_a_clip_that_fails_does_not_affect_the_others_of_its_group(kernel):
    items = [clip(0, 1), clip(1, -1), "between", clip(2, 3)]
    assert found(items, kernel) == [(0, 2), (1, "negative"), "between", (2, 6)]


def test_a_long_clip_is_computed_from_its_blocks_after_the_clips_before_it(kernel):
    block = Block(np.full((2, 1), 4, np.float32))
    items = [clip(0), Long(1), block, "remark", Waiting(), block, End(), clip(2)]
    assert found(items, kernel) == [(0, 2), "remark", (1, 8), (2, 2)]
    [long] = clip_features.computed([Long(1), block, block, End()], kernel)
    assert (long.n_samples, long.feature.shape) == (4, (4, 1))


def test_a_long_clip_that_cannot_be_read_to_its_end_has_no_feature(kernel):
    failed = Failed(1, AudioError("damaged", stage="decode"))
    items = [Long(1), Block(np.ones((2, 1), np.float32)), "remark", failed, clip(2)]
    assert found(items, kernel) == ["remark", failed, (2, 2)]
    assert kernel.calls == [1]


def test_the_rest_of_a_long_clip_whose_computation_fails_is_passed_over(kernel):
    kernel.stream = lambda blocks: next(iter(blocks)) / types.SimpleNamespace()
    block = Block(np.ones((2, 1), np.float32))
    first, *others = found([Long(1), block, block, "remark", End(), "next", clip(2)], kernel)
    assert first[0] == 1
    assert "unsupported operand" in first[1]
    assert others == ["next", (2, 2)]


def test_an_error_of_the_reader_within_a_long_clip_is_not_one_of_the_clip(kernel):
    def items():
        yield Long(1)
        yield Block(np.ones((2, 1), np.float32))
        raise KeyError("the reader failed")

    with pytest.raises(KeyError, match="the reader failed"):
        list(clip_features.computed(items(), kernel))


def test_features_of_a_group_with_a_failure_have_the_bits_of_single_clips():
    mel = Transform(CONFIG)
    clips = [NOISE[: 500 + 300 * number] for number in range(5)]
    made = list(mel.computed([Whole(number, samples) for number, samples in enumerate([*clips, NOISE[:10].ravel()])]))
    assert isinstance(made[-1].feature, Exception)
    for samples, result in zip(clips, made[:-1], strict=True):
        np.testing.assert_array_equal(result.feature, mel(samples))
