"""Kills of a job between two changes of its output, in this process or for real in another one."""

import contextlib
import multiprocessing
import os
import signal

import evolving


class Killed(BaseException):
    """A kill that this process survives."""


class Steps:
    """Changes of files below a folder: a file gets its final name, or is removed.

    Args:
        folder: The folder.
        last: Number of the step before which the job is killed, from 1. None lets it run.
        end: Function that kills the job.
    """

    def __init__(self, folder, last, end):
        self._folder, self._last, self._end = os.fspath(folder), last, end
        self.count = 0

    @contextlib.contextmanager
    def watched(self):
        """Watches the steps of a block."""
        replace, remove = os.replace, os.remove

        def watched_replace(source, target, **options):
            self._step(target)
            replace(source, target, **options)

        def watched_remove(path, **options):
            if not os.fspath(path).endswith(".tmp"):
                self._step(path)
            remove(path, **options)

        os.replace, os.remove = watched_replace, watched_remove
        try:
            yield self
        finally:
            os.replace, os.remove = replace, remove

    def _step(self, path):
        if os.fspath(path).startswith(self._folder):
            self.count += 1
            if self._last is not None and self.count >= self._last:  # a killed job does nothing more
                self._end()


def _raise():
    raise Killed


def survived(output, step, run):
    """Runs a job in this process and ends it before a step. Returns whether it came to its end."""
    steps = Steps(output, step, _raise)
    with steps.watched(), contextlib.suppress(Killed, Exception):
        run()
        assert steps.count < step
        return True
    assert steps.count >= step
    return False


def _work(source, output, options, step):
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # TensorFlow writes warnings in every process
    with Steps(output, step, lambda: os.kill(os.getpid(), signal.SIGKILL)).watched():
        evolving.precompute(source, output, options)


def killed_process(corpus, output, options, *, step=None, seconds=None):
    """Runs a job in a process that is killed with `kill -9`.

    Args:
        corpus: The input.
        output: OUTPUT.
        options: Options of the job.
        step: Step of the job before which it is killed.
        seconds: How long after its start it is killed.

    Returns:
        Whether it came to its end before that.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["audiopipe.beam.jobs", "audiopipe.precompute.shard_writer"])
    process = context.Process(target=_work, args=(corpus.source, output, {**corpus.options, **options}, step))
    process.start()
    process.join(seconds)
    process.kill()
    process.join()
    assert process.exitcode in (0, -signal.SIGKILL)
    return process.exitcode == 0
