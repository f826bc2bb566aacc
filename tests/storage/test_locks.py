"""One run at a time on one output."""

import contextlib
import datetime
import errno
import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time

import fsspec
import pytest

from audiopipe.errors import FeatureSetError, FeatureSetLockedError
from audiopipe.storage import locks

OUTPUT = "memory://test-locks/features"
LEASE = "/test-locks/features/plan/lease.json"
SECONDS = 1.2  # of a lease: a thread that renews it may be late by a second on a busy machine

# Holds the output in its argument until it is killed. Its worker outlives it.
HOLDER = """
import subprocess, sys, time
from audiopipe.storage import locks
with locks.held(sys.argv[1]):
    worker = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], stdout=subprocess.DEVNULL)
    print(worker.pid, flush=True)
    time.sleep(60)
"""

# Holds the output in its argument, forks, and ends without releasing it.
FORKER = """
import os, sys, time
from audiopipe.storage import locks
with locks.held(sys.argv[1]):
    if not os.fork():
        print(os.getpid(), flush=True)
        time.sleep(60)
    os._exit(0)
"""


@pytest.fixture
def storage():
    """Yields fsspec's memory filesystem, and removes the files of the test afterwards."""
    filesystem = fsspec.filesystem("memory")
    yield filesystem
    if filesystem.exists("/test-locks"):
        filesystem.rm("/test-locks", recursive=True)


def lease(output=OUTPUT, seconds=SECONDS, settle=0.0):
    return locks.held(output, lease_seconds=seconds, settle_seconds=settle)


def written(renewed_ago, *, seconds=SECONDS, token="theirs", pid=123):
    renewed = datetime.datetime.now(datetime.UTC) - datetime.timedelta(seconds=renewed_ago)
    facts = {"host": "far-away", "pid": pid, "since": "2026-01-02T03:04:05+00:00", "seconds": seconds, "token": token}
    return json.dumps({**facts, "renewed": renewed.isoformat()}).encode()


def refusal(output, **settings):
    with pytest.raises(FeatureSetLockedError) as caught, locks.held(str(output), **settings):
        pass
    return str(caught.value)


def wait_for(condition):
    end = time.monotonic() + 60  # far more than it takes, for slow machines
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


# Locks


def test_a_second_run_on_a_folder_is_refused_and_the_error_says_who_holds_it(tmp_path):
    output = tmp_path / "a" / "features"
    with locks.held(str(output)) as run:
        message = refusal(output)
        assert refusal(output) == message  # the refused run has not changed the file
        assert not run.lost
        run.check()
    assert f"process {os.getpid()} on host {socket.gethostname()!r}, started 20" in message
    assert repr(str(output)) in message
    assert "choose another folder" in message
    with locks.held(str(output)):
        pass


def test_a_released_lock_is_an_empty_file(tmp_path):
    with locks.held(str(tmp_path)):
        facts = json.loads((tmp_path / "plan" / "lock").read_bytes())
    assert (facts["host"], facts["pid"]) == (socket.gethostname(), os.getpid())
    assert datetime.datetime.fromisoformat(facts["since"]).utcoffset() == datetime.timedelta(0)
    assert [(path.name, path.read_bytes()) for path in (tmp_path / "plan").iterdir()] == [("lock", b"")]


def test_another_thread_of_the_process_is_refused(tmp_path):
    messages = []
    with locks.held(str(tmp_path)):
        thread = threading.Thread(target=lambda: messages.append(refusal(tmp_path)))
        thread.start()
        thread.join()
    assert "Another run writes" in messages[0]


def test_a_held_folder_is_refused_by_every_path_to_it(tmp_path, monkeypatch):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    monkeypatch.chdir(tmp_path)
    with locks.held("real"):
        for path in ("link", "real/", "./real", tmp_path / "link" / ".." / "real"):
            refusal(path)
        with locks.held("other"):
            pass


def test_the_lock_stays_held_after_a_change_of_the_working_folder(tmp_path, monkeypatch):
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    with locks.held("features") as run:
        monkeypatch.chdir(tmp_path / "elsewhere")
        assert not run.lost
    assert (tmp_path / "features/plan/lock").read_bytes() == b""


def test_an_error_in_the_run_is_raised_unchanged_and_releases_the_folder(tmp_path):
    with pytest.raises(PermissionError, match="mine"), locks.held(str(tmp_path)):
        raise PermissionError("mine")
    with locks.held(str(tmp_path)):
        pass


def test_a_killed_process_releases_the_lock_although_its_workers_live(tmp_path):
    with subprocess.Popen([sys.executable, "-c", HOLDER, tmp_path], stdout=subprocess.PIPE, text=True) as holder:
        worker = int(holder.stdout.readline())
        try:
            assert f"process {holder.pid} on host" in refusal(tmp_path)
            holder.send_signal(signal.SIGKILL)
            holder.wait()
            os.kill(worker, 0)
            with locks.held(str(tmp_path)):
                assert f"process {os.getpid()} on host" in refusal(tmp_path)
        finally:
            holder.kill()
            os.kill(worker, signal.SIGKILL)


