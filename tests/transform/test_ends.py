"""What segments leave out and pad at the ends of recordings, and what features leave out of long clips."""

import dataclasses

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from audiopipe import Segments, configs
from audiopipe.inputs import Source
from audiopipe.transform import ends

TINY = configs.StftMagnitude(sample_rate=100, n_fft=8, hop_length=4)
NO_ENDS = {"cut_clips": 0, "dropped_seconds": 0.0, "padded_seconds": 0.0}


def cut(segments, n_samples, config=TINY, block=7, **source):
    """Returns the starts and the lengths of segments in samples, and the remarks."""
    samples, remarks = np.ones((n_samples, 1), np.float32), []
    blocks = [samples[start : start + block] for start in range(0, n_samples, block)]
    made = segments.clips(Source(id="a", path="a.wav", **source), blocks, config, on_remark=remarks.append)
    return [(round(100 * clip.metadata["start"]), len(part), valid) for clip, part, valid in made], remarks


@given(
    st.integers(1, 130),
    st.integers(8, 40),
    st.integers(4, 50),
    st.sampled_from(["drop", "pad", "keep"]),
    st.integers(1, 50),
)
def test_every_sample_at_the_end_is_in_a_segment_or_counted(n_samples, length, hop, last, block):
    found, remarks = cut(Segments(seconds=length / 100, hop=hop / 100, last=last), n_samples, block=block)
    totals = NO_ENDS | ends.totals([remark.facts for remark in remarks])
    reached = max((start + valid for start, _, valid in found), default=0)
    # With a long hop, samples between two segments are left out on purpose, and those after the last one may be.
    skipped = min(n_samples, reached + max(0, hop - length)) if found else 0
    assert round(100 * totals["dropped_seconds"]) == n_samples - max(reached, skipped)
    assert round(100 * totals["padded_seconds"]) == sum(size - valid for _, size, valid in found)
    assert totals["cut_clips"] == (found != [] and n_samples > max(reached, skipped))
    assert [remark for remark in remarks if remark.facts.get("short")] == (remarks if not found else [])


def test_remarks_say_what_was_left_out_and_padded():
    whole = Segments(seconds=0.2)
    assert cut(whole, 40)[1] == []
    [dropped], [short] = cut(whole, 45)[1], cut(whole, 12, start=0.5)[1]
    assert dropped.text == "0.05 s at the end of the recording were left out, because they give no segment"
    assert short.text == "the stretch has 0.12 s and gives no segment of 0.2 s"
    [padded] = cut(dataclasses.replace(whole, last="pad"), 45)[1]
    assert padded.text == "the last segment was padded with 0.15 s of zeros"
    assert {remark.stage for remark in (dropped, short, padded)} == {"feature"}


def test_only_clips_that_are_longer_than_a_chunk_are_cut():
    config = configs.WhisperLogMel(chunk_seconds=1.5)
    assert ends.cut(24_000, config) is None
    assert ends.cut(24_001, config).facts == {"dropped_seconds": 1 / 16000}
    assert ends.cut(10**9, dataclasses.replace(config, chunk_seconds=None)) is None
    assert ends.cut(10**9, TINY) is None
