"""Tests of writing one shard, and of completing a feature set from finished shards."""

import errno
import json
import os
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import soundfile
import tensorflow as tf
from planning import write_shard, written

from audiopipe import Transform
from audiopipe.audio import conversion
from audiopipe.errors import FeatureSetError, OutputError, StoppedError
from audiopipe.feature_sets import records, tfrecords
from audiopipe.feature_sets.file_names import shard_name
from audiopipe.inputs import Source
from audiopipe.precompute import completion, finished_shards, probed_machines, shard_writer
from audiopipe.runtime import machine_facts, stopping
from audiopipe.storage import digests
from audiopipe.transform import block_graphs, kernel, row_features

TOLERANCE = 1e-2  # decibels: float32 is coarse in bands that resampling has almost emptied


def make_plan(folder, config, paths, num_shards):
    folder.mkdir()
    return written(str(folder), config, [Source(id=path.name, path=str(path)) for path in paths], num_shards)


def stored(work, shard):
    """Returns the feature of each record of a shard, by id."""
    path = os.path.join(work.output, shard_name(shard))
    entries = [tf.train.Example.FromString(item.numpy()).features.feature for item in tf.data.TFRecordDataset(path)]
    return {
        entry["id"].bytes_list.value[0].decode(): np.frombuffer(entry["feature"].bytes_list.value[0], "<f4").reshape(
            entry["shape"].int64_list.value
        )
        for entry in entries
    }


@pytest.fixture
def work(tmp_path, clips, config):
    """A plan with two shards. The broken clip is in the second."""
    names = ["mono.wav", "stereo.flac", "quiet.wav", "broken.wav", "resampled.wav"]
    return make_plan(tmp_path / "features", config, [clips / name for name in names], 2)


def test_a_shard_contains_its_clips_and_the_sidecar_describes_them(work, samples, config, reference):
    sidecar = write_shard(work, 0)
    features = stored(work, 0)
    assert list(features) == ["mono.wav", "stereo.flac"]
    np.testing.assert_allclose(features["mono.wav"], reference(samples["mono"], config), atol=TOLERANCE)
    np.testing.assert_allclose(features["stereo.flac"], reference(samples["stereo"], config), atol=TOLERANCE)
    assert (sidecar["records"], sidecar["clips"], sidecar["failures"]) == (2, 2, [])
    assert sidecar["seconds"] == pytest.approx((4000 + 2500) / 8000)
    assert json.loads(Path(work.output, "plan", "shard-00000.json").read_text()) == sidecar


def test_the_rows_of_the_index_say_where_the_records_and_the_audio_are(work, clips):
    sidecar = write_shard(work, 0)
    rows = pq.read_table(work.rows_file(0)).to_pylist()
    assert [(row["id"], row["n_frames"], row["seconds"] * 8000) for row in rows] == [
        ("mono.wav", 38, 4000),
        ("stereo.flac", 23, 2500),
    ]
    content = Path(work.shard_path(0)).read_bytes()
    for number, row in enumerate(rows):
        place, source = row["record"], row["source"]
        frame = content[place["offset"] :][: tfrecords.FRAME_BYTES + place["bytes"]]
        assert records.clip_id(tfrecords.parse(frame)) == row["id"]
        assert place["number"] == number
        audio = (clips / row["id"]).read_bytes()
        assert (source["path"], source["size"]) == (str(clips / row["id"]), len(audio))
        assert source["digest"] == digests.of([audio])
    assert len(content) == sidecar["bytes"]


def test_the_facts_about_the_machine_are_looked_up_once(work, monkeypatch):
    asked = []
    monkeypatch.setattr(machine_facts, "machine", lambda: asked.append(None) or {"cpu_family": "68000"})
    probed_machines._facts.cache_clear()
    sidecars = [write_shard(work, shard) for shard in range(2)]
    probed_machines._facts.cache_clear()
    assert [sidecar["machine"] for sidecar in sidecars] == [{"cpu_family": "68000"}] * 2
    assert len(asked) == 1


