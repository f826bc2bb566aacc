"""Whatever is lost of what was written into a file is a failure or has a remark; `make test-deep` tries more files."""

import resource
import shutil
import subprocess

import numpy as np
import pytest
from fuzzing import RATE, case
from hypothesis import settings

from audiopipe import audio
from audiopipe.errors import AudioError

DEEP = settings.get_current_profile_name() == "deep"
CASES = 22_000 if DEEP else 440
GROUPS = 22  # one for each kind of file
LARGEST_MEMORY = 200_000  # kilobytes over those of clean files


def _read(content):
    """Returns the samples `[time, channels]` and the remarks, or None and the error."""
    remarks = []
    try:
        return audio.read(content, sample_rate=RATE, channels=None, on_remark=remarks.append), remarks
    except AudioError as error:
        return None, [error]


def _fault(fuzzed):
    """Returns what is wrong with how a case was read, or None."""
    samples, said = _read(fuzzed.content)
    if said or fuzzed.expected is None:
        return None
    expected = fuzzed.expected
    if len(samples) < len(expected) - fuzzed.slack:
        return f"{fuzzed.story}: {len(samples)} of {len(expected)} samples, and nothing was said"
    common = min(len(samples), len(expected)) - fuzzed.slack
    # mpg123 may round the last bit in another way after a seek, which soundfile makes for the expected samples.
    if samples.shape[1] != expected.shape[1]:
        return f"{fuzzed.story}: {samples.shape[1]} of {expected.shape[1]} channels, and nothing was said"
    different = np.flatnonzero((np.abs(samples[:common] - expected[:common]) > 1e-6).any(axis=1))
    if len(different) and "size" not in fuzzed.story:  # a pad byte before the next file may count as a sample
        return f"{fuzzed.story}: differs from sample {different[0]} on, and nothing was said"
    return None


@pytest.mark.cases(11)
@pytest.mark.parametrize("group", range(GROUPS))
def test_no_loss_is_silent(group):
    _read(case(group).content)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    faults = [fault for number in range(group, CASES, GROUPS) if (fault := _fault(case(number)))]
    assert not faults, "\n".join(faults)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < LARGEST_MEMORY


@pytest.mark.parametrize("group", range(GROUPS))
def test_accepted_files_are_read_with_a_remark_if_they_are_read_at_all(group):
    for number in range(group, CASES, 5 * GROUPS):
        fuzzed, remarks = case(number), []
        strict, said = _read(fuzzed.content)
        try:
            samples = audio.read(
                fuzzed.content, sample_rate=RATE, channels=None, accept_truncated=True, on_remark=remarks.append
            )
        except AudioError:
            assert strict is None, fuzzed.story
            continue
        if strict is None:
            assert remarks, fuzzed.story
        else:
            np.testing.assert_array_equal(samples, strict)
            assert remarks == said


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not installed")
def test_files_that_are_read_without_a_word_are_as_long_as_in_ffmpeg(tmp_path):
    compared = 0
    for number in range(0, CASES, 23 if DEEP else 9):
        fuzzed = case(number)
        samples, said = _read(fuzzed.content)
        if said or "joined" in fuzzed.story or "behind" in fuzzed.story:  # FFmpeg reads headers of AU as samples
            continue
        (tmp_path / "clip").write_bytes(fuzzed.content)
        command = ["ffmpeg", "-v", "quiet", "-i", tmp_path / "clip", "-f", "s16le", "-ac", "1", "-ar", str(RATE), "-"]
        decoded = subprocess.run(command, capture_output=True).stdout
        # FFmpeg keeps the delay of MP3 encoders in some files, and the padding of the last block.
        assert len(decoded) // 2 <= len(samples) + max(fuzzed.slack, 3000), fuzzed.story
        compared += 1
    assert compared > CASES // 1000
