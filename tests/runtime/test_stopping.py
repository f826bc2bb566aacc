"""SIGTERM stops a command as Ctrl-C does, and only while the command runs."""

import os
import signal
import threading

import pytest
import typer.testing

from audiopipe import cli
from audiopipe.runtime import stopping


def test_sigterm_interrupts_within_the_context_alone():
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt), stopping.interrupted_by_sigterm():
        os.kill(os.getpid(), signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) == before


# A process that was forked later inherited the handler, and `multiprocessing.Pool` then waited for it forever.
@pytest.mark.parametrize("command", ["precompute", "merge"])
def test_a_command_leaves_no_handler_behind(command, clips, shared_feature_set, config, tmp_path):
    before = signal.getsignal(signal.SIGTERM)
    arguments = {
        "precompute": [clips, tmp_path / "features", "--config", tmp_path / "config.json"],
        "merge": [shared_feature_set, tmp_path / "merged"],
    }[command]
    (tmp_path / "config.json").write_text(config.to_json())
    result = typer.testing.CliRunner().invoke(cli.app, [command, *map(str, arguments)])
    assert result.exit_code == 0
    assert signal.getsignal(signal.SIGTERM) == before


def test_a_job_waits_until_no_thread_writes_a_shard():
    assert stopping.wait_until_idle(0)
    begun, released = threading.Event(), threading.Event()

    def write():
        with stopping.at_work():
            begun.set()
            released.wait()

    thread = threading.Thread(target=write)
    thread.start()
    begun.wait()
    assert not stopping.wait_until_idle(0.01)
    released.set()
    assert stopping.wait_until_idle(60)
    thread.join()