def test_a_bad_clip_is_a_failure_and_the_other_clips_are_right(work, samples, config, reference, clips):
    [failure] = write_shard(work, 1)["failures"]
    assert (failure["id"], failure["path"], failure["stage"]) == ("broken.wav", str(clips / "broken.wav"), "decode")
    features = stored(work, 1)
    assert list(features) == ["quiet.wav", "resampled.wav"]
    np.testing.assert_allclose(features["quiet.wav"], reference(samples["quiet"], config), atol=TOLERANCE)
    np.testing.assert_allclose(features["resampled.wav"], reference(samples["resampled"], config), atol=TOLERANCE)


def test_failures_name_the_stage_and_the_cause(tmp_path, config, clips):
    soundfile.write(tmp_path / "short.wav", np.zeros(255), 8000)
    soundfile.write(tmp_path / "empty.wav", np.zeros(0), 8000)
    soundfile.write(tmp_path / "nan.wav", np.full(500, np.nan), 8000, subtype="FLOAT")
    paths = [tmp_path / "gone.wav", tmp_path / "empty.wav", tmp_path / "nan.wav", tmp_path / "short.wav"]
    work = make_plan(tmp_path / "features", config, [*paths, clips / "quiet.wav"], 1)
    failures = write_shard(work, 0)["failures"]
    assert [(failure["id"], failure["stage"]) for failure in failures] == [
        ("gone.wav", "read"),
        ("empty.wav", "decode"),
        ("nan.wav", "decode"),
        ("short.wav", "feature"),
    ]
    for failure, words in zip(failures, ["gone.wav", "no samples", "finite", "255 samples"], strict=True):
        assert words in failure["error"]


@pytest.mark.parametrize(
    ("home", "broken", "stage"), [(Transform, "read_blocks", "read"), (kernel.Kernel, "clips", "feature")]
)
def test_an_unexpected_exception_is_a_failure_with_the_name_of_its_class(work, monkeypatch, home, broken, stage):
    def fail(*arguments, **keywords):
        raise ZeroDivisionError("who knows")

    monkeypatch.setattr(home, broken, fail)
    failures = write_shard(work, 0)["failures"]
    assert [failure["error"] for failure in failures] == ["ZeroDivisionError: who knows"] * 2
    assert {failure["stage"] for failure in failures} == {stage}


def test_a_feature_too_large_for_a_record_is_a_failure_that_advises_segments(work, monkeypatch):
    monkeypatch.setattr(records, "MAX_RECORD_BYTES", 15000)
    sidecar = write_shard(work, 0)
    assert [(failure["id"], failure["stage"]) for failure in sidecar["failures"]] == [("mono.wav", "feature")]
    assert "--segment-seconds" in sidecar["failures"][0]["error"]
    assert list(stored(work, 0)) == ["stereo.flac"]


def test_a_long_recording_is_computed_in_blocks_and_gives_the_same_record(work, monkeypatch):
    whole = write_shard(work, 0)
    monkeypatch.setattr(row_features, "LONG_SECONDS", 0.1)
    monkeypatch.setattr(block_graphs, "BLOCK_VALUES", 3 * 256)
    monkeypatch.setattr(conversion, "BLOCK_SAMPLES", 500)
    monkeypatch.setattr(kernel.Kernel, "_clip", lambda *arguments: pytest.fail("computed whole"))
    monkeypatch.setattr(shard_writer, "_transform", shard_writer._transform.__wrapped__)
    os.remove(work.path("shard-00000.json"))
    assert write_shard(work, 0)["sha256"] == whole["sha256"]


