"""Recomputation of clips of any length through each door."""

import itertools
import os
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from audiopipe import Transform, inputs
from audiopipe.errors import AudioError
from audiopipe.inputs import Source
from audiopipe.transform.segments import Segments
from audiopipe.verification import recompute
from audiopipe.verification.recompute import Clips

DOORS = {"by clip": recompute.by_clip, "by batch": recompute.by_batch, "by row": recompute.by_row}


@pytest.fixture(scope="module")
def transform(config):
    return Transform(config)


@pytest.fixture
def second_is_long(monkeypatch):
    """Computes clips longer than a second in blocks, and limits a batch of other clips to 4 seconds."""
    monkeypatch.setattr(recompute, "LONG_SECONDS", 1)
    monkeypatch.setattr(recompute, "SECONDS_AT_ONCE", 4)


@pytest.fixture(scope="module")
def recordings(tmp_path_factory):
    """Returns a folder with nine clips of half a second to a second, and two of about three seconds among them."""
    folder, noise = tmp_path_factory.mktemp("recordings"), np.random.default_rng(0)
    for number, seconds in enumerate([0.5, 1, 3, 0.7, 0.9, 1, 0.6, 3.1, 0.8, 0.9, 0.5]):
        samples = 0.2 * noise.standard_normal(round(8000 * seconds))
        soundfile.write(folder / f"{number:02d}.wav", samples, 8000, subtype="FLOAT")
    return folder


@pytest.fixture
def expected(recordings, transform):
    return {path.name: transform(transform.read(path)) for path in sorted(recordings.iterdir())}


def clips_of(sources, expected, transform, segments=None):
    return Clips({source.id: source for source in sources}, {key: len(value) for key, value in expected.items()},
                 segments, transform)  # fmt: skip


@pytest.mark.parametrize("door", DOORS)
def test_clips_are_in_order_and_bit_equal_to_a_direct_call(second_is_long, recordings, transform, expected, door):
    clips = clips_of(inputs.scan(recordings), expected, transform)
    found = list(DOORS[door](clips))
    names = [name for name in expected if door != "by batch" or name not in ("02.wav", "07.wav")]
    assert [name for name, _ in found] == names
    for name, feature in found:
        np.testing.assert_array_equal(feature, expected[name])


def test_only_long_clips_are_read_in_blocks_and_none_of_them_is_batched(
    second_is_long, recordings, transform, expected, monkeypatch
):
    in_blocks, shapes = [], []
    compute, call = Transform.compute, Transform.__call__

    def spied_compute(self, clip):
        in_blocks.append(not isinstance(clip, np.ndarray))
        return compute(self, clip)

    def spied_call(self, audio, *rest, **kwargs):
        shapes.append(audio["audio"].shape)
        return call(self, audio, *rest, **kwargs)

    monkeypatch.setattr(Transform, "compute", spied_compute)
    monkeypatch.setattr(Transform, "__call__", spied_call)
    clips = clips_of(inputs.scan(recordings), expected, transform)
    assert len(list(recompute.by_clip(clips))) == 11
    assert (in_blocks, [shape.rank for shape in shapes]) == ([True, True], [2])
    assert len(list(recompute.by_batch(clips))) == 9
    assert in_blocks == [True, True]


@given(st.lists(st.integers(1, 50), max_size=40), st.integers(1, 6), st.integers(1, 120))
def test_groups_hold_consecutive_clips_within_the_budget(lengths, size, budget):
    clips = SimpleNamespace(frames={str(number): length for number, length in enumerate(lengths)}, _budget=budget)
    sizes = Clips.groups(clips, list(clips.frames), size)
    edges = np.cumsum([0, *sizes])
    assert edges[-1] == len(lengths)
    for start, stop in itertools.pairwise(edges):
        group = lengths[start:stop]
        assert 1 <= len(group) <= size
        assert len(group) == 1 or len(group) * max(group) <= budget
        if stop < len(lengths):  # a group ends only if the next clip does not fit
            assert len(group) == size or (len(group) + 1) * max([*group, lengths[stop]]) > budget


@pytest.mark.cases(3)
@pytest.mark.parametrize("seconds", [0.4, 1.3])
@pytest.mark.parametrize("door", DOORS)
def test_segments_of_any_length_are_bit_equal_to_a_direct_call(second_is_long, recordings, transform, door, seconds):
    source = Source(id="07.wav", path=str(recordings / "07.wav"))
    samples, length = transform.read(source.path), round(seconds * 8000)
    starts = {f"07.wav#{number:05d}": number * length for number in range(-(-len(samples) // length))}
    expected = {name: transform(samples[start : start + length]) for name, start in starts.items()}
    expected.pop("07.wav#00001")  # as if the sample did not contain it
    clips = clips_of([source], expected, transform, Segments(seconds=seconds, last="keep"))
    found = dict(DOORS[door](clips))
    assert list(found) == [name for name in expected if door != "by batch" or not clips.is_long(name)]
    for name, feature in found.items():
        np.testing.assert_array_equal(feature, expected[name])
    assert any(map(clips.is_long, expected)) == (seconds > 1)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has file names that are not UTF-8")
@pytest.mark.parametrize("door", DOORS)
def test_a_file_whose_name_is_not_utf_8_is_read_through_every_door(recordings, transform, expected, tmp_path, door):
    name = os.fsdecode(b"caf\xe9.wav")
    (tmp_path / name).write_bytes((recordings / "03.wav").read_bytes())
    [(found, feature)] = DOORS[door](clips_of(inputs.scan(tmp_path), {name: expected["03.wav"]}, transform))
    assert found == name
    np.testing.assert_array_equal(feature, expected["03.wav"])


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has file names that are not UTF-8")
def test_a_missing_file_whose_name_is_not_utf_8_is_an_audio_error(transform, expected, tmp_path):
    name = os.fsdecode(b"caf\xe9.wav")
    source = Source(id=name, path=str(tmp_path / name))
    with pytest.raises(AudioError, match=r"Could not read .*No such file"):
        list(recompute.by_row(clips_of([source], {name: expected["03.wav"]}, transform)))
