"""Engine that writes the shards of a job in this process."""

import threading

from audiopipe.errors import FeatureSetError
from audiopipe.precompute import finished_shards, worker
from audiopipe.precompute.plan import Plan
from audiopipe.runtime import startup, stopping

STOP_SECONDS = 10


class ThisProcess:
    """Engine that writes the shards in a thread of this process. TensorFlow uses all processors."""

    def __init__(self) -> None:
        self._ended = threading.Event()
        self._error: BaseException | None = None
        self._output = ""

    def start(self, plan: Plan) -> None:
        """Starts to write the unfinished shards of a plan."""
        self._output = plan.output
        stopping.allow(plan.output)
        startup.tensorflow()  # before the work starts
        threading.Thread(target=self._run, args=[finished_shards.unfinished(plan)], daemon=True).start()

    def wait(self, seconds: float) -> bool:
        """Waits until the job ends, at most `seconds`. Returns whether it has ended.

        Raises:
            FeatureSetError: If the job failed.
        """
        ended = self._ended.wait(seconds)
        if ended and self._error is not None:
            raise FeatureSetError(worker.cause_of(self._error)) from self._error
        return ended

    def stop(self) -> None:
        """Stops the job after the current clip. Finished shards are kept, unfinished ones are lost."""
        if self._ended.is_set():
            return
        stopping.stop(self._output)
        if self._ended.wait(STOP_SECONDS):
            stopping.allow(self._output)

    def _run(self, elements: list[tuple[str, int]]) -> None:
        from audiopipe.precompute import shard_writer

        try:
            for _ in shard_writer.write_shards(elements):
                pass
        except BaseException as error:  # the job raises it
            self._error = error
        finally:
            self._ended.set()
