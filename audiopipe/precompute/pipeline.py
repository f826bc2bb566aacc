"""The Beam pipeline that computes a feature set.

It consists of a `Create` and a `ParDo`, which every runner supports. One element is one shard of the output. Workers
write shards and their sidecars to the output folder. Only small summaries travel through the pipeline.
"""

from collections.abc import Iterator
from typing import Any

import apache_beam as beam

from audiopipe.configs import Config
from audiopipe.errors import AudiopipeError, FeatureSetError, StoppedError
from audiopipe.precompute import plan, worker_errors
from audiopipe.precompute.finished_shards import unfinished
from audiopipe.runtime import startup, stopping


class ReadPlan(beam.PTransform):
    """Source of the unfinished shards of a plan, largest first, as elements `(clips file, shard)`.

    Args:
        output: Folder of the feature set, which contains the plan.

    Raises:
        FeatureSetError: If there is no plan, because the feature set is complete or was not begun.
    """

    def __init__(self, output: str):
        super().__init__()
        self.output = output

    def expand(self, pbegin):
        """Creates the elements."""
        return pbegin | "CreateShards" >> beam.Create(unfinished(_pending(self.output)))


class WriteFeatureShards(beam.PTransform):
    """Beam transform that computes and writes shards.

    It maps an element `(clips file, shard)` to a summary of the shard's sidecar, a dict.

    Args:
        config: Config of the plan. It travels to the workers, so that they know its class even if another package
            defines it.
    """

    def __init__(self, config: Config):
        super().__init__()
        self.config = config

    def expand(self, pcoll):
        """Applies the function that writes one shard per call."""
        return pcoll | "WriteShard" >> beam.ParDo(_WriteShard(self.config))


class Precompute(beam.PTransform):
    """Beam transform that writes all shards of a plan.

    `audiopipe.precompute.completion.finish` then completes the feature set.

    Args:
        output: Folder of the feature set, which contains the plan.

    Raises:
        FeatureSetError: If there is no plan, because the feature set is complete or was not begun.
    """

    def __init__(self, output: str):
        super().__init__()
        self.output = output

    def expand(self, pbegin):
        """Reads the plan and writes its shards."""
        return pbegin | ReadPlan(self.output) | WriteFeatureShards(_pending(self.output).config)


def _pending(output: str) -> plan.Plan:
    if not plan.exists(output):
        raise FeatureSetError(
            f"{output!r} has no plan. A folder has one from the start of a job until its feature set is complete. Call "
            "audiopipe.beam.precompute to start or to resume the job."
        )
    return plan.read(output)


class _WriteShard(beam.DoFn):
    def __init__(self, config: Config):
        super().__init__()
        # The pickle refers to the config's class: a worker imports it because the job did, not because a file names it.
        self.config = config

    def process(self, element: tuple[str, int]) -> Iterator[dict[str, Any]]:
        startup.tensorflow()  # only a worker needs it
        from audiopipe.precompute import shard_writer

        clips_file, shard = element
        try:
            with stopping.at_work():
                sidecar = shard_writer.write_shard(clips_file, shard)
        except StoppedError:
            raise
        except AudiopipeError as error:
            worker_errors.record(clips_file.rpartition("/")[0], error)
            raise
        counts = {
            "clips": sidecar["records"],
            "failures": len(sidecar["failures"]),
            "seconds_of_audio": round(sidecar["seconds"]),
            **{f"milliseconds_{stage}": round(1000 * spent) for stage, spent in sidecar["seconds_spent"].items()},
        }
        for name, count in counts.items():
            beam.metrics.Metrics.counter("audiopipe", name).inc(count)
        yield {key: value for key, value in sidecar.items() if key not in ("failures", "remarks", "sums")}
