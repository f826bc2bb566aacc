"""What every engine must do with the same job: the same bytes as this process, whatever happens to clips and workers.

The job computes 24 clips and a damaged one, in 6 shards, with the command `audiopipe precompute`.
"""

import json
import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import process_groups
import soundfile
from holding import Hold
from launching import precompute, running, worker_pool

from audiopipe import beam
from audiopipe.configs import Config

N_CLIPS = 24
N_SHARDS = 6
STOP_SECONDS = 200  # far more than it takes, for slow machines
ATTEMPTS = 3  # to complete a job that has lost a worker
RESUME = "Run the same command again to resume"
SIDECAR = r"/plan/shard-\d+\.json$"


def write_clips(folder: Path) -> None:
    """Writes 24 clips with two formats, sample rates and numbers of channels, and a damaged one."""
    noise = np.random.default_rng(5)
    for number in range(N_CLIPS):
        rate, suffix = (8000, "wav") if number % 2 else (16000, "flac")
        samples = 0.1 * noise.standard_normal((2000 + 300 * number, 1 + number % 3 // 2))
        soundfile.write(folder / f"{number:02}.{suffix}", samples, rate)
    (folder / "broken.wav").write_text("no audio")


def published(output: Path) -> dict[str, bytes]:
    """Returns the bytes of the shards, `failures.jsonl` and `dataset.json`. None of these files contains times."""
    return {path.name: path.read_bytes() for path in output.iterdir() if path.is_file()}


@dataclass(frozen=True)
class Work:
    """A job, and the bytes that this process writes for it.

    Args:
        source: Folder of the clips.
        config: The config.
        config_file: Its file.
        expected: Content of each published file, by its name.
        computed: The feature set of this process.
    """

    source: Path
    config: Config
    config_file: Path
    expected: dict[str, bytes]
    computed: Path

    @classmethod
    def prepare(cls, folder: Path, config: Config) -> "Work":
        """Writes the clips to a folder and computes their features in this process."""
        source, config_file = folder / "clips", folder / "config.json"
        source.mkdir()
        write_clips(source)
        config_file.write_text(config.to_json())
        feature_set = beam.precompute(source, folder / "expected", config, num_shards=N_SHARDS, workers=1)
        assert (feature_set.counts["clips"], feature_set.counts["failures"]) == (N_CLIPS, 1)
        expected = published(folder / "expected")
        assert sum(name.endswith(".tfrecord") for name in expected) == N_SHARDS
        return cls(source, config, config_file, expected, folder / "expected")


@dataclass(frozen=True)
class Matrix:
    """The cases that an engine is tested with. Options of Apache Beam choose the engine.

    Args:
        work: The job.
        folder: An empty folder for one case.
    """

    work: Work
    folder: Path

    @property
    def output(self) -> Path:
        """OUTPUT."""
        return self.folder / "features"

    def check_bytes(self) -> None:
        """Checks that the output has the bytes of this process, and names the damaged clip."""
        found = published(self.output)
        assert found.keys() == self.work.expected.keys()
        assert [name for name, content in self.work.expected.items() if found[name] != content] == []
        assert json.loads(found["failures.jsonl"])["id"] == "broken.wav"

    def writes_the_same_bytes(self, *options: str) -> str:
        """Checks the bytes of a job that nothing disturbs. Returns what the command prints."""
        printed = precompute(self.work.source, self.output, self.work.config_file, *options)
        self.check_bytes()
        return printed

    def reports_a_shard_that_cannot_be_written(
        self, *options: str, before_resume: Callable[[], None] = lambda: None
    ) -> str:
        """Checks that the job names the cause, and that this process then completes it. Returns what it prints."""
        blocked = self.output / "features-00000003.tfrecord"
        blocked.mkdir(parents=True)
        printed = precompute(self.work.source, self.output, self.work.config_file, *options, code=1)
        assert f"The job stopped: Could not write '{blocked}': Is a directory. {RESUME}" in printed
        before_resume()
        blocked.rmdir()
        beam.precompute(self.work.source, self.output, self.work.config, num_shards=N_SHARDS, workers=1)
        self.check_bytes()
        return printed

    def resumes_a_job_of_another_engine(self, *options: str) -> str:
        """Checks that the engine completes what worker processes on this machine have begun.

        Returns what the command prints.
        """
        blocked = self.output / "features-00000003.tfrecord"
        blocked.mkdir(parents=True)
        precompute(self.work.source, self.output, self.work.config_file, "--workers", "1", code=1)
        blocked.rmdir()
        times = {path: path.stat().st_mtime_ns for path in self.output.glob("*.tfrecord")}
        assert 0 < len(times) < N_SHARDS
        printed = precompute(self.work.source, self.output, self.work.config_file, *options)
        self.check_bytes()
        assert {path: path.stat().st_mtime_ns for path in times} == times  # finished shards were kept
        return printed

    def fails(self, *options: str) -> str:
        """Checks that the job ends with exit code 1. Returns what it prints, with single spaces."""
        printed = precompute(self.work.source, self.output, self.work.config_file, *options, code=1)
        return " ".join(printed.split())

    def takes_longer_than(self, seconds: int, *options: str) -> None:
        """Checks a job whose worker, in its own process, stops for longer than the timeout of requests."""
        hold = Hold("published", SIDECAR)
        how = (self.work.source, self.output, self.work.config_file)
        with running(*how, *options, f"--job_server_timeout={seconds}", variables=hold.environment()) as job:
            job.until(hold.reached)
            time.sleep(seconds + 1)
            hold.release()
            assert job.wait() == 0, job.printed
        self.check_bytes()

    def is_stopped_by_ctrl_c(self, *options: str, number: int = signal.SIGINT) -> None:
        """Checks that a signal ends a job and all that it started, and that the same command completes the job."""
        hold, mark = Hold("published", SIDECAR), ("AUDIOPIPE_TEST_RUN", str(self.output))
        how = (self.work.source, self.output, self.work.config_file)
        with running(*how, *options, variables={**hold.environment(), mark[0]: mark[1]}) as job:
            job.until(hold.reached)
            process_groups.send(job.process, number)
            code, printed = job.wait(STOP_SECONDS), " ".join(job.printed.split())
        print(printed)
        assert code == 130
        assert "Stopped. Run the same command again to resume. Finished shards are kept." in printed
        for noise in ("Traceback", "apache_beam", "grpc", "Exception"):
            assert noise not in printed
        assert process_groups.marked("=".join(mark)) == []
        assert list(self.output.rglob("*.tmp")) == []
        finished = len(list(self.output.glob("plan/shard-*.json")))
        assert finished < N_SHARDS  # none if the engine began them all at once
        assert not (self.output / "dataset.json").exists()
        precompute(*how, *options)
        self.check_bytes()

    def _completes(self, *options: str) -> None:
        """Runs the job until it is complete. A cluster may still end the tasks of the job before, and fail this one."""
        for attempts in range(ATTEMPTS, 0, -1):
            with running(self.work.source, self.output, self.work.config_file, *options) as job:
                if job.wait() == 0:
                    return
                assert attempts > 1, job.printed
                assert RESUME in " ".join(job.printed.split()), job.printed

    def loses_a_worker(self, options: Callable[[str], list[str]]) -> tuple[int, str]:
        """Kills a worker that has written its first shard, and checks that the job, or the same one again, completes.

        Args:
            options: Returns the options for a pool of workers at an address.

        Returns:
            The exit code of the job whose worker was killed, and what it printed.
        """
        hold = Hold("published", SIDECAR)
        how = (self.work.source, self.output, self.work.config_file)
        with worker_pool(self.folder / "pool", hold.environment()) as address, running(*how, *options(address)) as job:
            job.until(hold.reached)
            os.kill(hold.process(), signal.SIGKILL)
            hold.release()
            code, printed = job.wait(), job.printed
        print(printed)
        if code != 0:
            assert RESUME in " ".join(printed.split())
            assert not (self.output / "dataset.json").exists()
            with worker_pool(self.folder / "pool") as address:
                self._completes(*options(address))
        self.check_bytes()
        assert list(self.output.rglob("*.tmp")) == []
        return code, printed
