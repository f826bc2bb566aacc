"""Assignment of clips to parts: balanced, independent of other clips, and the same in every release."""

from collections import Counter

import pytest

from audiopipe.inputs import Source
from audiopipe.precompute.parts import ROWS_TOGETHER, part_of


def test_parts_have_about_the_same_number_of_clips():
    counts = Counter(part_of(Source(f"{number:05d}", f"/clips/{number:05d}.wav"), 12) for number in range(24_000))
    assert sorted(counts) == list(range(12))
    assert max(counts.values()) < 1.1 * 2000
    assert min(counts.values()) > 0.9 * 2000


def test_a_clip_goes_where_its_id_leads_wherever_its_audio_is():
    assert part_of(Source("a", "/here/a.wav"), 12) == part_of(Source("a", "s3://there/b.flac"), 12)


def test_stretches_go_where_their_recording_leads():
    stretches = [Source(f"id {start}", "/data/calls/a.wav", start=start) for start in range(50)]
    moved = [Source(f"id {end}", "gs://bucket/calls/a.wav", end=end) for end in range(1, 50)]
    assert len({part_of(clip, 500) for clip in [*stretches, *moved]}) == 1


def test_rows_of_a_table_go_to_the_parts_in_blocks():
    rows = [part_of(Source(str(row), "/data/train.parquet", row=row), 3) for row in range(6 * ROWS_TOGETHER)]
    blocks = [set(rows[start : start + ROWS_TOGETHER]) for start in range(0, len(rows), ROWS_TOGETHER)]
    assert all(len(block) == 1 for block in blocks)
    assert Counter(rows) == dict.fromkeys(range(3), 2 * ROWS_TOGETHER)


@pytest.mark.parametrize(
    ("clip", "part"),
    [
        (Source("c00", "/x.wav"), 9),
        (Source("dog/a.wav", "/x.wav"), 5),
        (Source("\udc80é", "/x.wav"), 8),
        (Source("x", "/calls/a.wav", start=1.0), 11),
        (Source("x", "/data/train.parquet", row=1023), 7),
        (Source("x", "/data/train.parquet", row=1024), 8),
    ],
)
def test_a_later_release_assigns_clips_to_the_same_parts(clip, part):
    """Otherwise an update would compute nearly all clips again. The numbers are those of the first release."""
    assert part_of(clip, 12) == part
