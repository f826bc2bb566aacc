"""Tests of full disks, folders without permissions, second runs, stalled workers and storage that does not answer."""

import contextlib
import json
import os
import signal
import subprocess
import time

import pytest
from holding import Hold
from remote_storage import WebHdfs
from running import AS_ANYBODY, PERMISSIONS_HOLD, Run, check_same, contents, finished, temporaries

from audiopipe import beam


def words(printed):
    return " ".join(printed.split())


@contextlib.contextmanager
def small_disk(folder, size):
    """Mounts a file system in memory with a limited size at a new folder."""
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder], capture_output=True)
    if mounted.returncode:
        pytest.skip("mounting a file system is not permitted here")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


@pytest.mark.faults
@pytest.mark.parametrize("workers", [1, 2])
def test_a_full_disk_ends_the_job_and_it_resumes_when_there_is_space(work, tmp_path, workers):
    disk = tmp_path / "disk"
    with small_disk(disk, "700k"):
        output = disk / "out"
        with Run(work.source, output, work.config, *work.options, "--workers", workers, log=tmp_path) as run:
            assert run.wait() == 1, run.printed
            assert f"Could not write '{output}/" in run.printed
            assert "No space left on device" in run.printed
            assert "Run the same command again to resume. Finished shards are kept." in words(run.printed)
            assert "Traceback" not in run.printed
        assert 0 < finished(output) < work.shards
        assert temporaries(output) == []
        # A shard without records is left out of the complete set.
        kept = {name: content for name, content in contents(output).items() if content and name.endswith(".tfrecord")}
        subprocess.run(["mount", "-o", "remount,size=100m", disk], check=True)
        with Run(work.source, output, work.config, *work.options, "--workers", workers, log=tmp_path) as run:
            assert run.wait() == 0, run.printed
        check_same(output, work.clean)
        assert kept.items() <= contents(output).items()


@pytest.mark.faults
def test_a_limit_on_file_sizes_ends_the_job_with_an_error_that_names_the_file(small_work, tmp_path):
    output = tmp_path / "out"
    with Run(small_work.source, output, small_work.config, *small_work.options, file_size=60_000) as run:
        assert run.wait() == 1, run.printed
        assert f"Could not write '{output}/features-" in run.printed
        assert "File too large" in run.printed
        assert "Run the same command again to resume. Finished shards are kept." in words(run.printed)
        assert "Traceback" not in run.printed
    assert temporaries(output) == []
    beam.precompute(small_work.source, output, small_work.config, workers=1)
    check_same(output, small_work.clean)


needs_permissions = pytest.mark.skipif(not PERMISSIONS_HOLD, reason="root may read and write everything here")


@pytest.mark.faults
@needs_permissions
def test_an_input_folder_that_cannot_be_read_is_refused_before_anything_is_written(small_work, tmp_path):
    closed = tmp_path / "clips" / "closed"
    closed.mkdir(parents=True)
    closed.chmod(0)
    with Run(closed.parent, tmp_path / "out", small_work.config, prefix=AS_ANYBODY) as run:
        assert run.wait() == 1, run.printed
        assert f"Could not list '{closed}': Permission denied." in run.printed
        assert "Traceback" not in run.printed
    assert not (tmp_path / "out").exists()


@pytest.mark.faults
@needs_permissions
@pytest.mark.parametrize("exists", [True, False])
def test_an_output_that_cannot_be_written_is_refused(small_work, tmp_path, exists):
    closed = tmp_path / "closed"
    closed.mkdir()
    closed.chmod(0o500)
    output = closed if exists else closed / "out"
    with Run(small_work.source, output, small_work.config, prefix=AS_ANYBODY, log=tmp_path) as run:
        assert run.wait() == 1, run.printed
        assert str(output) in run.printed
        assert "Permission denied" in run.printed
        assert "Traceback" not in run.printed
    assert os.listdir(closed) == []