def test_a_forked_child_does_not_hold_the_lock_of_its_parent(tmp_path):
    with subprocess.Popen([sys.executable, "-c", FORKER, tmp_path], stdout=subprocess.PIPE, text=True) as parent:
        child = int(parent.stdout.readline())
        try:
            assert parent.wait() == 0
            with locks.held(str(tmp_path)):
                os.kill(child, 0)
        finally:
            os.kill(child, signal.SIGKILL)


@pytest.mark.parametrize("change", ["removed", "replaced", "gone"])
def test_a_lock_whose_file_was_removed_or_replaced_is_lost(tmp_path, change):
    path = tmp_path / "features" / "plan" / "lock"
    with locks.held(str(tmp_path / "features")) as run:
        if change == "gone":
            (tmp_path / "features").rename(tmp_path / "moved")
        else:
            path.rename(tmp_path / "kept")
        if change == "replaced":
            path.write_bytes(b"theirs")
        assert run.lost
        with pytest.raises(FeatureSetLockedError, match="was removed or replaced"):
            run.check()
    assert not path.exists() or path.read_bytes() == b"theirs"


def test_an_output_that_is_a_file_is_refused(tmp_path):
    (tmp_path / "features").write_bytes(b"")
    with (
        pytest.raises(FeatureSetError, match=r"Received: .*features', where the lock .* could not be created"),
        locks.held(str(tmp_path / "features")),
    ):
        pass


def test_the_lock_is_not_written_through_a_link(tmp_path):
    (tmp_path / "mine").write_bytes(b"precious")
    (tmp_path / "plan").mkdir()
    (tmp_path / "plan" / "lock").symlink_to(tmp_path / "mine")
    with pytest.raises(FeatureSetError, match="could not be created"), locks.held(str(tmp_path)):
        pass
    assert (tmp_path / "mine").read_bytes() == b"precious"


# Leases


def test_a_second_run_on_remote_storage_is_refused_while_the_first_works(storage):
    with lease() as run:
        first = json.loads(storage.cat(LEASE))
        time.sleep(1.5 * SECONDS)
        message = refusal(OUTPUT, lease_seconds=SECONDS, settle_seconds=0)
        last = json.loads(storage.cat(LEASE))
        run.check()
        assert not run.lost
    assert f"process {os.getpid()} on host {socket.gethostname()!r}" in message
    assert f"expires {SECONDS:g} s after" in message
    assert {name for name in first if first[name] != last[name]} == {"renewed"}
    assert (last["host"], last["pid"], last["seconds"]) == (socket.gethostname(), os.getpid(), SECONDS)
    assert not storage.exists(LEASE)
    with lease():
        pass


def test_a_lease_that_is_no_longer_renewed_is_taken_over(storage):
    storage.pipe_file(LEASE, written(renewed_ago=SECONDS + 0.01))
    with lease() as run:
        assert json.loads(storage.cat(LEASE))["pid"] == os.getpid()
        run.check()
    assert not storage.exists(LEASE)


def test_a_lease_that_has_not_expired_is_respected(storage):
    for renewed_ago in (1.0, -3600.0):  # the clock of the other run may be ahead
        theirs = written(renewed_ago, seconds=5.0)
        storage.pipe_file(LEASE, theirs)
        message = refusal(OUTPUT, lease_seconds=SECONDS, settle_seconds=0)
        assert "process 123 on host 'far-away', started 2026-01-02T03:04:05+00:00" in message
        assert storage.cat(LEASE) == theirs


def test_a_lease_from_a_slow_clock_is_respected_while_it_is_renewed(storage):
    storage.pipe_file(LEASE, written(renewed_ago=3600))
    stop = threading.Event()

    def renew():
        while not stop.wait(SECONDS / 6):
            storage.pipe_file(LEASE, written(renewed_ago=3600))

    other = threading.Thread(target=renew)
    other.start()
    try:
        assert "process 123 on host 'far-away'" in refusal(OUTPUT, lease_seconds=SECONDS, settle_seconds=0)
    finally:
        stop.set()
        other.join()
    assert json.loads(storage.cat(LEASE))["token"] == "theirs"


@pytest.mark.parametrize(
    "content", [b"", b"[]", b'{"host": "h"', b"\xff", b"null", written(9, seconds=float("nan")), written(9, seconds=-1)]
)
def test_an_unreadable_lease_is_taken_over_if_nobody_changes_it(storage, content):
    storage.pipe_file(LEASE, content)
    with lease(seconds=0.2):
        assert json.loads(storage.cat(LEASE))["pid"] == os.getpid()


