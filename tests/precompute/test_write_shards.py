"""Tests of writing several shards in one process, with one thread and with several."""

import json
import os
import threading
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import soundfile
from planning import written

from audiopipe.errors import OutputError, StoppedError
from audiopipe.feature_sets import tfrecords
from audiopipe.inputs import Source, scan, tables
from audiopipe.precompute import finished_shards, shard_writer
from audiopipe.runtime import stopping, threads
from audiopipe.storage import digests
from audiopipe.transform import kernel, row_features
from audiopipe.transform.segments import Segments

RATE = 8000
CLIPS = 21
SEVERAL = 3


@pytest.fixture(params=[1, SEVERAL])
def n_threads(request, monkeypatch):
    monkeypatch.setattr(threads, "available", lambda: request.param)
    return request.param


@pytest.fixture(scope="module")
def recordings(tmp_path_factory):
    """A folder of clips of different lengths: one is no audio, one is truncated, and one too short for a frame."""
    folder = tmp_path_factory.mktemp("recordings")
    noise = np.random.default_rng(0)
    for number in range(CLIPS):
        soundfile.write(folder / f"{number:02}.wav", noise.uniform(-0.5, 0.5, 1000 + 400 * number), RATE)
    (folder / "05.wav").write_bytes(b"no audio")
    content = (folder / "09.wav").read_bytes()
    (folder / "09.wav").write_bytes(content[: len(content) // 2])
    soundfile.write(folder / "13.wav", np.zeros(10), RATE)
    return folder


def sources(folder):
    """Whole recordings, and stretches of two of them that are not in the order of their starts."""
    whole = [
        Source(path.name, str(path), metadata={"take": number}) for number, path in enumerate(sorted(folder.iterdir()))
    ]
    cuts = [("20", 0.5), ("19", 0.25), ("20", 0.0), ("19", 0.0), ("20", 9.0)]
    stretches = [
        Source(f"{name}-{start}", str(folder / f"{name}.wav"), metadata={"take": 99}, start=start, end=start + 0.5)
        for name, start in cuts
    ]
    return [*stretches[:2], *whole, *stretches[2:]]


def elements(work):
    return [(work.clips_file(shard.file), shard.number) for shard in work.shards()]


def outcome(work, sidecars):
    """Returns everything that must not depend on the threads."""
    rows = [pq.read_table(work.rows_file(shard.number)).to_pylist() for shard in work.shards()]
    shards = [Path(work.shard_path(shard.number)).read_bytes() for shard in work.shards()]
    facts = [{name: value for name, value in sidecar.items() if name != "seconds_spent"} for sidecar in sidecars]
    return rows, shards, facts


def left():
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("audiopipe-")]


@pytest.mark.cases(2)
@pytest.mark.parametrize("segments", [None, Segments(seconds=0.1, last="pad")])
@pytest.mark.parametrize("long_seconds", [60, 0.5])
def test_shards_and_sidecars_do_not_depend_on_the_number_of_threads(
    recordings, tmp_path, config, monkeypatch, segments, long_seconds
):
    monkeypatch.setattr(row_features, "LONG_SECONDS", long_seconds)
    found = []
    for count in (1, SEVERAL):
        monkeypatch.setattr(threads, "available", lambda count=count: count)
        folder = str(tmp_path / f"{count}")
        os.mkdir(folder)
        work = written(folder, config, sources(recordings), 7, segments=segments, accept_truncated=True)
        sidecars = list(shard_writer.write_shards(elements(work)))
        assert left() == []
        found.append(outcome(work, sidecars))
        for sidecar in sidecars:
            assert json.loads(Path(work.path(f"shard-{sidecar['shard']:05}.json")).read_text()) == sidecar
    alone, together = found
    assert together == alone
    failures = [failure["id"] for sidecar in alone[2] for failure in sidecar["failures"]]
    assert failures == (["05.wav", "13.wav", "20-9.0"] if segments is None else ["05.wav", "20-9.0"])
    assert [remark["id"] for sidecar in alone[2] for remark in sidecar["remarks"] if "09" in remark["id"]]


def test_each_shard_has_the_bytes_that_it_has_alone(recordings, tmp_path, config, n_threads):
    works = []
    for name in ("together", "alone"):
        (tmp_path / name).mkdir()
        works.append(written(str(tmp_path / name), config, sources(recordings), 7))
    together, alone = works
    sidecars = list(shard_writer.write_shards(elements(together)))
    for element, sidecar in zip(elements(alone), sidecars, strict=True):
        assert shard_writer.write_shard(*element)["sha256"] == sidecar["sha256"]


@pytest.fixture
def work(recordings, tmp_path, config):
    (tmp_path / "features").mkdir()
    return written(str(tmp_path / "features"), config, sources(recordings), 7)


def test_groups_of_clips_reach_beyond_the_end_of_a_shard(work, n_threads, monkeypatch):
    compute, sizes = kernel.Kernel.clips, []
    monkeypatch.setattr(kernel.Kernel, "clips", lambda self, clips: sizes.append(len(clips)) or compute(self, clips))
    sidecars = list(shard_writer.write_shards(elements(work)))
    assert max(sidecar["records"] for sidecar in sidecars) < kernel.GROUP
    assert max(sizes) == kernel.GROUP
    assert sum(sizes) == sum(sidecar["records"] for sidecar in sidecars)


def test_a_sidecar_comes_once_its_shard_is_published_and_the_others_are_left_if_the_iterator_is_closed(work, n_threads):
    sidecars = shard_writer.write_shards(elements(work))
    first = next(sidecars)
    assert first["sha256"] == finished_shards.find(work, 0, work.shards()[0].digest)["sha256"]
    sidecars.close()
    assert left() == []
    assert not list(Path(work.output).rglob("*.tmp"))
    if n_threads == 1:  # others may have written all shards by now
        assert len(list(Path(work.output).glob("*.tfrecord"))) == 1
    again = list(shard_writer.write_shards(elements(work)))
    assert again[0] == first
    assert [sidecar["shard"] for sidecar in again] == list(range(7))


def test_the_rows_of_a_table_are_read_in_order_so_that_each_row_group_is_read_once(
    recordings, tmp_path, config, n_threads, monkeypatch
):
    audio = [path.read_bytes() for path in sorted(recordings.iterdir())]
    rows = [{"bytes": content, "path": None} for content in audio]
    pq.write_table(pa.table({"audio": rows}), tmp_path / "clips.parquet", row_group_size=4)
    (tmp_path / "features").mkdir()
    work = written(str(tmp_path / "features"), config, scan(tmp_path / "clips.parquet"), 3)
    read, groups = pq.ParquetFile.read_row_group, []
    monkeypatch.setattr(
        pq.ParquetFile,
        "read_row_group",
        lambda self, group, **keywords: groups.append(group) or read(self, group, **keywords),
    )
    tables._open_table.cache_clear()  # threads of the plan read rows too, and the last row group stays in memory
    sidecars = list(shard_writer.write_shards(elements(work)))
    assert groups == list(range(6))
    assert [sidecar["records"] for sidecar in sidecars] == [7 - 1, 7 - 2, 7]
    found = [row["source"]["digest"] for row in outcome(work, sidecars)[0][2]]
    assert found == [digests.of([content]) for content in audio[14:]]


def test_a_row_without_audio_is_read_once_and_fails_alone(recordings, tmp_path, config, n_threads, monkeypatch):
    content = min(recordings.iterdir()).read_bytes()
    rows = [{"bytes": content, "path": None}, {"bytes": None, "path": None}, {"bytes": content, "path": None}]
    pq.write_table(pa.table({"audio": rows}), tmp_path / "clips.parquet")
    (tmp_path / "features").mkdir()
    work = written(str(tmp_path / "features"), config, scan(tmp_path / "clips.parquet"), 1)
    audio, opened = tables._ParquetTable.audio, []
    monkeypatch.setattr(tables._ParquetTable, "audio", lambda self, row: opened.append(row) or audio(self, row))
    [sidecar] = shard_writer.write_shards(elements(work))
    assert opened == [0, 1, 2]
    assert sidecar["records"] == 2
    assert [(failure["row"], failure["stage"]) for failure in sidecar["failures"]] == [(1, "read")]
    assert "has no audio" in sidecar["failures"][0]["error"]


def test_no_shards_are_no_work(n_threads):
    assert list(shard_writer.write_shards([])) == []


def test_a_full_disk_ends_the_writing_and_leaves_no_partial_shard(work, n_threads, monkeypatch):
    write, calls = tfrecords.Writer.write, iter(range(99))

    def full(self, record):
        if next(calls) == 9:
            raise OSError(28, "No space left on device")
        return write(self, record)

    monkeypatch.setattr(tfrecords.Writer, "write", full)
    with pytest.raises(OutputError, match=r"Could not write '.*features-0000000\d\.tfrecord': No space left"):
        list(shard_writer.write_shards(elements(work)))
    assert left() == []
    assert not list(Path(work.output).rglob("*.tmp"))
    assert 0 < len(list(Path(work.output).glob("*.tfrecord"))) < 7


def test_a_stop_is_noticed_while_a_clip_is_being_read(work, monkeypatch):
    monkeypatch.setattr(threads, "available", lambda: SEVERAL)
    waits, answer = threading.Event(), threading.Event()
    read_blocks = shard_writer.Transform.read_blocks

    def hold(self, source, **keywords):
        if source.path.endswith("08.wav"):
            waits.set()
            answer.wait(30)
        yield from read_blocks(self, source, **keywords)

    def stop():
        waits.wait(30)
        stopping.stop(work.output)
        threading.Timer(0.3, answer.set).start()

    monkeypatch.setattr(shard_writer.Transform, "read_blocks", hold)
    threading.Thread(target=stop).start()
    try:
        with pytest.raises(StoppedError):
            list(shard_writer.write_shards(elements(work)))
    finally:
        stopping.allow(work.output)
    assert left() == []
    assert not list(Path(work.output).rglob("*.tmp"))
