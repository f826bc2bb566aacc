"""Tests of remarks about clips, from the shard to the summary."""

import functools
import json

import numpy as np
import pytest
import soundfile
from corpora import content

from audiopipe import beam
from audiopipe.errors import CorruptFeatureSetError, FeatureSetError, InputChangedError
from audiopipe.feature_sets.description import Description
from audiopipe.transform.segments import Segments
from audiopipe.verification import verify

RATE = 8000


@pytest.fixture
def recordings(tmp_path):
    """A folder with a whole recording, one that lacks 0.5 % and one that lacks half."""
    folder = tmp_path / "clips"
    folder.mkdir()
    for name, missing in (("a-whole", 0), ("b-almost", 200), ("c-half", 20000)):
        path = folder / f"{name}.wav"
        soundfile.write(path, np.random.default_rng(0).uniform(-0.5, 0.5, 20000), RATE)
        path.write_bytes(path.read_bytes()[: 44 + 40000 - missing])
    return folder


def ids(facts):
    return [fact["id"] for fact in facts]


def test_a_file_that_lacks_little_is_read_with_a_remark_and_one_that_lacks_much_is_a_failure(
    recordings, tmp_path, config
):
    made = beam.precompute(recordings, tmp_path / "out", config, max_failure_ratio=1)
    assert (made.counts["clips"], made.counts["failures"], made.counts["remarks"]) == (2, 1, 1)
    [remark] = made.remarks()
    assert {name: remark[name] for name in ("id", "path", "stage")} == {
        "id": "b-almost.wav",
        "path": str(recordings / "b-almost.wav"),
        "stage": "decode",
    }
    assert "39800 of 40000 bytes" in remark["remark"]
    assert ids(made.failures()) == ["c-half.wav"]
    lines = (tmp_path / "out" / "remarks.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == [remark]
    described = json.loads((tmp_path / "out" / "dataset.json").read_text())
    assert described["counts"]["remarks"] == 1
    assert described["input"]["accept_truncated"] is False


def test_accepted_truncated_files_are_read_with_a_remark(recordings, tmp_path, config):
    made = beam.precompute(recordings, tmp_path / "out", config, accept_truncated=True)
    assert (made.counts["clips"], made.counts["failures"]) == (3, 0)
    assert ids(made.remarks()) == ["b-almost.wav", "c-half.wav"]
    assert made.counts["hours"] * 3600 * RATE == pytest.approx(20000 + 19900 + 10000)
    assert Description.open(made.path).accept_truncated


def test_verify_reads_truncated_files_as_the_job_did(recordings, tmp_path, config):
    made = beam.precompute(recordings, tmp_path / "out", config, accept_truncated=True)
    report = verify(made.path, recordings)
    assert report.ok
    assert [row.clips for row in report.comparisons] == [3, 3, 3]


def test_other_settings_are_refused_unless_only_failures_are_tried_again(recordings, tmp_path, config):
    beam.precompute(recordings, tmp_path / "out", config, max_failure_ratio=1)
    with pytest.raises(InputChangedError, match=r"accept_truncated was False and is True now.*--retry-failures"):
        beam.precompute(recordings, tmp_path / "out", config, accept_truncated=True)
    made = beam.precompute(recordings, tmp_path / "out", config, accept_truncated=True, retry_failures=True)
    clean = beam.precompute(recordings, tmp_path / "clean", config, accept_truncated=True)
    assert made.counts == clean.counts
    assert content(made.path) == content(clean.path)
    for name in ("remarks.jsonl", "failures.jsonl"):
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "clean" / name).read_bytes()


def test_remarks_of_kept_clips_survive_a_retry(recordings, tmp_path, config):
    before = beam.precompute(recordings, tmp_path / "out", config, max_failure_ratio=1)
    after = beam.precompute(recordings, tmp_path / "out", config, max_failure_ratio=1, retry_failures=True)
    assert after.remarks() == before.remarks() != []


def test_a_changed_list_of_remarks_is_found(recordings, tmp_path, config):
    made = beam.precompute(recordings, tmp_path / "out", config, max_failure_ratio=1)
    path = tmp_path / "out" / "remarks-00000001.jsonl"
    path.write_text(path.read_text().replace("b-almost", "a-almost"))
    with pytest.raises(CorruptFeatureSetError, match=r"remarks-00000001\.jsonl' does not have the checksum"):
        Description.open(made.path).check_files(checksums=True)
    path.unlink()
    with pytest.raises(CorruptFeatureSetError, match=r"remarks-00000001\.jsonl' is missing"):
        Description.open(made.path).remarks()


def test_recordings_shorter_than_a_segment_are_counted_and_are_no_failures(tmp_path, config):
    (tmp_path / "in").mkdir()
    for number in range(3):
        soundfile.write(tmp_path / "in" / f"{number}.wav", np.zeros(RATE), RATE)
    soundfile.write(tmp_path / "in" / "long.wav", np.zeros(6 * RATE), RATE)
    made = beam.precompute(tmp_path / "in", tmp_path / "out", config, segments=Segments(seconds=2), max_failure_ratio=0)
    assert {name: made.counts[name] for name in ("clips", "failures", "short_recordings")} == {
        "clips": 3,
        "failures": 0,
        "short_recordings": 3,
    }
    assert ids(made.remarks()) == ["0.wav", "1.wav", "2.wav"]
    assert made.remarks()[0]["remark"] == "the recording has 1 s and gives no segment of 2 s"
    assert verify(made.path, tmp_path / "in", door="tfdata").ok


def test_a_short_stretch_is_counted_once_after_a_retry_of_its_recording(tmp_path, config):
    soundfile.write(tmp_path / "a.wav", np.zeros(4 * RATE), RATE)
    rows = [{"path": "a.wav", "start": start, "end": end} for start, end in [(0, 0.5), (1, 3), (3, 7)]]
    (tmp_path / "m.jsonl").write_text("\n".join(map(json.dumps, rows)))
    call = functools.partial(
        beam.precompute, tmp_path / "m.jsonl", tmp_path / "out", config, segments=Segments(seconds=1)
    )
    before = call()
    assert (before.counts["failures"], before.counts["short_recordings"]) == (1, 1)
    assert before.remarks()[0]["remark"] == "the stretch has 0.5 s and gives no segment of 1 s"
    soundfile.write(tmp_path / "a.wav", np.zeros(8 * RATE), RATE)
    after = call(retry_failures=True)
    assert (after.counts["failures"], after.counts["short_recordings"], after.counts["remarks"]) == (0, 1, 1)
    assert after.counts["clips"] == 2 + 4


def test_short_recordings_never_count_towards_the_ratio_of_failures(tmp_path, config):
    (tmp_path / "in").mkdir()
    for number in range(120):
        soundfile.write(tmp_path / "in" / f"{number:03d}.wav", np.zeros(800), RATE)
    soundfile.write(tmp_path / "in" / "long.wav", np.zeros(RATE), RATE)
    made = beam.precompute(tmp_path / "in", tmp_path / "out", config, segments=Segments(seconds=1), max_failure_ratio=0)
    assert (made.counts["clips"], made.counts["short_recordings"]) == (1, 120)


def test_there_is_no_feature_set_of_short_recordings_only(tmp_path, config):
    soundfile.write(tmp_path / "a.wav", np.zeros(800), RATE)
    with pytest.raises(FeatureSetError, match="The only recording is too short for a segment"):
        beam.precompute(tmp_path / "a.wav", tmp_path / "out", config, segments=Segments(seconds=1))