@pytest.mark.faults
def test_a_second_run_is_refused_and_the_first_is_not_disturbed(small_work, tmp_path):
    output = tmp_path / "out"
    hold = Hold("published", r"/plan/plan\.json$")
    with Run(small_work.source, output, small_work.config, *small_work.options, "--workers=2", hold=hold) as first:
        # The first run is held, so that it still has the lock when the second one starts.
        assert first.until(hold.reached)
        with Run(small_work.source, output, small_work.config, *small_work.options, log=tmp_path) as second:
            code = second.wait()
        hold.release()
        assert code == 1, second.printed
        assert f"Another run writes to '{output}': process {first.process.pid} on host" in words(second.printed)
        assert "Traceback" not in second.printed
        assert first.wait() == 0, first.printed
    check_same(output, small_work.clean)


@pytest.mark.faults
def test_paused_workers_are_a_stall_and_end_with_the_job(small_work, tmp_path):
    output = tmp_path / "out"
    options = (*small_work.options, "--workers=2", "--stall-timeout=60")
    hold = Hold("published", r"/plan/shard-\d+\.json$", 2)
    with Run(small_work.source, output, small_work.config, *options, hold=hold) as run:
        assert run.until(hold.reached)
        for pid in run.processes("audiopipe.precompute.worker"):
            os.kill(pid, signal.SIGSTOP)
        hold.release()
        assert run.wait() == 1
        assert "No shard was finished for 60 s" in run.printed
        assert "Traceback" not in run.printed
        assert run.processes() == []
    beam.precompute(small_work.source, output, small_work.config, workers=1)
    check_same(output, small_work.clean)


@pytest.mark.faults
@pytest.mark.parametrize("workers", [1, 2])
def test_storage_that_does_not_answer_ends_the_job_with_advice(small_work, tmp_path, workers):
    with WebHdfs(small_work.source) as storage:
        manifest = tmp_path / "clips.jsonl"
        # The manifest has the lengths, so that only the workers read the files.
        clips = [{"id": path.name, "path": storage.url(path), "duration": 20.0} for path in storage.files()[:12]]
        manifest.write_text("".join(json.dumps(clip) + "\n" for clip in clips))
        command = (manifest, tmp_path / "out", small_work.config, "--num-shards=12", f"--workers={workers}")
        storage.hold(7)
        with Run(*command, "--stall-timeout=60") as run:
            assert run.until(lambda: storage.held)
            begin = time.monotonic()
            assert run.wait(150) == 1
            seconds = time.monotonic() - begin
            assert "No shard was finished for 60 s" in run.printed
            assert "or increase --stall-timeout" in words(run.printed)
            assert "Traceback" not in run.printed
            assert run.processes() == []
        assert temporaries(tmp_path / "out") == []
        assert 0 < finished(tmp_path / "out") < 12
        assert seconds < 90
        storage.release()
        with Run(*command) as run:
            assert run.wait() == 0, run.printed
        beam.precompute(manifest, tmp_path / "clean", small_work.config, num_shards=12, workers=1)
        check_same(tmp_path / "out", tmp_path / "clean")


@pytest.mark.faults
def test_a_named_pipe_in_the_input_is_a_failure_and_not_a_stall(small_work, tmp_path):
    source = tmp_path / "clips"
    source.mkdir()
    (source / "a.wav").symlink_to(small_work.source / "0000.wav")
    os.mkfifo(source / "b.wav")
    with Run(source, tmp_path / "out", small_work.config, "--stall-timeout=3", "--workers=1") as run:
        assert run.wait() == 0, run.printed
        assert "failed: b.wav (read): Could not read" in run.printed
    (source / "b.wav").unlink()
    with Run(source, tmp_path / "out", small_work.config, log=tmp_path) as run:
        assert run.wait() == 1
        assert "the clip 'b.wav' is not in the input any more" in words(run.printed)
        assert "--overwrite" in run.printed
    with Run(source, tmp_path / "out", small_work.config, "--overwrite", log=tmp_path) as run:
        assert run.wait() == 0, run.printed