def test_a_killed_worker_leaves_no_partial_shard(work, monkeypatch):
    def interrupt(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(records, "encode", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_shard(work, 0)
    assert os.listdir(work.output) == ["plan"]
    assert finished_shards.find(work, 0, work.shards()[0].digest) is None


def test_a_shard_that_is_written_again_has_the_same_bytes(work):
    first = write_shard(work, 0)
    os.remove(work.path("shard-00000.json"))
    second = write_shard(work, 0)
    assert first["sha256"] == second["sha256"]


def test_a_finished_shard_is_not_written_again(work, monkeypatch):
    first = write_shard(work, 0)
    monkeypatch.setattr(shard_writer, "_Shard", lambda *arguments: pytest.fail("written again"))
    assert write_shard(work, 0) == first


def test_a_stopped_job_leaves_no_partial_shard(work):
    stopping.stop(work.output)
    try:
        with pytest.raises(StoppedError):
            write_shard(work, 0)
    finally:
        stopping.allow(work.output)
    assert os.listdir(work.output) == ["plan"]
    assert write_shard(work, 0)["records"] == 2


def test_a_full_disk_ends_the_job_and_is_not_a_failure_of_a_clip(work, monkeypatch):
    def full(*arguments):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(tfrecords.Writer, "write", full)
    with pytest.raises(OutputError, match=r"Could not write '.*features-00000000\.tfrecord': No space left"):
        write_shard(work, 0)
    assert os.listdir(work.output) == ["plan"]


def test_a_clip_that_was_changed_or_removed_since_it_was_listed_is_a_failure(tmp_path, config, clips):
    folder = tmp_path / "clips"
    folder.mkdir()
    for name in ("a.wav", "b.wav", "c.wav"):
        (folder / name).write_bytes((clips / "mono.wav").read_bytes())
    work = make_plan(tmp_path / "features", config, sorted(folder.iterdir()), 1)
    soundfile.write(folder / "a.wav", np.zeros(4000), 8000)
    (folder / "b.wav").unlink()
    sidecar = write_shard(work, 0)
    assert [(failure["id"], failure["stage"]) for failure in sidecar["failures"]] == [
        ("a.wav", "read"),
        ("b.wav", "read"),
    ]
    assert "had 16,080 bytes and has 8,044 now" in sidecar["failures"][0]["error"]
    assert "is gone now" in sidecar["failures"][1]["error"]
    assert sidecar["records"] == 1


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_features_are_stored_in_the_dtype_of_the_plan(tmp_path, config, clips, dtype):
    sources = [Source(id="mono.wav", path=str(clips / "mono.wav"))]
    whole = written(str(tmp_path / "a"), config, sources)
    small = written(str(tmp_path / "b"), config, sources, dtype=dtype)
    assert write_shard(whole, 0)["max_error"] == 0
    sidecar = write_shard(small, 0)
    assert sidecar["bytes"] < 0.6 * write_shard(whole, 0)["bytes"]
    feature_set = completion.finish(small)
    assert (feature_set.dtype, feature_set.max_error) == (dtype, sidecar["max_error"])
    assert 0 < sidecar["max_error"] < 0.5


def test_a_feature_set_with_an_unfinished_shard_cannot_be_completed(work):
    write_shard(work, 0)
    with pytest.raises(FeatureSetError, match=r"did not write 1 of 2 shards\. The first is features-00000001"):
        completion.finish(work)
    assert not Path(work.output, "dataset.json").exists()


def test_a_complete_feature_set_has_the_sums_of_its_shards_and_failures_in_the_order_of_the_input(work):
    for shard in (1, 0):
        write_shard(work, shard)
    feature_set = completion.finish(work)
    assert feature_set.counts["clips"] == 4
    assert feature_set.counts["failures"] == 1
    assert feature_set.counts["frames"] == 38 + 23 + 8 + 43
    assert feature_set.counts["hours"] == pytest.approx((4000 + 2500 + 1000 + 4500) / 8000 / 3600)
    assert feature_set.file_names == [
        "features-00000000.tfrecord",
        "features-00000001.tfrecord",
        "index-00000001.parquet",
        "failures-00000001.jsonl",
        "remarks-00000001.jsonl",
        "statistics-00000001.jsonl",
    ]
    lines = Path(work.output, "failures.jsonl").read_text().splitlines()
    assert [json.loads(line)["id"] for line in lines] == ["broken.wav"]


def test_there_is_no_feature_set_when_every_clip_failed(tmp_path, config):
    work = make_plan(tmp_path / "features", config, [tmp_path / "gone.wav", tmp_path / "lost.wav"], 2)
    for shard in range(2):
        write_shard(work, shard)
    with pytest.raises(FeatureSetError, match=r"All 2 clips failed.*gone\.wav', read: Could not read"):
        completion.finish(work)
    assert not Path(work.output, "dataset.json").exists()
    assert len(Path(work.output, "failures.jsonl").read_text().splitlines()) == 2