def test_only_one_of_the_runs_that_start_together_works(storage):
    storage.pipe_file(LEASE, written(renewed_ago=3600, seconds=0.2))
    start, results = threading.Barrier(4), []

    def run():
        start.wait()
        try:
            with lease(settle=0.4):
                results.append("held")
                wait_for(lambda: results.count("refused") == 3)
        except FeatureSetLockedError:
            results.append("refused")

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == ["held", "refused", "refused", "refused"]


def test_a_run_does_not_replace_a_lease_that_appears_after_it_looked(storage, monkeypatch):
    theirs = written(renewed_ago=0)
    read, calls = storage.cat_file, []

    def late(self, path):
        calls.append(path)
        if len(calls) == 1:
            storage.pipe_file(LEASE, theirs)
            raise FileNotFoundError(path)
        return read(path)

    monkeypatch.setattr(type(storage), "cat_file", late)
    assert "far-away" in refusal(OUTPUT, lease_seconds=60, settle_seconds=0)
    assert storage.cat_file(LEASE) == theirs


def test_a_run_that_is_overtaken_while_its_lease_settles_is_refused(storage):
    def overtake():
        wait_for(lambda: storage.exists(LEASE))
        storage.pipe_file(LEASE, written(renewed_ago=0))

    other = threading.Thread(target=overtake)
    other.start()
    assert "far-away" in refusal(OUTPUT, lease_seconds=60, settle_seconds=0.5)
    other.join()
    assert json.loads(storage.cat(LEASE))["token"] == "theirs"


@pytest.mark.parametrize("content", [written(0), b"", None])
def test_a_lease_that_was_changed_or_removed_is_lost_and_left_as_it_is(storage, content):
    with lease() as run:
        if content is None:
            storage.rm(LEASE)
        else:
            storage.pipe_file(LEASE, content)
        wait_for(lambda: run.lost)
        with pytest.raises(FeatureSetLockedError, match="no longer holds"):
            run.check()
    assert (storage.cat(LEASE) if storage.exists(LEASE) else None) == content


def test_check_finds_a_lost_lease_before_the_next_renewal(storage):
    with lease(seconds=600) as run:
        storage.pipe_file(LEASE, written(0))
        assert not run.lost
        with pytest.raises(FeatureSetLockedError, match="held by process 123 on host 'far-away'"):
            run.check()
        assert run.lost


def test_a_lease_survives_temporary_failures_of_the_storage(storage, monkeypatch):
    class StorageError(Exception):
        """Error of a class that audiopipe does not know."""

    read, failures = storage.cat_file, []

    def fail(self, path):
        if len(failures) < 2:
            failures.append(path)
            raise StorageError
        return read(path)

    with lease() as run:
        before = storage.cat_file(LEASE)
        monkeypatch.setattr(type(storage), "cat_file", fail)
        wait_for(lambda: len(failures) == 2 and read(LEASE) != before)
        assert not run.lost
        run.check()
    assert not storage.exists(LEASE)


def test_an_error_while_the_lease_is_removed_does_not_hide_an_earlier_error(storage, monkeypatch):
    def fail(*args):
        raise ConnectionError("away")

    monkeypatch.setattr(type(storage), "rm_file", fail)
    with pytest.raises(KeyError, match="mine"), lease():
        raise KeyError("mine")


def test_an_interrupt_while_the_lease_settles_removes_it(storage, monkeypatch):
    def interrupt(seconds):
        raise KeyboardInterrupt(storage.cat(LEASE))

    monkeypatch.setattr(time, "sleep", interrupt)
    with pytest.raises(KeyboardInterrupt, match=socket.gethostname()), lease():
        pass
    assert not storage.exists(LEASE)


@pytest.mark.cases(1)
@pytest.mark.parametrize("code", [errno.ENOLCK, errno.ENOSYS])
def test_a_file_system_without_locks_uses_a_lease(tmp_path, monkeypatch, code):
    def fail(*args):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(fcntl, "flock", fail)
    path = tmp_path / "plan" / "lease.json"
    with lease(str(tmp_path)) as run:
        assert json.loads(path.read_bytes())["pid"] == os.getpid()
        assert "Its lease was renewed" in refusal(tmp_path, lease_seconds=SECONDS, settle_seconds=0)
        time.sleep(SECONDS)
        run.check()
    assert not path.exists()


def test_no_reader_sees_a_lease_without_its_content_while_it_is_renewed(tmp_path, monkeypatch):
    def fail(*args):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", fail)
    path = tmp_path / "plan" / "lease.json"
    with lease(str(tmp_path)), path.open("rb") as reader:
        before = path.read_bytes()
        while path.read_bytes() == before:
            time.sleep(0.01)
        assert reader.read() == before  # the file was replaced, not written in place


def test_no_thread_remains_after_the_end(storage):
    before = threading.active_count()
    with contextlib.suppress(FeatureSetLockedError), lease(), lease():
        pass
    assert threading.active_count() == before
