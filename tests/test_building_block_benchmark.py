"""The benchmark of building blocks: its pipeline computes every clip, and its table has ratios."""

import io

import pytest
from rich.console import Console

from benchmarks import building_blocks, counted_features
from benchmarks import clips as clips_of_benchmarks
from benchmarks.building_blocks import PIPELINE, PRECOMPUTE, Speeds


@pytest.mark.faults
def test_both_contenders_compute_every_clip(tmp_path):
    paths = clips_of_benchmarks.write(tmp_path / "clips", 3, 0.2)
    manifest = clips_of_benchmarks.write_manifest(tmp_path / "clips.csv", paths, 60)
    found = building_blocks._in_this_process(manifest, str(tmp_path), 1)
    assert list(found) == [PRECOMPUTE, PIPELINE]
    for speeds in found.values():
        assert len(speeds.speeds) == len(speeds.milliseconds) == 1
    (tmp_path / "marks").mkdir()
    marks = counted_features.run(manifest, str(tmp_path / "marks"))
    assert [count for count, _, _ in marks] == list(range(1, 61))


def test_the_steady_speed_ignores_the_start_and_the_end():
    marks = [(number, 100 + (0 if number < 3 else 2 * number), 7 + number / 4) for number in range(1, 21)]
    marks[-1] = (20, 1e9, 1e9)
    assert counted_features.steady(marks) == (2.0, 0.25)


def test_the_table_has_ratios_of_each_round():
    found = {"case": {PRECOMPUTE: Speeds([100, 200], [2, 4]), PIPELINE: Speeds([90, 240], [4, 4])}}
    console = Console(width=160, record=True, file=io.StringIO())
    result = building_blocks.show(found, console)
    text = console.export_text()
    assert result["case"]["ratios"] == pytest.approx([0.9, 1.2])
    assert "1.05 (0.90 .. 1.20)" in text
    assert "0.75 (0.50 .. 1.00)" in text
    assert "required: 0.9, smallest median: 1.05" in text
